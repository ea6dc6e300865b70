"""Personal values in a text: addresses of mail and of machines, numbers of phones, cards and accounts.

What belongs here: where they are. What does not: secrets (secret_values.py), and replacing (redaction.py).

A value counts only where its own rules hold: a check digit, a country's lengths. Each expression reads a
text once, whatever the text: none tries the same characters again from every start.
"""

import ipaddress
import re
from collections.abc import Iterator

Span = tuple[int, int]

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]+@(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_]{2,24}(?![\w-])", re.UNICODE
)
_CARD = re.compile(r"(?<![\w-])[2-6]\d{3}(?:[ -]?\d){10,15}(?![\w])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,38}:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")
# Digits with what stands between them in a phone number, and no letter beside them.
_PHONE_LIKE = re.compile(r"(?<![\w.])[+(\d][\d().\-/ \u00a0\t+]{5,}\d(?![\w])")
_MIN_PHONE_DIGITS = 7
_PIECE, _OVERLAP = 250, 60  # of a row of many numbers; none is as long as the overlap


def emails(text: str) -> Iterator[Span]:
    """The addresses of mail.

    >>> [("Ask ana.b@example.com."[start:end]) for start, end in emails("Ask ana.b@example.com.")]
    ['ana.b@example.com']
    """
    return (match.span() for match in _EMAIL.finditer(text))


def ips(text: str) -> Iterator[Span]:
    """The addresses of machines, IPv4 and IPv6.

    >>> text = "10.0.0.1, fe80::1, 10:30:00, 999.1.1.1"
    >>> [text[start:end] for start, end in ips(text)]
    ['10.0.0.1', 'fe80::1']
    """
    for match in (*_IPV4.finditer(text), *_IPV6.finditer(text)):
        try:
            ipaddress.ip_address(match[0])
        except ValueError:
            continue
        if match[0].strip(":"):
            yield match.span()


def cards(text: str) -> Iterator[Span]:
    """The numbers of payment cards: 14 to 19 digits whose check digit is right.

    >>> text = "4111 1111 1111 1111 and 4111 1111 1111 1112"
    >>> [text[start:end] for start, end in cards(text)]
    ['4111 1111 1111 1111']
    """
    from stdnum import luhn

    for match in _CARD.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match[0])):
            yield match.span()


def ibans(text: str) -> Iterator[Span]:
    """The numbers of bank accounts whose country, length and check digits are right.

    >>> text = "DE89 3704 0044 0532 0130 00 OR CASH"
    >>> [text[start:end] for start, end in ibans(text)]
    ['DE89 3704 0044 0532 0130 00']
    """
    from stdnum import iban

    for match in _IBAN.finditer(text):
        # Words in capitals may follow the number.
        ends = [part.end() for part in re.finditer(r"[A-Za-z0-9](?=\s|$)", match[0])]
        for end in reversed(ends):
            if iban.is_valid(match[0][:end]):
                yield match.start(), match.start() + end
                break


def phone_numbers(text: str, region: str | None) -> Iterator[Span]:
    """The phone numbers of `region`, two letters, and those that begin with + and a country code.

    >>> text = "Call +46 8 123 456 78 or (202) 555-0143."
    >>> [text[start:end] for start, end in phone_numbers(text, "US")]
    ['+46 8 123 456 78', '(202) 555-0143']
    >>> len(list(phone_numbers(text, None)))
    1
    """
    from phonenumbers import PhoneNumberMatcher

    # The matcher takes a millisecond for a number and looks at every start: it gets short places alone.
    for place in _PHONE_LIKE.finditer(text):
        for start in range(place.start(), place.end(), _PIECE - _OVERLAP):
            piece = text[start : min(start + _PIECE, place.end())]
            if sum(map(str.isdigit, piece)) >= _MIN_PHONE_DIGITS:
                for match in PhoneNumberMatcher(piece, region):
                    yield start + match.start, start + match.end
