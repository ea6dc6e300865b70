"""Inert Markdown: any text is rendered as it was written, in a paragraph, a list and a table."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from relabel_assets.intake.markdown import as_written, inert
from relabel_assets.intake.text import one_line

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MARKUP = st.sampled_from(
    [
        "![x](http://evil.example/x.png)",
        "[x](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "<http://evil.example>",
        "<javascript:alert(1)>",
        "&copy; &#60;b&#62;",
        "**bold** _it_ ~~no~~ `code` $x$",
        "a | b |",
        "\\[x](y)",
        "[x]: http://evil.example",
        "\n\n# heading\n\n",
        "\u2028- list",
        "1. ",
        "123) ",
        "---",
        "-",
        "- ",
        "#",
        "_a_b__c_",
        "__",
        "===",
        "```",
        "  \n",
        "\x1b[31m",
        "\ud800",
    ]
)
TEXT = st.lists(MARKUP | st.text(max_size=20), max_size=6).map("".join)


def shown(rendered: str, tag: str) -> list[str]:
    """The texts of the elements `tag`, whose content must be text alone."""
    contents = re.findall(f"<{tag}>(.*?)</{tag}>", rendered, re.DOTALL)
    assert all("<" not in content for content in contents), rendered
    return [html.unescape(content) for content in contents]


@given(TEXT)
def test_any_text_is_shown_as_it_was_written(text: str) -> None:
    line = one_line(text)
    paragraph = RENDERER.render(inert(text))
    assert shown(paragraph, "p") == ([line] if line else [])
    assert shown(RENDERER.render(f"- {inert(text)}\n- b"), "li") == [line, "b"]
    table = RENDERER.render(f"| a | b |\n|---|---|\n| {inert(text)} | c |")
    assert shown(table, "td") == [line, "c"]
    assert set(re.findall("<[^>]*>", paragraph)) <= {"<p>", "</p>"}


@given(TEXT)
def test_inert_text_can_be_read_back(text: str) -> None:
    assert as_written(inert(text)) == one_line(text)


@pytest.mark.parametrize("text", ["https://a.example", "www.a.example", "ana@a.example"])
def test_an_address_is_broken_where_renderers_look_for_links(text: str) -> None:
    assert "\\" in inert(text)


def test_plain_words_are_left_alone() -> None:
    for text in ("queries.jsonl:3: no seed_doc_id. (Add it!)", "-0.41", "1.5"):
        assert inert(text) == text
