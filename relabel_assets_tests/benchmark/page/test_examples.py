"""The pairs and queries of a report: which they are, and their excerpts."""

import polars as pl

from relabel_assets.benchmark.page.examples import excerpt, telling_disagreements, worst_queries


def test_disagreements_begin_with_the_widest_gap_and_have_two_of_a_query_at_most() -> None:
    rows = [(f"q{n // 4:02}", f"d{n:03}", n / 100) for n in range(100)]
    student = pl.DataFrame(
        rows, schema=["query_id", "doc_id", "expected_grade"], orient="row"
    ).with_columns(grade=pl.lit(0))
    reference = student.select("query_id", "doc_id", grade=pl.lit(3))
    teacher = student.head(1).select(
        "query_id", "doc_id", grade=pl.lit(3), rationale=pl.lit("because")
    )
    queries = student.select(pl.col("query_id").unique()).with_columns(text="query_id")
    documents = student.select("doc_id", title="doc_id", body=pl.lit("text"))
    found = telling_disagreements(student, teacher, reference, queries, documents)
    assert [row["title"] for row in found[:4]] == ["d000", "d001", "d004", "d005"]
    assert len(found) == 20
    assert (found[0]["rationale"], found[0]["teacher_grade"]) == ("because", 3)
    assert (found[1]["rationale"], found[1]["teacher_grade"]) == (None, None)


def test_a_query_that_is_ordered_perfectly_is_none_of_the_worst() -> None:
    pairs = pl.DataFrame(
        {"query_id": ["q1", "q1", "q2", "q2"], "doc_id": ["a", "b"] * 2, "grade": [3, 0, 3, 0]}
    )
    student = pairs.with_columns(expected_grade=pl.Series([2.0, 1.0, 1.0, 2.0]))
    queries = pl.DataFrame({"query_id": ["q1", "q2"], "text": ["good", "bad"]})
    (worst,) = worst_queries(student, pairs, pairs, queries)
    assert (worst["query"], worst["teacher"]) == ("bad", 1.0)


def test_an_excerpt_has_the_querys_words_and_short_texts_are_whole() -> None:
    body = "filler " * 200 + "the quarterly budget is due " + "filler " * 200
    assert "quarterly budget" in excerpt(body, "Quarterly BUDGET?", width=60)
    assert len(excerpt(body, "budget", width=60)) < 80
    assert excerpt("short\n\ntext", "anything") == "short text"
    assert excerpt("x" * 1000, "x y", width=60).endswith("x")
