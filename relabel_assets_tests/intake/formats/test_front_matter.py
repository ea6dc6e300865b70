"""Front matter or text: what is taken, what stays, and that nothing is lost."""

import pytest

from relabel_assets.intake.formats.front_matter import split_front_matter

# Pages that begin with a rule, and have no front matter.
TEXTS = {
    "minutes": "---\nMinutes of 3 March\n---\n\nAna, Bo and Cy met.",
    "minutes with lines of keys": "---\nDate: 3 March\nPresent: Ana, Bo\n---\n# Minutes\nWe met.",
    "a pasted mail": "---\nFrom: Ana\nTo: Bo\nSubject: Leave\nDate: Mon, 5 Jan\n---\nMay I?",
    "a mail in a longer rule": "-----\nFrom: Ana\nDate: 5 Jan\n-----\nMay I?",
    "a sample of JSON": '---\n{"title": "x", "date": "2024"}\n---\nSend this.',
    "a list": "---\n- title\n- date\n---\nThese are keys.",
    "a heading": "---\n# Leave\n---\nAsk HR.",
    "prose with colons": "---\nRemember: be kind\nand: note this: twice\n---\nSo.",
    "a sentence as a key": "---\nWhat we said about the date: nothing\ntags: we have\n---\nSo.",
    "keys of nobody": "---\nfoo: 1\nbar: 2\n---\nText.",
    "an open rule": "---\ntitle: x\n\nText.",
    "one rule": "---",
    "TOML of nobody": "+++\nfoo = 1\n+++\nText.",
    "plus signs": "+++\nNew\n+++\nText.",
    "no rule": "title: x\n\n---\n\nText.",
}


@pytest.mark.parametrize("page", TEXTS.values(), ids=TEXTS)
def test_what_is_no_front_matter_stays_in_the_text(page: str) -> None:
    matter = split_front_matter(page)
    assert (matter.text, dict(matter.values), matter.note) == (page, {}, None)


@pytest.mark.parametrize(
    "written", ["1.10", "0123", "12:30", "No", "2024-01-05", "1e3", "0x10", "y"]
)
def test_a_scalar_is_the_characters_that_were_written(written: str) -> None:
    assert split_front_matter(f"---\ntitle: {written}\n---\nText.").values == {"title": written}


@pytest.mark.parametrize(
    ("page", "values"),
    [
        ("---\ntitle: Leave\nfoo: 1\n---\nText.", {"title": "Leave", "foo": "1"}),
        ("---\r\ntitle: Leave\r\n---\r\nText.", {"title": "Leave"}),
        ("\n--- \ntitle: Leave\n...\nText.", {"title": "Leave"}),
        ("----\ntitle: Leave\n----\nText.", {"title": "Leave"}),
        ("---\nTitle: Leave\nAuthor: Ana\n---\nText.", {"Title": "Leave", "Author": "Ana"}),
        ("---\ndate created: 2024\ntags: [a]\n---\nText.", {"date created": "2024", "tags": ["a"]}),
        ("---\nredirect_from: [/a/]\n---\nText.", {"redirect_from": ["/a/"]}),
        ("---\n\n---\nText.", {}),
    ],
)
def test_a_mapping_with_a_known_key_is_front_matter(page: str, values: object) -> None:
    matter = split_front_matter(page)
    assert (matter.text, matter.values) == ("Text.", values)


def test_toml_of_hugo_is_read_as_texts() -> None:
    page = (
        '+++\ntitle = "Leave"\ndate = 2024-01-05\nlastmod = 2024-01-05T10:00:00Z\nweight = 1.10\n'
        "draft = false\ntags = ['a']\n[params]\nn = 3\n+++\nText."
    )
    assert split_front_matter(page).values == {
        "title": "Leave",
        "date": "2024-01-05",
        "lastmod": "2024-01-05T10:00:00+00:00",
        "weight": "1.10",
        "draft": "false",
        "tags": ["a"],
        "params": {"n": "3"},
    }


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("---\ntitle: Q1: results\ndate: 2024-01-05\n---\n# H\nText.", "line 2"),
        ("---\ndate: 2024-01-05\ntitle: [\n---\nText.", "line 3"),
        ("---\ntitle: x\ntitle: y\ndate: 2024-01-05\n---\nText.", "line 3"),
        ("---\ntitle: &a x\nauthor: *a\ndate: 2024-01-05\n---\nText.", "line 3"),
        ('+++\ntitle = "x\ndate = 2024-01-05\n+++\nText.', "line 2"),
    ],
)
def test_unreadable_front_matter_stays_in_the_text_and_its_lines_count(
    page: str, line: str
) -> None:
    matter = split_front_matter(page)
    assert matter.text == page
    assert line in (matter.note or "")
    assert matter.values["date"] == "2024-01-05"
    assert matter.text[matter.n_before :].lstrip("-+\n").endswith("Text.")
    assert "title" not in matter.text[matter.n_before :]


def test_a_title_with_a_colon_is_still_the_title() -> None:
    values = split_front_matter('---\ntitle: Q1: "results"\nauthor: "Ana: HR\n---\nText.').values
    assert values == {"title": 'Q1: "results"', "author": '"Ana: HR'}
    assert split_front_matter("---\ntitle: 'Q1'\ntags: [\n---\nText.").values["title"] == "Q1"


def test_too_long_front_matter_is_text() -> None:
    page = "---\ntitle: x\nkeywords: " + "word " * 20_000 + "\n---\nText."
    matter = split_front_matter(page)
    assert matter.text == page
    assert "bytes of YAML" in (matter.note or "")


def test_a_template_that_nobody_filled_in_states_nothing() -> None:
    page = "---\ntitle: {{ .Name }}\ndate: {{ .Date }}\ntype: post\n---\nText."
    matter = split_front_matter(page)
    assert matter.text == page
    assert matter.note and dict(matter.values) == {"type": "post"}
