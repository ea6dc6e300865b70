"""Examples in docstrings run, and every public function has one."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

import relabel_assets

PACKAGE = Path(relabel_assets.__file__).parent
MODULES = sorted(
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
    for file in PACKAGE.rglob("*.py")
    if ">>>" in file.read_text(encoding="utf-8")
)
ROOMS_WITH_EXAMPLES = ("student", "teacher", "benchmark", "review")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_print_what_they_say(name: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    module = importlib.import_module(name.removesuffix(".__init__"))
    results = doctest.testmod(module, optionflags=flags)
    assert results.attempted and not results.failed


@pytest.mark.parametrize("room", ROOMS_WITH_EXAMPLES)
def test_every_public_function_has_an_example(room: str) -> None:
    missing = [
        f"{file.relative_to(PACKAGE)}:{node.lineno} {node.name}"
        for file in sorted((PACKAGE / room).rglob("*.py"))
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and ">>>" not in (ast.get_docstring(node) or "")
    ]
    assert missing == []
