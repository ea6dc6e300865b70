"""An export: the file or folder of a format, with the provenance beside it, whole or not at all.

What belongs here: refusing rows that a format cannot hold, and writing. What does not: the formats
(formats/), and where the grades come from (chosen_labels.py).
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from relabel_assets.errors import ConfigError
from relabel_assets.exchange.formats.format import Format
from relabel_assets.exchange.formats.plain_tables import flat
from relabel_assets.exchange.judgments import Judgments, Unwritable, named
from relabel_assets.files import whole
from relabel_assets.intake.one_input import reason_of
from relabel_assets.out_file import require_free
from relabel_assets.plural import counted

# Of each pair: who graded it, and how. Texts are in the corpus.
PROVENANCE = (
    "query_id",
    "doc_id",
    "grade",
    "expected_grade",
    "grade_probs",
    "labeler",
    "model",
    "prompt_hash",
    "request_key",
)
_MOST_SHOWN = 20  # one screen


@dataclass(frozen=True)
class Exported:
    """What was written: the files or the folder, the judgments, and lines about rows that were left out."""

    files: tuple[Path, ...]
    n_judgments: int
    n_queries: int
    left_out: tuple[str, ...] = ()


def export_file(
    judgments: Judgments,
    form: Format,
    out: Path,
    *,
    is_forced: bool = False,
    leave_out: bool = False,
) -> Exported:
    """Write `judgments` to `out`, and their provenance beside it where the format has no room for it.

    Raises ConfigError where `out` is taken, cannot be written, or where the format cannot hold some rows:
    then nothing is written. With `leave_out` those rows are left out.

    >>> import tempfile
    >>> from relabel_assets.exchange.formats.qrels import FORMAT
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = export_file(Judgments(frame, "demo", "final", 3), FORMAT, Path(folder) / "final.qrels")
    ...     [file.name for file in done.files]
    ['final.qrels', 'final.qrels.provenance.jsonl']
    """
    beside = None if form.has_provenance else provenance_file(out, form)
    for file in (out, beside):
        if file is not None and not (form.is_folder and file is beside):
            require_free(file, is_forced=is_forced and not form.is_folder)
    faults = list(form.unwritable(judgments))
    if faults and not leave_out:
        raise _refused(judgments, form, faults)
    lines = tuple(named(judgments, one) for one in faults)
    rows = {one.row for one in faults}
    kept = judgments.frame.with_row_index("row").filter(~pl.col("row").is_in(list(rows)))
    judgments = judgments.with_frame(kept.drop("row"))
    if kept.is_empty():
        raise ConfigError(f"{form.name} can hold none of the judgments. First: {lines[0]}.")
    try:
        _write(judgments, form, out, beside)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError(
            f"--out {out} cannot be written: {reason_of(error)}. Choose another --out."
        ) from error
    files = (out,) if beside is None or form.is_folder else (out, beside)
    return Exported(files, kept.height, kept["query_id"].n_unique(), lines)


def default_out(corpus: str, labeler: str, form: Format) -> Path:
    """The file or folder of an export where none is named.

    >>> from relabel_assets.exchange.formats import beir, qrels, rre
    >>> [str(default_out("demo", "final", form.FORMAT)) for form in (qrels, beir, rre)]
    ['demo-final.qrels', 'demo-final.beir', 'demo-final.rre.json']
    """
    kind = "" if form.ending == f".{form.name}" else f".{form.name}"
    return Path(f"{corpus}-{labeler}{kind}{form.ending}")


def provenance_file(out: Path, form: Format) -> Path:
    """Where the provenance of the judgments in `out` is.

    >>> from relabel_assets.exchange.formats import beir, qrels
    >>> [provenance_file(Path("final.qrels"), qrels.FORMAT).name,
    ...  str(provenance_file(Path("beir_folder"), beir.FORMAT))]
    ['final.qrels.provenance.jsonl', 'beir_folder/provenance.jsonl']
    """
    if form.is_folder:
        return out / "provenance.jsonl"
    return out.with_name(f"{out.name}.provenance.jsonl")


def _write(judgments: Judgments, form: Format, out: Path, beside: Path | None) -> None:
    """Write both scratch files before either takes its name, the export's own last."""
    provenance = flat(judgments.frame.select(PROVENANCE))
    if form.is_folder:
        with whole_folder(out) as scratch:
            form.write(judgments, scratch)
            provenance.write_ndjson(provenance_file(scratch, form))
    elif beside is None:
        with whole(out) as scratch:
            form.write(judgments, scratch)
    else:
        with whole(out) as scratch:
            form.write(judgments, scratch)
            with whole(beside) as other:
                provenance.write_ndjson(other)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A scratch folder that becomes `path`, where nothing is, when the block ends without an error.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     with whole_folder(Path(name) / "out") as scratch:
    ...         _ = (scratch / "a.txt").write_text("a")
    ...     (Path(name) / "out" / "a.txt").exists()
    True
    """
    scratch = path.with_name(f".{path.name}.half")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        scratch.rename(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _refused(judgments: Judgments, form: Format, faults: list[Unwritable]) -> ConfigError:
    n_rows = len({one.row for one in faults})
    lines = [f"  {named(judgments, one)}" for one in faults[:_MOST_SHOWN]]
    if len(faults) > _MOST_SHOWN:
        lines.append(f"  ... and {len(faults) - _MOST_SHOWN:,} more")
    head = f"{form.name} cannot hold {n_rows:,} of {counted(judgments.frame.height, 'judgment')}:"
    others = " or ".join(form.instead)
    remedy = f"Nothing was written. Use --to {others}, or leave these rows out: --leave-out."
    return ConfigError("\n".join([head, *lines, remedy]))
