"""Hostile corpora through every reader: errors of ours, problems with a way out, and nothing else."""

from pathlib import Path

import pytest

from relabel_assets_tests.fuzz.nasty import FAMILIES, write_nasty
from relabel_assets_tests.fuzz.read_all import ALARM_S, alarm, faults

pytestmark = pytest.mark.slow

N_CORPORA, N_AT_A_TIME = 304, 38


@pytest.mark.parametrize("first", range(0, N_CORPORA, N_AT_A_TIME))
def test_every_reader_of_a_hostile_corpus_returns_problems(first: int, tmp_path: Path) -> None:
    found = []
    for seed in range(first, first + N_AT_A_TIME):
        what = write_nasty(tmp_path / f"n{seed}", seed)
        with alarm(ALARM_S):
            found += [f"seed {seed}, {what!r}: {fault}" for fault in faults(tmp_path, f"n{seed}")]
    assert found == []


def test_a_seed_writes_the_same_corpus_again(tmp_path: Path) -> None:
    for seed in range(len(FAMILIES)):
        assert write_nasty(tmp_path / f"a{seed}", seed) == write_nasty(tmp_path / f"b{seed}", seed)
        first, second = (_contents(tmp_path / f"{folder}{seed}") for folder in "ab")
        assert first == second


def _contents(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else path.lstat().st_mode
        for path in sorted(folder.rglob("*"))
        if not path.is_symlink()
    }
