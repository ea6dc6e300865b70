"""Results of `relabel sql` as a table, CSV, JSON or Parquet.

What belongs here: formatting of a frame for a terminal or a file. What does not: the query itself
(warehouse/), and the output of other commands (output.py).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from relabel_assets.cli.console import ERR, OUT, is_plain
from relabel_assets.cli.printing.output_tables import print_table
from relabel_assets.errors import ConfigError
from relabel_assets.files import whole
from relabel_assets.intake.text import printable
from relabel_assets.plural import counted

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("table", "csv", "json", "parquet")
_ENDINGS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}
_TABLE_ROWS = 100  # a few screens; more rows are for a file


def output_format(requested: str | None, out: Path | None) -> str:
    """The format of a query's result: `requested`, else by the ending of `out`, else a table.

    Raises ConfigError for an unknown format, for Parquet without a file, and for a table in a file.

    >>> output_format(None, Path("labels.parquet"))
    'parquet'
    """
    chosen = requested or (_ENDINGS.get(out.suffix.lower()) if out else "table")
    if requested and requested not in FORMATS:
        raise ConfigError(f"--format {requested!r} is unknown. Formats: {', '.join(FORMATS)}.")
    if chosen is None:
        raise ConfigError(
            f"--out {out}: its ending is unknown. Endings: {', '.join(_ENDINGS)}. Or set --format."
        )
    if out is None and chosen == "parquet":
        raise ConfigError("--format parquet needs a file: --out FILE.parquet.")
    if out is not None and chosen == "table":
        raise ConfigError(
            "--format table is for the terminal. With --out use csv, json or parquet."
        )
    return chosen


def print_frame(frame: "pl.DataFrame", chosen: str) -> None:
    """Print a query's result as a table, as CSV, or as JSON Lines.

    A terminal gets 100 rows of a table at most, and control characters as escapes. A pipe gets all rows,
    and CSV and JSON as they are.
    """
    if chosen == "table":
        _print_table(frame)
    else:
        text = _csv(frame) if chosen == "csv" else frame.write_ndjson()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)


def write_frame(frame: "pl.DataFrame", chosen: str, out: Path) -> None:
    """Write a query's result to a file, whole or not at all.

    Raises ConfigError if the file cannot be written.
    """
    import polars as pl

    from relabel_assets.intake.one_input import reason_of

    try:
        with whole(out) as scratch:
            if chosen == "parquet":
                frame.write_parquet(scratch)
            else:
                text = _csv(frame) if chosen == "csv" else frame.write_ndjson()
                scratch.write_text(text, encoding="utf-8")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError(f"--out {out} cannot be written: {reason_of(error)}.") from error
    ERR.print(f"{counted(frame.height, 'row')} in {escape(str(out))}", highlight=False)


def _csv(frame: "pl.DataFrame") -> str:
    """The frame as CSV. Nested columns, which CSV lacks, become text."""
    import polars as pl

    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(
        pl.col(name).map_elements(_as_text, pl.String) for name in nested
    ).write_csv()


def _print_table(frame: "pl.DataFrame") -> None:
    """Print the rows as a table; on a terminal the first ones alone."""
    is_cut = frame.height > _TABLE_ROWS and not is_plain()
    rows = [
        ["" if cell is None else _as_text(cell) for cell in row]
        for row in (frame.head(_TABLE_ROWS) if is_cut else frame).iter_rows()
    ]
    print_table(frame.columns, rows)
    if is_cut:
        OUT.print(
            f"{frame.height:,} rows, the first {_TABLE_ROWS} shown. All rows: --format csv, or --out FILE."
        )


def _as_text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value.to_list() if hasattr(value, "to_list") else value)
