"""Candidates against BM25 computed by hand, and query texts of every kind."""

import math
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.candidates.bm25 import bm25_index
from relabel_assets.candidates.choose import find_candidates, retrievable
from relabel_assets.corpus.config.config import CandidatesConfig

BODIES = {
    "d1": "cat cat dog",
    "d2": "dog bird fish fish",
    "d3": "bird",
    "d4": "tree house garden wall door",
}


def documents(bodies: dict[str, str], **metadata: str) -> pl.DataFrame:
    empty = dict.fromkeys(("title", "author", "path", "updated_at", "doc_type"), None) | metadata
    return pl.DataFrame(
        [{"doc_id": doc_id, "body": body, **empty} for doc_id, body in bodies.items()],
        schema_overrides=dict.fromkeys(empty, pl.String),
    )


def queries(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["query_id", "text", "seed_doc_id"], orient="row").cast(
        pl.String
    )


NONE_JUDGED = pl.DataFrame(schema={"query_id": pl.String, "doc_id": pl.String})


def bm25_by_hand(query: str, body: str) -> float:
    """Robertson & Zaragoza 2009, with Lucene's idf."""
    words = {doc_id: text.split() for doc_id, text in BODIES.items()}
    n_documents, mean = 4, 13 / 4
    counts, total = Counter(body.split()), 0.0
    for term in query.split():
        holding = sum(term in text for text in words.values())
        idf = math.log(1 + (n_documents - holding + 0.5) / (holding + 0.5))
        tf = counts[term]
        total += idf * tf * 2.2 / (tf + 1.2 * (1 - 0.75 + 0.75 * len(body.split()) / mean))
    return total


@pytest.mark.parametrize("query", ["cat", "dog bird", "fish cat dog bird", "cat cat"])
def test_scores_are_bm25(tmp_path: Path, query: str) -> None:
    with bm25_index([documents(BODIES)], scratch=tmp_path) as bm25:
        scores = bm25.scores(query, BODIES)
    assert scores == pytest.approx(
        {doc_id: bm25_by_hand(query, body) for doc_id, body in BODIES.items()}, rel=1e-5
    )


def test_every_field_is_searched_and_words_are_stemmed(tmp_path: Path) -> None:
    frames = [
        documents({"d1": "x"}, title="Parental leaves"),
        documents({"d2": "y"}, author="Åsa Öberg", updated_at="2026-02-01"),
    ]
    with bm25_index(frames, scratch=tmp_path) as bm25:
        assert [hit[0] for hit in bm25.top("leave", 5)] == ["d1"]
        assert [hit[0] for hit in bm25.top("asa 2026", 5)] == ["d2"]


def test_a_query_gets_top_documents_seed_judged_and_random_ones(tmp_path: Path) -> None:
    judged = pl.DataFrame({"query_id": ["q1", "q1"], "doc_id": ["d1", "d2"]})
    config = CandidatesConfig(bm25_top_k=1, random=1)
    pairs = find_candidates(
        [documents(BODIES)], queries(("q1", "cat", "d3")), judged, config=config, scratch=tmp_path
    )
    assert dict(pairs.select("doc_id", "source").iter_rows()) == {
        "d1": "bm25",
        "d3": "seed",
        "d2": "judged",
        "d4": "random",
    }
    assert pairs.filter(pl.col("source") != "bm25")["rank"].null_count() == 3
    assert pairs.filter(pl.col("doc_id") == "d1")["rank"].item() == 1


def test_zero_candidates_of_every_kind_give_no_pairs(tmp_path: Path) -> None:
    config = CandidatesConfig(bm25_top_k=0, random=0, include_seed=False)
    assert find_candidates(
        [documents(BODIES)],
        queries(("q", "cat", "d1")),
        NONE_JUDGED,
        config=config,
        scratch=tmp_path,
    ).is_empty()


def test_equal_scores_are_ordered_by_document_id_and_not_by_index_position(tmp_path: Path) -> None:
    same = {f"d{number}": "word" for number in (5, 4, 3, 2, 1)}
    with bm25_index([documents(same)], scratch=tmp_path) as bm25:
        assert [doc_id for doc_id, _ in bm25.top("word", 3)] == ["d1", "d2", "d3"]


def test_a_higher_score_comes_before_tied_documents_with_lower_ids(tmp_path: Path) -> None:
    bodies = {"d9": "word word", "d5": "word other", "d4": "word other", "d3": "word other"}
    with bm25_index([documents(bodies)], scratch=tmp_path) as bm25:
        assert [doc_id for doc_id, _ in bm25.top("word", 3)] == ["d9", "d3", "d4"]


def test_ranks_count_from_one_in_the_order_of_scores(tmp_path: Path) -> None:
    config = CandidatesConfig(bm25_top_k=10, random=0)
    one_query = queries(("q", "dog bird", None))
    pairs = find_candidates(
        [documents(BODIES)], one_query, NONE_JUDGED, config=config, scratch=tmp_path
    )
    by_rank = pairs.sort("rank")
    assert by_rank["rank"].to_list() == [1, 2, 3]
    assert by_rank["bm25_score"].is_sorted(descending=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "?!",
        "AND OR NOT",
        'title:"x" +cat -dog ~2 ^3 [a TO z] {}',
        "*:*",
        "\\",
        "a" * 10_000,
        "猫",
        "\x00",
        "(" * 2000,
    ],
)
def test_query_text_is_words_and_never_syntax(tmp_path: Path, text: str) -> None:
    config = CandidatesConfig(bm25_top_k=10, random=2)
    pairs = find_candidates(
        [documents(BODIES)],
        queries(("q", text, "d4")),
        NONE_JUDGED,
        config=config,
        scratch=tmp_path,
    )
    assert "d4" in pairs["doc_id"].to_list()
    assert pairs["doc_id"].is_unique().all()


def test_random_documents_depend_on_the_query_and_the_seed_only(tmp_path: Path) -> None:
    many = documents({f"d{number:03}": f"text{number}" for number in range(200)})
    config = CandidatesConfig(bm25_top_k=0, random=3)

    def drawn(*query_ids: str, seed: int = 13) -> dict[str, list[str]]:
        zzz_queries = queries(*((query_id, "zzz", None) for query_id in query_ids))
        pairs = find_candidates(
            [many],
            zzz_queries,
            NONE_JUDGED,
            config=config.model_copy(update={"seed": seed}),
            scratch=tmp_path,
        )
        return {name[0]: group["doc_id"].to_list() for name, group in pairs.group_by("query_id")}

    assert drawn("a", "b")["b"] == drawn("b")["b"] != drawn("a")["a"]
    assert drawn("a", seed=1) != drawn("a", seed=2)


def test_a_corpus_of_one_document_has_one_pair_and_leaves_no_scratch_files(tmp_path: Path) -> None:
    pairs = find_candidates(
        [documents({"only": "cat"})],
        queries(("q", "cat", "only")),
        NONE_JUDGED,
        config=CandidatesConfig(),
        scratch=tmp_path,
    )
    assert pairs.rows() == [
        ("q", "only", 1, pytest.approx(pairs["bm25_score"][0]), None, None, "bm25")
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_no_index_behind(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="stop"),
        bm25_index([documents(BODIES)], scratch=tmp_path),
    ):
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_the_round_trip_finds_the_seed(tmp_path: Path) -> None:
    two_queries = queries(("q1", "garden wall", "d4"), ("q2", "garden wall", "d1"))
    assert retrievable([documents(BODIES)], two_queries, depth=3, scratch=tmp_path).to_list() == [
        True,
        False,
    ]


WORDS = ("cat", "dog", "bird", "fish", "tree", "house", "garden", "wall", "door", "lamp")
MANY = {
    f"d{number:02}": f"{WORDS[number % 10]} {WORDS[number % 7]} text{number}"
    for number in range(40)
}
MANY_QUERIES = queries(*((f"q{number}", word, None) for number, word in enumerate(WORDS)))


def candidates(bodies: dict[str, str], tmp_path: Path) -> pl.DataFrame:
    config = CandidatesConfig(bm25_top_k=3, random=2)
    return find_candidates(
        [documents(bodies)], MANY_QUERIES, NONE_JUDGED, config=config, scratch=tmp_path
    )


def test_a_new_document_replaces_few_random_ones(
    tmp_path: Path,
) -> None:
    before, after = (
        candidates(MANY, tmp_path),
        candidates(MANY | {"new": "zebra giraffe"}, tmp_path),
    )
    gone = before.join(after, on=["query_id", "doc_id"], how="anti")
    assert gone.height <= 3
    assert set(gone["source"]) <= {"random"}
    assert set(after.join(before, on=["query_id", "doc_id"], how="anti")["doc_id"]) <= {"new"}


def test_random_documents_are_drawn_evenly(tmp_path: Path) -> None:
    many_queries = queries(*((f"q{number}", "zzz", None) for number in range(2000)))
    config = CandidatesConfig(bm25_top_k=0, random=2)
    pairs = find_candidates(
        [documents(MANY)], many_queries, NONE_JUDGED, config=config, scratch=tmp_path
    )
    counts = pairs["doc_id"].value_counts()["count"]
    assert counts.len() == 40
    # Binomial with mean 100 and standard deviation 10; 40 documents stay within five of it unless
    # the draw is not even.
    assert 50 < counts.min() <= counts.max() < 150  # type: ignore[operator]


def test_a_document_that_repeats_another_is_found_as_the_first(tmp_path: Path) -> None:
    frame = documents({"d1": "cat", "d2": "cat", "d3": "dog"})
    repeated = frame.with_columns(duplicate_of=pl.Series([None, "d1", None], dtype=pl.String))
    two_queries = queries(("q1", "cat", "d2"), ("q2", "dog", None))
    config = CandidatesConfig(random=5)
    pairs = find_candidates([repeated], two_queries, NONE_JUDGED, config=config, scratch=tmp_path)
    assert set(pairs.select("query_id", "doc_id", "source").rows()) == {
        ("q1", "d1", "bm25"),
        ("q1", "d2", "seed"),
        ("q1", "d3", "random"),
        ("q2", "d3", "bm25"),
        ("q2", "d1", "random"),
    }
    scores = dict(pairs.filter(pl.col("query_id") == "q1").select("doc_id", "bm25_score").rows())
    assert scores["d2"] == scores["d1"] > 0
    assert retrievable([repeated], two_queries[:1], depth=1, scratch=tmp_path).all()
