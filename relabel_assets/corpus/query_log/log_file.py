"""Reading a search log: how often each query was searched.

What belongs here: the log's formats, and counting. What does not: which queries are left out
(groups.py), and which are drawn (draw_queries.py).

A log is a table with a row for each search, or with a row for each query and a column of counts; or a text
file with a query a line. Rows flow: memory holds the different queries alone.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from relabel_assets.errors import ConfigError, Problem
from relabel_assets.intake.decoded_text import decoded_text
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.one_input import costs_itself, problem_of
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.column_names import Columns
from relabel_assets.intake.tables.reader import SUFFIXES, open_table, read_table
from relabel_assets.intake.text import is_storable, shown
from relabel_assets.progress import Progress, silent

LOG = Columns(
    {
        "text": ("query", "q", "search", "search term", "search query", "query text", "keywords"),
        "n_searches": ("count", "n", "searches", "frequency", "hits", "total"),
    },
    needed=(("text",),),
    numbers=frozenset({"n_searches"}),
    headerless=("text",),
)
TEXT_SUFFIXES = (".txt", ".log")
# Different queries in memory: some 200 bytes each.
_MAX_DIFFERENT = 5_000_000
_ROWS_BETWEEN_REPORTS = 10_000


@dataclass
class SearchLog:
    """How often each query text was searched, and the rows that could not be used.

    Texts are in NFC, with single spaces. `taken` says what was decided to read the file.
    """

    searches: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    taken: str = ""
    n_empty: int = 0  # searches without a text


def read_log(file: Path, progress: Progress = silent) -> SearchLog:
    """The searches in `file`. Raises ConfigError for a file that is no log.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "log.csv"
    ...     _ = path.write_text("query,count\\nparental  leave,3\\nvpn,1\\n,2\\n")
    ...     log = read_log(path)
    >>> dict(log.searches), log.n_empty
    ({'parental leave': 3, 'vpn': 1}, 2)
    """
    suffix = file.suffix.lower()
    if suffix not in (*SUFFIXES, *TEXT_SUFFIXES):
        endings = ", ".join((*SUFFIXES, *TEXT_SUFFIXES))
        raise ConfigError(f"{file}: its ending names no format of a log. Endings: {endings}.")
    log = SearchLog()
    try:
        with _opened(file, suffix) as opened:
            rows = _lines(opened, log) if suffix in TEXT_SUFFIXES else _table(opened, suffix, log)
            for number, (line, row) in enumerate(rows):
                if number % _ROWS_BETWEEN_REPORTS == 0:
                    progress("reading the log, rows", number, 0)
                with costs_itself(log.problems, file.name, line):
                    _count(log, row)
                if len(log.searches) > _MAX_DIFFERENT:
                    raise SetAside(
                        f"it has more than {_MAX_DIFFERENT:,} different queries",
                        "Give a shorter time of the log.",
                    )
    except (SetAside, OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise ConfigError(str(problem_of(error, str(file)))) from error
    if not log.searches:
        raise ConfigError(f"{file}: there is no query in it. Put a search in each row.")
    return log


def _count(log: SearchLog, row: Any) -> None:
    """Add one row to the counts. Raises SetAside for one that cannot be used."""
    if isinstance(row, SetAside):
        raise row
    text, count = row.get("text"), row.get("n_searches")
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str | None):
        raise SetAside(f"the query is {shown(text)}, not text", "Put it in quotes.")
    if isinstance(text, str) and not is_storable(text):
        raise SetAside("the query has characters that are not text", "Remove them.")
    count = 1 if count is None else count
    if isinstance(count, bool) or not isinstance(count, int | float) or count != int(count):
        raise SetAside(f"the count is {shown(count)}", "It is a whole number.")
    if count < 0:
        raise SetAside(f"the count is {shown(count)}", "It is 0 or more.")
    query = " ".join(nfc(text or "").split())
    if query:
        log.searches[query] += int(count)
    else:
        log.n_empty += int(count)


def _table(opened: BinaryIO, suffix: str, log: SearchLog) -> Iterator[tuple[int, Any]]:
    table = read_table(opened, suffix, LOG)
    log.taken = table.taken
    is_first = True
    for line, row in table.rows:
        if is_first and not isinstance(row, SetAside):  # objects of JSON have no header
            LOG.check(row, list(row))
            is_first = False
        yield line, row


def _lines(opened: BinaryIO, log: SearchLog) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a text file, each a search."""
    decoded = decoded_text(opened.read())
    log.taken = " ".join(decoded.notes)
    for number, line in enumerate(decoded.text.splitlines(), start=1):
        yield number, {"text": line}


def _opened(file: Path, suffix: str) -> BinaryIO:
    """The file that a user named, through any links."""
    path = file.resolve()
    return open_table(path.parent, path.name, suffix)
