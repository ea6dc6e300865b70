"""Corpus folders as Dagster's partitions: new folders and changed data versions."""

import os
from pathlib import Path

import dagster as dg

from relabel_assets.definitions import build_definitions
from relabel_assets.graph.partitions import add_partitions
from relabel_assets.graph.project import Project
from relabel_assets_tests.builders import write_corpus
from relabel_assets_tests.graph.sensor_ticks import look_at_folders


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


def test_a_partition_is_added_once(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert add_partitions(instance, ["tiny", "other"]) == ["tiny", "other"]
        assert add_partitions(instance, ["tiny", "third"]) == ["third"]
        assert set(instance.get_dynamic_partitions("corpus")) == {"tiny", "other", "third"}
