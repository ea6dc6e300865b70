"""Twenty hostile files among good ones, as benchmarks/hostile_files.py makes 300."""

from pathlib import Path

import pytest

from relabel_assets.intake.formats.parsing import process
from relabel_assets_tests.benchmarks import hostile_files, hostile_makers, hostile_pdfs

# Those that take seconds by their size are left to the benchmark.
LARGE = (hostile_makers.wide, hostile_makers.zip_bomb, hostile_makers.deep, hostile_pdfs.large_pdf)


def test_hostile_files_cost_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    makers = tuple(maker for maker in hostile_makers.MAKERS if maker not in LARGE)
    monkeypatch.setattr(hostile_files, "MAKERS", makers)
    corpus = tmp_path / "data" / "hostile"
    files = hostile_files.write_corpus(corpus, 20)
    before = hostile_files.names_in(tmp_path)
    try:
        reading = hostile_files.read_corpus(corpus)
    finally:
        process.close_all()
    assert len(files) == 20
    assert hostile_files.faults_of(reading, before, tmp_path) == []
    assert len(reading.problems) >= 10
