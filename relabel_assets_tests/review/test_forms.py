"""Forms of other tools: blind, exact on the way back, imported whole or not at all."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from relabel_assets.errors import CorpusError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.review.forms import csv_form
from relabel_assets.review.forms.form import questions
from relabel_assets.review.forms.import_answers import FORMATS, Imported, import_answers
from relabel_assets.review.pairs_to_review import PairsToReview
from relabel_assets.review.store import read_reviews

RUBRIC = default_rubric()
PAIRS = [("q1", "d1"), ("q1", "=d2"), ("0012", "d1")]
HOSTILE = '=HYPERLINK("http://a.example","x")\nand a "quote", a comma, \'an apostrophe\''


def to_review(folder: Path) -> PairsToReview:
    documents = {
        "d1": {"title": "Leave & <b>more</b>", "body": HOSTILE, "author": "@ana"},
        "=d2": {"title": None, "body": "'=quoted already", "doc_type": "policy"},
    }
    return PairsToReview(
        "demo", folder, RUBRIC, PAIRS, {"q1": "-1 day", "0012": "leave"}, documents
    )


def export(folder: Path, tool: str) -> dict[str, bytes]:
    return FORMATS[tool].write(questions(to_review(folder)), RUBRIC)


def imported(
    folder: Path, tool: str, content: bytes | str, assessor: str | None = None
) -> Imported:
    path = folder / "export"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    given = {"reviews": folder / "reviews", "pairs": PAIRS, "rubric": RUBRIC, "assessor": assessor}
    return import_answers(path, tool, **given)  # type: ignore[arg-type]


def reviews(folder: Path) -> list[tuple[object, ...]]:
    frame = read_reviews(folder / "reviews", max_grade=3).frame
    return frame.select("assessor", "query_id", "doc_id", "grade", "note").rows()


def filled_csv(content: bytes, grades: list[str]) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    for row, grade in zip(rows, grades, strict=True):
        row["grade"] = grade
    return rows


def as_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def by_pair(folder: Path) -> dict[tuple[object, object], object]:
    return {(query_id, doc_id): grade for _, query_id, doc_id, grade, _ in reviews(folder)}


def answered(folder: Path, tool: str, *people: object) -> str:
    """The export of `tool`, with the grade 2 for each pair by each of `people`."""
    items = json.loads(export(folder, tool)[".json"])
    for item in items:
        if tool == "label_studio":
            chosen = {"from_name": "grade", "type": "choices", "value": {"choices": ["2"]}}
            note = {"from_name": "note", "type": "textarea", "value": {"text": ["fine"]}}
            item["annotations"] = [
                {
                    "result": [chosen, note],
                    "completed_by": one,
                    "updated_at": "2026-05-04T10:00:00Z",
                }
                for one in people
            ]
        else:
            item["responses"] = {
                "grade": [{"value": "2", "user_id": one} for one in people],
                "note": [{"value": "fine", "user_id": one} for one in people],
            }
            item["status"] = "completed"
    return json.dumps(items, indent=1)


@pytest.mark.parametrize("tool", FORMATS)
def test_a_form_is_blind_and_has_what_a_person_needs(tmp_path: Path, tool: str):
    whole = b"\n".join(export(tmp_path, tool).values()).decode()
    for word in (
        "stratum",
        "inclusion_prob",
        "expected_grade",
        "bm25",
        "rank",
        "teacher",
        "student",
    ):
        assert word not in whole
    for grade in RUBRIC.grades:
        assert f"{grade.grade} {grade.name}" in whole


def test_a_csv_runs_no_formula_and_comes_back_as_it_was(tmp_path: Path):
    content = export(tmp_path, "csv")[".csv"]
    rows = filled_csv(content, ["0", "1", "2"])
    assert not [
        cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))
    ]
    found = {csv_form.original(row["body"]) for row in rows}
    assert found == {HOSTILE, "'=quoted already"}
    imported(tmp_path, "csv", as_csv(rows), "ana")
    assert by_pair(tmp_path) == {
        (csv_form.original(row["query_id"]), csv_form.original(row["doc_id"])): int(row["grade"])
        for row in rows
    }


@pytest.mark.parametrize("cell", ["=1", "'=1", "''", "'", "", "-", "it's", "\t=1", "'a"])
def test_every_cell_survives_neutralising(cell: str):
    assert csv_form.original(csv_form.neutral(cell)) == cell


def test_ids_that_a_spreadsheet_changed_do_no_harm(tmp_path: Path):
    rows = filled_csv(export(tmp_path, "csv")[".csv"], ["0", "1", "2.0"])
    for row in rows:
        row["query_id"] = row["query_id"].lstrip("0")
    imported(tmp_path, "csv", as_csv(rows), "ana")
    assert ("0012", "d1") in by_pair(tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"grade": "4"}, "grade is 4. Grades of the rubric: 0 to 3"),
        ({"grade": "good"}, "grade is 'good'"),
        ({"grade": "-1"}, "grade is '-1'"),
        ({"grade": "2.5"}, "grade is '2.5'"),
        ({"pair_id": "pair-0"}, "the corpus has no pair 'pair-0'"),
    ],
)
def test_one_wrong_row_refuses_the_file_with_its_line(tmp_path: Path, change, problem: str):
    rows = filled_csv(export(tmp_path, "csv")[".csv"], ["0", "1", "2"])
    lines = as_csv(rows[:2]).count("\n") + 1
    rows[2].update(change)
    with pytest.raises(CorpusError) as error:
        imported(tmp_path, "csv", as_csv(rows), "ana")
    assert f"export:{lines}: {problem}" in str(error.value)
    assert "Nothing was imported" in str(error.value)
    assert reviews(tmp_path) == []


def test_the_same_file_again_changes_nothing_also_after_a_change_of_mind(tmp_path: Path):
    rows = filled_csv(export(tmp_path, "csv")[".csv"], ["0", "1", ""])
    first = imported(tmp_path, "csv", as_csv(rows), "Ana Lima")
    assert (first.n_written, first.n_known, first.n_empty) == ({"ana_lima": 2}, 0, 1)
    changed = [dict(rows[0], grade="3"), *rows[1:]]
    assert imported(tmp_path, "csv", as_csv(changed), "Ana Lima").n_written == {"ana_lima": 1}
    before = (tmp_path / "reviews" / "ana_lima.jsonl").read_bytes()
    again = imported(tmp_path, "csv", as_csv(rows), "Ana Lima")
    assert (again.n_written, again.n_known) == ({"ana_lima": 0}, 2)
    assert (tmp_path / "reviews" / "ana_lima.jsonl").read_bytes() == before
    assert sorted(by_pair(tmp_path).values()) == [1, 3]


@pytest.mark.parametrize("tool", ["label_studio", "argilla"])
def test_what_a_tool_exports_becomes_reviews_of_each_person(tmp_path: Path, tool: str):
    done = imported(tmp_path, tool, answered(tmp_path, tool, "ana", "ben"))
    assert done.n_written == {"ana": 3, "ben": 3}
    assert set(reviews(tmp_path)) == {
        (name, *pair, 2, "fine") for name in ("ana", "ben") for pair in PAIRS
    }


@pytest.mark.parametrize("tool", ["label_studio", "argilla"])
def test_two_peoples_grades_are_not_those_of_one(tmp_path: Path, tool: str):
    with pytest.raises(CorpusError, match="leave --assessor out"):
        imported(tmp_path, tool, answered(tmp_path, tool, "ana", "ben"), "ana")


@pytest.mark.parametrize("tool", ["label_studio", "argilla"])
def test_a_wrong_grade_in_json_is_refused_with_the_line_of_its_item(tmp_path: Path, tool: str):
    text = answered(tmp_path, tool, "ana").split("\n")
    last = max(number for number, line in enumerate(text) if '"2"' in line)
    text[last] = text[last].replace('"2"', '"9"')
    start = max(n for n, line in enumerate(text[:last]) if line in (" {", "  {", " },{"))
    with pytest.raises(CorpusError, match=f"export:{start + 1}: grade is 9"):
        imported(tmp_path, tool, "\n".join(text))
    assert reviews(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('[{"id": 1},\n {"id": ', "not JSON from line 2 on"),
        ('[{"id": 1}\n {"id": 2}]', "a comma or ] is missing"),
        ("[1]", "a int, not an object"),
        ('{"id": 1}', "it is no JSON array"),
        ("[]x", "text after the array"),
        (b"\xff[]", "not UTF-8 text"),
        ("[" * 100_000, "not JSON from line 1 on"),
        ('[{"id": 1}]', "the task has no data and annotations"),
    ],
)
def test_broken_json_is_refused(tmp_path: Path, content, reason: str):
    with pytest.raises(CorpusError) as error:
        imported(tmp_path, "label_studio", content)
    assert reason in str(error.value)


def test_a_cancelled_annotation_and_a_missing_grade_are_no_grades(tmp_path: Path):
    tasks = json.loads(answered(tmp_path, "label_studio", {"email": "ana@a.example"}))
    tasks[0]["annotations"][0]["was_cancelled"] = True
    tasks[1]["annotations"][0]["result"] = []
    tasks[2]["annotations"][0]["result"][0]["value"]["choices"] = [f"1 {RUBRIC.grades[1].name}"]
    done = imported(tmp_path, "label_studio", json.dumps(tasks))
    assert (done.n_written, done.n_empty) == ({"ana_a.example": 1}, 2)
    assert list(by_pair(tmp_path).values()) == [1]


def test_label_studios_configuration_names_what_its_tasks_have(tmp_path: Path):
    written = export(tmp_path, "label_studio")
    view = ElementTree.fromstring(written[".config.xml"])
    data = json.loads(written[".json"])[0]["data"]
    named = {
        value[1:] for tag in view.iter() for value in tag.attrib.values() if value.startswith("$")
    }
    assert named <= data.keys()
    choices = view.find("Choices")
    assert choices is not None
    assert [choice.get("alias") for choice in choices] == ["0", "1", "2", "3"]


def test_argillas_settings_name_what_its_records_have(tmp_path: Path):
    written = export(tmp_path, "argilla")
    settings, record = json.loads(written[".settings.json"]), json.loads(written[".json"])[0]
    assert [field["name"] for field in settings["fields"]] == list(record["fields"])
    assert [one["name"] for one in settings["metadata"]] == list(record["metadata"])
