"""docs/teacher.md and this folder name the same servers."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "teacher.md"
# Headings whose test module has another name.
MODULES = {"anthropic": "anthropic_compatible", "llama.cpp": "llama_cpp_server"}


def test_every_server_of_the_page_has_a_test_and_every_test_a_place_there() -> None:
    servers = PAGE.read_text("utf-8").split("## Servers\n")[1].split("\n## ")[0]
    names = re.findall(r"^### (.+)$", servers, re.MULTILINE)
    modules = {MODULES.get(name.lower(), name.lower()) for name in names}
    files = {file.stem.removeprefix("test_") for file in Path(__file__).parent.glob("test_*.py")}
    assert modules == files - {"documented"}
