"""What a format writes, it reads: every judgment comes back, whatever characters its ids and texts have."""

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from relabel_assets.errors import ConfigError
from relabel_assets.exchange.export_file import PROVENANCE, export_file
from relabel_assets.exchange.formats.all_formats import FORMATS, format_of
from relabel_assets.exchange.formats.format import Format
from relabel_assets.exchange.import_file import import_file
from relabel_assets.exchange.judgments import Judgments
from relabel_assets.exchange.known_ids import KnownIds
from relabel_assets_tests.exchange.frames import MAX_GRADE, drawn, judgments

_KEY = ["query_id", "doc_id", "grade"]
EXAMPLES = 25
_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
}


def imported(path: Path, form: Format, exported: Judgments, folder: Path) -> pl.DataFrame:
    """The rows of labelers/back.jsonl after an import of `path`."""
    frame = exported.frame
    known = KnownIds(dict(frame.select("query_id", "text").iter_rows()), frame["doc_id"])
    done = import_file(path, form, folder, known, labeler="back", max_grade=MAX_GRADE)
    assert not done.problems
    return pl.read_ndjson(done.path, infer_schema_length=None)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "parquet"])
@settings(max_examples=EXAMPLES, **_SETTINGS)
@given(exported=drawn())
def test_export_and_import_are_the_identity(name: str, exported: Judgments) -> None:
    _check_identity(FORMATS[name], exported)


# Each file of Parquet is read by a process of its own.
@settings(max_examples=2, **_SETTINGS)
@given(exported=drawn())
def test_export_and_import_are_the_identity_in_parquet(exported: Judgments) -> None:
    _check_identity(FORMATS["parquet"], exported)


def _check_identity(form: Format, exported: Judgments) -> None:
    refused = {one.row for one in form.unwritable(exported)}
    kept = exported.frame.with_row_index("row").filter(~pl.col("row").is_in(list(refused)))
    if kept.is_empty():
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        out = folder / f"out{form.ending}"
        export_file(exported, form, out, leave_out=True)
        back = imported(out, form, exported, folder)
    assert back.select(_KEY).sort(_KEY).rows() == kept.select(_KEY).sort(_KEY).rows()
    columns = [column for column in PROVENANCE if column in back.columns and column != "labeler"]
    frame = kept.select(columns).sort(_KEY)
    assert back.select(columns).sort(_KEY).to_dicts() == frame.to_dicts()
    # A column that nobody has a value of is not in the file.
    missing = set(PROVENANCE) - set(columns) - {"labeler"}
    assert all(kept[column].null_count() == kept.height for column in missing)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_tells_its_format(name: str, tmp_path: Path) -> None:
    form = FORMATS[name]
    export_file(judgments(), form, tmp_path / f"out{form.ending}")
    assert format_of(tmp_path / f"out{form.ending}").name == name


def test_a_file_of_no_format_says_which_there_are(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Dear all,\n")
    with pytest.raises(
        ConfigError, match=r"its format is not plain\. Name it with --from: qrels, beir"
    ):
        format_of(tmp_path / "notes.txt")
