"""Run files: lines, names, packed files, unknown ids, and systems.yaml."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.folders import Corpora
from relabel_assets.corpus.runs.kin_file import parse_origins
from relabel_assets.corpus.runs.run_files import (
    Runs,
    files_in,
    is_run,
    read_runs,
    system_name,
    with_known_queries,
)
from relabel_assets.corpus.runs.system_files import systems_of_corpus
from relabel_assets.errors import ConfigError, CorpusError
from relabel_assets_tests.builders import write_corpus, write_runs


def read(folder: Path, **files: str | bytes) -> Runs:
    for name, content in files.items():
        raw = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(raw)
    return read_runs(*files_in(folder))


def test_each_file_is_a_system_and_packed_ones_are_read(tmp_path: Path) -> None:
    line = "q1 Q0 d1 1 2.5 tag\n"
    runs = read(
        tmp_path, a__run=f"{line}q1\tQ0\td2  2 1e-3\r\n\n", b__run__gz=gzip.compress(line.encode())
    )
    assert runs.frame.rows() == [
        ("a", "q1", "d1", 2.5),
        ("a", "q1", "d2", 0.001),
        ("b", "q1", "d1", 2.5),
    ]
    assert runs.problems == [] and runs.systems == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q1 Q0 d2 2 nan t", "a.run:2: the score 'nan' is no number"),
        ("q1 Q0 d2 2 inf t", "a.run:2: the score 'inf' is no number"),
        ("q1 Q0 d2 2 high t", "a.run:2: the score 'high' is no number"),
        (
            "q1 Q0 d1 2 1.0 t",
            "a.run:2: document d1 is found twice for query q1; the first one counts",
        ),
        ("q1 d2 2", "a.run:2: 'q1 d2 2' has 3 fields"),
        ("q1 Q0 d2 2 1.0 t u", "a.run:2: 'q1 Q0 d2 2 1.0 t u' has 7 fields"),
        (f"q1 Q0 {'d' * 1001} 2 1.0 t", "a.run:2: an id is too long"),
    ],
)
def test_a_line_that_cannot_be_used_costs_itself(tmp_path: Path, line: str, problem: str) -> None:
    runs = read(tmp_path, a__run=f"q1 Q0 d1 1 9 t\n{line}\nq1 Q0 d3 3 1 t\n")
    assert runs.frame["doc_id"].to_list() == ["d1", "d3"]
    assert [str(each).startswith(problem) for each in runs.problems] == [True], runs.problems


def test_a_line_counts_whose_pair_was_only_in_a_line_that_cannot_be_used(tmp_path: Path) -> None:
    runs = read(tmp_path, a__run="q1 Q0 d1 1 nan t\nq1 Q0 d1 2 3 t\n")
    assert runs.frame.rows() == [("a", "q1", "d1", 3.0)] and len(runs.problems) == 1


def test_a_file_that_cannot_be_used_costs_itself_and_many_lines_are_counted(tmp_path: Path) -> None:
    runs = read(
        tmp_path,
        a__run=b"\xff\xfe\n",
        b__run="\n \n",
        c__gz=b"\x1f\x8bno",
        d__run="x\n" * 25 + "q1 Q0 d1 1 2 t\n",
        e__run="q1 Q0 d1 1 2 t\n",
        e__txt="q1 Q0 d1 1 2 t\n",
    )
    messages = [str(problem) for problem in runs.problems]
    assert messages[0].startswith("a.run: line 1 is not UTF-8 text")
    assert messages[1].startswith("b.run: it has no lines")
    assert messages[2].startswith("c.gz: it cannot be unpacked")
    assert messages[3].startswith("d.run:1: 'x' has 1 field.")
    assert messages[-2].startswith("d.run: 5 more lines cannot be used")
    assert messages[-1].startswith("e.txt: e.run is a run of the system 'e' already")
    assert runs.systems == ["d", "e"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("bm25.run", "bm25"),
        ("bm25.run.gz", "bm25"),
        ("input.p_bm25", "input.p_bm25"),
        (".run", ".run"),
    ],
)
def test_a_system_has_the_name_of_its_file(file: str, name: str) -> None:
    assert system_name(file) == name


def test_a_corpus_has_only_runs_that_say_so(tmp_path: Path) -> None:
    assert [is_run(file) for file in ("runs/a.run", "runs/a.run.gz", "runs/a.txt", "a.run")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_folder_without_runs_is_an_error_and_a_single_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "systems.yaml").write_text("systems: {}")
    with pytest.raises(CorpusError, match="has no run files"):
        files_in(tmp_path)
    with pytest.raises(CorpusError, match="is no folder of run files"):
        files_in(tmp_path / "none")
    (tmp_path / "a.run").write_text("q1 Q0 d1 1 2 t\n")
    assert files_in(tmp_path / "a.run") == (tmp_path, ["a.run"])


def test_unknown_queries_are_left_out_and_unknown_documents_keep_their_places() -> None:
    frame = pl.DataFrame(
        {
            "system": ["a"] * 3,
            "query_id": ["q1", "q1", "q9"],
            "doc_id": ["d1", "d9", "d1"],
            "score": [2.0, 3.0, 1.0],
        }
    )
    known = with_known_queries(Runs(frame), pl.Series(["q1"]), pl.Series(["d1"]))
    assert known.frame.height == 2 and known.frame["doc_id"].to_list() == ["d1", "d9"]
    assert [str(problem) for problem in known.problems] == [
        "runs: 1 unknown query, not in the corpus: q9. Left out.",
        "runs: 1 unknown document, not in the corpus: d9. Kept in its place, without a grade.",
    ]


def test_a_document_of_a_run_may_have_its_ending_and_counts_once(tmp_path: Path) -> None:
    lines = "q1 Q0 leave 1 1 t\nq1 Q0 leave.md 2 3 t\nq1 Q0 cafe\u0301 3 2 t\nq1 Q0 leev 4 1 t\n"
    runs = read(tmp_path, a__run=lines)
    known = with_known_queries(runs, pl.Series(["q1"]), pl.Series(["leave", "caf\u00e9"]))
    assert sorted(known.frame.select("doc_id", "score").rows()) == [
        ("caf\u00e9", 2.0),
        ("leave", 3.0),
        ("leev", 1.0),
    ]
    assert "Did you mean 'leave'?" not in str(known.problems[0])  # too far to be a typing error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("systems: {dens: {}}", "there is no run of dens. Systems with a run: dense"),
        ("systems: {dense: {base: x}}", "systems.dense.base: Extra inputs are not permitted"),
        ("systems: [", "systems.yaml:1"),
        ("dense: {}", "dense: Extra inputs"),
    ],
)
def test_a_wrong_systems_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_origins(text, file="systems.yaml", systems=["dense"])
    assert message in str(refused.value)
    assert parse_origins("", file="systems.yaml", systems=["dense"]) == {}


def test_the_runs_of_a_corpus_are_checked_with_it_and_change_its_fingerprint(
    tmp_path: Path,
) -> None:
    folder = write_corpus(tmp_path / "tiny")
    runs, corpora = write_runs(folder / "runs"), Corpora(tmp_path)
    corpus = corpora.open("tiny")
    assert [str(problem) for problem in corpora.check("tiny")] == []
    before = corpus.fingerprint("runs")
    (runs / "notes.md").write_text("no run")
    assert corpus.fingerprint("runs") == before
    (runs / "good.run").write_text("q00 Q0 d0 1 nan t\nq99 Q0 d0 1 2 t\n")
    (runs / "systems.yaml").write_text("systems: {god: {}}")
    assert corpus.fingerprint("runs") != before
    assert [str(problem) for problem in corpora.check("tiny")] == [
        "runs: runs/systems.yaml: there is no run of god. Systems with a run: good, weak."
    ]
    (runs / "systems.yaml").write_text("systems: {good: {teacher: gpt-4o}}")
    assert systems_of_corpus(corpus).origins["good"].teacher == "gpt-4o"
    assert [problem.message for problem in corpora.check("tiny")] == [
        "the score 'nan' is no number",
        "1 unknown query, not in the corpus: q99",
    ]
