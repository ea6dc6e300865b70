"""Bodies over the length that a student reads whole: the passages nearest each query."""

import polars as pl

from relabel_assets.student.long_documents import with_nearest_passages
from relabel_assets.student.windows import BODY_CHARACTERS

LINES = "".join(f"Line {n} tells of subject{n}, and of nothing else.\n\n" for n in range(6_000))
LONG = LINES + "x" * (BODY_CHARACTERS + 1 - len(LINES))


def pairs(body: str | None) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "query_id": ["q1", "q2", "q3"],
            "text": ["subject5000", "subject3000", "subject5000"],
            "doc_id": ["d1", "d1", "d2"],
            "title": ["Long", "Long", "Short"],
            "body": [body, body, "Ask HR."],
        }
    )


def test_a_body_of_the_length_that_is_read_whole_stays() -> None:
    whole = pairs("x" * BODY_CHARACTERS)
    assert with_nearest_passages(whole).equals(whole)
    assert with_nearest_passages(pairs(None)).equals(pairs(None))


def test_a_longer_body_is_the_passages_nearest_each_query_under_an_id_of_its_own() -> None:
    assert len(LONG) > BODY_CHARACTERS
    read = with_nearest_passages(pairs(LONG))
    assert read.drop("doc_id", "body").equals(pairs(LONG).drop("doc_id", "body"))
    first, second, short = read["body"].to_list()
    assert "subject5000," in first and "subject3000," not in first
    assert "subject3000," in second and len(second.encode()) <= 12_000
    assert short == "Ask HR."
    assert read["doc_id"].n_unique() == 3 and read["doc_id"][2] == "d2"


def test_columns_of_the_caller_stay_whatever_their_names_are() -> None:
    pairs = pl.DataFrame(
        {
            "row": [7],
            "text": ["leave"],
            "doc_id": ["d"],
            "body": ["Ask HR. " * 30_000],
            "place": ["x"],
        }
    )
    replaced = with_nearest_passages(pairs)
    assert replaced.columns == pairs.columns
    assert replaced.select("row", "place").rows() == [(7, "x")]
