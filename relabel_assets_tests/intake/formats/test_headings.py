"""The heading that is a page's title."""

import pytest

from relabel_assets.intake.formats.headings import first_heading


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Leave\nText.", "Leave"),
        ("Intro.\n\n## Not this\n\n# Leave #\n", "Leave"),
        ("```sh\n# install it\n```\n\n# Leave", "Leave"),
        ("~~~\n# c\n```\n# d\n~~~\n# Leave", "Leave"),
        ("````\n```\n# c\n````\n# Leave", "Leave"),
        ("```\n# never closed", None),
        ("```sh\n# a comment\n```", None),
        ("`` `x` ``\n# Leave", "Leave"),
        ("    # indented code\n\n# Leave", "Leave"),
        ("Leave\n=====\nText.", "Leave"),
        ("Intro.\n\nLeave\n===\n", "Leave"),
        ("Two lines\nof a paragraph\n===\n", None),
        ("Leave\n-----\nText.", "Leave"),
        ("Intro.\n\nLeave\n-----\n", None),
        ("---\nMinutes\n---\nText.", "Minutes"),
        ("- an item\n---\nText.", None),
        ("> quoted\n===\n", None),
        ("| a | b |\n|---|---|\n", None),
        ("## Leave\nText.\n## Pay", "Leave"),
        ("## Leave\nText.\n# Pay", "Pay"),
        ("Intro.\n\n## Leave", None),
        ("# C#\n", "C#"),
        ("# **Bold** :tada: 🎉\n", "**Bold** :tada: 🎉"),
        ("#\n# \nText", None),
        ("#hashtag\n", None),
        ("####### seven\n", None),
        ("# Leave\r\nText.\r\n", "Leave"),
        ("", None),
    ],
)
def test_the_title_of_a_text(text: str, title: str | None) -> None:
    assert first_heading(text) == title
