"""Hidden text is removed, visible text stays, and no text costs more than its length."""

import time

import pytest

from relabel_assets.intake.visible_text import visible_text


@pytest.mark.parametrize(
    "text",
    [
        "<!-- travel -->leave",
        "<p hidden>travel</p>leave",
        "<P HIDDEN=''>travel</P>leave",
        "<div style='display:none'>a <div>travel</div> b</div>leave",
        '<div class="x" style="color:red; DISPLAY : none !important">travel</div>leave',
        "<div style='display&#58;none'>travel</div>leave",
        "<span style=visibility:hidden>travel</span>leave",
        "<span style='font-size: 0px'>travel</span>leave",
        "<span style='opacity: 0.0;'>travel</span>leave",
        "<p style='position:absolute; left:-9999px'>travel</p>leave",
        "<p title='>' hidden>travel</p>leave",
        "<script>travel</script>leave",
        "<STYLE>travel</STYLE >leave",
        "leave<!-- travel",
        "leave<template>travel",
        "[//]: # (travel)\nleave",
        "[comment]: <> 'travel'\nleave",
        "le\u200ba\u00adve\U000e0074\U000e0072",
    ],
)
def test_hidden_text_is_removed(text: str) -> None:
    assert visible_text(text).strip() == "leave"


@pytest.mark.parametrize(
    "text",
    [
        "a < b and b > c",
        "<p class=hidden>leave</p>",
        "<a title='hidden'>leave</a>",
        "<span style='opacity:0.5; font-size:0.8em'>leave</span>",
        "[leave]: #section",
        "```html\n<!-- leave -->\n```",
        "~~~\n<p hidden>leave</p>\n~~~",
        "Write `<!-- leave -->`.",
        "``<p hidden>`` hides",
        "نمی\u200cخواهم",
        "</div hidden>leave",
    ],
)
def test_visible_text_stays_as_it_was_written(text: str) -> None:
    assert visible_text(text) == text


def test_text_after_an_element_without_content_is_visible() -> None:
    assert visible_text("<input hidden value='x'>leave") == "leave"


def test_a_comment_between_two_code_blocks_is_hidden() -> None:
    assert visible_text("```\na\n```\n<!-- travel -->\n```\nb\n```") == "```\na\n```\n\n```\nb\n```"


@pytest.mark.parametrize(
    "piece", ['<a "', "<p hidden>", "<!---->", "`<", "`", "```\n<", "[a]:", "<p", "<p hidden><p "]
)
def test_the_cost_grows_with_the_length(piece: str) -> None:
    def seconds(n_characters: int) -> float:
        text = piece * (n_characters // len(piece)) + "<"
        started = time.process_time()
        visible_text(text)
        return time.process_time() - started

    # Four times the text; a quadratic cost would be sixteen times. The least of three, and a
    # hundredth of a second for noise.
    short, long = (min(seconds(n) for _ in range(3)) for n in (50_000, 200_000))
    assert long < 9 * short + 0.05
