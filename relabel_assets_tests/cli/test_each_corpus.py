"""Commands over several corpora: a bad one is named, the others go on, and the exit code tells."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from relabel_assets.cli.each_corpus import EachCorpus
from relabel_assets.errors import ConfigError, CorpusError, WarehouseError
from relabel_assets_tests.builders import ask_live, relabel, write_corpus

HOSTILE = "\x1b[31m\x1b]0;t\x07[bold]b[/] [link=http://a]l[/] :smile: \u202e"


def no_settings(folder: Path) -> None:
    (folder / "corpus.yaml").write_text("studnt: 1")


def no_yaml(folder: Path) -> None:
    (folder / "corpus.yaml").write_bytes(b"description: \xff[")


def pipe_as_settings(folder: Path) -> None:
    (folder / "corpus.yaml").unlink()
    os.mkfifo(folder / "corpus.yaml")


def pipe_as_documents(folder: Path) -> None:
    (folder / "documents.jsonl").unlink()
    os.mkfifo(folder / "documents.jsonl")


def folder_as_queries(folder: Path) -> None:
    (folder / "queries.jsonl").unlink()
    (folder / "queries.jsonl").mkdir()


def links_in_circles(folder: Path) -> None:
    (folder / "documents.jsonl").unlink()
    (folder / "documents.jsonl").symlink_to("documents.jsonl")


BREAKS = [
    no_settings,
    no_yaml,
    pipe_as_settings,
    pipe_as_documents,
    folder_as_queries,
    links_in_circles,
]


@pytest.mark.parametrize("break_it", BREAKS)
def test_one_bad_corpus_is_named_and_the_others_are_listed_checked_and_planned(
    home: Path, break_it: Callable[[Path], None]
) -> None:
    break_it(write_corpus(home / "data" / "bad"))
    write_corpus(home / "data" / "zebra")
    for command, of_good in (
        (("corpora", "list"), "zebra"),
        (("corpora", "check"), "zebra: no problems"),
        (("plan", "-s", "seed_docs"), "zebra:\n  seed_docs: never made; 8 new"),
        (("estimate",), "zebra: recorded teacher"),
        (("report",), "zebra: no benchmark yet"),
    ):
        done = relabel(*command)
        output = done.stdout + done.stderr
        assert of_good in done.stdout, output
        assert "bad" in output and "Traceback" not in output and "unexpected" not in output
        assert done.returncode != 70


def test_the_exit_code_is_that_of_the_only_failure_and_1_of_several(home: Path) -> None:
    no_settings(write_corpus(home / "data" / "bad"))
    assert relabel("plan", "-s", "seed_docs").returncode == ConfigError.exit_code
    assert relabel("estimate").returncode == ConfigError.exit_code
    (home / "data" / "empty").mkdir()
    assert relabel("plan", "-s", "seed_docs").returncode == 1
    assert relabel("plan", "-s", "seed_docs", "-c", "empty").returncode == CorpusError.exit_code
    assert relabel("plan", "-s", "seed_docs", "-c", "tiny").returncode == 0
    assert relabel("corpora", "check").returncode == 3


def test_a_broken_warehouse_ends_the_loop() -> None:
    def work(name: str) -> None:
        raise WarehouseError("the disk is full")

    each = EachCorpus()
    with pytest.raises(WarehouseError):
        list(each.of(["one", "two"], work))
    assert each.failures == {}


def test_no_text_of_a_corpus_acts_on_the_terminal(home: Path) -> None:
    folder = home / "data" / "tiny"
    ask_live(home, model=HOSTILE)
    settings = json.loads((folder / "corpus.yaml").read_text())
    (folder / "corpus.yaml").write_text(json.dumps(settings | {"description": HOSTILE}))
    for file in ("documents.jsonl", "queries.jsonl"):
        row = {"doc_id": HOSTILE, "query_id": HOSTILE, "text": HOSTILE, "body": HOSTILE}
        with (folder / file).open("a") as rows:
            rows.write(json.dumps(row) + "\n" + '{"doc_id": [1], "query_id": "' + "\x1b" + '"}\n')
    (home / "data" / f"folder{HOSTILE.replace('/', '_')}").mkdir()
    (home / "data" / os.fsdecode(b"\xff")).mkdir()
    for command in (
        ("corpora", "list"),
        ("corpora", "check"),
        ("estimate",),
        ("plan", "-s", "seed_docs"),
        ("plan", "-c", HOSTILE),
        ("plan", "-s", HOSTILE),
        ("requests", "export", "-c", "tiny", "-o", f"{home}/{HOSTILE.replace('/', '_')}"),
        ("sql", f"select '{HOSTILE}'"),
        ("restore", f"{home}/{HOSTILE.replace('/', '_')}"),
        (HOSTILE,),
    ):
        done = relabel(*command)
        output = done.stdout + done.stderr
        assert "Traceback" not in output and done.returncode != 70, output
        for character in "\x1b\x07\u202e\udcff😄😃":
            assert character not in output, (command, output)
    listed = relabel("corpora", "list").stdout
    assert r"\x1b[31m" in listed and "[bold]b[/]" in listed and ":smile:" in listed


def test_a_bad_corpus_stops_no_import_of_responses(home: Path) -> None:
    no_settings(write_corpus(home / "data" / "bad"))
    responses = home / "responses.jsonl"
    responses.write_text("not json\n")
    done = relabel("requests", "import", str(responses))
    assert done.returncode == 7  # the torn line
    assert "bad failed: bad/corpus.yaml" in done.stderr
    assert "1 line skipped" in done.stdout
