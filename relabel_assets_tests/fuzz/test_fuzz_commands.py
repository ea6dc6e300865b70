"""Hostile corpora beside a good one: the commands go on with the good one, and print nothing unsafe."""

import subprocess
from pathlib import Path

import pytest

from relabel_assets.intake.text import printable
from relabel_assets_tests.builders import relabel
from relabel_assets_tests.fuzz.nasty import write_nasty

pytestmark = pytest.mark.slow
# Corpora that cannot be read, so that commands must say so, and two with hostile text in rows and names.
UNREADABLE: dict[str, dict[str, bytes]] = {
    "no_documents": {"corpus.yaml": b"description: x\n"},
    "impossible_date": {"documents.csv": b"doc_id,body\nd1,b\n", "corpus.yaml": b"name: 2024-02-30\n"},
    "deep_settings": {"documents.csv": b"doc_id,body\nd1,b\n", "corpus.yaml": b"a: " + b"[" * 100_000},
    "packed_table": {"documents.csv": b"\x1f\x8b\x08\x00" + b"x" * 100},
    "escapes_in_settings": {"documents.csv": b"doc_id,body\nd1,b\n", "corpus.yaml": b"\x1b[31mred: [bold]\n"},
}  # fmt: skip


@pytest.fixture
def data(home: Path) -> Path:
    """The data folder of `home`: the good corpus `tiny`, the unreadable ones, and three that may be read."""
    for name, files in UNREADABLE.items():
        for file, content in files.items():
            (home / "data" / name).mkdir(exist_ok=True)
            (home / "data" / name / file).write_bytes(content)
    for seed in (1, 6, 11):  # hostile front matter, a hostile file name, hostile ids
        write_nasty(home / "data" / f"nasty{seed}", seed)
    (home / "data" / "dangling").symlink_to("missing")
    (home / "data" / "Caf\udce9 \x1b[31m").mkdir()
    return home / "data"


def assert_safe(result: subprocess.CompletedProcess[str]) -> None:
    """Assert that no traceback and no control character was printed, and no unexpected error."""
    for output in (result.stdout, result.stderr):
        assert "Traceback" not in output
        assert "unexpected error" not in output
        assert [line for line in output.splitlines() if printable(line) != line] == []
        output.encode()


@pytest.mark.parametrize(
    ("command", "code"),
    [(("corpora", "check"), 3), (("corpora", "list"), 0), (("plan",), 1), (("estimate",), 1)],
)
def test_a_command_names_each_bad_corpus_and_goes_on(
    data: Path, command: tuple[str, ...], code: int
) -> None:
    result = relabel(*command)
    assert_safe(result)
    assert result.returncode == code
    printed = result.stdout + result.stderr
    for name in ("tiny", *UNREADABLE):
        assert name in printed


def test_a_run_makes_the_tables_of_the_good_corpus(data: Path) -> None:
    result = relabel("run", "--select", "+bm25_candidates")
    assert_safe(result)
    assert result.returncode == 1
    counted = relabel(
        "sql", "select count(*) as n from bm25_candidates where corpus = 'tiny'", "--format", "csv"
    )
    assert counted.stdout.split() == ["n", "128"]
    for name in UNREADABLE:
        assert name in result.stdout + result.stderr
