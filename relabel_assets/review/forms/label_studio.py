"""Forms for Label Studio: its tasks as JSON, its labeling configuration, and its JSON export.

What belongs here: Label Studio's names. What does not: what an answer means (form.py). The formats:
https://labelstud.io/guide/task_format and https://labelstud.io/tags/choices.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, BinaryIO
from xml.sax.saxutils import quoteattr

from relabel_assets.corpus.rows import optional_id
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.review.forms.form import Answer, Question, choices, grade_in, time_in
from relabel_assets.review.forms.json_array import answers_in_array


def write(questions: Iterable[Question], rubric: Rubric) -> dict[str, bytes]:
    """The tasks and the labeling configuration, by the suffix of their files.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> question = Question("pair-1", "q1", "d1", "leave", "Leave", "Ask HR.", "", "0" * 64)
    >>> json.loads(write([question], default_rubric())[".json"])[0]["data"]["pair_id"]
    'pair-1'
    """
    tasks = [{"data": asdict(question)} for question in questions]
    content = json.dumps(tasks, ensure_ascii=False, indent=1).encode()
    return {".json": content, ".config.xml": configuration(rubric).encode()}


def configuration(rubric: Rubric) -> str:
    """The labeling configuration: the query above the document, and a choice for each grade.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> configuration(default_rubric()).count("<Choice ")
    4
    """
    names = choices(rubric)
    lines = [
        f'    <Choice value={quoteattr(names[grade.grade])} alias="{grade.grade}"'
        f' hotkey="{grade.grade}" hint={quoteattr(grade.meaning)}/>'
        for grade in rubric.grades
    ]
    return "\n".join(
        [
            "<View>",
            '  <Header value="$query"/>',
            '  <Header value="$title" size="5"/>',
            '  <Text name="document" value="$body"/>',
            '  <Text name="about" value="$metadata"/>',
            '  <Choices name="grade" toName="document" choice="single-radio" required="true">',
            *lines,
            "  </Choices>",
            '  <TextArea name="note" toName="document" placeholder="Note" rows="1" maxSubmissions="1"/>',
            "</View>",
            "",
        ]
    )


def read(file: BinaryIO, rubric: Rubric) -> Iterator[tuple[int, Answer | SetAside]]:
    """Each annotation of each task with the task's line, or the reason why it cannot be used.

    >>> import io
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> chosen = {"from_name": "grade", "value": {"choices": ["2"]}}
    >>> task = {"data": {"pair_id": "pair-1"}, "annotations": [{"result": [chosen]}]}
    >>> [(_, answer)] = read(io.BytesIO(json.dumps([task]).encode()), default_rubric())
    >>> answer.grade
    2
    """
    return answers_in_array(file, lambda line, task: _answers(line, task, rubric))


def _answers(line: int, task: Mapping[str, Any], rubric: Rubric) -> list[Answer]:
    data, annotations = task.get("data"), task.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        remedy = "Export from Label Studio as JSON, not as JSON_MIN or CSV."
        raise SetAside("the task has no data and annotations", remedy)
    return [_answer(line, data, one, rubric) for one in annotations]


def _answer(line: int, data: Mapping[str, Any], annotation: Any, rubric: Rubric) -> Answer:
    if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
        raise SetAside(f"an annotation is {shown(annotation)}", "It is an object with a result.")
    grade = _value(annotation["result"], "grade", "choices")
    is_skipped = bool(annotation.get("was_cancelled"))
    note = _value(annotation["result"], "note", "text")
    return Answer(
        line=line,
        pair_id=optional_id(data, "pair_id"),
        query_id=optional_id(data, "query_id"),
        doc_id=optional_id(data, "doc_id"),
        grade=None if is_skipped else grade_in(grade, rubric),
        note=note if isinstance(note, str) else None,
        assessor=_person(annotation.get("completed_by")),
        reviewed_at=time_in(annotation, "updated_at", "created_at"),
        content_hash=optional_id(data, "content_hash"),
    )


def _value(result: list[Any], name: str, kind: str) -> Any:
    """The one value of the control `name`; None where it was not used."""
    for item in result:
        if isinstance(item, dict) and item.get("from_name") == name:
            value = item.get("value")
            values = value.get(kind) if isinstance(value, dict) else None
            if isinstance(values, str):
                return values
            if not isinstance(values, list) or len(values) != 1:
                raise SetAside(f"{name} is {shown(values)}", "One value is allowed.")
            return values[0]
    return None


def _person(completed_by: Any) -> str | None:
    """The name of an annotator, whom Label Studio gives by id or as an object."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return None if completed_by is None else str(completed_by)
