"""Answers that came back from another tool: checked, and written as reviews, all of them or none.

What belongs here: which answers become reviews, and whose. What does not: the formats (csv_form.py and its
neighbours), and the file of reviews (store.py).
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from relabel_assets.errors import CorpusError, Problem
from relabel_assets.intake.input_limits import MAX_ROWS_FILE_BYTES
from relabel_assets.intake.one_input import INPUT_ERRORS, SetAside, problem_of
from relabel_assets.intake.regular_files import open_text
from relabel_assets.intake.text import shown
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.review.forms import argilla, csv_form, label_studio
from relabel_assets.review.forms.form import Answer, pair_id
from relabel_assets.review.review import Review, assessor_name
from relabel_assets.review.standing import Pair, Standing
from relabel_assets.review.store import append_reviews, reviews_of

FORMATS: dict[str, ModuleType] = {
    "csv": csv_form,
    "label_studio": label_studio,
    "argilla": argilla,
}
_MOST_SHOWN = 20  # one screen: a file with more is of another corpus, or in another form


@dataclass(frozen=True)
class Imported:
    """What an import did: reviews written, by assessor; answers imported before; pairs without a grade."""

    n_written: dict[str, int]
    n_known: int
    n_empty: int


def import_answers(
    path: Path,
    format_name: str,
    *,
    reviews: Path,
    pairs: Iterable[Pair],
    rubric: Rubric,
    assessor: str | None,
) -> Imported:
    """Write the grades in the file `path` as reviews in the folder `reviews` of a corpus.

    `pairs`: all that may be graded. `assessor` None: each answer names its own. Raises CorpusError that lists
    every answer that cannot be used with its line, and then nothing is written. An answer that was
    imported before is not written again, also if the assessor changed the grade since.

    >>> import tempfile
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "pairs.csv"
    >>> _ = path.write_text("query_id,doc_id,grade\\nq1,d1,2\\n")
    >>> corpus = {"reviews": Path(folder.name) / "reviews", "pairs": [("q1", "d1")]}
    >>> import_answers(path, "csv", **corpus, rubric=default_rubric(), assessor="ana").n_written
    {'ana': 1}
    """
    answers = _answers(path, format_name, rubric)
    known = {pair_id(*pair): pair for pair in pairs}
    now = datetime.now(UTC)
    found: dict[str, dict[Pair, Review]] = defaultdict(dict)
    problems: list[Problem] = []
    n_empty = 0
    for answer in answers:
        if isinstance(answer, Problem):
            problems.append(answer)
        elif answer.grade is None:
            n_empty += 1
        else:
            try:
                review = _review(answer, known, assessor, now)
                pair = (review.query_id, review.doc_id)
                if found[review.assessor].setdefault(pair, review) is not review:
                    raise SetAside(f"{review.assessor} graded the pair before", _ONE_GRADE)
            except SetAside as error:
                problems.append(problem_of(error, path.name, answer.line))
    if problems:
        raise _refused(path, problems)
    written, n_known = {}, 0
    for name, of_pairs in found.items():
        standing = _standing(reviews, name, rubric.max_grade)
        new = [one for one in of_pairs.values() if not standing.has(one.request_id or "")]
        append_reviews(reviews, name, new)
        written[name] = len(new)
        n_known += len(of_pairs) - len(new)
    return Imported(written, n_known, n_empty)


_ONE_GRADE = "Keep one grade of a pair and person. If several people graded, leave --assessor out."


def _answers(path: Path, format_name: str, rubric: Rubric) -> list[Answer | Problem]:
    """Every answer in the file, or the problem of its line."""
    read: Callable[[BinaryIO, Rubric], Iterator[tuple[int, Answer | SetAside]]]
    read = FORMATS[format_name].read
    answers: list[Answer | Problem] = []
    try:
        with open_text(path.parent, path.name, max_bytes=MAX_ROWS_FILE_BYTES) as file:
            for line, answer in read(file, rubric):
                is_bad = isinstance(answer, SetAside)
                answers.append(problem_of(answer, path.name, line) if is_bad else answer)  # type: ignore[arg-type]
    except INPUT_ERRORS as error:
        answers.append(problem_of(error, path.name))
    return answers


def _review(answer: Answer, known: dict[str, Pair], assessor: str | None, now: datetime) -> Review:
    """The review of an answer. Raises SetAside for an unknown pair, and for one without an assessor."""
    key = answer.pair_id
    if key is None:
        if answer.query_id is None or answer.doc_id is None:
            raise SetAside("the pair has no id", "Keep pair_id, or query_id and doc_id.")
        key = pair_id(answer.query_id, answer.doc_id)
    if key not in known:
        pair = f"document {shown(answer.doc_id)} for query {shown(answer.query_id)}"
        raise SetAside(f"the corpus has no pair {shown(key)}: {pair}", "Take the row out.")
    query_id, doc_id = known[key]
    name = assessor or answer.assessor
    if not name:
        raise SetAside("nobody is named who graded", "Name the person with --assessor.")
    person = assessor_name(re.sub(r"[^\w.-]+", "_", name)[:40])
    given = [key, person, answer.grade, answer.note, str(answer.reviewed_at or "")]
    return Review(
        action="grade",
        query_id=query_id,
        doc_id=doc_id,
        assessor=person,
        reviewed_at=answer.reviewed_at or now,
        grade=answer.grade,
        note=answer.note,
        content_hash=answer.content_hash,
        request_id="import-" + hashlib.sha256(json.dumps(given).encode()).hexdigest()[:32],
    )


def _standing(reviews: Path, assessor: str, max_grade: int) -> Standing:
    """What the assessor's file says so far. Its bad lines are reported where reviews are read."""
    standing = Standing()
    for review in reviews_of(reviews, f"{assessor}.jsonl", max_grade=max_grade, problems=[]):
        standing.add(review)
    return standing


def _refused(path: Path, problems: Sequence[Problem]) -> CorpusError:
    if problems[-1].line is None:  # the file, or the rest of it
        return CorpusError(f"{problems[-1]} Nothing was imported.")
    lines = [f"  {problem}" for problem in problems[:_MOST_SHOWN]]
    if len(problems) > _MOST_SHOWN:
        lines.append(f"  ... and {len(problems) - _MOST_SHOWN:,} more")
    count = len(problems)
    head = f"{path.name} cannot be imported: {count:,} {'answer is' if count == 1 else 'answers are'} wrong."
    return CorpusError("\n".join([head, *lines, "Nothing was imported."]))
