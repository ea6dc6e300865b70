"""Which pairs of label queries the teacher is asked about: shares, what is known, kills, other students."""

import polars as pl
import pytest

from relabel_assets.labeling.final.label_queries import PairTexts, missing, pairs_to_ask, shares
from relabel_assets_tests.builders import crossed_pairs
from relabel_assets_tests.labeling.graders import HashScorer

PAIR = ["query_id", "doc_id"]
N_QUERIES, N_DOCUMENTS = 6, 10
CROSSED = crossed_pairs(N_DOCUMENTS, N_QUERIES)
TEXTS = PairTexts(
    CROSSED.select(PAIR),
    CROSSED.select("query_id", "text").unique(maintain_order=True),
    CROSSED.drop("query_id", "text").unique(maintain_order=True),
)
NONE = TEXTS.pairs.clear().with_columns(grade=pl.lit(0))
WANTED = shares(TEXTS.pairs, 0.3, seed=13)


def graded(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.select(*PAIR, grade=pl.lit(2))


def asked(
    people: pl.DataFrame = NONE, free: pl.DataFrame = NONE, closed: pl.DataFrame = NONE
) -> pl.DataFrame:
    return pairs_to_ask(HashScorer, TEXTS, WANTED, people=people, free=free, closed=closed)  # type: ignore[arg-type]


def counts(pairs: pl.DataFrame) -> dict[str, int]:
    return dict(pairs.group_by("query_id").len().iter_rows())


def keys(pairs: pl.DataFrame) -> set[tuple[str, str]]:
    return set(pairs.select(PAIR).iter_rows())


@pytest.mark.parametrize(("share", "wanted"), [(0.0, 0), (0.3, 3), (1.0, 10)])
def test_a_share_that_is_a_whole_number_of_pairs_is_that_number(share: float, wanted: int) -> None:
    assert shares(TEXTS.pairs, share, seed=13)["n_wanted"].to_list() == [wanted] * N_QUERIES


def test_a_fraction_is_rounded_up_as_often_as_it_says_whatever_other_queries_there_are() -> None:
    pairs = pl.DataFrame({"query_id": [f"q{n}" for n in range(2000) for _ in range(12)]})
    wanted = shares(pairs, 0.1, seed=13)
    assert set(wanted["n_wanted"]) == {1, 2}
    assert wanted["n_wanted"].mean() == pytest.approx(1.2, abs=0.03)
    fewer = shares(pairs.tail(120), 0.1, seed=13)
    assert fewer.equals(wanted.tail(10))


def test_each_query_is_asked_about_its_share_and_no_student_is_loaded_for_nothing() -> None:
    assert counts(asked()) == dict.fromkeys(TEXTS.queries["query_id"], 3)

    def load() -> HashScorer:
        raise AssertionError("a student was loaded")

    nothing = shares(TEXTS.pairs, 0.0, seed=13)
    assert pairs_to_ask(load, TEXTS, nothing, people=NONE, free=NONE, closed=NONE).is_empty()  # type: ignore[arg-type]


@pytest.mark.parametrize("n_answered", [1, 7, 17, 18])
def test_a_run_that_was_killed_asks_about_the_rest_of_the_same_pairs(n_answered: int) -> None:
    chosen = asked()
    answered = chosen.sample(n_answered, seed=n_answered)
    again = asked(free=graded(answered))
    assert keys(again) == keys(chosen) - keys(answered)


def test_answers_about_other_pairs_count_so_that_another_student_pays_only_what_is_missing() -> (
    None
):
    chosen = asked()
    others = TEXTS.pairs.join(chosen, on=PAIR, how="anti").group_by("query_id").head(2)
    again = asked(free=graded(others))
    assert counts(again) == dict.fromkeys(TEXTS.queries["query_id"], 1)
    assert not keys(again) & keys(others)


def test_what_people_graded_is_not_asked_and_counts() -> None:
    of_people = TEXTS.pairs.filter(pl.col("query_id") == "q0").head(2)
    chosen = asked(people=graded(of_people))
    assert counts(chosen) == dict.fromkeys(TEXTS.queries["query_id"], 3) | {"q0": 1}
    assert not keys(chosen) & keys(of_people)
    # The ledger may have them too. Each pair counts once.
    assert keys(asked(people=graded(of_people), free=graded(of_people))) == keys(chosen)


def test_a_pair_about_which_nobody_can_be_asked_is_not_chosen() -> None:
    closed = asked()
    chosen = asked(closed=closed)
    assert not keys(chosen) & keys(closed)
    assert counts(chosen) == counts(closed)


def test_more_answers_than_wanted_leave_nothing_to_ask() -> None:
    known = TEXTS.pairs.filter(pl.col("query_id") == "q1")
    assert "q1" not in missing(WANTED, known)["query_id"].to_list()
    assert "q1" not in counts(asked(free=graded(known)))


def test_chunks_have_whole_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relabel_assets.labeling.final.label_queries._PAIRS_AT_ONCE", 25)
    chunks = list(TEXTS.in_chunks())
    assert [chunk.height for chunk in chunks] == [20, 20, 20]
    assert pl.concat(chunks).select(PAIR).equals(TEXTS.pairs)
    assert chunks[0]["body"].null_count() == 0
