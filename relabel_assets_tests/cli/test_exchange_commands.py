"""`relabel export`, `import` and `push`, as a search team uses them in turn."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.exchange.formats.all_formats import FORMATS
from relabel_assets_tests.builders import relabel
from relabel_assets_tests.running.homes import use_copy

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_copy(monkeypatch, finished_home.parent, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(*arguments: str) -> str:
    outcome = relabel(*arguments)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_an_exported_labeler_comes_back_and_is_measured_beside_the_others(folder: Path) -> None:
    for name in FORMATS:
        done("export", "-c", "tiny", "--labeler", "teacher", "--to", name)
    assert "128 grades of 16 queries would be imported" in done(
        "import", "tiny-teacher.qrels", "-c", "tiny", "--as", "vendor", "--dry-run"
    )
    assert not (folder / "data" / "tiny" / "labelers").exists()
    done("import", "tiny-teacher.rre.json", "-c", "tiny", "--as", "vendor")
    done("run", "-c", "tiny", "-s", "imported_labels or benchmark_report")
    sql = "select labeler, metric, value, ci_low, n_pairs from benchmark_report where slice = 'all'"
    rows = done("sql", f"{sql} and labeler in ('teacher', 'vendor')", "--format", "csv")
    frame = pl.read_csv(rows.encode()).sort("metric")
    teacher, vendor = (frame.filter(labeler=name).drop("labeler") for name in ("teacher", "vendor"))
    assert teacher.height == 7 and vendor.equals(teacher)
    assert "vendor" in done("report", "-c", "tiny")
    assert "128" in done("sql", "select count(*) from labels where labeler = 'vendor'")
    # Its own grades go out under its name; the next run has nothing to do.
    done("export", "-c", "tiny", "--labeler", "vendor", "-o", "vendor.qrels")
    assert Path("vendor.qrels").read_text() == Path("tiny-teacher.qrels").read_text()
    assert "imported before, nothing changed" in done(
        "import", "vendor.qrels", "-c", "tiny", "--as", "vendor"
    )


def test_imported_reference_labels_are_measured_against(folder: Path) -> None:
    Path("more.csv").write_text("query_id,doc_id,grade\nq00,d0,2\nq00,d99,1\n")
    outcome = relabel("import", "more.csv", "-c", "tiny", "--as", "reference", "--assessor", "ana")
    assert outcome.returncode == 0
    assert "document 'd99' has 1 grade and is not in the corpus" in outcome.stderr
    done("run", "-c", "tiny", "-s", "reference_labels")
    sql = "select query_id, doc_id, grade, kind from reference_labels where assessor = 'ana'"
    assert done("sql", sql, "--format", "csv").splitlines()[1] == "q00,d0,2,adjudicated"


def test_a_pushed_student_loads_and_its_labels_have_no_texts(folder: Path) -> None:
    from relabel_assets.student import Labeler

    assert "without the documents' texts" in done("push", "-c", "tiny", "--to", "shared")
    labeler = Labeler.load(folder / "shared" / "student")
    assert len(labeler.points) == 3
    columns = pl.read_parquet(folder / "shared" / "labels" / "data" / "*.parquet").columns
    assert {"query", "doc_id", "grade"} <= set(columns)
    assert not {"title", "body"} & set(columns)
    refused = relabel("push", "-c", "tiny", "--to", "hub:acme/tiny")
    assert refused.returncode == 4 and "Nothing was sent" in refused.stderr
