"""What counts as a secret or a personal value, what does not, and texts that are made to take long."""

from collections.abc import Callable, Iterable

import pytest

from relabel_assets.teacher.redaction.personal_values import (
    cards,
    emails,
    ibans,
    ips,
    phone_numbers,
)
from relabel_assets.teacher.redaction.secret_values import secrets

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"


def american(text: str) -> Iterable[tuple[int, int]]:
    return phone_numbers(text, "US")


def international(text: str) -> Iterable[tuple[int, int]]:
    return phone_numbers(text, None)


@pytest.mark.parametrize(
    ("find", "text", "found"),
    [
        (emails, "<ana.b+x@mail.example.co.uk>, bo@x.se.", ["ana.b+x@mail.example.co.uk", "bo@x.se"]),
        (emails, "jürgen@müller.de", ["jürgen@müller.de"]),
        (emails, "@ana, a@b, user@host:22, 3@4.5", []),
        (ips, "10.0.0.1:80 and 2001:db8::1.", ["10.0.0.1", "2001:db8::1"]),
        (ips, "1.2.3, 256.1.1.1, 12:30:00, std::vector, ::, 1.2.3.4.5, v1.2.3.4", []),
        (cards, "4111-1111-1111-1111, 378282246310005", ["4111-1111-1111-1111", "378282246310005"]),
        (cards, "4111 1111 1111 1112, 9111111111111111, 411111111111, a4111111111111111", []),
        (ibans, "SE4550000000058398257466 AND MORE", ["SE4550000000058398257466"]),
        (ibans, "GB82 WEST 1234 5698 7654 32.", ["GB82 WEST 1234 5698 7654 32"]),
        (ibans, "SE4550000000058398257467, AB12 IS A FORM OF ORDER", []),
        (international, "+46 8 123 456 78; (202) 555-0143", ["+46 8 123 456 78"]),
        (american, "(202) 555-0143 or 202-555-0144.", ["(202) 555-0143", "202-555-0144"]),
        (american, "2024-10-21, 1.234.567,89, order 12345678901234567890, a2025550143b", []),
        (secrets, f"before\n{KEY}\nafter", [KEY]),
        (secrets, "key AKIAIOSFODNN7EXAMPLE", ["AKIAIOSFODNN7EXAMPLE"]),
        (secrets, "https://ana:s3cr3tpass@example.com/a/long/path", ["s3cr3tpass"]),
        (secrets, "The password is Hunter22!", ["Hunter22!"]),
        (secrets, "password: 'abc123def'", ["abc123def"]),
        (secrets, "A password is required, at least 12 characters: choose it well.", []),
        (secrets, "Password: see the wiki. Token: two-factor.", []),
    ],
)  # fmt: skip
def test_values_that_count(
    find: Callable[[str], Iterable[tuple[int, int]]], text: str, found: list[str]
) -> None:
    assert [text[start:end] for start, end in sorted({*find(text)})] == found


def test_a_value_in_a_line_of_any_length_is_found() -> None:
    for n in (0, 690, 700, 990, 1000, 5000):
        text = "word " * (n // 5) + "AKIAIOSFODNN7EXAMPLE" + " word" * 300
        assert {text[start:end] for start, end in secrets(text)} == {"AKIAIOSFODNN7EXAMPLE"}
    numbers = "(202) 555-0143 " * 100
    last = max(end for _, end in phone_numbers(numbers, "US"))
    covered = {at for start, end in phone_numbers(numbers, "US") for at in range(start, end)}
    assert last == len(numbers) - 1
    assert not {at for at in range(len(numbers)) if numbers[at].isdigit()} - covered


def test_a_private_key_without_an_end_is_taken_as_far_as_one_may_be_long() -> None:
    text = "-----BEGIN PRIVATE KEY-----" + "\nMIIE" * 10_000
    assert next(iter(secrets(text))) == (0, 20_000)


PARTS = (
    "a", "1 ", "1.", "a@", "a.", "a:", "'", "secret='", "password", "password   ", "+(1 ", "DE12 ",
    "-----BEGIN PRIVATE KEY-----", "http://a:", "softlayer   ", "[(", "token is ", "abc1/",
)  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_a_text_of_one_part_does_not_hang(part: str) -> None:
    """An expression that tries each place again from every start would take hours for it."""
    text = (part * 20_000)[:20_000]
    for find in (secrets, emails, cards, ibans, ips, american):
        assert all(0 <= start < end <= len(text) for start, end in find(text))
