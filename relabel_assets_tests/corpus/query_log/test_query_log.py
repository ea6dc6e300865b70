"""A sample of a search log stands for all of its searches, and has no personal data."""

import json

import numpy as np
import polars as pl
import pytest

from relabel_assets.corpus.query_log.draw_queries import DrawnQuery, draw, effective_size, strata_of
from relabel_assets.corpus.query_log.groups import TOO_LONG, QueryGroup, groups_of
from relabel_assets.corpus.query_log.log_file import read_log
from relabel_assets.corpus.query_log.sample_file import write_sample
from relabel_assets.errors import ConfigError


def nothing_personal(text):
    return []


def groups(*counts):
    """A group for each number of searches; their texts are no near duplicates."""
    ordered = sorted(enumerate(counts), key=lambda item: (-item[1], item[0]))
    return [QueryGroup(word(n), word(n), count) for n, count in ordered]


def word(n):
    return "".join(chr(97 + int(digit)) * 3 for digit in f"{n * 7919 % 100_003:05}")


class TestLog:
    def read(self, tmp_path, name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_log(path)

    def test_a_row_a_search_and_a_row_a_query_count_the_same(self, tmp_path):
        searches = self.read(tmp_path, "a.csv", "query,user\nvpn,1\nvpn,2\nleave,1\n").searches
        counts = self.read(tmp_path, "b.tsv", "Search term\tCount\nvpn\t2\nleave\t1\n").searches
        lines = self.read(tmp_path, "c.txt", "vpn\nvpn\n\nleave\n").searches
        objects = '{"q": "vpn", "n": 2}\n{"q": "leave"}\n'
        assert searches == counts == lines == self.read(tmp_path, "d.jsonl", objects).searches
        assert searches == {"vpn": 2, "leave": 1}

    def test_a_text_is_one_however_its_letters_and_spaces_are_written(self, tmp_path):
        log = self.read(tmp_path, "a.txt", "cafe\u0301  menu\ncaf\u00e9 menu\n")
        assert log.searches == {"café menu": 2}

    @pytest.mark.parametrize("count", ["-1", "2.5", "many"])
    def test_a_row_with_a_wrong_count_costs_itself(self, tmp_path, count):
        log = self.read(tmp_path, "a.csv", f"query,count\nvpn,{count}\nleave,1\n")
        assert log.searches == {"leave": 1}
        assert [(p.file, p.line) for p in log.problems] == [("a.csv", 2)]

    def test_a_file_without_queries_or_of_no_format_is_refused(self, tmp_path):
        with pytest.raises(ConfigError, match="no query in it"):
            self.read(tmp_path, "a.txt", "\n \n")
        with pytest.raises(ConfigError, match="no column text"):
            self.read(tmp_path, "a.csv", "user,time\n1,2\n")
        with pytest.raises(ConfigError, match=r"Endings: .*\.csv"):
            self.read(tmp_path, "a.pdf", "vpn")
        with pytest.raises(ConfigError, match=r"a\.csv"):
            read_log(tmp_path / "missing" / "a.csv")


class TestGroups:
    def test_ways_of_writing_are_one_query_with_all_their_searches(self):
        found = groups_of({"Leave, parental": 1, "parental leave": 3, "vpn": 2}, nothing_personal)
        assert found.groups == [
            QueryGroup("leave parental", "parental leave", 4),
            QueryGroup("vpn", "vpn", 2),
        ]

    def test_a_number_makes_another_query(self):
        found = groups_of({"error 0x8007": 1, "error 0x8005": 1}, nothing_personal)
        assert len(found.groups) == 2

    def test_personal_queries_and_pasted_texts_are_left_out_and_counted_by_searches(self):
        searches = {"mail to ana@x.org": 3, "word " * 60: 2, "vpn": 1}
        found = groups_of(searches, lambda text: ["emails"] if "@" in text else [])
        assert [group.text for group in found.groups] == ["vpn"]
        assert found.left_out == {"emails": 3, TOO_LONG: 2}

    def test_rare_queries_are_left_out_where_asked(self):
        found = groups_of({"vpn": 3, "who pays ana": 2}, nothing_personal, least_searches=3)
        assert [group.text for group in found.groups] == ["vpn"]
        assert found.left_out == {"searched fewer than 3 times": 2}

    def test_the_order_of_the_log_does_not_matter(self):
        texts = {"VPN": 1, "vpn": 1, "leave": 2}
        backwards = dict(reversed(texts.items()))
        assert groups_of(texts, nothing_personal) == groups_of(backwards, nothing_personal)


class TestDraw:
    def test_a_third_of_the_searches_is_head_a_third_torso_and_the_rest_tail(self):
        strata = strata_of(groups(30, 15, 15, *[2] * 15))
        assert [(s.name, len(s.groups), s.n_searches) for s in strata] == [
            ("head", 1, 30),
            ("torso", 2, 30),
            ("tail", 15, 30),
        ]

    def test_queries_that_were_searched_once_are_tail(self):
        assert [stratum.name for stratum in strata_of(groups(1, 1, 1))] == ["tail"]

    def test_weights_add_up_to_the_searches_of_the_log(self):
        log = groups(60, 20, 20, 20, *[2] * 15, *[1] * 30)
        drawn = draw(log, 12, seed=13)
        assert sum(query.weight for query in drawn if query.stratum == "head") == 60
        # All queries of torso count the same; in the tail 2 and 1 differ, so the sum is right on average.
        assert sum(query.weight for query in drawn if query.stratum == "torso") == 60
        totals = [
            sum(query.weight for query in draw(log, 12, seed=seed) if query.stratum == "tail")
            for seed in range(200)
        ]
        assert abs(np.mean(totals) - 60) < 3 * np.std(totals) / 200**0.5 + 1e-9

    def test_a_larger_sample_keeps_what_was_drawn(self):
        log = groups(*range(1, 200))
        few, more = draw(log, 20, seed=13), draw(log, 60, seed=13)
        assert {query.query_id for query in few} <= {query.query_id for query in more}
        assert {query.query_id for query in few} != {q.query_id for q in draw(log, 20, seed=14)}

    def test_more_than_there_are_draws_all_with_their_own_searches(self):
        drawn = draw(groups(5, 2, 1), 100, seed=13)
        assert sorted(query.weight for query in drawn) == [1, 2, 5]

    def test_near_duplicates_in_the_sample_are_one_with_both_weights(self):
        log = [
            QueryGroup("leave parental policy", "parental leave policy", 5),
            QueryGroup("leave parental policys", "parental leave policys", 3),
        ]
        (query,) = draw(log, 2, seed=13)
        assert (query.text, query.weight) == ("parental leave policy", 8)

    def test_unequal_weights_say_less(self):
        one, ten = (DrawnQuery("q", "vpn", "head", 1, 1.0, float(w)) for w in (1, 10))
        assert effective_size([one] * 4) == 4
        assert effective_size([one, ten]) < 1.2


def test_a_sample_is_read_as_queries_with_weights(tmp_path):
    from relabel_assets.corpus.queries.queries import queries_from_rows

    write_sample(draw(groups(9, 1), 2, seed=13), tmp_path / "queries.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "queries.jsonl").read_text().splitlines()]
    problems = []
    queries = queries_from_rows(enumerate(rows, start=1), file="queries.jsonl", problems=problems)
    assert not problems
    assert queries.frame.select("weight", "stratum", "split").rows() == [
        (9.0, "head", None),
        (1.0, "tail", None),
    ]


@pytest.mark.parametrize("weight", [0, -1, True, "heavy", float("inf"), float("nan")])
def test_a_weight_that_is_none_costs_its_query(weight):
    from relabel_assets.corpus.queries.queries import queries_from_rows

    problems, rows = [], [(1, {"query_id": "q", "text": "vpn", "weight": weight})]
    assert queries_from_rows(rows, file="queries.jsonl", problems=problems).frame.is_empty()
    assert "weight is" in problems[0].message


class TestWeightedMeans:
    def measured(self, weights):
        from relabel_assets.benchmark.bootstrap import measure

        ids = {"query_id": ["q1", "q1", "q2", "q2"], "doc_id": ["a", "b"] * 2}
        reference = pl.DataFrame(ids | {"assessor": ["ana"] * 4, "grade": [1, 0, 1, 0]})
        # q1 is in the right order, q2 is not.
        scores = pl.DataFrame(
            ids | {"labeler": ["bm25"] * 4, "score": [1.0, 0, 0, 1], "grade": [1, 0, 0, 1]}
        )
        queries = pl.DataFrame(
            {
                "query_id": ["q1", "q2"],
                "intent": [None] * 2,
                "weight": weights,
                "stratum": ["head", "tail"],
            },
            schema_overrides={"intent": pl.String, "weight": pl.Float64},
        )
        rows = measure(scores, reference, queries, n_resamples=50).rows
        return {(r["metric"], r["slice"]): r["value"] for r in rows.iter_rows(named=True)}

    def test_metrics_are_weighted_means_over_queries(self):
        values = self.measured([9.0, 1.0])
        assert values["pairwise_strict", "all"] == pytest.approx(0.9)
        assert values["pairwise_strict", "stratum=tail"] == 0
        wrong = 1 / np.log2(3)
        assert values["ndcg@10", "all"] == pytest.approx(0.9 + 0.1 * wrong)
        # Confusion by weight: 9 of 10 right, both grades equally frequent on both sides.
        assert values["kappa", "all"] == pytest.approx(2 * 0.9 - 1)

    def test_no_weight_counts_as_one(self):
        assert self.measured([1.0, None]) == self.measured([None, None])
