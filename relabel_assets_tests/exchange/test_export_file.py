"""What an export refuses, and that it is there whole or not at all."""

import json
from pathlib import Path

import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.exchange.export_file import export_file
from relabel_assets.exchange.formats import beir, ltr, opensearch, plain_tables, qrels
from relabel_assets.exchange.formats.all_formats import FORMATS
from relabel_assets.exchange.formats.format import Format
from relabel_assets_tests.exchange.frames import ROWS, judgments, row

SPACED = [*ROWS, row("q3", "desks", "leave policy", 2)]


def test_a_row_that_the_format_cannot_hold_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        export_file(judgments(SPACED), qrels.FORMAT, tmp_path / "out.qrels")
    assert str(refused.value).splitlines() == [
        "qrels cannot hold 1 of 5 judgments:",
        "  row 5, query 'q3', document 'leave policy': doc_id holds white space, which separates the fields "
        "of qrels",
        "Nothing was written. Use --to beir or csv or parquet, or leave these rows out: --leave-out.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_leave_out_writes_the_others_and_names_what_it_left(tmp_path: Path) -> None:
    done = export_file(judgments(SPACED), qrels.FORMAT, tmp_path / "out.qrels", leave_out=True)
    assert done.n_judgments == 4 and done.left_out[0].startswith("row 5, query 'q3'")
    assert (tmp_path / "out.qrels").read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        (opensearch.FORMAT, [row("q1", "leave", "d1", 2), row("q2", " leave", "d1", 0)]),
        (ltr.FORMAT, [row("q1", "leave\tpolicy", "d1", 2)]),
        (beir.FORMAT, [row("q1", "leave", '"d1"', 2)]),
        (FORMATS["rank-eval"], [row("q1", "leave", "é" * 257, 2)]),
    ],
    ids=lambda value: value.name if isinstance(value, Format) else "",
)
def test_each_format_refuses_what_would_be_read_as_something_else(
    form: Format, rows: list[dict[str, object]], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"{form.name} cannot hold 1 of"):
        export_file(judgments(rows), form, tmp_path / "out")


def test_what_exists_is_replaced_by_force_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.qrels"
    out.write_text("mine")
    with pytest.raises(ConfigError, match=r"out\.qrels already exists"):
        export_file(judgments(), qrels.FORMAT, out)
    export_file(judgments(), qrels.FORMAT, out, is_forced=True)
    assert out.read_text().startswith("q1 0 d1 3\n")


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match=r"out already exists\. Choose another --out\."):
        export_file(judgments(), beir.FORMAT, tmp_path / "out", is_forced=True)


def test_an_export_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def breaks(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for original in (qrels.FORMAT, beir.FORMAT):
        form = Format(**(vars(original) | {"write": breaks}))
        with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
            export_file(judgments(), form, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []


def test_who_graded_is_beside_every_format_without_room_for_it(tmp_path: Path) -> None:
    files = export_file(judgments(), qrels.FORMAT, tmp_path / "out.qrels").files
    lines = [json.loads(line) for line in files[1].read_text().splitlines()]
    assert [line["labeler"] for line in lines] == ["people", "student", "student", "teacher"]
    assert lines[3]["prob_2"] == 0.7 and lines[3]["prompt_hash"] == "ab" * 32
    assert export_file(judgments(), plain_tables.CSV, tmp_path / "out.csv").files == (
        tmp_path / "out.csv",
    )


def test_help_of_the_command_has_the_line_of_each_format() -> None:
    from relabel_assets.cli.commands.export import export

    lines = [line.strip() for line in (export.__doc__ or "").splitlines()]
    listed = [line for line in lines if line.startswith("- `")]
    assert listed == [f"- `{form.name}`: {form.line}" for form in FORMATS.values()]
