"""What an import uses, leaves out and writes."""

import json
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.errors import ConfigError, CorpusError
from relabel_assets.exchange.formats import beir, plain_tables, qrels, quepid, rank_eval
from relabel_assets.exchange.formats.all_formats import FORMATS
from relabel_assets.exchange.formats.format import Format
from relabel_assets.exchange.import_file import Import, import_file
from relabel_assets.exchange.known_ids import KnownIds

QUERIES = {"q1": "parental leave", "q2": "travel", "q3": "travel "}
DOCUMENTS = ("policies/leave", "policies/travel")


def done(
    folder: Path, text: str, form: Format = qrels.FORMAT, *, labeler: str = "gpt", **options: Any
) -> Import:
    path = folder / f"grades{form.ending or '.tsv'}"
    path.write_text(text)
    known = KnownIds(QUERIES, DOCUMENTS)
    return import_file(path, form, folder, known, labeler=labeler, max_grade=3, **options)


def rows(imported: Import) -> list[dict[str, Any]]:
    return [json.loads(line) for line in imported.path.read_text().splitlines()]


GOOD = "q1 0 policies/leave 2\n"


def test_a_bad_row_costs_itself_and_is_named_with_its_line(tmp_path: Path) -> None:
    text = f"{GOOD}q1 0 policies/travel 4\nq9 0 policies/leave 1\nq1 0 policies/leave.md 1\nq1 0\n"
    imported = done(tmp_path, text)
    assert rows(imported) == [{"query_id": "q1", "doc_id": "policies/leave", "grade": 2}]
    assert [str(problem) for problem in imported.problems] == [
        "grades.qrels:2: the grade is '4'. Grades of the rubric: 0 to 3, as a whole number.",
        "grades.qrels:5: 'q1 0' has 2 fields. A line holds query_id, iteration, doc_id and grade.",
        "grades.qrels: query 'q9' has 1 grade and is not in the corpus. Left out.",
        "grades.qrels: document 'policies/leave.md' has 1 grade and is not in the corpus. "
        "Nearest: 'policies/leave'.",
    ]


def test_of_two_grades_of_a_pair_the_first_counts_and_the_same_twice_is_no_problem(
    tmp_path: Path,
) -> None:
    imported = done(tmp_path, GOOD + GOOD + "q1 0 policies/leave 3\n")
    assert rows(imported)[0]["grade"] == 2
    assert imported.n_repeated == 1
    assert "the pair (q1, policies/leave) with another grade came before" in str(
        imported.problems[0]
    )


def test_nothing_is_written_where_no_judgment_is_of_the_corpus(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"it has no judgment of this corpus\. First: grades\.qrels: "
    ):
        done(tmp_path, "x 0 y 1\n")
    assert not (tmp_path / "labelers").exists()


def test_a_trial_writes_nothing(tmp_path: Path) -> None:
    assert done(tmp_path, GOOD, is_trial=True).n_grades == 1
    assert not (tmp_path / "labelers").exists()


def test_the_same_again_changes_nothing_and_other_grades_need_force(tmp_path: Path) -> None:
    assert done(tmp_path, GOOD).is_written
    assert done(tmp_path, GOOD).is_known
    other = GOOD.replace(" 2", " 1")
    with pytest.raises(ConfigError, match=r"has other grades\. Replace them with --force"):
        done(tmp_path, other)
    assert rows(done(tmp_path, other, is_forced=True))[0]["grade"] == 1


@pytest.mark.parametrize("name", ["student", "final", "people", "GPT", "../gpt", "a b", ""])
def test_a_labeler_cannot_have_the_name_of_one_of_ours_or_one_that_is_no_file(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="Names are lower case letters"):
        done(tmp_path, GOOD, labeler=name)


def test_a_query_with_the_same_id_and_another_text_is_another_query(tmp_path: Path) -> None:
    ratings = [{"_index": "docs", "_id": "policies/leave", "rating": 2}]
    request = {"id": "q1", "params": {"query_string": "paternity"}, "ratings": ratings}
    good = request | {"params": {"query_string": " parental leave"}}
    with pytest.raises(CorpusError, match="query 'q1' has another text in the corpus"):
        done(tmp_path, json.dumps({"requests": [request]}), rank_eval.FORMAT)
    assert done(tmp_path, json.dumps({"requests": [good]}), rank_eval.FORMAT).n_grades == 1


def test_a_text_of_two_queries_is_no_query(tmp_path: Path) -> None:
    text = "query,docid,rating\ntravel,policies/travel,1\nparental leave,policies/leave,2\n"
    imported = done(tmp_path, text, quepid.CASE)
    assert imported.n_grades == 1
    assert "'travel' is the text of the queries 'q2' and 'q3'" in str(imported.problems[0])


def test_the_median_of_several_raters_is_rounded_down(tmp_path: Path) -> None:
    text = "query,docid,Ana,Ben\nparental leave,policies/leave,2,3\nparental leave,policies/travel,,1\n"
    imported = done(tmp_path, text, quepid.BOOK)
    assert [(row["doc_id"], row["grade"]) for row in rows(imported)] == [
        ("policies/leave", 2),
        ("policies/travel", 1),
    ]
    assert rows(imported)[0]["model"] == "Ana, Ben"


def test_raters_are_assessors_of_reference_labels_and_a_file_is_one_where_it_names_none(
    tmp_path: Path,
) -> None:
    text = "query,docid,Ana,Ben\nparental leave,policies/leave,2,3\n"
    book = done(tmp_path, text, quepid.BOOK, labeler="reference")
    assert book.path == tmp_path / "reference_labels" / "grades.jsonl"
    assert [(row["assessor"], row["grade"]) for row in rows(book)] == [("Ana", 2), ("Ben", 3)]
    book.path.unlink()
    assert rows(done(tmp_path, GOOD, labeler="reference"))[0]["assessor"] == "grades"
    of_vendor = done(tmp_path, GOOD, labeler="reference", assessor="vendor")
    assert (of_vendor.path.name, rows(of_vendor)[0]["assessor"]) == ("vendor.jsonl", "vendor")


def test_the_iteration_of_qrels_is_the_assessor_unless_it_is_a_number_of_trec(
    tmp_path: Path,
) -> None:
    text = "q1 ana policies/leave 2\nq1 0 policies/travel 1\n"
    assessors = [row["assessor"] for row in rows(done(tmp_path, text, labeler="reference"))]
    assert assessors == ["ana", "grades"]


def test_ids_in_nfd_meet_those_of_the_corpus(tmp_path: Path) -> None:
    path = tmp_path / "grades.qrels"
    path.write_text("q1 0 cafe\u0301 2\n")
    known = KnownIds(QUERIES, ["caf\u00e9"])
    imported = import_file(path, qrels.FORMAT, tmp_path, known, labeler="gpt", max_grade=3)
    assert rows(imported)[0]["doc_id"] == "caf\u00e9"


HOSTILE = [
    b"",
    b"\x00\xff\xfe",
    b"{" * 200,
    b"[1, 2]",
    b'{"requests": 3, "topics": {}, "judgmentRatings": [null, 3], "relevant_docs": [], "queries": {}}',
    b'{"requests": [null, {"id": 1, "ratings": [null, {"_id": "d", "rating": NaN}]}]}',
    b'{"topics": [null], "query_groups": [{"queries": [{}], "relevant_documents": {"1": null}}]}',
    b'{"queries": {"q1": 5}, "relevant_docs": {"q1": [3], "q2": {"policies/leave": 0.4}}}',
    b"1 qid:1 # \n9999999999 qid:1 # policies/leave travel\nx qid:a\n",
    b'query,docid,rating\n"open,policies/leave,1\n',
    b"query_id,doc_id,grade\nq1,policies/leave,2e400\nq1\n",
    "q1 0 policies/leave ²\n".encode(),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_ends_in_a_message(name: str, content: bytes, tmp_path: Path) -> None:
    if name == "parquet":  # intake/tables/ has its tests; each takes a process
        return
    path = tmp_path / f"grades{FORMATS[name].ending}"
    path.write_bytes(content)
    known = KnownIds(QUERIES, DOCUMENTS)
    with pytest.raises(CorpusError, match="it has no judgment of this corpus"):
        import_file(path, FORMATS[name], tmp_path, known, labeler="gpt", max_grade=3)
    assert not (tmp_path / "labelers").exists()


def test_a_spreadsheet_of_another_delimiter_is_read(tmp_path: Path) -> None:
    text = "Query ID;Doc ID;Grade\nq1;policies/leave;2\n"
    assert done(tmp_path, text, plain_tables.CSV).n_grades == 1


def test_one_of_beirs_qrels_files_is_enough(tmp_path: Path) -> None:
    text = "query-id\tcorpus-id\tscore\nq1\tpolicies/leave\t2\n"
    assert done(tmp_path, text, beir.FORMAT).n_grades == 1


def test_provenance_beside_the_file_counts_where_the_grade_is_the_same(tmp_path: Path) -> None:
    """Somebody may have changed a grade since the export: then the model did not give it."""
    lines = [
        {"query_id": "q1", "doc_id": doc_id, "grade": 2, "model": "gpt-4o", "expected_grade": 1.75}
        for doc_id in DOCUMENTS
    ]
    beside = tmp_path / "grades.qrels.provenance.jsonl"
    beside.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept, changed = rows(done(tmp_path, GOOD + "q1 0 policies/travel 1\n"))
    assert (kept["model"], kept["expected_grade"]) == ("gpt-4o", 1.75)
    assert changed == {"query_id": "q1", "doc_id": "policies/travel", "grade": 1}


def test_damaged_provenance_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "grades.qrels.provenance.jsonl").write_bytes(b"\x00{")
    assert rows(done(tmp_path, GOOD)) == [
        {"query_id": "q1", "doc_id": "policies/leave", "grade": 2}
    ]
