"""People's grades as reference grades: which reviews count, and the chance of each pair.

What belongs here: from current reviews to reference grades. What does not: the files (store.py), and the
grades of qrels files (corpus/grades/grades.py).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.grades.grades import with_known_pairs
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.errors import Problem
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.plural import counted
from relabel_assets.review.review import content_hash
from relabel_assets.review.samples import FOLDER as SAMPLES
from relabel_assets.review.samples import read_samples
from relabel_assets.review.store import FOLDER, read_reviews

_PAIR = ["query_id", "doc_id"]
# The columns of reference_labels without the corpus.
GRADES: dict[str, Any] = {
    "query_id": pl.String,
    "doc_id": pl.String,
    "assessor": pl.String,
    "grade": pl.Int64,
    "kind": pl.String,
    "reviewed_at": pl.Datetime("us", "UTC"),
    "inclusion_prob": pl.Float64,
}
# (the column of an id, ids) -> the texts, as Warehouse.texts gives them
Texts = Callable[[str, pl.Series], pl.DataFrame]


def people_grades(
    folder: Path, *, max_grade: int, query_ids: pl.Series, doc_ids: pl.Series, texts: Texts
) -> ReadRows:
    """The grades in the folder `reviews` of a corpus, with the columns of GRADES.

    A pair that was skipped or taken back has none. Set aside, each with a problem: lines that cannot be
    used, queries and documents that the corpus does not have, and reviews of a text that has changed since.

    >>> ids = {"query_ids": pl.Series(["q1"]), "doc_ids": pl.Series(["d1"])}
    >>> texts = lambda column, ids: pl.DataFrame({column: [], "text": []})
    >>> people_grades(Path("no/reviews"), max_grade=3, texts=texts, **ids).frame.columns[:4]
    ['query_id', 'doc_id', 'assessor', 'grade']
    """
    reviews = read_reviews(folder, max_grade=max_grade)
    graded = ReadRows(reviews.frame.filter(pl.col("grade").is_not_null()), reviews.problems)
    known = with_known_pairs(graded, query_ids, doc_ids, file=FOLDER)
    current = with_current_texts(known, texts)
    problems = list(current.problems)
    samples = read_samples(Path("/nowhere"))
    with costs_itself(problems, f"{FOLDER}/{SAMPLES}"):
        samples = read_samples(folder)
    chances = samples.select(*_PAIR, "inclusion_prob")
    frame = current.frame.join(chances, on=_PAIR, how="left", maintain_order="left")
    return ReadRows(frame.with_columns(kind=pl.lit("human")).select(list(GRADES)), problems)


def count_grades(folder: Path, *, max_grade: int) -> int:
    """How many grades the reviews in the folder `reviews` of a corpus hold, one a pair and assessor.

    >>> count_grades(Path("no/reviews"), max_grade=3)
    0
    """
    return read_reviews(folder, max_grade=max_grade).frame["grade"].drop_nulls().len()


def with_current_texts(reviews: ReadRows, texts: Texts) -> ReadRows:
    """`reviews` without those whose query or document has changed since; each is a problem.

    A review that came without a hash of its texts counts: nobody knows what its assessor saw.

    >>> frame = pl.DataFrame({"query_id": ["q"], "doc_id": ["d"], "assessor": ["ana"], "grade": [1],
    ...                       "content_hash": ["0" * 64]})
    >>> queries = pl.DataFrame({"query_id": ["q"], "text": ["leave"]})
    >>> documents = pl.DataFrame({"doc_id": ["d"], "title": ["Leave"], "body": ["Ask HR."]})
    >>> texts = lambda column, ids: queries if column == "query_id" else documents
    >>> print(with_current_texts(ReadRows(frame), texts).problems[0].message)
    ana's grade of document 'd' for query 'q' is of an earlier text
    """
    hashed = reviews.frame.filter(pl.col("content_hash").is_not_null())
    queries = dict(texts("query_id", hashed["query_id"]).select("query_id", "text").iter_rows())
    documents: Mapping[str, Mapping[str, Any]] = {
        row["doc_id"]: row for row in texts("doc_id", hashed["doc_id"]).iter_rows(named=True)
    }
    is_current, problems = [], list(reviews.problems)
    columns = reviews.frame.select(*_PAIR, "assessor", "content_hash")
    for query_id, doc_id, assessor, hashed_as in columns.iter_rows():
        now = content_hash(queries.get(query_id, ""), documents.get(doc_id, {}))
        is_current.append(hashed_as in (None, now))
        if not is_current[-1]:
            pair = f"document {doc_id!r} for query {query_id!r}"
            message = f"{assessor}'s grade of {pair} is of an earlier text"
            remedy = "Review the pair again: relabel review serve."
            problems.append(Problem(f"{FOLDER}/{assessor}.jsonl", None, message, remedy))
    return ReadRows(reviews.frame.filter(pl.Series(is_current, dtype=pl.Boolean)), problems)


def joined_grades(people: ReadRows, qrels: ReadRows, *, kind: str) -> ReadRows:
    """People's grades and those of qrels files, which are of `kind`; sorted by key.

    Where an assessor has both for a pair, the review counts: a qrels file has no time.

    >>> empty = ReadRows(pl.DataFrame(schema=GRADES))
    >>> qrels = pl.DataFrame({"query_id": ["q"], "doc_id": ["d"], "assessor": ["0"], "grade": [2]})
    >>> joined_grades(empty, ReadRows(qrels), kind="adjudicated").frame.row(0)
    ('q', 'd', '0', 2, 'adjudicated', None, None)
    """
    key = [*_PAIR, "assessor"]
    others = qrels.frame.join(people.frame, on=key, how="anti").with_columns(
        kind=pl.lit(kind),
        reviewed_at=pl.lit(None, GRADES["reviewed_at"]),
        inclusion_prob=pl.lit(None, pl.Float64),
    )
    problems = [*qrels.problems, *people.problems]
    n_both = qrels.frame.height - others.height
    if n_both:
        verb = "is" if n_both == 1 else "are"
        message = f"{counted(n_both, 'grade')} {verb} of an assessor who reviewed the same pair"
        problems.append(Problem("reference_labels", None, message, "The reviews count."))
    frames = [
        frame.select(list(GRADES)).cast(pl.Schema(GRADES)) for frame in (people.frame, others)
    ]
    return ReadRows(pl.concat(frames).sort(key), problems)
