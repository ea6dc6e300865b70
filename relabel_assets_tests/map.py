"""The map of the code in CONTRIBUTING.md: one line a module, taken from the module's own docstring.

    python -m relabel_assets_tests.map             # print the map
    python -m relabel_assets_tests.map --write     # put it into CONTRIBUTING.md

What belongs here: making the map, and the facts about files that test_map.py checks. What does not:
what a module says of itself. To change a line of the map, change the first line of that module's
docstring.
"""

import argparse
import ast
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "relabel_assets"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BEGIN = "<!-- map: begin (python -m relabel_assets_tests.map --write) -->"
END = "<!-- map: end -->"


def modules(package: Path = PACKAGE) -> list[Path]:
    """Every module of the package, without __init__.py files."""
    return sorted(file for file in package.rglob("*.py") if file.name != "__init__.py")


def first_sentence(file: Path) -> str:
    """The first paragraph of a module's docstring as one line, without its full stop."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).removesuffix(".")


def by_folder(files: Iterable[Path], package: Path = PACKAGE) -> dict[str, list[Path]]:
    """Modules by their folder, relative to the package: "" for its top."""
    folders: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        folder = file.parent.relative_to(package).as_posix()
        folders["" if folder == "." else folder].append(file)
    return dict(sorted(folders.items()))


def render() -> str:
    """The map as Markdown: a heading and a table for each folder."""
    parts = []
    for folder, files in by_folder(modules()).items():
        package = PACKAGE / folder / "__init__.py"
        purpose = first_sentence(package) if folder and package.exists() else ""
        lines = [f"### `relabel_assets/{folder}{'/' if folder else ''}`", ""]
        lines += [textwrap.fill(f"{purpose}.", 108), ""] if purpose else []
        lines += ["| module | holds |", "|---|---|"]
        lines += [
            f"| `{file.name}` | {first_sentence(file).replace('|', chr(92) + '|')} |"
            for file in files
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def page_with_map(page: str) -> str:
    """The text of CONTRIBUTING.md with the map as it is now between its two markers."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{render()}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="The map of the code in CONTRIBUTING.md.")
    parser.add_argument("--write", action="store_true", help="put the map into CONTRIBUTING.md")
    if parser.parse_args().write:
        CONTRIBUTING.write_text(
            page_with_map(CONTRIBUTING.read_text(encoding="utf-8")), encoding="utf-8"
        )
    else:
        print(render())


if __name__ == "__main__":
    main()
