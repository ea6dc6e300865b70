"""Keys that cannot be keys: refused by variable, place and kind, and never shown."""

import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.teacher.http.credentials import (
    fault_in_address,
    fault_in_key,
    read_key,
    redactor_of,
)
from relabel_assets.teacher.sending.endpoint import endpoint_name

CONFIG = TeacherConfig(model="m", base_url="http://127.0.0.1:8000/v1")
START, END = "sk-proj-0123", "456789abcdef"


@pytest.mark.parametrize(
    ("character", "kind"),
    [
        (" ", "a space"),
        ("\n", "a line break"),
        ("\t", "a tab"),
        ("\x1b", "a control character (U+001B)"),
        ("\u2013", "EN DASH (U+2013)"),  # of a PDF, in place of a hyphen
        ("\u00a0", "NO-BREAK SPACE (U+00A0)"),
        ("\u200b", "ZERO WIDTH SPACE (U+200B)"),
        ("\u00e9", "LATIN SMALL LETTER E WITH ACUTE (U+00E9)"),
        ("\ufeff", "a byte order mark (U+FEFF)"),
        ('"', "QUOTATION MARK (U+0022)"),
        ("\u201d", "RIGHT DOUBLE QUOTATION MARK (U+201D)"),
    ],
)
def test_a_character_that_no_key_has_is_named_by_its_place_and_kind(
    character: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", START + character + END)
    with pytest.raises(TeacherError) as caught:
        read_key(CONFIG)
    message = str(caught.value)
    assert message.startswith(f"OPENAI_API_KEY cannot be sent: its character 13 of 25 is {kind},")
    assert "0123" not in message and END not in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (f'"{START}{END}"', "it stands in quotation marks"),
        (f"'{START}{END}'", "it stands in quotation marks"),
        (f"\u201c{START}{END}\u201d", "it stands in quotation marks"),
        (f"Bearer {START}{END}", "it begins with 'Bearer'"),
        (f"OPENAI_API_KEY={START}{END}", "it begins with 'OPENAI_API_KEY='"),
        (f"export OPENAI_API_KEY={START}{END}", "it begins with 'export'"),
    ],
)
def test_a_key_that_was_pasted_with_what_stood_around_it_is_named_so(
    value: str, words: str
) -> None:
    fault = fault_in_key(value, "OPENAI_API_KEY")
    assert fault is not None and fault.startswith(words) and END not in fault


def test_spaces_and_a_line_break_around_a_key_are_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"  {START}{END}\r\n")
    assert read_key(CONFIG) == START + END


@pytest.mark.parametrize("key", ["sk-a_b.c~d/e+f==", "none", "0f" * 400, "~", "!"])
def test_every_character_of_a_header_may_be_in_a_key(key: str) -> None:
    assert fault_in_key(key, "OPENAI_API_KEY") is None


@pytest.mark.parametrize(
    ("api", "variable"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("azure", "AZURE_OPENAI_API_KEY"),
        ("openai", "OPENAI_ORG_ID"),  # sent in headers beside the key
        ("openai", "OPENAI_PROJECT_ID"),
    ],
)
def test_the_message_names_the_variable(
    api: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", START + END)
    monkeypatch.setenv(variable, f"{START}\n{END}")
    config = CONFIG.model_copy(update={"api": api})
    with pytest.raises(TeacherError, match=f"^{variable} cannot be sent: "):
        read_key(config)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("http://user:pass\u2013word@host/v1", "character 10 of its user and password is EN DASH"),
        ("http://host/v1?key=0123\u201345", "character 9 of its query string is EN DASH"),
        ("http://user:p%E2%80%93w@host/v1", None),  # percent-encoded: that is how it is written
        ("http://h\u00f6st/v1", None),  # a host's name may have any letters
        ("http://host/v1", None),
    ],
)
def test_a_key_in_the_address_is_refused_by_place(address: str, place: str | None) -> None:
    fault = fault_in_address(address)
    assert (fault or "").startswith(place or "") and bool(fault) is bool(place)
    if place:
        with pytest.raises(TeacherError, match="percent-encoded") as caught:
            endpoint_name(TeacherConfig(base_url=address))
        assert "word" not in str(caught.value).replace("password", "") and "0123" not in str(
            caught.value
        )


def test_the_password_of_a_proxy_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:proxy-password-1@10.0.0.1:3128")
    redactor = redactor_of(CONFIG, "none")
    assert redactor.text("407 for user:proxy-password-1") == "407 for [key]"
