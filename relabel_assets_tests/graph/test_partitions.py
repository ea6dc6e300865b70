"""Corpus folders as Dagster's partitions: new folders and changed data versions."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.observe import observe

from relabel_assets.definitions import build_definitions
from relabel_assets.graph.partitions import (
    _stat_hash,
    add_partitions,
    corpus_folder,
    corpus_folders,
)
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import RECIPES
from relabel_assets.running import runner
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import make, write_corpus
from relabel_assets_tests.graph.sensor_ticks import look_at_folders

RANGE = {"start": "a", "end": "z"}
LABELS = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels"]


def test_only_changed_content_marks_a_folder_changed(
    home: Path,
) -> None:
    folder = home / "data" / "tiny"
    with dg.DagsterInstance.ephemeral() as instance:
        first, cursor = look_at_folders(instance, None)
        assert set(first) == {"tiny"} == set(instance.get_dynamic_partitions("corpus"))
        os.utime(folder / "queries.jsonl", (1, 1))
        touched, cursor = look_at_folders(instance, cursor)
        assert touched == {}
        before = (folder / "corpus.yaml").read_text()
        (folder / "corpus.yaml").write_text("student: {epochs: 0}\n")
        write_corpus(home / "data" / "later")
        second, cursor = look_at_folders(instance, cursor)
        assert set(second) == {"later", "tiny"} and second["tiny"] != first["tiny"]
        (folder / "corpus.yaml").write_text(before)
        third, _ = look_at_folders(instance, cursor)
        assert third == first  # back to what it was once: that is a change too


def test_a_folder_that_changes_during_a_run_is_marked_changed_after_it(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _, cursor = look_at_folders(instance, None)
        (home / "data" / "tiny" / "corpus.yaml").write_text("student: {epochs: 0}\n")
        job = build_definitions(Project.from_environment()).resolve_job_def("label_corpus")
        at_work = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "tiny"}
        )
        during, cursor = look_at_folders(instance, cursor)
        instance.report_run_canceled(at_work)
        after, _ = look_at_folders(instance, cursor)
        assert (set(during), set(after)) == (set(), {"tiny"})


def test_a_run_of_a_backfill_counts_as_one_of_any_corpus(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions(Project.from_environment()).resolve_job_def("label_corpus")
        add_partitions(instance, ["a", "tiny", "z"])
        backfill = {f"dagster/asset_partition_range_{end}": name for end, name in RANGE.items()}
        at_work = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags=backfill
        )
        during, cursor = look_at_folders(instance, None)
        instance.report_run_canceled(at_work)
        after, _ = look_at_folders(instance, cursor)
        assert (set(during), set(after)) == (set(), {"tiny"})


def up_to_date(instance: dg.DagsterInstance) -> dict[str, tuple[str, str]]:
    """The last result of the check is_up_to_date of each table that has one, with its reason."""
    results = {}
    for table in TABLES:
        key = dg.AssetCheckKey(dg.AssetKey(table), "is_up_to_date")
        last = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        if last and last[0].evaluation:
            results[table] = last[0].status.value, last[0].evaluation.description or ""
    return results


def test_a_change_of_the_folder_marks_the_tables_that_are_out_of_date(home: Path) -> None:
    grades = home / "data" / "tiny" / "teacher_labels.jsonl"
    content = grades.read_text()
    make(*LABELS)
    project, _ = runner.from_environment()
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        assert up_to_date(instance) == dict.fromkeys(LABELS, ("SUCCEEDED", ""))
        _, cursor = look_at_folders(instance, None)
        grades.write_text(content.replace('"grade": 0', '"grade": 1', 1))
        changed, cursor = look_at_folders(instance, cursor)
        assert set(changed) == {"tiny"}
        after = up_to_date(instance)
        fresh = ("seed_docs", "synthetic_queries", "reference_labels")
        assert {table: after[table] for table in fresh} == dict.fromkeys(fresh, ("SUCCEEDED", ""))
        assert after["bm25_candidates"] == ("FAILED", "tiny: changed: files teacher_labels")
        assert after["teacher_labels"] == ("FAILED", "tiny: changed: files teacher_labels")
        grades.write_text(content)
        look_at_folders(instance, cursor)
        assert up_to_date(instance) == dict.fromkeys(LABELS, ("SUCCEEDED", ""))


def test_a_run_clears_the_mark_of_a_table_that_was_out_of_date(home: Path) -> None:
    make("seed_docs")
    project, _ = runner.from_environment()
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        _, cursor = look_at_folders(instance, None)
        with (home / "data" / "tiny" / "documents.jsonl").open("a") as file:
            file.write('{"doc_id": "new", "body": "One more document."}\n')
        _, cursor = look_at_folders(instance, cursor)
        assert up_to_date(instance) == {"seed_docs": ("FAILED", "tiny: changed: files documents")}
        make("seed_docs")
        assert up_to_date(instance) == {"seed_docs": ("SUCCEEDED", "")}


def test_a_new_version_of_the_code_marks_its_table(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("seed_docs")
    project, _ = runner.from_environment()
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        _, cursor = look_at_folders(instance, None)
        newer = replace(RECIPES["seed_docs"], code_version="next")
        monkeypatch.setitem(RECIPES, "seed_docs", newer)
        changed, _ = look_at_folders(instance, cursor)
        assert changed == {}  # the folder is as it was
        assert up_to_date(instance) == {"seed_docs": ("FAILED", "tiny: changed: code")}


def test_a_damaged_warehouse_hides_no_change_of_a_folder(home: Path) -> None:
    warehouse = Project.from_environment().home.warehouse
    warehouse.parent.mkdir(exist_ok=True)
    warehouse.write_bytes(b"no database" * 1_000)
    with dg.DagsterInstance.ephemeral() as instance:
        changed, _ = look_at_folders(instance, None)
        assert set(changed) == {"tiny"} and up_to_date(instance) == {}


def test_an_unreadable_folder_does_not_hide_the_others(home: Path) -> None:
    write_corpus(home / "data" / "broken")
    settings = home / "data" / "broken" / "corpus.yaml"
    settings.write_text("studnt: 1")
    with dg.DagsterInstance.ephemeral() as instance:
        first, cursor = look_at_folders(instance, None)
        assert set(first) == {"tiny"}
        assert set(instance.get_dynamic_partitions("corpus")) == {"tiny", "broken"}
        settings.write_text("")
        second, _ = look_at_folders(instance, cursor)
        assert set(second) == {"broken"}


def tick(
    cursor: str | None, capsys: pytest.CaptureFixture[str]
) -> tuple[dg.SensorResult, str, list[str]]:
    """A tick of the sensor: its result, its cursor, and the lines it logged."""
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project.from_environment()
        resources = {"project": project, "warehouse": Warehouse.at(project.home.warehouse)}
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
        capsys.readouterr()
        result = corpus_folders(context)
    assert isinstance(result, dg.SensorResult) and result.cursor is not None
    lines = capsys.readouterr().err.splitlines()
    for text in (result.cursor, str(result.skip_reason), *lines):
        text.encode()
    return result, result.cursor, [line for line in lines if "WARNING" in line]


def make_hostile(data: Path) -> None:
    """Corpora with entries that cannot be read, and a folder that is no corpus."""
    documents = data / "hostile" / "documents"
    documents.mkdir(parents=True)
    (documents / "a.md").write_text("A document.")
    (documents / "dangling.md").symlink_to("/nothing/there")
    (documents / "circle").symlink_to(documents)
    (documents / os.fsdecode(b"\xff.md")).write_text("A document.")
    os.mkfifo(documents / "pipe.md")
    (data / "broken").mkdir()
    os.mkfifo(data / "broken" / "corpus.yaml")
    (data / os.fsdecode(b"\xff\x1b[31m")).mkdir()
    (data / "circle").symlink_to("circle")


def test_hostile_entries_end_no_tick_and_are_noted_once(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_hostile(home / "data")
    first, cursor, lines = tick(None, capsys)
    assert {event.partition for event in first.asset_events or []} == {"hostile", "tiny"}
    assert len(lines) == 2  # broken, and the folder with a foreign name
    assert any("broken is skipped: broken/corpus.yaml" in line for line in lines)
    assert any(r"\xff\x1b[31m" in line for line in lines)
    second, cursor, lines = tick(cursor, capsys)
    assert (second.asset_events, lines) == ([], [])
    assert "cannot be used" in str(second.skip_reason)
    (home / "data" / "broken" / "corpus.yaml").unlink()
    (home / "data" / "broken" / "documents.jsonl").write_text('{"doc_id": "a", "body": "b"}')
    third, cursor, _ = tick(cursor, capsys)
    assert [event.partition for event in third.asset_events or []] == ["broken"]
    shutil.rmtree(home / "data" / "broken")
    _, cursor, _ = tick(cursor, capsys)
    assert "broken" not in json.loads(cursor)


@pytest.mark.parametrize(
    "cursor",
    ["garbage", "[]", "null", "7", '{"tiny": 1}', '{"tiny": ["a"]}', "[" * 100_000, '"\\ud800"'],
)
def test_a_foreign_cursor_counts_as_none(
    home: Path, capsys: pytest.CaptureFixture[str], cursor: str
) -> None:
    result, _, _ = tick(cursor, capsys)
    assert [event.partition for event in result.asset_events or []] == ["tiny"]


def test_a_link_is_not_followed_to_see_whether_a_folder_changed(home: Path) -> None:
    folder, outside = home / "data" / "tiny", home / "outside"
    outside.mkdir()
    (folder / "documents").symlink_to(outside)
    before = _stat_hash(folder)
    (outside / "new.md").write_text("Not of this corpus.")
    assert _stat_hash(folder) == before
    (folder / "new.md").write_text("Of this corpus.")
    assert _stat_hash(folder) != before


def test_a_folder_that_is_gone_or_very_deep_has_a_hash(home: Path) -> None:
    assert _stat_hash(home / "data" / "nothing") == _stat_hash(home / "data" / "nothing")
    here, depth = os.getcwd(), 1_200  # noqa: PTH109 (a path this deep is longer than the system takes)
    os.chdir(home / "data" / "tiny")
    try:
        for _ in range(depth):
            os.mkdir("deeper")  # noqa: PTH102
            os.chdir("deeper")
        assert len(_stat_hash(home / "data" / "tiny")) == 64
    finally:
        for _ in range(depth):  # too deep for pytest to remove
            os.chdir("..")
            os.rmdir("deeper")  # noqa: PTH106
        os.chdir(here)


def test_a_data_folder_that_cannot_be_read_is_the_reason_to_skip(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, cursor, _ = tick(None, capsys)
    (home / "file").write_text("")
    monkeypatch.setenv("RELABEL_DATA", str(home / "file"))
    result, after, _ = tick(cursor, capsys)
    assert "Set RELABEL_DATA" in str(result.skip_reason)
    assert after == cursor


def test_observing_the_folders_leaves_a_broken_one_out(home: Path) -> None:
    make_hostile(home / "data")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("corpus", ["tiny", "broken", "hostile", "gone"])
        resources = {"project": Project.from_environment()}
        done = observe([corpus_folder], instance=instance, resources=resources)
        assert done.success
        records = instance.fetch_observations(dg.AssetKey("corpus_folder"), limit=10).records
    assert {record.asset_observation.partition for record in records} == {"tiny", "hostile"}  # type: ignore[union-attr]


def test_a_partition_is_added_once(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert add_partitions(instance, ["tiny", "other"]) == ["tiny", "other"]
        assert add_partitions(instance, ["tiny", "third"]) == ["third"]
        assert set(instance.get_dynamic_partitions("corpus")) == {"tiny", "other", "third"}
