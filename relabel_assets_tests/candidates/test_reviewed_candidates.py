"""People are asked about candidates; their answers bring no other candidate."""

from pathlib import Path

import polars as pl

from relabel_assets.candidates.choose import find_candidates
from relabel_assets.corpus.config.config import CandidatesConfig

DOCUMENTS = pl.DataFrame(
    {"doc_id": [f"d{i}" for i in range(12)], "body": [f"word{i} text" for i in range(12)]}
).with_columns(
    pl.lit(None, pl.String).alias(name)
    for name in ("title", "author", "path", "updated_at", "doc_type")
)
QUERIES = pl.DataFrame({"query_id": ["q1"], "text": ["word3"], "seed_doc_id": ["d3"]})


def candidates(folder: Path, judged: list[str], reviewed: list[str]) -> dict[str, str]:
    def pairs(doc_ids: list[str]) -> pl.DataFrame:
        ids = {"query_id": ["q1"] * len(doc_ids), "doc_id": doc_ids}
        return pl.DataFrame(ids, schema_overrides=dict.fromkeys(ids, pl.String))

    found = find_candidates(
        [DOCUMENTS],
        QUERIES,
        pairs(judged),
        config=CandidatesConfig(bm25_top_k=1, random=3),
        scratch=folder,
        reviewed=pairs(reviewed),
    )
    return dict(found.select("doc_id", "source").iter_rows())


def test_a_review_of_a_candidate_changes_no_candidate(tmp_path: Path) -> None:
    before = candidates(tmp_path, [], [])
    assert list(before.values()).count("random") == 3
    assert candidates(tmp_path, [], list(before)) == before


def test_a_reviewed_pair_that_was_no_candidate_is_one_now(tmp_path: Path) -> None:
    before = candidates(tmp_path, [], [])
    other = next(doc_id for doc_id in DOCUMENTS["doc_id"] if doc_id not in before)
    assert candidates(tmp_path, [], [other]) == before | {other: "judged"}


def test_a_judged_pair_is_not_drawn_at_random_too(tmp_path: Path) -> None:
    before = candidates(tmp_path, [], [])
    drawn = [doc_id for doc_id, source in before.items() if source == "random"]
    after = candidates(tmp_path, drawn, [])
    assert {after[doc_id] for doc_id in drawn} == {"judged"}
    assert list(after.values()).count("random") == 3
