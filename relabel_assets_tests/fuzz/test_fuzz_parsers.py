"""Any line, row, text or JSON value through the parsers of a corpus: a row, or one problem of that input."""

import contextlib
import io
import json
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relabel_assets.corpus.config.config_file import parse_corpus_config
from relabel_assets.corpus.documents import (
    documents_from_rows,
    empty_frame,
    frames_of,
)
from relabel_assets.corpus.grades.grades import recorded_from_rows, reference_from_qrels
from relabel_assets.corpus.queries.queries import queries_from_rows
from relabel_assets.corpus.rows import json_objects
from relabel_assets.errors import ConfigError, Problem
from relabel_assets.intake.json_text import BadJson, parse_json
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.tables.kinds import DOCUMENTS
from relabel_assets.intake.tables.reader import read_table
from relabel_assets.intake.text import is_storable
from relabel_assets.intake.yaml_text import BadYaml, parse_yaml
from relabel_assets.prompts.rubric import parse_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.corpus.files import document_from_file
from relabel_assets_tests.fuzz.nasty_values import DATES, ESCAPES, NUMBERS
from relabel_assets_tests.fuzz.read_all import message_faults

pytestmark = pytest.mark.slow

any_text = st.one_of(st.text(), st.sampled_from(ESCAPES), st.sampled_from((*DATES, *NUMBERS)))
any_value = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), any_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(any_text, inner, max_size=3)
    ),
    max_leaves=8,
)
_NAMES = (
    "doc_id", "_id", "query_id", "text", "body", "title", "author", "path", "updated_at", "doc_type",
    "intent", "seed_doc_id", "split", "grade", "rationale", "model",
)  # fmt: skip
good_id, good_text = st.sampled_from(("d1", "d2", "q1", "1")), st.just("leave rules")
any_row = st.fixed_dictionaries(
    {"doc_id": st.one_of(good_id, any_value), "query_id": st.one_of(good_id, any_value)},
    optional={name: st.one_of(good_text, st.integers(0, 3), any_value) for name in _NAMES[3:]},
)
rows = st.lists(any_row, max_size=4)
# Text whose lines look like YAML or Markdown more often than random characters do.
markup = st.lists(
    st.one_of(
        st.sampled_from(("---", "- ", "  ", "title: ", "a: ", "#", "# x", "{", "[", "*a", "&a ", "|",
        '"', "\t", "\n")),
        any_text,
    ),
    max_size=12,
).map("".join)  # fmt: skip


def assert_sound(problems: list[Problem]) -> None:
    assert [fault for problem in problems for fault in message_faults(problem)] == []


@settings(max_examples=200, deadline=None)
@given(rows)
def test_a_row_becomes_a_document_or_a_problem(values: list[dict[str, Any]]) -> None:
    problems: list[Problem] = []
    documents = documents_from_rows(
        enumerate(values, start=2), file="documents.jsonl", problems=problems
    )
    frame = pl.concat([empty_frame(), *frames_of(documents)])
    assert frame.height + len(problems) == len(values)
    assert_sound(problems)
    nulls = dict.fromkeys(("language", "duplicate_of"), pl.lit(None, pl.String))
    TABLES["seed_docs"].validate(frame.with_columns(corpus=pl.lit("c"), **nulls))


@settings(max_examples=200, deadline=None)
@given(rows)
def test_a_row_becomes_a_query_or_a_problem(values: list[dict[str, Any]]) -> None:
    problems: list[Problem] = []
    read = queries_from_rows(enumerate(values, start=1), file="queries.jsonl", problems=problems)
    assert read.frame.height + len(problems) == len(values)
    assert_sound(problems)
    assert read.frame["text"].str.len_chars().min() != 0


@settings(max_examples=200, deadline=None)
@given(rows)
def test_a_row_becomes_a_recorded_grade_or_a_problem(values: list[dict[str, Any]]) -> None:
    problems: list[Problem] = []
    read = recorded_from_rows(enumerate(values, start=1), file="f", max_grade=3, problems=problems)
    assert read.frame.height + len(problems) == len(values)
    assert read.frame["grade"].is_between(0, 3).all()
    assert_sound(problems)


@settings(max_examples=300, deadline=None)
@given(st.one_of(any_text, st.tuples(any_text, any_text, any_text).map("\t".join)), st.booleans())
@example("q1\t0\td1\t²", True)
@example("q1 0 d1 ٣", False)
def test_a_line_becomes_a_reference_grade_or_a_problem(text: str, is_beir: bool) -> None:
    problems: list[Problem] = []
    raw = text.encode("utf-8", "surrogatepass")
    read = reference_from_qrels(
        [(7, raw)], file="qrels/test.tsv", max_grade=3, problems=problems, is_beir=is_beir
    )
    assert read.frame.height + len(problems) <= 1
    assert_sound(problems)
    frame = read.frame.with_columns(
        corpus=pl.lit("c"),
        kind=pl.lit("human"),
        reviewed_at=pl.lit(None, pl.Datetime("us", "UTC")),
        inclusion_prob=pl.lit(None, pl.Float64),
    )
    TABLES["reference_labels"].validate(
        frame.select(TABLES["reference_labels"].schema.column_names())
    )


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(), any_value.map(json.dumps).map(str.encode)))
def test_a_line_becomes_an_object_or_a_problem(raw: bytes) -> None:
    problems: list[Problem] = []
    objects = list(json_objects([(1, raw)], file="f.jsonl", problems=problems))
    assert len(objects) + len(problems) == (1 if raw.removeprefix(b"\xef\xbb\xbf").strip() else 0)
    assert_sound(problems)


@settings(max_examples=300, deadline=None)
@given(st.one_of(any_value.map(json.dumps), any_text))
def test_json_becomes_a_value_that_can_be_stored_or_bad_json(text: str) -> None:
    with contextlib.suppress(BadJson):
        assert all(map(is_storable, _texts(parse_json(text))))


@settings(max_examples=300, deadline=None)
@given(any_value)
def test_the_values_of_json_stay(value: Any) -> None:
    if all(map(is_storable, _texts(value))):
        parsed = parse_json(json.dumps(value))
        assert json.dumps(parsed) == json.dumps(value) or _has_nan(value)


@settings(max_examples=300, deadline=None)
@given(markup)
def test_yaml_is_read_or_refused_with_its_line(text: str) -> None:
    with contextlib.suppress(BadYaml):
        value = parse_yaml(text, max_bytes=10_000).value
        assert value is None or isinstance(value, str | list | dict)
    for parse in (
        lambda: parse_corpus_config(text, file="c/corpus.yaml"),
        lambda: parse_rubric(text, file="c/rubric.yaml"),
        lambda: grading_prompt(text, file="c/grading.yaml"),
    ):
        try:
            parse()
        except ConfigError as error:
            assert_sound([Problem("c/corpus.yaml", None, str(error), "")])


@settings(max_examples=300, deadline=None)
@given(st.one_of(markup.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary()))
def test_a_file_becomes_a_document_or_is_set_aside(content: bytes) -> None:
    try:
        document = document_from_file("hr/leave.md", content)
    except SetAside as error:
        assert_sound([Problem("documents/hr/leave.md", None, error.message, error.remedy)])
    else:
        assert document["body"] and document["doc_id"] == "hr/leave"


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(),
        st.tuples(any_text, any_text).map(
            lambda two: f"doc_id,body\n{','.join(two)}\n".encode("utf-8", "surrogatepass")
        ),
    )
)
def test_a_csv_file_becomes_rows_or_is_set_aside(content: bytes) -> None:
    file = io.BytesIO(content)
    try:
        for _, row in read_table(file, ".csv", DOCUMENTS).rows:
            if isinstance(row, SetAside):
                raise row
            assert {"doc_id", "body"} <= set(row)
    except SetAside as error:
        assert_sound([Problem("documents.csv", None, error.message, error.remedy)])


def _texts(value: Any) -> list[str]:
    """Every text in `value`, keys too."""
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in _texts(part)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _has_nan(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, float) and math.isnan(value)) or any(map(_has_nan, items))
