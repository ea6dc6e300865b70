"""Hostile corpora by seed: each is a small good corpus with one hostile thing.

    python -m relabel_assets_tests.fuzz.nasty FOLDER --seed 1 --n 300
    python -m relabel_assets_tests.fuzz.nasty FOLDER --seed 1 --n 20 --large

What belongs here: the families, and the choice of one by seed. What does not: what a family writes
(nasty_values.py, nasty_rows.py, nasty_markdown.py, nasty_tables.py, nasty_files.py, nasty_large.py).

The same seed writes the same corpus. `relabel_assets_tests.fuzz.read_all` runs every reader on them.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from random import Random

from relabel_assets_tests.fuzz import (
    nasty_files,
    nasty_large,
    nasty_markdown,
    nasty_rows,
    nasty_tables,
)

Family = Callable[[Random, Path], str]
# In this order they take turns, so that any 16 seeds in a row have each once.
FAMILIES: tuple[Family, ...] = (
    nasty_rows.json_field, nasty_markdown.document, nasty_tables.csv_table, nasty_files.kind_of_file,
    nasty_rows.settings, nasty_tables.parquet_table, nasty_files.name, nasty_rows.qrels,
    nasty_rows.json_line, nasty_markdown.document, nasty_files.encoding, nasty_rows.same_ids,
    nasty_files.long_line, nasty_files.deep_folders, nasty_rows.many_rows, nasty_files.missing,
)  # fmt: skip
LARGE: tuple[Family, ...] = nasty_large.FAMILIES


def write_nasty(folder: Path, seed: int, *, is_large: bool = False) -> str:
    """Write the corpus of `seed` to the new `folder`. Returns its family and what is hostile in it."""
    families = LARGE if is_large else FAMILIES
    family = families[seed % len(families)]
    return f"{family.__name__}: {family(Random(seed), folder)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--n", type=int, default=300, help="number of corpora")
    parser.add_argument("--large", action="store_true", help="corpora of megabytes and gigabytes")
    arguments = parser.parse_args()
    for seed in range(arguments.seed, arguments.seed + arguments.n):
        what = write_nasty(arguments.folder / f"n{seed}", seed, is_large=arguments.large)
        print(f"n{seed}: {what!r}")


if __name__ == "__main__":
    main()
