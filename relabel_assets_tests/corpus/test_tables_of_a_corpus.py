"""Every part of a corpus as a table: the forms that are read, two files for one thing, files nobody reads."""

from pathlib import Path

import pytest

from relabel_assets.corpus import check
from relabel_assets.corpus.check import check_folder
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import CorpusError
from relabel_assets_tests.corpus.files import DOCUMENTS, folder, lines
from relabel_assets_tests.intake.tables.sheets import write_xlsx

QUERIES = [["QID", "Query", "split"], [1, "leave", "benchmark"], ["0012", "pay", "train"]]
GRADES = [["qid", "docno", "relevance"], [1, "d1", 2], ["0012", "d2", 1]]
STATED = "reference: {kind: human}\n"


def text_of(rows: list[list[object]], delimiter: str) -> str:
    return "".join(delimiter.join(map(str, row)) + "\n" for row in rows)


def folder_with(tmp_path: Path, name: str, rows: list[list[object]], **others: str) -> CorpusFolder:
    """The folder of a corpus with `rows` as the file `name`, in the format of its ending."""
    suffix = Path(name).suffix
    files: dict[str, str | bytes] = {"documents.jsonl": DOCUMENTS, "corpus.yaml": STATED, **others}
    header, *body = rows
    if suffix == ".xlsx":
        (tmp_path / "made").mkdir(parents=True)
        files[name] = write_xlsx(tmp_path / "made" / name, {"Sheet": rows}).read_bytes()
    elif suffix in (".json", ".jsonl"):
        made = [dict(zip(map(str, header), row, strict=True)) for row in body]
        files[name] = lines(*made)
    else:
        files[name] = text_of(rows, {".csv": ";", ".tsv": "\t"}[suffix])
    return folder(tmp_path, files)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx", ".json", ".jsonl"])
def test_queries_and_grades_are_read_from_every_format(tmp_path: Path, suffix: str) -> None:
    made = folder_with(tmp_path / "q", f"queries{suffix}", QUERIES)
    read = made.queries()
    assert read.problems == [] and made.has_queries
    assert read.frame.select("query_id", "text", "split").rows() == [
        ("1", "leave", "benchmark"),
        ("0012", "pay", "train"),
    ]
    graded = folder_with(tmp_path / "t", f"teacher_labels{suffix}", GRADES)
    assert graded.teacher_kind == "recorded"
    expected = [("1", "d1", 2), ("0012", "d2", 1)]
    rows = graded.recorded_labels()
    assert rows.frame.select("query_id", "doc_id", "grade").rows() == expected, rows.problems
    reference = folder_with(tmp_path / "r", f"reference_labels{suffix}", GRADES)
    columns = ["query_id", "doc_id", "assessor", "grade"]
    assert reference.reference_labels().frame.select(columns).rows() == [
        (query, document, "0", grade) for query, document, grade in expected
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qrels.txt", "1 0 d1 2\n"),
        ("qrels", "1 0 d1 2\n"),
        ("qrels.tsv", "1\t0\td1\t2\n"),
        ("qrels.tsv", "query-id\tcorpus-id\tscore\n1\td1\t2\n"),
        ("qrels.csv", "topic id,docno,rel\n1.0,d1,2.0\n"),
        ("reference_labels.qrels", "1 0 d1 2\n"),
    ],
)
def test_qrels_are_read_in_the_form_that_they_have(tmp_path: Path, name: str, text: str) -> None:
    made = folder(tmp_path, {"documents.jsonl": DOCUMENTS, name: text})
    read = made.reference_labels()
    assert read.problems == []
    assert read.frame.select("query_id", "doc_id", "grade").rows() == [("1", "d1", 2)]


def test_a_folder_of_ir_datasets_is_read(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "docs.jsonl": lines({"doc_id": "d1", "text": "one"}),
        "queries.tsv": "1\tparental leave\n2\tpay\n",
        "qrels": "1 0 d1 1\n",
        "corpus.yaml": STATED,
    }
    made = folder(tmp_path, files)
    assert made.documents().frame["body"].to_list() == ["one"]
    assert made.queries().frame["text"].to_list() == ["parental leave", "pay"]
    checked = check_folder(made)
    assert checked.problems == []
    assert checked.notes == ["queries.tsv: TSV, UTF-8; no header: query_id and text"]


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("queries", ("queries.jsonl", "queries.csv")),
        ("recorded_labels", ("teacher_labels.json", "teacher_labels.tsv")),
        ("reference_labels", ("reference_labels.qrels", "qrels.txt")),
        ("reference_labels", ("qrels.txt", "qrels/test.tsv")),
        ("documents", ("documents.csv", "corpus.jsonl")),
    ],
)
def test_two_files_for_one_thing_are_refused_by_name(
    tmp_path: Path, part: str, names: tuple[str, str]
) -> None:
    files: dict[str, str | bytes] = dict.fromkeys(names, "")
    made = folder(tmp_path, files | ({} if part == "documents" else {"documents.jsonl": DOCUMENTS}))
    with pytest.raises(CorpusError) as raised:
        getattr(made, part)()
    for name in names:
        assert name.split("/")[0] in str(raised.value)


def test_files_that_nobody_reads_are_named_with_what_was_perhaps_meant(tmp_path: Path) -> None:
    files = {
        "documents.jsonl": DOCUMENTS,
        "corpus.yaml": "rubric: own/rubric.yaml\n",
        "queries.jsn": "",
        "Queries.csv": "",
        "notes.md": "x",
        "labels.parquet.bak": "x",
        "docs/a.md": "x",
        "qrels.tsv.gz": "x",
        **dict.fromkeys(
            ("README.md", "LICENSE", ".gitignore", "logo.png", "runs/a.run", "reviews/a.jsonl"), ""
        ),
        "own/rubric.yaml": (Path(__file__).parents[2] / "relabel_assets/prompts/rubric.yaml")
        .read_bytes(),
    }  # fmt: skip
    problems = {problem.file: problem for problem in check_folder(folder(tmp_path, files)).problems}
    unread = {
        name: problem.remedy
        for name, problem in problems.items()
        if "nobody reads" in problem.message
    }
    assert set(unread) == {
        "queries.jsn", "Queries.csv", "notes.md", "labels.parquet.bak", "docs/", "qrels.tsv.gz",
    }  # fmt: skip
    assert unread["queries.jsn"] == "Did you mean queries.json?"
    assert unread["Queries.csv"] == "Did you mean queries.csv?"
    assert unread["docs/"] == "Move it into documents/ if it is a document, or take it out."
    assert unread["notes.md"] == unread["docs/"]


def test_check_compares_few_queries_with_each_other_and_says_so_of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = lines(
        {"query_id": "q1", "text": "parental leave policy", "split": "benchmark"},
        {"query_id": "q2", "text": "parental leave policies", "split": "train"},
        {"query_id": "q3", "text": "Policy: parental leave", "split": "train"},
    )
    made = folder(tmp_path, {"documents.jsonl": DOCUMENTS, "queries.jsonl": queries})
    for most, leaking in ((3, ["q2", "q3"]), (2, ["q3"])):
        monkeypatch.setattr(check, "_MOST_COMPARED", most)
        checked = check_folder(made)
        assert [problem.message.split("'")[1] for problem in checked.problems] == leaking
        assert len(checked.notes) == (most == 2)


def test_check_finds_the_queries_that_a_run_drops_and_their_grades(tmp_path: Path) -> None:
    queries = lines(
        {"query_id": "q1", "text": "leave", "seed_doc_id": "d1", "split": "benchmark"},
        {"query_id": "q2", "text": "salary", "seed_doc_id": "d1", "split": "train"},
        {"query_id": "q3", "text": "canteen", "seed_doc_id": "d2", "split": "train"},
    )
    grades = lines(
        *({"query_id": query, "doc_id": "d1", "grade": 1} for query in ("q1", "q2", "q3"))
    )
    made = folder(
        tmp_path,
        {"documents.jsonl": DOCUMENTS, "queries.jsonl": queries, "teacher_labels.jsonl": grades},
    )
    found = [(problem.file, problem.message) for problem in check_folder(made).problems]
    assert found == [
        (
            "queries.jsonl",
            "query 'q2' has the seed document of a benchmark query, 'd1', so it is not used for training.",
        ),
        ("teacher_labels.jsonl", "query 'q2' has 1 grade and is not in the corpus."),
    ]
