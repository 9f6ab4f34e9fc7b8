"""Detectors of what is made of digits: cards, phones, accounts, addresses of machines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy import validators
from agent_callbacks.privacy.edges import closes, opens

if TYPE_CHECKING:
    from agent_callbacks.privacy.normalize import Views

__all__ = ["card", "iban", "ipv4", "ipv6", "mac", "phone", "plus_phone", "ssn"]

Span = tuple[int, int]

# --- digits ----------------------------------------------------------------------------------------------------------
_CARD_SHAPE: Final = re.compile(
    rb"0{13,19}(?!0)|0000([ \-])(?:0000\1){2}0000(?:\1000(?!0))?(?!0)|0000([ \-])000000\2(?:00000|0000)(?!0)|"
    rb"(0{1,10}(?:[ \-]0{1,10}){1,8})(?!0)"
)


def card(seen: Views, at: int) -> Span | None:
    """Return a payment card's number around *at*."""
    text = seen.text
    match = _CARD_SHAPE.match(seen.shape, at)
    if match is None or not opens(text, at) or (at and text[at - 1] == "." and text[at - 2 : at - 1].isdigit()):
        return None
    end = match.end()
    if match[3] and (_among_digits(seen.shape, at, end)):
        return None
    digits = text[at:end].replace(" ", "").replace("-", "").replace("\xa0", "")
    return (at, end) if closes(text, end) and validators.card(digits) else None


def _among_digits(shape: bytes, start: int, end: int) -> bool:
    """Tell whether a row of digit groups goes on before *start* or after *end*."""
    return shape[max(0, start - 2) : start] in {b"0 ", b"0-"} or shape[end : end + 2] in {b" 0", b"-0"}


def ssn(seen: Views, at: int) -> Span | None:
    """Return a US social security number around *at*."""
    text, end = seen.text, at + 11
    before, after = text[at - 1 : at], text[end : end + 1]
    if before.isdigit() or before == "-" or after == "-" or not (opens(text, at) and closes(text, end)):
        return None
    return (at, end) if validators.ssn(text[at:end].replace("-", "")) else None


_PLUS: Final = re.compile(r"\+\d(?:[ \xa0().\-/]{0,2}\d){6,15}", re.ASCII)


def plus_phone(seen: Views, at: int) -> Span | None:
    """Return an international phone number around *at*."""
    text = seen.text
    match = _PLUS.match(text, at)
    if match is None or (at and text[at - 1].isalnum() and not opens(text, at)):
        return None
    end = match.end()
    while True:
        if closes(text, end) and validators.international_phone("".join(filter(str.isdigit, text[at:end]))):
            return at, end
        cut = re.search(r"[ \xa0().\-/]{1,2}\d+\Z", text[at:end], re.ASCII)
        if cut is None:
            return None
        end = at + cut.start()


_NUMBER: Final = re.compile(r"\(?\d{1,15}(?:[ \xa0.\-/()]{1,2}\d{1,15}){0,5}", re.ASCII)
_CALLED: Final = re.compile(
    rb"(?<!\[)(?:phone|mobile|whatsapp|\b(?:tel|telephone|cell|fax|call|calling|dial|ring|sms|office|handy|telefon))\w{0,8}"
    rb"[^0-9\n\]]{0,24}\Z"
)
_CALLED_AFTER: Final = re.compile(rb"[ \-]{1,2}(?:office|fax|mobile|cell|home|work)\b")
_COUNTED: Final = re.compile(
    rb"(?:order|invoice|ticket|ref|reference|sku|tracking|case|isbn|issn|id|serial|part|po|account|version|build|seq|job|"
    rb"run|port|line|pid|code|epoch|time|timestamp|created)(?:[_ ](?:no|nr|number|id|num))?[\"'.:#= ]{0,4}\Z"
)
_CALLS: Final = (
    b"phone",
    b"mobile",
    b"whatsapp",
    b"tel",
    b"cell",
    b"fax",
    b"call",
    b"dial",
    b"ring",
    b"sms",
    b"office",
    b"handy",
)
_TIED: Final = re.compile(r"[\-.(]")
_CONTEXT: Final = 40
_SHORT_PHONE, _LONG_PHONE = 7, 15


def phone(seen: Views, at: int) -> Span | None:
    """Return a national phone number around *at*."""
    text = seen.text
    start = at - 1 if at and text[at - 1] == "(" else at
    match = _NUMBER.match(text, start)
    before = text[start - 1 : start]
    if (
        match is None
        or not opens(text, start)
        or (before and before in ".-+/_:,@#$€£" and text[start - 2 : start - 1].isalnum())
    ):
        return None
    called = _is_called(seen, start)
    if not called and before == " " and text[start - 2].isdigit() and not _TIED.search(match[0]):
        return None  # a row of numbers
    for end in _group_ends(match):
        if closes(text, end) and _is_phone(seen, start, end, called):
            if not called and _COUNTED.search(seen.lower, max(0, start - _CONTEXT), start):
                return None
            return start, end
    return None


def _group_ends(match: re.Match[str]) -> list[int]:
    """Return where the groups of digits in *match* end, last first."""
    text, start = match[0], match.start()
    return [
        start + place
        for place in range(len(text), 0, -1)
        if text[place - 1].isdigit() and not text[place : place + 1].isdigit()
    ]


def _is_called(seen: Views, start: int) -> bool:
    """Tell whether the words before *start* announce a phone number."""
    if seen.calls is None:
        seen.calls = any(word in seen.lower for word in _CALLS)
    return seen.calls and _CALLED.search(seen.lower, max(0, start - _CONTEXT), start) is not None


def _is_phone(seen: Views, start: int, end: int, called: bool) -> bool:  # noqa: FBT001 - one caller
    text = seen.text[start:end]
    digits = sum(map(str.isdigit, text))
    if not _SHORT_PHONE <= digits <= _LONG_PHONE + 2 or (
        seen.text[end : end + 1] in _JOINTS and seen.text[end + 1 : end + 2].isdigit()
    ):
        return False
    # A row of numbers is a table unless its groups are tied.
    if (called or _TIED.search(text) or not _among_digits(seen.shape, start, end)) and validators.national_phone(
        text.replace("\xa0", " ")
    ):
        return True
    if digits > _LONG_PHONE or not (called or _CALLED_AFTER.match(seen.lower, end)):
        return False
    return not validators.looks_like_date(text)


_JOINTS: Final = (".", "/", "-", ":")
_IBAN: Final = re.compile(r"[A-Z]{2}\d\d(?:[ \xa0\-]?[A-Z0-9]){11,30}", re.ASCII)


def iban(seen: Views, at: int) -> Span | None:
    """Return an IBAN around *at*."""
    text = seen.text
    match = _IBAN.match(text, at)
    length = validators.iban_length(text[at : at + 2])
    if match is None or not length or not opens(text, at):
        return None
    kept = [(place, sign) for place, sign in enumerate(match[0]) if sign not in " \xa0-"][:length]
    end = at + kept[-1][0] + 1
    iban = "".join(sign for _, sign in kept)
    return (at, end) if len(kept) == length and closes(text, end) and validators.mod97(iban) else None


# --- addresses of machines -------------------------------------------------------------------------------------------
_IPV4: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_VERSION: Final = re.compile(rb"(?:version|release|build|[a-z]/|==|\bv|@|[<>~^]=?)[\"': ]{0,3}\Z")


def ipv4(seen: Views, at: int) -> Span | None:
    """Return an IPv4 address around *at*."""
    text = seen.text
    start = at
    while start and at - start < 3 and text[start - 1] in "0123456789":  # noqa: PLR2004 - digits of an octet
        start -= 1
    match = _IPV4.match(text, start)
    if match is None or not opens(text, start) or text[start - 1 : start] == ".":
        return None
    end = match.end()
    more = text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()
    if more or not closes(text, end) or _VERSION.search(seen.lower, max(0, start - 12), start):
        return None
    return (start, end) if validators.ip(match[0]) else None


_HEX_REVERSED: Final = re.compile(r"[0-9A-Fa-f:]{0,40}")
_HEX: Final = re.compile(r"[0-9A-Fa-f:]{1,80}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?", re.ASCII)
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}([:\-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")
_MAC_LENGTH: Final = 17
_IPV6_COLONS: Final = 3
_IPV6_LENGTH: Final = 45


def ipv6(seen: Views, at: int) -> Span | None:
    """Return an IPv6 address around *at*."""
    text = seen.text
    back = _HEX_REVERSED.match(text[max(0, at - 40) : at][::-1])
    start = at - (back.end() if back else 0)
    while start < at and text[start] == ":" and text[start + 1] != ":":  # the colon of `ip:2001:...`
        start += 1
    match = _HEX.match(text, start)
    if match is None:
        return None
    address = match[0] if match[0].endswith("::") else match[0].rstrip(":")
    end = start + len(address)
    whole = (
        opens(text, start) and closes(text, end) and address.count(":") >= _IPV6_COLONS and len(address) <= _IPV6_LENGTH
    )
    if whole and any(map(str.isdigit, address)) and validators.ip(address):
        return start, end
    return match.end(), match.end()


def mac(seen: Views, at: int) -> Span | None:
    """Return a MAC address around *at*."""
    start = at - 2
    match = _MAC.match(seen.text, max(0, start))
    if start < 0 or match is None or not opens(seen.text, start) or not closes(seen.text, match.end()):
        return None
    return None if seen.text[match.end() : match.end() + 1] == match[1] else match.span()
