"""What reaches the terminal: text from data is shown, and does nothing."""

import io
import os
import re

import pytest
import rich.panel
import rich.table
import rich.tree
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.text import Text

from relabel_assets.cli.console import Console
from relabel_assets.intake.text import printable

HOSTILE = (
    "\x1b[31mred\x1b]0;title [bold]b[/] [link=http://a]l[/] :smile: \u202egnp.exe \x9b2J \udcff"
)
SHOWN = r"\x1b[31mred\x1b]0;title [bold]b[/] [link=http://a]l[/] :smile: \u202egnp.exe \x9b2J \xff"
# Control characters, and characters that reorder or hide text.
ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200b-\u200f\u2028-\u202e\u2066-\u2069]"
)


def printed(renderable: object) -> str:
    file = io.StringIO()
    Console(file=file, width=300).print(renderable)
    return file.getvalue()


def in_a_table(text: str) -> object:
    table = rich.table.Table("a", "b", title=escape(text), caption=Text(text))
    table.add_row(escape(text), Text(text))
    return table


def in_a_tree(text: str) -> object:
    tree = rich.tree.Tree(escape(text))
    tree.add(Text(text))
    return tree


@pytest.mark.parametrize(
    "renderable",
    [
        escape(HOSTILE),
        Text(HOSTILE),
        in_a_table(HOSTILE),
        in_a_tree(HOSTILE),
        rich.panel.Panel(Text(HOSTILE), title=escape(HOSTILE)),
    ],
    ids=["string", "text", "table", "tree", "panel"],
)
def test_text_is_shown_as_it_is_wherever_it_stands(renderable: object) -> None:
    output = printed(renderable)
    assert SHOWN in output
    assert not ACTING.search(output)


def test_markup_of_the_commands_still_works_on_a_terminal() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system="standard")
    console.print(f"[red]error:[/] {escape('[bold]')}", highlight=False)
    assert file.getvalue() == "\x1b[31merror:\x1b[0m [bold]\n"


@given(st.text())
def test_no_text_acts_on_the_terminal(text: str) -> None:
    output = printed(in_a_table(text)) + printed(escape(text))
    assert not ACTING.search(output)


def test_a_long_line_is_folded_below_its_text_and_a_path_stays_whole() -> None:
    file, path = io.StringIO(), "/data/" + "a-long-folder/" * 4
    Console(file=file, width=40).print_folded(
        "  folder    ", f"all of [b]{path} is read", indent=12
    )
    assert file.getvalue().splitlines() == [
        "  folder    all of",
        f"            [b]{path}",
        "            is read",
    ]
    file = io.StringIO()
    Console(file=file, width=300).print_folded("", HOSTILE, indent=2)
    assert file.getvalue() == f"{SHOWN}\n"


def test_the_width_of_a_cell_is_that_of_what_is_shown() -> None:
    table = rich.table.Table("a", "b")
    table.add_row("\x1b" * 5, "x")
    table.add_row("y", "x")
    assert r"\x1b" * 5 in printed(table)


def test_a_stderr_that_nobody_reads_is_silent_and_a_stdout_is_not() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8", buffering=1) as closed:  # noqa: PTH123
        err = Console(file=closed, stderr=True)
        err.print("lost")
        err.print("lost too")
        with pytest.raises(BrokenPipeError):
            Console(file=closed).print("lost")
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_printable_text_stays_as_it_is() -> None:
    assert printable("Größe 寸法 😀\tx") == "Größe 寸法 😀\tx"
