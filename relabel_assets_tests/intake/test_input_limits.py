"""The limits that docs/corpus.md states are those of the code."""

from pathlib import Path

import pytest

from relabel_assets.intake import input_limits as limits
from relabel_assets.intake.input_limits import GIB, KIB, MIB

PAGE = Path(__file__).resolve().parents[2] / "docs" / "corpus.md"


@pytest.mark.parametrize(
    ("stated", "limit"),
    [
        ("| a file of `documents/` | 16 MiB |", limits.MAX_DOCUMENT_FILE_BYTES / MIB / 16),
        ("PowerPoint file | 128 MiB |", limits.MAX_PARSED_FILE_BYTES / MIB / 128),
        ("| a zip archive | 256 MiB,", limits.MAX_ARCHIVE_BYTES / MIB / 256),
        ("256 MiB, 100,000 files", limits.MAX_ARCHIVE_MEMBERS / 100_000),
        ("2 GiB unpacked", limits.MAX_ARCHIVE_UNPACKED_BYTES / GIB / 2),
        ("file, unpacked | 512 MiB |", limits.MAX_OFFICE_UNPACKED_BYTES / MIB / 512),
        ("| a PDF | 5,000 pages |", limits.MAX_PDF_PAGES / 5_000),
        ("| 65,536 characters |", limits.MAX_METADATA_CHARACTERS / 65_536),
        ("`queries.jsonl`, ...) | 8 GiB |", limits.MAX_ROWS_FILE_BYTES / GIB / 8),
        ("| a row | 32 MiB |", limits.MAX_LINE_BYTES / MIB / 32),
        ("| 4,000,000 characters |", limits.MAX_BODY_CHARACTERS / 4_000_000),
        ("| 10,000 characters |", limits.MAX_FIELD_CHARACTERS / 10_000),
        ("| a query | 4,000 characters |", limits.MAX_QUERY_CHARACTERS / 4_000),
        ("| an id | 1,000 characters |", limits.MAX_ID_CHARACTERS / 1_000),
        ("| 256 KiB |", limits.MAX_SETTINGS_BYTES / KIB / 256),
        ("| front matter | 64 KiB |", limits.MAX_FRONT_MATTER_BYTES / KIB / 64),
        ("| folders inside each other | 64 |", limits.MAX_FOLDER_DEPTH / 64),
        ("| 64 and 16 levels |", limits.MAX_JSON_DEPTH / 64 * limits.MAX_YAML_DEPTH / 16),
        ("at most 4 GiB of memory", limits.PARSER_MEMORY_BYTES / GIB / 4),
        ("after 60 seconds", limits.PARSER_IDLE_S / 60),
        ("unpack to 256 MiB", limits.MAX_UNPACKED_IN_ANY_CASE / MIB / 256),
        ("100 times its size", limits.MAX_UNPACKED_TIMES / 100),
    ],
)
def test_the_page_states_the_limit(stated: str, limit: float) -> None:
    assert stated in PAGE.read_text(encoding="utf-8")
    assert limit == 1
