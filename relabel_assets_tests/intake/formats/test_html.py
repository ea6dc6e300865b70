"""Which text of a page is read, and what its head states."""

import pytest

from relabel_assets.intake.formats import html
from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.parsing.html_tree import page_text
from relabel_assets.intake.set_aside import SetAside
from relabel_assets_tests.intake.formats import samples

WORDS = "Each parent has 240 days of leave, and may take them until the child is twelve years old."

SITE = "<meta property=og:site_name content=Example>"


def read(page: str | bytes) -> FileText:
    [text] = html.read(
        "page.html", page.encode() if isinstance(page, str) else page, lambda n: None
    )
    return text


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>{}</p>",
        "<div style='display:none'><p>{}</p></div>",
        "<span style='font-size:0'>{}</span>",
        "<script>{}</script>",
        "<noscript>{}</noscript>",
        "<template>{}</template>",
        "<!-- {} -->",
        "<dialog open>{}</dialog>",
        "<svg><title>{}</title></svg>",
    ],
)
def test_hidden_text_stays_out_and_the_text_behind_it_stays(hidden: str) -> None:
    page = f"<body><main><p>{WORDS}</p>{hidden.format('hotel limit')} behind it</main></body>"
    body = read(page).body
    assert "hotel" not in body
    assert WORDS in body and "behind it" in body


def test_text_that_a_page_shows_as_code_is_no_hidden_text() -> None:
    assert "<template>" in read(f"<p>{WORDS} Write &lt;template&gt; there.</p>").body


@pytest.mark.parametrize(
    "boilerplate",
    [
        "<nav>Computers</nav>",
        "<div role=navigation>Computers</div>",
        "<header>Computers</header>",
        "<footer>Computers</footer>",
        "<aside>Computers</aside>",
        "<div class='cookie-banner'>Computers</div>",
        "<div id=onetrust-consent-sdk>Computers</div>",
        "<a class=skip-link>Computers</a>",
    ],
)
def test_boilerplate_stays_out(boilerplate: str) -> None:
    body = read(f"<body>{boilerplate}<div><h1>Leave</h1><p>{WORDS}</p></div></body>").body
    assert "Computers" not in body
    assert body.endswith(WORDS)


@pytest.mark.parametrize(
    "part",
    [
        "<article><header><p>By the people team</p></header></article>",
        "<article><aside>By the people team</aside></article>",
        "<div class='cookie-policy'>By the people team</div>",
        "<div class='navigator-tool'>By the people team</div>",
    ],
)
def test_parts_of_an_article_are_no_boilerplate(part: str) -> None:
    assert "people team" in read(f"<body><main><p>{WORDS}</p>{part}</main></body>").body


def test_a_header_with_the_one_title_of_the_page_stays() -> None:
    page = f"<body><header id=title-block><h1>Leave</h1></header><p>{WORDS}</p></body>"
    assert read(page).body.startswith("# Leave")


def test_a_part_that_is_marked_as_main_is_the_text_unless_it_is_empty() -> None:
    menu = "<div><p>Elsewhere on these pages.</p></div>"
    assert read(f"{menu}<main><p>{WORDS}</p></main>").body == WORDS
    assert WORDS in read(f"<main></main><div><p>{WORDS}</p></div>").body
    next_to_nothing = f"<main><p>Leave here</p></main><div><p>{WORDS}</p></div>"
    assert WORDS in read(next_to_nothing).body


def test_lines_that_look_like_links_to_share_a_page_are_kept() -> None:
    # trafilatura leaves such lines out.
    mail = f"<h2>E-Mail</h2><p>{WORDS[::-1]}</p><ul><li>Google</li></ul>"
    body = read(f"<div><h1>Tools</h1><p>{WORDS}</p>{mail}</div>").body
    assert "## E-Mail" in body and "- Google" in body


def test_too_little_of_a_page_means_all_of_it() -> None:
    lists = "".join(f"<div><a href=/{n}>Form {n} of the people team</a></div>" for n in range(40))
    body = read(f"<body>{lists}</body>").body
    assert all(f"Form {n} of" in body for n in range(40))


def test_a_page_of_navigation_alone_is_read_as_it_is() -> None:
    assert read("<body><nav><a>Leave</a> <a>Travel</a></nav></body>").body == "Leave Travel"


def test_deep_pages_lose_no_text_and_too_deep_ones_are_named() -> None:
    body = read("<div>" * 400 + f"<p>{WORDS}</p>").body
    assert WORDS in body
    with pytest.raises(SetAside, match="2,000 deep"):
        read("<div>" * 3000 + WORDS)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (b"", "empty"),
        (
            b"<html><body><div id=app></div><script>render()</script></body></html>",
            "a script writes",
        ),
        (samples.pdf_file(), "is a PDF, not an HTML page"),
        (samples.zip_file({"a": b"x"}), "zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "old Office file"),
    ],
)
def test_a_page_without_text_is_named(page: bytes, message: str) -> None:
    with pytest.raises(SetAside, match=message) as raised:
        read(page)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>Leave</title>", "Leave"),
        ("<title>Paid leave | People | Example</title>", "Paid leave"),  # the page's heading
        ("<title>Time off - Example</title>", "Time off"),  # the footer names Example
        ("<title>Time off - Part 2</title>", "Time off - Part 2"),
        ("<title>x</title><meta property=og:title content='Time off'>", "Time off"),
        (SITE + "<meta property=og:title content=Example><title>Leave</title>", "Leave"),
        ("<title>Untitled document</title>", "Paid leave"),
        ("", "Paid leave"),
    ],
)  # fmt: skip
def test_the_title_is_without_the_name_of_the_site(head: str, title: str) -> None:
    page = f"<html><head>{head}</head><body><main><h1>Paid leave</h1><p>{WORDS}</p></main>"
    assert read(page + "<footer>© Example</footer></body></html>").title == title


CONFLUENCE = """<html><head><title>People : Paid &amp; unpaid leave</title></head><body>
<ol id=breadcrumbs><li><a href=index.html>People</a></ol>
<h1 id=title-heading><span>People : Paid &amp; unpaid leave</span></h1>
<div class=page-metadata>Created by <span class='author'> Ana Ek</span>, last modified by
 <span class='editor'> Bo Li</span> on 03 May, 2024</div>
<div id=main-content class=wiki-content>{}</div></body></html>"""


@pytest.mark.parametrize(
    "text", [f"<p>{WORDS}", "<h2>Who</h2><ul><li>All</ul>", f"<p>People: {WORDS}"]
)
def test_a_page_of_confluence_has_its_own_title_without_the_space_and_its_author_and_date(
    text: str,
) -> None:
    page = read(CONFLUENCE.format(text))
    assert page.title == "Paid & unpaid leave"
    assert (page.author, page.updated_at) == ("Ana Ek", "2024-05-03")


@pytest.mark.parametrize("title", ["Leave : all rules", "Leave: all rules", "Leave | all rules"])
def test_a_heading_that_repeats_the_title_makes_no_part_of_it_the_name_of_the_site(
    title: str,
) -> None:
    page = f"<title>{title}</title><div class=top><h1>{title}</h1></div><main><p>{WORDS}</main>"
    assert read(page).title == title


def test_the_last_change_counts_before_publication_and_addresses_are_no_authors() -> None:
    published = "<meta property=article:published_time content=2023-01-09>"
    changed = "<meta property=article:modified_time content=2024-03-01>"
    author = (
        "<meta name=author content=Ana><meta name=article:author content=https://x.example/ana>"
    )
    both = read(f"<head>{published}{changed}{author}</head><p>{WORDS}")
    assert (both.updated_at, both.author) == ("2024-03-01", "Ana")
    assert both.metadata["published"] == "2023-01-09"
    assert read(f"<head>{published}</head><p>{WORDS}").updated_at == "2023-01-09"
    schema = f"<p>{WORDS}<time itemprop=dateModified datetime=2024-05-06>May</time>"
    assert read(schema).updated_at == "2024-05-06"


@pytest.mark.parametrize(
    ("declared", "written", "text", "encoding"),
    [
        ("windows-1251", "cp1251", "отпуск", "cp1251"),
        ("iso-8859-1", "cp1252", "“congé”", "cp1252"),
        ("Shift_JIS", "cp932", "休暇", "cp932"),
        ("utf-8", "utf-16", "休暇", "utf-16"),  # the byte order mark counts before the declaration
        ("windows-1251", "utf-8", "отпуск", "utf-8"),  # bytes that are UTF-8 are UTF-8
        ("iso-2022-jp", "iso2022_jp", "休暇", "iso2022_jp"),
    ],
)
def test_the_encoding_is_the_byte_order_mark_the_declaration_or_utf_8(
    declared: str, written: str, text: str, encoding: str
) -> None:
    page = f'<html><head><meta charset="{declared}"></head><body>{text}</body></html>'
    decoded = page_text(page.encode(written))
    assert (decoded.encoding, text in decoded.text) == (encoding, True)


@pytest.mark.parametrize("declared", ["unicode_escape", "punycode", "zlib", "utf-7", "x" * 60])
def test_a_codec_that_no_page_is_written_in_is_not_used(declared: str) -> None:
    page = f'<meta charset="{declared}"><p>caf\\xe9 +AGE-</p>'
    assert page_text(page.encode()).text == page


def test_entities_name_no_file_and_multiply_nothing() -> None:
    page = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname"><!ENTITY b "bbbb">]>'
    assert "&a; &b;" in read(f"{page}<body><p>{WORDS} &a; &b;</p></body>").body


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<table><tr><th>a<th>b<tr><td>c<td>d|e</table>", "| a | b |\n| --- | --- |\n| c | d\\|e |"),
        ("<table><tr><td><h2>Leave</h2><p>Ask.</table>", "## Leave\n\nAsk."),  # places blocks
        ("<ol start=3><li>c<li>d</ol>", "3. c\n4. d"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<p>a<br>b\n c</p><p>d</p>", "a\nb c\n\nd"),
        ("<dl><dt>Term</dt><dd>Meaning</dd></dl>", "Term\n\n- Meaning"),
        ("<p>Run <code>x</code> <b>now</b></p>", "Run `x` now"),
        ("<a href=x><h2>Leave</h2>text</a>", "## Leave\n\ntext"),
        ("<pre>a\n  <b>b</b></pre>", "```\na\n  b\n```"),
    ],
)  # fmt: skip
def test_blocks_are_written_as_markdown(page: str, text: str) -> None:
    assert read(f"<body><main>{page}</main></body>").body == text


def test_a_page_of_many_elements_is_read_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    from relabel_assets.intake.formats.parsing import html_main

    def found(tree: object) -> None:
        raise AssertionError("trafilatura would take minutes")

    monkeypatch.setattr(html_main, "_found", found)
    body = read("<p>leave</p>" * 10_001).body
    assert body.count("leave") == 10_001
    with pytest.raises(AssertionError):
        read("<p>leave</p>" * 9_000)


def test_cells_that_span_millions_of_columns_cost_no_time() -> None:
    assert (
        read(f"<p>{WORDS}<table><tr>" + "<td colspan=99999999>x" * 9_000).body.count("x |") == 9_000
    )


def test_a_guess_of_less_than_half_of_the_words_is_not_the_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lxml.html import fragment_fromstring

    from relabel_assets.intake.formats.parsing import html_main

    monkeypatch.setattr(
        html_main, "_found", lambda tree: fragment_fromstring(f"<div><p>{WORDS}</p></div>")
    )
    parts = f"<div><p>{WORDS}</p></div><div><p>Other words. {{}}</p></div>"
    assert "Other" in read(parts.format(WORDS + " And more words.")).body
    assert "Other" not in read(parts.format("Few.")).body
