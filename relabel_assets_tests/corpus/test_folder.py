"""One corpus folder of every form: parsed rows, rows set aside, and the message of each mistake."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.folders import Corpora
from relabel_assets.errors import ConfigError, CorpusError
from relabel_assets.intake.tables import reader
from relabel_assets_tests.corpus.files import DOCUMENTS, folder, lines, write


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"doc_id": "x"}', "body is missing"),
        ('{"body": "x"}', "doc_id is missing"),
        ('{"doc_id": "x", "body": "   "}', "body is missing or empty"),
        ('{"doc_id": "x", "body": 7}', "body is 7, not text"),
        ('{"doc_id": true, "body": "x"}', "doc_id is True"),
        ('{"doc_id": "d1", "body": "again"}', "came before, in line 1"),
        (b'{"doc_id": "x", "body": "\xff"}', "not UTF-8"),
        ('{"doc_id": "x", "body": "torn', "ends in the middle"),
        ('{"doc_id": 1' + "0" * 5000 + ', "body": "x"}', "doc_id is inf, not text"),
        ('{"doc_id": "a\\u001b[31m", "body": "x"}', "with control characters"),
        ('{"doc_id": "' + "x" * 1_001 + '", "body": "x"}', "doc_id is too long"),
        ('{"doc_id": "x", "body": "y", "title": "' + "t" * 10_001 + '"}', "title is too long"),
        ('{"doc_id": "x", "body": ' + "[" * 65 + "]" * 65 + "}", "nested more than 64 deep"),
    ],
)
def test_a_bad_line_is_set_aside_with_its_number(
    tmp_path: Path, line: str | bytes, message: str
) -> None:
    raw = line if isinstance(line, bytes) else line.encode()
    reading = folder(tmp_path, {"documents.jsonl": DOCUMENTS.encode() + raw}).documents()
    assert reading.frame["doc_id"].to_list() == ["d1", "d2"]
    (problem,) = reading.problems
    assert (problem.file, problem.line) == ("documents.jsonl", 3)
    assert message in problem.message
    assert problem.remedy


def test_a_byte_order_mark_blank_lines_and_number_ids_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + lines({"doc_id": 7, "body": "x", "updated_at": 2026, "extra": [1]}) + "\n  \n"
    reading = folder(tmp_path, {"documents.jsonl": text}).documents()
    assert reading.problems == []
    assert reading.frame.select("doc_id", "updated_at").row(0) == ("7", "2026")


def test_files_get_metadata_from_front_matter_and_path(tmp_path: Path) -> None:
    reading = folder(
        tmp_path,
        {
            "documents/hr/leave.md": "---\ntitle: Leave\nauthor: [Ana, Bo]\ndate: "
            "2026-02-01\n---\nBody.",
            "documents/hr/plain.md": "intro\n\n# The heading\ntext",
            "documents/note.txt": "just text",
            "documents/logo.png": b"\x89PNG",
            "documents/.hidden/x.md": "hidden",
        },
    ).documents()
    assert reading.problems == []
    rows = {row["doc_id"]: row for row in reading.frame.iter_rows(named=True)}
    assert set(rows) == {"hr/leave", "hr/plain", "note"}
    leave = rows["hr/leave"]
    assert [leave[name] for name in ("title", "author", "updated_at", "doc_type", "path")] == [
        "Leave",
        "Ana, Bo",
        "2026-02-01",
        "hr",
        "hr/leave.md",
    ]
    assert (rows["hr/plain"]["title"], rows["note"]["title"], rows["note"]["doc_type"]) == (
        "The heading",
        "note",
        None,
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("documents/a.md", bytes(range(256)) * 4, "its encoding is not known"),
        ("documents/a.md", "---\ntitle: only\n---\n", "body is missing"),
        ("documents/a.rtf", "x", "is not read"),
        ("documents/a.txt", "", "body is missing"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    reading = folder(tmp_path, {name: content, "documents/good.md": "good"}).documents()
    assert reading.frame["doc_id"].to_list() == ["good"]
    assert reading.problems[0].file == name
    assert message in reading.problems[0].message


def test_a_link_out_of_the_corpus_is_not_followed(tmp_path: Path) -> None:
    corpus = folder(tmp_path, {"documents/good.md": "good"})
    (tmp_path / "secret.md").write_text("secret")
    (corpus.path / "documents" / "link.md").symlink_to(tmp_path / "secret.md")
    reading = corpus.documents()
    assert reading.frame.height == 1
    assert "link out of the corpus" in reading.problems[0].message


def test_csv_and_parquet_hold_the_same_documents_as_lines(tmp_path: Path) -> None:
    frame = pl.DataFrame({"doc_id": ["d1", "d2"], "title": [None, "Two"], "body": ["one", "two"]})
    expected = folder(tmp_path, {"documents.jsonl": DOCUMENTS}).documents().frame
    write(tmp_path / "csv", {"c/documents.csv": frame.write_csv()})
    (tmp_path / "parquet" / "c").mkdir(parents=True)
    frame.write_parquet(tmp_path / "parquet" / "c" / "documents.parquet")
    for kind in ("csv", "parquet"):
        assert Corpora(tmp_path / kind).open("c").documents().frame.equals(expected)


def test_documents_in_two_forms_or_none_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"documents/.*and documents\.jsonl|documents and documents\.jsonl"
    ):
        folder(tmp_path, {"documents.jsonl": DOCUMENTS, "documents/a.md": "x"}).documents()
    with pytest.raises(CorpusError, match="it has none"):
        folder(tmp_path / "other", {"queries.jsonl": ""}).documents()


def test_a_parquet_file_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_UNPACKED_IN_ANY_CASE", 1_000_000)
    (tmp_path / "data" / "c").mkdir(parents=True)
    corpus = Corpora(tmp_path / "data").open
    for n_documents, is_refused in ((50, False), (51, True)):
        frame = pl.DataFrame(
            {
                "doc_id": [f"d{n:02}" for n in range(n_documents)],
                "body": ["x" * 19_997] * n_documents,
            }
        )
        frame.write_parquet(tmp_path / "data" / "c" / "documents.parquet")
        if is_refused:
            with pytest.raises(CorpusError, match="unpacks to more than 1,000,000 characters"):
                corpus("c").documents()
        else:
            assert corpus("c").documents().frame.height == 50


@pytest.mark.parametrize("content", ["\x00\x01", "not parquet"])
def test_a_damaged_parquet_file_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(CorpusError, match=r"c/documents\.parquet: it cannot be read as Parquet"):
        folder(tmp_path, {"documents.parquet": content}).documents()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"query_id": "q", "text": ""}, "text is missing"),
        ({"query_id": "q", "text": "x", "intent": "keywrd"}, "intent is 'keywrd'"),
        ({"query_id": "q", "text": "x", "split": "test"}, "split is 'test'"),
        ({"query_id": "q1", "text": "x"}, "came before"),
    ],
)
def test_a_bad_query_is_set_aside(tmp_path: Path, row: dict[str, str], message: str) -> None:
    rows = lines({"query_id": "q1", "text": "leave"}, row)
    reading = folder(tmp_path, {"documents.jsonl": DOCUMENTS, "queries.jsonl": rows}).queries()
    assert reading.frame["query_id"].to_list() == ["q1"]
    assert (reading.problems[0].line, message in reading.problems[0].message) == (2, True)


@pytest.mark.parametrize("grade", ["3", None, 4, -1, True, 1.5, float("nan"), 1e400, [1], 10**30])
def test_a_grade_outside_the_rubric_is_set_aside(tmp_path: Path, grade: object) -> None:
    rows = lines(
        {"query_id": "q", "doc_id": "d1", "grade": 3},
        {"query_id": "q", "doc_id": "d2", "grade": grade},
    )
    reading = folder(
        tmp_path, {"documents.jsonl": DOCUMENTS, "teacher_labels.jsonl": rows}
    ).recorded_labels()
    assert reading.frame["grade"].to_list() == [3]
    assert reading.problems[0].line == 2
    assert "0 to 3" in reading.problems[0].remedy


def test_qrels_are_read_by_assessor_and_bad_lines_are_named(tmp_path: Path) -> None:
    qrels = "q1 ana d1 3\nq1 bo d1 2\n\nq1 ana d2\nq1 ana d2 9\nq1 ana d2 x\nq1 ana d1 1\n"
    reading = folder(
        tmp_path, {"documents.jsonl": DOCUMENTS, "reference_labels.qrels": qrels}
    ).reference_labels()
    assert reading.frame.rows() == [("q1", "d1", "ana", 3), ("q1", "d1", "bo", 2)]
    assert [problem.line for problem in reading.problems] == [4, 5, 6, 7]


def test_a_beir_folder_is_read_as_it_is(tmp_path: Path) -> None:
    corpus = folder(
        tmp_path,
        {
            "corpus.jsonl": lines({"_id": "d1", "title": "T", "text": "one"}),
            "queries.jsonl": lines({"_id": "q1", "text": "leave"}, {"_id": "q2", "text": "pay"}),
            "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
            "qrels/train.tsv": "query-id\tcorpus-id\tscore\nq2\td1\t2\n",
        },
    )
    assert corpus.documents().frame["title"].to_list() == ["T"]
    assert dict(corpus.queries().frame.select("query_id", "split").iter_rows()) == {
        "q1": "benchmark",
        "q2": "train",
    }
    assert sorted(corpus.reference_labels().frame.rows()) == [
        ("q1", "d1", "0", 1),
        ("q2", "d1", "0", 2),
    ]


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("studnt: {}", "Did you mean 'student'"),
        ("student: {epoch: 1}", "Did you mean 'epochs'"),
        ("a: [", "c/corpus.yaml:1: not YAML"),
        ("- a", "keys and values"),
        ("name: other", "the folder is 'c'"),
        ("name: HR Docs", "name"),
        ("candidates: {bm25_top_k: -1}", "bm25_top_k"),
        ("student: {seed: many}", "student.seed"),
        ("rubric: ../../etc/passwd", "outside the corpus folder"),
        ("rubric: none.yaml", "c/none.yaml: there is no such file"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_malformed_corpus_yaml_is_refused_with_its_mistake(
    tmp_path: Path, yaml: str | bytes, message: str
) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        folder(tmp_path, {"documents.jsonl": DOCUMENTS, "corpus.yaml": yaml})


def test_a_corpus_may_bring_its_own_rubric(tmp_path: Path) -> None:
    rubric = (
        "grades:\n  - {grade: 0, name: no, meaning: No.}\n  - {grade: 1, name: yes, "
        "meaning: Yes.}\n"
    )
    corpus = folder(
        tmp_path,
        {
            "documents.jsonl": DOCUMENTS,
            "corpus.yaml": "rubric: r.yaml",
            "r.yaml": rubric.replace("yes", "'yes'").replace("name: no", "name: 'no'"),
        },
    )
    assert corpus.rubric.max_grade == 1
    with pytest.raises(ConfigError, match="without a gap"):
        folder(
            tmp_path / "x",
            {
                "documents.jsonl": DOCUMENTS,
                "corpus.yaml": "rubric: r.yaml",
                "r.yaml": rubric.replace("grade: 1", "grade: 2")
                .replace("yes", "'yes'")
                .replace("name: no", "name: 'no'"),
            },
        )


def test_a_fingerprint_depends_on_contents_and_names_and_not_on_times(tmp_path: Path) -> None:
    corpus = folder(tmp_path, {"documents/a.md": "one", "documents/b.md": "two"})
    before = corpus.fingerprint("documents")
    (corpus.path / "documents" / "a.md").touch()
    assert corpus.fingerprint("documents") == before
    (corpus.path / "documents" / "a.md").rename(corpus.path / "documents" / "c.md")
    renamed = corpus.fingerprint("documents")
    (corpus.path / "documents" / "b.md").write_text("three")
    assert len({before, renamed, corpus.fingerprint("documents")}) == 3
    assert corpus.fingerprint("queries") == corpus.fingerprint("teacher_labels")


@pytest.mark.parametrize(
    ("rows", "has_queries"),
    [
        ('{"query_id": "q1", "text": "leave", "split": "label"}\n', False),
        (
            '{"query_id": "q1", "text": "leave", "split": "label"}\n{"query_id": "q2", "text": "x"}\n',
            True,
        ),
        ('{"query_id": "q1", "text": "leave", "split": "label"}\n{torn\n', True),
        ("", True),
    ],
)
def test_label_queries_alone_are_no_queries_to_learn_from(
    tmp_path: Path, rows: str, has_queries: bool
) -> None:
    """A teacher that is paid writes the others. A row that cannot be used may be one of them."""
    made = folder(tmp_path, {"documents.jsonl": DOCUMENTS.encode(), "queries.jsonl": rows.encode()})
    assert made.has_queries is has_queries
    assert made.summary().n_label_queries == rows.count('"label"')
