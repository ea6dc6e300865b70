"""Every asset check of the graph, on broken rows and on sound ones."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.definitions import build_definitions
from relabel_assets.errors import Problem
from relabel_assets.graph.checks import checks
from relabel_assets.graph.checks.all_checks import ALL_CHECKS
from relabel_assets.graph.checks.check_results import evaluation
from relabel_assets.graph.project import Project
from relabel_assets.intake.markdown import as_written
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.grading.recorded import NOT_IN_FILE
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.running.homes import use_copy

HASH = "0" * 64
LABEL: dict[str, Any] = {
    "query_id": "q1",
    "doc_id": "d1",
    "grade": 2,
    "status": "ok",
    "attempts": 1,
}


def label(**values: object) -> dict[str, Any]:
    return LABEL | values


def table_rows(table: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of `table` without the corpus column, not validated; absent values are NULL."""
    names = [name for name in TABLES[table].schema.column_names() if name != "corpus"]
    return pl.DataFrame([{name: row.get(name) for name in names} for row in rows])


def document(doc_id: str) -> dict[str, Any]:
    return {"doc_id": doc_id, "body": "text", "content_hash": HASH}


def query(query_id: str, split: str = "train", seed_doc_id: str | None = None) -> dict[str, Any]:
    return {
        "query_id": query_id,
        "text": f"words of {query_id}",
        "split": split,
        "source": "provided",
        "seed_doc_id": seed_doc_id,
        "content_hash": HASH,
    }


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.at(tmp_path / "warehouse.duckdb")


def put(warehouse: Warehouse, table: str, *rows: dict[str, Any]) -> None:
    warehouse.replace(table, "tiny", table_rows(table, *rows), input_hash=HASH)


# Contract checks


@pytest.mark.parametrize(
    ("rows", "check", "rule"),
    [
        ([label(attempts=None)], "not_null", "attempts|nullability"),
        ([label(), label(grade=1)], "unique_key", "primary_key"),
        ([label(status="fine", grade=None)], "accepted_values", "status|dtype"),
        ([label(grade="two")], "accepted_values", "grade|dtype"),
        ([label(attempts=-1)], "in_range", "attempts|min"),
        ([label(grade=10)], "in_range", "grade|max"),
        ([label(query_id="")], "in_range", "query_id|min_length"),
        ([label(status="refused")], "in_range", "grade_only_when_ok"),
        ([label(grade_probs=[0.5, 1.5])], "in_range", "grade_probs|inner_max"),
    ],
)
def test_a_contract_check_fails_on_rows_that_break_its_rule(
    rows: list[dict[str, Any]], check: str, rule: str
) -> None:
    good = table_rows("teacher_labels", label(doc_id="d2")).with_columns(corpus=pl.lit("tiny"))
    assert checks.broken_rules(TABLES["teacher_labels"], good) == {}
    broken = table_rows("teacher_labels", *rows).with_columns(corpus=pl.lit("tiny"))
    broken_rules = checks.broken_rules(TABLES["teacher_labels"], broken)
    assert rule in broken_rules[check]
    assert broken_rules[check][rule] == len(rows)


def test_every_contract_check_has_rules_of_its_own() -> None:
    assert set(checks.CHECK_OF_RULE.values()) | {"in_range"} == set(checks.CONTRACT_CHECKS)


def test_rows_with_a_missing_parent_are_counted_by_reference(warehouse: Warehouse) -> None:
    candidates = TABLES["bm25_candidates"]
    put(warehouse, "seed_docs", document("d1"))
    put(warehouse, "synthetic_queries", query("q1", seed_doc_id="d1"))
    pair = {"query_id": "q1", "doc_id": "d1", "bm25_score": 0.0, "source": "random"}
    put(warehouse, "bm25_candidates", pair)
    assert checks.missing_parents(warehouse, candidates, "tiny") == []
    put(warehouse, "bm25_candidates", pair, pair | {"doc_id": "d2"}, pair | {"query_id": "q2"})
    assert checks.missing_parents(warehouse, candidates, "tiny") == [
        "doc_id not in seed_docs: 1 row",
        "query_id not in synthetic_queries: 1 row",
    ]


def test_a_parent_in_another_corpus_does_not_count(warehouse: Warehouse) -> None:
    documents = table_rows("seed_docs", document("d1"))
    warehouse.replace("seed_docs", "other", documents, input_hash=HASH)
    put(warehouse, "synthetic_queries", query("q1", seed_doc_id="d1"))
    missing = checks.missing_parents(warehouse, TABLES["synthetic_queries"], "tiny")
    assert missing == ["seed_doc_id not in seed_docs: 1 row"]


def test_a_query_without_a_seed_document_misses_no_parent(warehouse: Warehouse) -> None:
    put(warehouse, "synthetic_queries", query("q1"))
    assert checks.missing_parents(warehouse, TABLES["synthetic_queries"], "tiny") == []


# Checks of the pipeline


def test_pairs_without_a_grade_are_counted_by_reason(warehouse: Warehouse) -> None:
    put(warehouse, "teacher_labels", label())
    assert checks.ungraded_pairs(warehouse, "tiny") == []
    refused = label(status="refused", status_reason="unsafe", grade=None)
    failed = label(status="failed", grade=None, query_id="q2")
    rows = [label(), refused | {"doc_id": "d2"}, refused | {"doc_id": "d3"}, failed]
    put(warehouse, "teacher_labels", *rows)
    assert checks.ungraded_pairs(warehouse, "tiny") == [
        "2 pairs refused: unsafe",
        "1 pair failed: no reason given",
    ]


def test_pairs_that_a_recorded_teacher_left_out_are_a_note_and_no_finding(
    warehouse: Warehouse,
) -> None:
    left_out = label(status="not_recorded", status_reason=NOT_IN_FILE, grade=None)
    wrong = label(
        status="not_recorded", status_reason="the recorded grade 7.0 is not one of 0 to 3"
    )
    put(warehouse, "teacher_labels", label())
    assert checks.graded_sample(warehouse, "tiny") == ""
    put(warehouse, "teacher_labels", label(), *(left_out | {"doc_id": f"e{n}"} for n in range(2)))
    assert checks.ungraded_pairs(warehouse, "tiny") == []
    note = checks.graded_sample(warehouse, "tiny")
    assert note.startswith(
        "The recorded teacher graded 1 of 3 pairs, a sample. The other 2 have no"
    )
    # A grade outside the rubric is a fault of the file, and a file that grades nothing is one too.
    put(warehouse, "teacher_labels", label(), left_out | {"doc_id": "e1"},
        wrong | {"doc_id": "e2", "grade": None})  # fmt: skip
    assert checks.ungraded_pairs(warehouse, "tiny") == [
        "1 pair not_recorded: the recorded grade 7.0 is not one of 0 to 3"
    ]
    put(warehouse, "teacher_labels", left_out)
    assert checks.ungraded_pairs(warehouse, "tiny") == [f"1 pair not_recorded: {NOT_IN_FILE}"]


def test_inputs_that_were_set_aside_are_counted(warehouse: Warehouse) -> None:
    put(warehouse, "seed_docs", document("d1"))
    assert checks.set_aside_inputs(warehouse.receipts(), "seed_docs", "tiny") == []
    assert checks.set_aside_inputs(warehouse.receipts(), "seed_docs", "never_made") == []
    frame = table_rows("seed_docs", document("d1"))
    problems = [Problem("documents.jsonl", line, "no body", "Give it one.") for line in (2, 3, 9)]
    warehouse.replace("seed_docs", "tiny", frame, input_hash=HASH, problems=problems)
    (line,) = checks.set_aside_inputs(warehouse.receipts(), "seed_docs", "tiny")
    assert line.startswith("3 inputs set aside; `relabel sql ")
    command = line.split('"')[1]
    assert warehouse.query(command)["line"].to_list() == [2, 3, 9]


def leaking_corpus(warehouse: Warehouse) -> None:
    """A train query, graded on its own document and on the seed document of a benchmark query."""
    put(warehouse, "seed_docs", document("d1"), document("d2"))
    put(warehouse, "synthetic_queries", query("q1", "train", "d1"), query("q2", "benchmark", "d2"))
    pairs = [("q1", "d1"), ("q1", "d2"), ("q2", "d1")]
    put(warehouse, "teacher_labels", *(label(query_id=q, doc_id=d) for q, d in pairs))


def test_wrongly_chosen_training_pairs_are_reported_as_leaking(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaking_corpus(warehouse)
    assert checks.leaking_training_pairs(warehouse, "tiny") == []
    monkeypatch.setattr(checks, "training_pairs", lambda labels, queries, documents: labels)
    assert checks.leaking_training_pairs(warehouse, "tiny") == [
        "pair (q2, d1) has a benchmark query",
        "pair (q1, d2) has a benchmark query's seed document",
    ]


def test_training_pairs_of_a_query_in_two_splits_are_reported_as_leaking(
    warehouse: Warehouse,
) -> None:
    leaking_corpus(warehouse)
    with warehouse.get_connection() as con:  # the table's key is not a constraint of DuckDB
        con.execute(
            "insert into synthetic_queries by name "
            "select * replace ('benchmark' as split, null as seed_doc_id) from synthetic_queries "
            "where query_id = 'q1'"
        )
    leaks = checks.leaking_training_pairs(warehouse, "tiny")
    assert set(leaks) == {"pair (q1, d1) has a benchmark query"}


# The checks as Dagster runs them


def store_broken_rows(warehouse: Warehouse) -> None:
    """Break rows of each kind in the file itself, as a bug or another program could."""
    with warehouse.get_connection() as con:
        # Copies have none of the constraints that DuckDB enforces.
        for table in ("teacher_labels", "synthetic_queries"):
            con.execute(f"create table copied as from {table}; drop table {table}")
            con.execute(f"alter table copied rename to {table}")
        con.execute("update teacher_labels set attempts = null where query_id = 'q00'")
        con.execute("insert into teacher_labels from teacher_labels where query_id = 'q01'")
        con.execute("update teacher_labels set status = 'fine' where query_id = 'q02'")
        con.execute("update teacher_labels set grade = 12 where query_id = 'q03'")
        con.execute("delete from bm25_candidates where query_id = 'q04'")
        con.execute("update bm25_candidates set bm25_score = 0")
        # d7 is the seed document of a benchmark query.
        con.execute("update synthetic_queries set seed_doc_id = 'd7' where query_id = 'q05'")
        con.execute(
            "insert into synthetic_queries "
            "select * replace ('benchmark' as split) from synthetic_queries where query_id = 'q06'"
        )
        con.execute("update materializations set n_set_aside = 2 where table_name = 'seed_docs'")
        con.execute(
            "update benchmark_report set value = -0.5, ci_low = -0.6, ci_high = -0.4, "
            f"n_queries = 100, n_pairs = 1000 where labeler = '{DIFFERENCE}'"
        )
        # The reference labels of this corpus are its teacher's.
        con.execute("update benchmark_report set value = 0.4 where metric = 'kappa'")
        con.execute(
            "update benchmark_report set value = 1, ci_low = 0.51, ci_high = 1 "
            "where slice = 'probe=query alone'"
        )
        con.execute(
            "update benchmark_report set value = 0, ci_low = 0, ci_high = 0.49 "
            "where slice like 'probe=honest%'"
        )
        con.execute("update student_model set n_train_pairs = 12")
        con.execute("update teacher_labels set teacher_model = 'other' where query_id = 'q07'")
        con.execute(
            "insert into grade_history select * replace (noted_at - interval 1 day as noted_at, "
            "(grade + 1) % 4 as grade) from grade_history where labeler = 'teacher'"
        )
        con.execute(
            "insert into review_samples by name select corpus, query_id, doc_id, 'all' as stratum, "
            "0.5 as inclusion_prob, 1.0 as query_prob, 2 as n_stratum, 1 as n_drawn "
            "from bm25_candidates where query_id = 'q12' and doc_id = 'd0'"
        )


def run_checks(project: Project, warehouse: Warehouse) -> dict[str, dg.AssetCheckEvaluation]:
    """Every check of the corpus tiny, by table and name, from a run without changed inputs."""
    job = build_definitions(project, warehouse).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("corpus", ["tiny"])
        done = job.execute_in_process(instance=instance, partition_key="tiny")
    evaluations = done.get_asset_check_evaluations()
    return {
        f"{check.asset_key.to_user_string()}: {check.check_name}": check for check in evaluations
    }


def test_a_check_that_raises_fails_with_a_message_and_stops_no_other(tmp_path: Path) -> None:
    damaged = tmp_path / "warehouse.duckdb"
    damaged.write_bytes(b"no database" * 1_000)
    project = Project(home_path=str(tmp_path), data_path=str(tmp_path / "data"))
    definitions = dg.Definitions(
        asset_checks=ALL_CHECKS,
        resources={"project": project, "warehouse": Warehouse.at(damaged)},
    )
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("corpus", ["tiny"])
        done = job.execute_in_process(
            instance=instance, tags={"dagster/partition": "tiny"}, raise_on_error=False
        )
    evaluations = done.get_asset_check_evaluations()
    assert done.success
    assert len(evaluations) == len({spec.key for check in ALL_CHECKS for spec in check.check_specs})
    for check in evaluations:
        assert not check.passed
        assert str(check.description).startswith("this could not be checked: ")
        assert "Traceback" not in str(check.description)


def test_findings_are_bounded_and_inert() -> None:
    hostile = "![x](http://a.example/x.png)<script>\ud800" + "y" * 100_000
    result = evaluation(
        "teacher_labels", "every_pair_is_graded", "tiny", [hostile] * 50, checks.WARN
    )
    shown = str(result.metadata["first"].value)
    assert len(shown.splitlines()) == 20 and len(shown) < 20_000
    assert "![" not in shown and "<script" not in shown
    assert len(str(result.description)) < 2_000
    (shown + str(result.description)).encode()


def test_every_check_fails_on_broken_rows_with_a_reason(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_copy(monkeypatch, finished_home.parent, tmp_path)
    project = Project.from_environment()
    warehouse = Warehouse.at(project.home.warehouse)
    before_damage = run_checks(project, warehouse)
    may_fail = {  # the tiny student is no good
        "benchmark_report: probes_fool_no_labeler",
        "benchmark_report: student_can_replace_teacher",
        "benchmark_report: student_is_as_good_as_teacher",
        "student_model: student_learned_from_enough",
    }
    assert {name for name, check in before_damage.items() if not check.passed} <= may_fail
    store_broken_rows(warehouse)
    failed = {
        name: check for name, check in run_checks(project, warehouse).items() if not check.passed
    }
    # The inputs of these rows are as they were: test_partitions.py has the check of inputs. The corpus has no
    # queries that only get labels, every candidate has a label, and it has too few new queries.
    assert {name.split(": ")[1] for name in failed} == {
        name.split(": ")[1] for name in before_damage
    } - {
        "is_up_to_date",
        "chosen_pairs_are_graded",
        "every_candidate_has_a_label",
        "new_queries_are_graded_like_training",
    }
    words = {
        "teacher_labels: not_null": "attempts|nullability: 8 rows",
        "teacher_labels: unique_key": "primary_key: 16 rows",
        "teacher_labels: accepted_values": "status|dtype: 8 rows",
        "teacher_labels: in_range": "grade|max: 8 rows",
        "teacher_labels: relationships": "query_id, doc_id not in bm25_candidates: 8 rows",
        "seed_docs: nothing_set_aside": "2 inputs set aside",
        "synthetic_queries: splits_do_not_leak": "query 'q05'",
        "student_model: training_does_not_leak": "has a benchmark query",
        "teacher_labels: every_pair_is_graded": "8 pairs fine: no reason given",
        "teacher_labels: one_teacher_version": "8 pairs graded by other",
        "teacher_labels: teacher_has_not_drifted": "% [",
        "benchmark_report: probes_fool_no_labeler": "100 % [51, 100] of 4 such documents",
        "benchmark_report: student_can_replace_teacher": "the whole interval is below -0.02",
        "benchmark_report: student_is_as_good_as_teacher": "the whole interval is below -0.02",
        "student_model: student_learned_from_enough": "learned from 12 graded pairs",
        "review_samples: sample_covers_the_pool": "pairs and had 2 when the sample was drawn",
    }
    for name, text in words.items():
        assert text in as_written(str(failed[name].metadata["first"].value)), name
        assert text in str(failed[name].description), name
    severities = {name: failed[name].severity for name in words}
    warnings = {
        name for name, severity in severities.items() if severity is dg.AssetCheckSeverity.WARN
    }
    assert warnings == {
        "seed_docs: nothing_set_aside",
        "teacher_labels: every_pair_is_graded",
        "teacher_labels: one_teacher_version",
        "teacher_labels: teacher_has_not_drifted",
        "student_model: student_learned_from_enough",
        "benchmark_report: probes_fool_no_labeler",
        "benchmark_report: student_can_replace_teacher",
        "benchmark_report: student_is_as_good_as_teacher",
        "review_samples: sample_covers_the_pool",
    }
