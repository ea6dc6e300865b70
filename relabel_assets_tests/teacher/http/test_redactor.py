"""The redactor: which texts are secrets, and time that is linear in the length of a text."""

import asyncio
import time
from urllib.parse import unquote

import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.teacher.batch.endpoint import BatchEndpoint
from relabel_assets.teacher.http.credentials import redactor_of
from relabel_assets.teacher.http.redactor import Redactor
from relabel_assets.teacher.sending.endpoint import Endpoint, endpoint_name

KEY = "sk-0123456789/abc"


@pytest.mark.parametrize(
    ("secrets", "text", "redacted"),
    [
        (["1234567"], "1234567", "1234567"),  # a word of replies, such as EMPTY
        (["12345678"], "12345678", "[key]"),
        (["12345678", "12345678-long"], "12345678-long 12345678", "[key] [key]"),
        ([KEY], f"{KEY}{KEY}", "[key][key]"),
        ([KEY], KEY.upper(), KEY.upper()),  # keys have upper and lower case
        ([KEY], KEY[:-1], KEY[:-1]),
        ([], r"\u0073 % &", r"\u0073 % &"),
        (["a\\b-0123456"], r"a\\\\b-0123456", "[key]"),  # a secret with a backslash
    ],
)
def test_secrets_of_eight_characters_and_more_are_replaced(
    secrets: list[str], text: str, redacted: str
) -> None:
    assert Redactor(secrets).text(text) == redacted


@pytest.mark.parametrize(
    "piece",
    ["\\", "%", "%25", "&", "&amp;", "&#0", "\\u00", "s\\\\\\", KEY[:-1] + "\\", "hello \\n "],
)
def test_a_hostile_text_of_a_megabyte_is_searched_in_no_time(piece: str) -> None:
    started = time.monotonic()
    Redactor([KEY]).text(piece * (1_000_000 // len(piece)))
    assert time.monotonic() - started < 10  # an alarm: it takes a tenth of a second


@pytest.mark.parametrize("name", ["password1", "tok/en012", "user:password1", "token=tok%2Fen012"])
def test_user_password_and_query_of_the_address_are_secrets(name: str) -> None:
    address = "https://user:password1@example.com/v1?token=tok%2Fen012"
    redactor = redactor_of(TeacherConfig(base_url=address), "none")
    assert redactor.text(f"no access for {name}").endswith("[key]")


@pytest.mark.parametrize("userinfo", ["user:pass%2Fword?1", "token-0123456789"])
def test_the_header_that_http_makes_of_user_and_password_is_a_secret(userinfo: str) -> None:
    import httpx2

    address = f"https://{userinfo}@example.com/v1".replace("?", "%3F")
    redactor = redactor_of(TeacherConfig(base_url=address), "sk-0123456789")
    user, _, password = map(unquote, httpx2.URL(address).userinfo.decode().partition(":"))
    (header,) = [
        request.headers["authorization"]
        for request in httpx2.BasicAuth(user, password).auth_flow(httpx2.Request("GET", address))
    ]
    assert redactor.text(header).rstrip("=") == "Basic [key]"
    assert redactor.text("key: c2stMDEyMzQ1Njc4OQ==") == "key: [key]=="


@pytest.mark.parametrize(
    "address",
    [
        "http://user:secret/word@host/v1",
        "http://[::1/secret",
        "host/secret",
        "ftp://secret@host",
        "http://",
        "http://host:secret/v1",
        "http://user:secret@host/v1\r\nx: y",
        "http://user:secret@ho st/v1",
        "http://user:secret@\u202ehost/v1",
        "http://user:secret@host/\udcff",
    ],
)
def test_a_wrong_address_is_an_error_that_does_not_show_it(address: str) -> None:
    with pytest.raises(TeacherError) as caught:
        endpoint_name(TeacherConfig(base_url=address))
    assert "secret" not in str(caught.value) and caught.value.__context__ is None


@pytest.mark.parametrize(
    "address", ["http://a:secret@[::1]x:9/", "http://a:secret@\u2177.example/"]
)
def test_an_address_that_the_client_refuses_is_an_error_that_does_not_show_it(address: str) -> None:
    config = TeacherConfig(base_url=address)
    for ask in (lambda: asyncio.run(Endpoint(config).post({})), lambda: BatchEndpoint(config)):
        with pytest.raises(TeacherError, match="is not an address") as caught:
            ask()
        assert "secret" not in str(caught.value) and caught.value.__context__ is None
