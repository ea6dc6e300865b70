"""Which stated key is which field, and that nothing stated is lost."""

from typing import Any

import pytest

from relabel_assets.intake.formats.stated_fields import stated_fields


@pytest.mark.parametrize(
    ("value", "author"),
    [
        ("Ana", "Ana"),
        (["Ana", "Bo"], "Ana, Bo"),
        ([{"name": "Ana", "url": "x"}, {"display_name": "Bo"}, "cy"], "Ana, Bo, cy"),
        ({"name": "Ana", "email": "ana@x.org"}, "Ana"),
        ({"email": "ana@x.org"}, "ana@x.org"),
        ([None, "", "Ana"], "Ana"),
    ],
)
@pytest.mark.parametrize("key", ["author", "authors", "Author", "creator"])
def test_authors_are_texts_lists_or_mappings(key: str, value: object, author: str) -> None:
    assert stated_fields({key: value})[0] == {"author": author}


@pytest.mark.parametrize(
    "key", ["updated_at", "updated", "last_updated", "lastmod", "last-modified", "last_modified_at",
            "date modified", "modified", "date", "Date", "publishDate", "date_approved"],
)  # fmt: skip
def test_dates_have_many_names(key: str) -> None:
    assert stated_fields({key: "2024-01-05"}) == ({"updated_at": "2024-01-05"}, {})


def test_the_date_of_the_last_change_counts_before_that_of_writing() -> None:
    fields, rest = stated_fields({"date": "2020-01-01", "lastmod": "2024-01-05"})
    assert (fields, rest) == ({"updated_at": "2024-01-05"}, {"date": "2020-01-01"})


def test_docusaurus_states_author_and_date_of_the_last_change_together() -> None:
    fields, rest = stated_fields({"last_update": {"date": "2024-01-05", "author": "Ana"}})
    assert fields == {"updated_at": "2024-01-05", "author": "Ana"}
    assert "last_update" in rest


@pytest.mark.parametrize("value", [{"x": "y"}, "", None, [], "t" * 10_001, {"name": "x"}])
def test_a_value_that_is_no_title_stays_in_the_metadata(value: Any) -> None:
    assert stated_fields({"title": value}) == ({}, {"title": value})


def test_a_layout_is_no_type_and_all_other_keys_are_metadata() -> None:
    fields, rest = stated_fields({"layout": "page", "type": "policy", "tags": ["a"], "1": "x"})
    assert fields == {"doc_type": "policy"}
    assert rest == {"layout": "page", "tags": ["a"], "1": "x"}
