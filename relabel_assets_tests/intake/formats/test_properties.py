"""Which stated titles, authors and dates count."""

from datetime import UTC, date, datetime

import pytest

from relabel_assets.intake.formats.parsing.properties import author_of, date_of, title_of
from relabel_assets.intake.formats.parsing.signatures import kind_of, refuse_others
from relabel_assets.intake.set_aside import SetAside


@pytest.mark.parametrize(
    "title",
    ["Microsoft Word - x.doc", "untitled", "Untitled 3", "Document1", "PowerPoint Presentation", "Slide 1",
     "scan_001.pdf", "Präsentation", "-", "2024", "", None, "x" * 501],
)  # fmt: skip
def test_titles_of_programs_are_none(title: str | None) -> None:
    assert title_of(title) is None


@pytest.mark.parametrize(
    "title",
    ["Documentation", "Presentation skills", "Microsoft contracts", "休暇", "1.10 released"],
)
def test_titles_of_people_stay(title: str) -> None:
    assert title_of(title) == title


@pytest.mark.parametrize(
    "author", ["Administrator", "user", "unknown", "python-docx", "Microsoft Office User", "User 2"]
)
def test_authors_of_programs_are_none(author: str) -> None:
    assert author_of(author) is None
    assert author_of("Ursula User") == "Ursula User"


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ("2024-03-01", "2024-03-01"),
        ("2024-03-01T10:00:00.123Z", "2024-03-01T10:00:00+00:00"),
        ("2024-03-01 10:00", "2024-03-01T10:00:00"),
        ("Fri, 01 Mar 2024 10:00:00 +0100", "2024-03-01T10:00:00+01:00"),
        ("1 March 2024", "2024-03-01"),
        (datetime(2024, 3, 1, 10, tzinfo=UTC), "2024-03-01T10:00:00+00:00"),
        (date(2024, 3, 1), "2024-03-01"),
        ("1979-12-31", None), ("1980-01-01", "1980-01-01"),
        ("2049-12-31", "2049-12-31"), ("2050-01-01", None),
        ("1601-01-01", None), ("1970-01-01T00:00:00Z", None), ("2099-01-01", None), ("2024-02-30", None),
        ("03/04/2024", None), ("1709280000", None), ("soon", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_dates_are_iso_8601_and_nonsense_is_none(stated: object, kept: str | None) -> None:
    assert date_of(stated) == kept


def test_a_file_is_refused_for_what_it_is_and_text_is_not() -> None:
    assert kind_of(b"\n <!doctype HTML>") == "an HTML page"
    assert kind_of(b"Ask HR.") is None
    refuse_others(b"Ask HR.", "a PDF", ".pdf")
    for content, message in (
        (b"", "empty"),
        (b"\x89PNG..", "a picture"),
        (b"Rar!..", "a RAR archive"),
    ):
        with pytest.raises(SetAside, match=message) as raised:
            refuse_others(content, "a PDF", ".pdf")
        assert raised.value.remedy
