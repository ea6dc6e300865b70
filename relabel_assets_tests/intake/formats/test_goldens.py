"""One file of each format, read as a whole: its text and what it states, as a golden."""

import json
from pathlib import Path

import pytest

from relabel_assets.intake.formats.registry import read_file
from relabel_assets_tests.intake.formats import samples

GOLDEN = Path(__file__).parents[2] / "golden" / "formats"
PAGES = [
    ["Parental leave", "Each parent has 240 days of leave, and the regu-", "lations say who may take them."],
    ["Who", "Mothers and fathers have as many days."],
    ["How", "Use the self-service of HR, and no other self-"],
    ["service.", "Then wait."],
]  # fmt: skip
FILES = {
    "page.html": samples.PAGE.encode,
    "letter.docx": samples.docx_file,
    "slides.pptx": samples.pptx_file,
    "handbook.pdf": lambda: samples.pdf_file(
        PAGES,
        around=("Example Handbook", "Confidential - page {n}"),
        outline={1: "Parental leave", 2: "Who", 3: "How"},
    ),
    "all.zip": lambda: samples.zip_file(
        {"hr/leave.md": b"# Leave\nAsk HR.", "hr/page.htm": samples.PAGE.encode(), "logo.png": b"x"}
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_each_format_reads_as_its_golden(name: str) -> None:
    parts = []
    for text in read_file(name, FILES[name]()):
        fields = {**vars(text), "notes": list(vars(text)["notes"])}
        body = fields.pop("body")
        parts.append(f"{json.dumps(fields, indent=1, ensure_ascii=False)}\n\n{body}\n")
    assert "\n=====\n".join(parts) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
