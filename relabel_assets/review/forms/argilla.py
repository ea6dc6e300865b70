"""Forms for Argilla 2: its records and settings as JSON, and its JSON export.

What belongs here: Argilla's names. What does not: what an answer means (form.py). The records are those of
`dataset.records.to_json` and `from_json`, the settings those of `rg.Settings.from_json`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from relabel_assets.corpus.rows import optional_id
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.review.forms.form import Answer, Question, choices, grade_in
from relabel_assets.review.forms.json_array import answers_in_array

_FIELDS = ("query", "title", "body", "metadata")
_METADATA = ("query_id", "doc_id", "content_hash")


def write(questions: Iterable[Question], rubric: Rubric) -> dict[str, bytes]:
    """The records and the settings of the dataset, by the suffix of their files.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> question = Question("pair-1", "q1", "d1", "leave", "Leave", "Ask HR.", "", "0" * 64)
    >>> json.loads(write([question], default_rubric())[".json"])[0]["id"]
    'pair-1'
    """
    records = [
        {
            "id": question.pair_id,
            "fields": {name: getattr(question, name) for name in _FIELDS},
            "metadata": {name: getattr(question, name) for name in _METADATA},
            "suggestions": {},
            "responses": {},
            "vectors": {},
        }
        for question in questions
    ]
    return {".json": _json(records), ".settings.json": _json(settings(rubric))}


def settings(rubric: Rubric) -> dict[str, Any]:
    """The settings of the dataset: four texts, a choice of grades, and a note.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> [question["name"] for question in settings(default_rubric())["questions"]]
    ['grade', 'note']
    """
    names = choices(rubric)
    options = [
        {"value": str(grade), "text": name, "description": rubric.grades[grade].meaning}
        for grade, name in names.items()
    ]
    fields = [
        {
            "name": name,
            "title": name.capitalize(),
            "required": name in ("query", "body"),
            "settings": {"type": "text", "use_markdown": False},
        }
        for name in _FIELDS
    ]
    question = {
        "name": "grade",
        "title": "How well does the document answer the query?",
        "required": True,
        "settings": {"type": "label_selection", "options": options, "visible_options": None},
    }
    note = {
        "name": "note",
        "title": "Note",
        "required": False,
        "settings": {"type": "text", "use_markdown": False},
    }
    metadata = [
        {
            "name": name,
            "title": name,
            "settings": {"type": "terms"},
            "visible_for_annotators": False,
        }
        for name in _METADATA
    ]
    values = rubric.prompt_values()
    return {
        "guidelines": f"{values['grades']}\n\n{values['guidance']}",
        "questions": [question, note],
        "fields": fields,
        "vectors": [],
        "metadata": metadata,
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def read(file: BinaryIO, rubric: Rubric) -> Iterator[tuple[int, Answer | SetAside]]:
    """Each response to each record with the record's line, or the reason why it cannot be used.

    >>> import io
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> responses = {"grade": [{"value": "2", "user_id": "u1"}]}
    >>> record = {"id": "pair-1", "metadata": {}, "responses": responses}
    >>> [(_, answer)] = read(io.BytesIO(json.dumps([record]).encode()), default_rubric())
    >>> answer.grade, answer.assessor
    (2, 'u1')
    """
    return answers_in_array(file, lambda line, record: _answers(line, record, rubric))


def _answers(line: int, record: Mapping[str, Any], rubric: Rubric) -> list[Answer]:
    metadata, responses = record.get("metadata"), record.get("responses")
    if not isinstance(metadata, dict) or not isinstance(responses, dict):
        remedy = "Export with dataset.records(with_responses=True).to_json(...)."
        raise SetAside("the record has no metadata and responses", remedy)
    notes = {user: value for user, value in _responses(responses, "note") if isinstance(value, str)}
    return [
        Answer(
            line=line,
            pair_id=optional_id(record, "id"),
            query_id=optional_id(metadata, "query_id"),
            doc_id=optional_id(metadata, "doc_id"),
            grade=grade_in(value, rubric),
            note=notes.get(user),
            assessor=user,
            content_hash=optional_id(metadata, "content_hash"),
        )
        for user, value in _responses(responses, "grade")
    ]


def _responses(responses: Mapping[str, Any], question: str) -> list[tuple[str | None, Any]]:
    """(user, value) of each response to a question."""
    given = responses.get(question) or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise SetAside(f"the responses to {question} are {shown(given)}", "They are a list.")
    return [
        (None if one.get("user_id") is None else str(one["user_id"]), one.get("value"))
        for one in given
    ]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
