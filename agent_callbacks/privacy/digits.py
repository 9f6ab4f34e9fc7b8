"""Everything made of digits: cards, phones, identity numbers, IPv4 addresses, dates of birth.

A run of digits and the signs that may stand between them is read by its shape (``00-00``): which forms may lie where
in it is worked out once for each shape and remembered, because the same few shapes fill any text. What the digits
themselves and the words before them say is asked only where a form fits.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

from agent_callbacks.privacy import ids, phones, validators
from agent_callbacks.privacy.context import announced
from agent_callbacks.privacy.match import Match
from agent_callbacks.privacy.views import Span, Views, closes, opens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["digit_runs", "lettered_id"]

_RUN: Final = re.compile(rb"0[0 ().\-/_]{5,62}")
_LONGEST_RUN: Final = 63
_OVERLAP: Final = 24
_ZERO: Final = ord("0")
_JOINTS: Final = b" ().\\-/_"


class _Place(NamedTuple):
    """A form that fits a shape: where, what reads it, whether no number stands beside it in the run."""

    start: int
    end: int
    read: Callable[[Views, int, int, bool], Match | None]
    alone: bool


def digit_runs(seen: Views) -> Iterator[Match]:
    """Yield what the runs of digits hold."""
    shape, at, end = seen.shape, 0, 0
    while run := _RUN.search(shape, at):
        start = run.start()
        digits = run[0]
        for place in _places(digits) if not _is_numbered(shape, start, digits) else ():
            if start + place.start >= end and (
                found := place.read(seen, start + place.start, start + place.end, place.alone)
            ):
                yield found
                end = found.end
        at = run.end()
        lettered = shape[at : at + 1] == b"A" and (digits[-1:] in _GAPS or shape[start - 1 : start] == b"A")
        if lettered and (span := lettered_id(seen, at - 1)):
            yield Match(*span, "ID", 58)
        if at - start == _LONGEST_RUN:  # a number may lie across the cut
            at = _group_after(shape, at - _OVERLAP, at)


_GAPS: Final = frozenset({b" ", b"-"})
_SHORTEST_CARD: Final = 12


def _is_numbered(shape: bytes, start: int, run: bytes) -> bool:
    """Tell whether a *run* is the number in an id like ``ORD-48213377``."""
    return (
        len(run) < _SHORTEST_CARD
        and run.isdigit()
        and shape[start - 1 : start] in _JOINED
        and shape[start - 2 : start - 1].isalpha()
    )


_JOINED: Final = frozenset({b"-", b"_"})


def _group_after(shape: bytes, at: int, end: int) -> int:
    """Return where the next group of digits begins between *at* and *end*."""
    while at < end and (shape[at] != _ZERO or shape[at - 1] == _ZERO):
        at += 1
    return at


@functools.lru_cache(maxsize=4096)
def _places(run: bytes) -> tuple[_Place, ...]:
    """Return where which form fits in a *run*; a shape says nothing about anybody."""
    found: list[_Place] = []
    for start in range(len(run)):
        if run[start] != _ZERO or (start and run[start - 1] == _ZERO) or not _ANY.match(run, start):
            continue
        found += _fixed(run, start, _FIRST)
        found += _phones(run, start)
        found += _fixed(run, start, _LAST)
    return tuple(found)


def _fixed(run: bytes, start: int, forms: _Forms) -> Iterator[_Place]:
    for some, each in forms:
        if not some.match(run, start):
            continue
        for form, read, alone in each:
            fit = form.match(run, start)
            if fit and run[fit.end() : fit.end() + 1] != b"0":
                place = _Place(start, fit.end(), read, _is_alone(run, start, fit.end()))
                if place.alone or not alone:
                    yield place


def _phones(run: bytes, start: int) -> Iterator[_Place]:
    """Yield where a phone number may lie from *start* on, the longest first; a row of numbers has none inside."""
    begins = _is_alone(run, start, len(run))
    if not begins and run[start - 1] not in b" (":  # inside a row
        return
    for end in range(min(len(run), start + _LONGEST_PHONE), start + _FEWEST - 1, -1):
        if (
            run[end - 1] != _ZERO
            or run[end : end + 1] == b"0"
            or run[end : end + 2] in _GOES_TIED
            or not _FEWEST <= run.count(b"0", start, end) <= _MOST
        ):
            continue
        if _DECIMAL.fullmatch(run, start, end):
            continue
        if (begins or _TIE.search(run, start, end)) and _PHONE.fullmatch(run, start, end):
            yield _Place(start, end, _phone, _is_alone(run, start, end))


def _is_alone(run: bytes, start: int, end: int) -> bool:
    """Tell whether no row of digit groups goes on before *start* or after *end*."""
    return (
        not (start and run[start - 1] in b" -./_" and start > 1 and run[start - 2] == _ZERO)
        and run[end : end + 2] not in _GOES_ON
    )


_GOES_TIED: Final = frozenset({b"-0", b".0", b"/0"})
_GOES_ON: Final = frozenset({b" 0", b"-0", b".0", b"/0", b"_0"})


_AFTER: Final = re.compile(rb"[ \-]{1,2}\(?(?:office|fax|mobile|cell|home|work|handy)\b")


# --- readers ---------------------------------------------------------------------------------------------------------
def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _edges(seen: Views, start: int, end: int) -> bool:
    """Tell whether a number may begin and end here: in no word, no decimal, no version."""
    before = seen.raw[start - 2 : start] if start > 1 else b""
    return opens(seen, start) and closes(seen, end) and not (before[1:] == b"." and before[:1].isdigit())


def _card(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: ARG001, FBT001 - a reader
    if not _edges(seen, start, end):
        return None
    if not validators.card(_digits(seen.text[start:end])):
        return None
    as_float = _FLOAT.match(seen.text, end)  # a column of numbers was read as one of floats
    return Match(start, as_float.end() if as_float else end, "CREDIT_CARD", 60)


_FLOAT: Final = re.compile(r"\.0{1,2}(?!\d)")


def _announced_card(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: ARG001, FBT001 - a reader
    """Return a card of an issuer we do not know: the checksum holds and the words before say so."""
    if not _edges(seen, start, end) or not validators.luhn(_digits(seen.text[start:end])):
        return None
    return Match(start, end, "CREDIT_CARD", 59) if announced(seen, start) == "CREDIT_CARD" else None


def _ssn(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: FBT001 - a reader
    text = seen.text
    beside = text[start - 1 : start] == "-" or text[end : end + 1] == "-"
    if beside or not _edges(seen, start, end) or not validators.ssn(_digits(text[start:end])):
        return None
    if text[start + 3] != "-" and not (alone and announced(seen, start) in {"US_SSN", "ID"}):
        return None
    return Match(start, end, "US_SSN", 55)


def _spaced_ssn(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: ARG001, FBT001 - a reader
    return Match(start, end, "US_SSN", 55) if announced(seen, start) == "US_SSN" else None


_VERSION: Final = re.compile(
    rb"(?:version|release|build|[a-z]/|==|\bv|[<>~^]=?|firmware|section|chapter|clause|sec\.|\xa7)[\"': ]{0,3}\Z"
)


def _ipv4(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: ARG001, FBT001 - a reader
    raw = seen.raw
    if raw[start - 1 : start] == b"." or (raw[end : end + 1] == b"." and raw[end + 1 : end + 2].isdigit()):
        return None
    if not opens(seen, start) or not closes(seen, end) or _VERSION.search(seen.lower, max(0, start - 12), start):
        return None
    return Match(start, end, "IP") if validators.ip(seen.text[start:end]) else None


_TIED: Final = frozenset(".,-+/_:@#$\x80\xa3".encode("latin-1"))
_FEWEST, _MOST = 7, 15


def _phone(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: FBT001 - a reader
    text = seen.text
    first = start - 1 if start and text[start - 1] == "(" and ")" in text[start:end] else start
    before = seen.raw[max(0, first - 2) : first]
    if not opens(seen, first) or not closes(seen, end):
        return None
    if before[-1:] and before[-1] in _TIED and (before[:1].isalnum() or before[-1:] in b"$#"):
        return None
    number = text[first:end].replace("\xa0", " ").replace("\t", " ")
    if phones.is_date(number) or (text[end : end + 1] in {":", ".", "-", "/"} and text[end + 1 : end + 2].isdigit()):
        return None
    written = phones.national(number, alone=alone) and not _AMBIGUOUS.fullmatch(number)
    said = announced(seen, first)
    if said == "COUNT" if written else said != "PHONE" and not _AFTER.match(seen.lower, end):
        return None
    return Match(first, phones.with_extension(text, end), "PHONE", 45)


_AMBIGUOUS: Final = re.compile(r"\d{1,12}\.\d{1,12}|\d{5}-\d{4}")
"""A decimal, a postal code of the US: phone numbers only where a word says so."""


def _id(form: ids.Form) -> Callable[[Views, int, int, bool], Match | None]:
    def read(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: ARG001, FBT001 - a reader
        if not _edges(seen, start, end) or seen.raw[start - 1 : start] in _INSIDE:
            return None
        if not ids.is_valid(form.number, seen.text[start:end]):
            return None
        said = announced(seen, start)
        return Match(start, end, "ID", 48) if said == "ID" or (form.sure and said != "COUNT") else None

    return read


def _document(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: ARG001, FBT001 - a reader
    """Return the number of a passport or a licence: nothing checks it but the word before."""
    text = seen.text
    first = start
    while first > max(0, start - _LETTERS_BEFORE) and seen.shape[first - 1] == _CAPITAL:
        first -= 1
    after = _LETTERS_AFTER.match(text, end) if seen.shape[end : end + 1] in _CONTINUES else None
    last = after.end() if after else end
    if (
        seen.raw[first - 1 : first] in _INSIDE
        or not (opens(seen, first) and closes(seen, last))
        or phones.is_date(text[start:end])
    ):
        return None
    return Match(first, last, "ID", 44) if announced(seen, first) == "ID" else None


_INSIDE: Final = frozenset({b"-", b"_", b".", b"/", b"+", b"@"})
_CONTINUES: Final = frozenset({b"A", b"0"})
_LETTERS_BEFORE: Final = 3
_CAPITAL: Final = ord("A")
_LETTERS_AFTER: Final = re.compile(r"[A-Z0-9]{1,12}", re.ASCII)


def _born(seen: Views, start: int, end: int, alone: bool) -> Match | None:  # noqa: ARG001, FBT001 - a reader
    if not opens(seen, start) or not closes(seen, end) or announced(seen, start) != "DATE_OF_BIRTH":
        return None
    return Match(start, end, "DATE_OF_BIRTH", 52)


_S: Final = rb"[ .\-/_]"
_LONGEST_PHONE: Final = 26
_DECIMAL: Final = re.compile(rb"0{1,2}\.0{1,24}|0{1,24}\.0{1,2}")
_TIE: Final = re.compile(rb"[.\-/(]")
_PHONE: Final = re.compile(
    rb"0{1,6}\)?[ .\-/]{0,2}0{2,10}(?:[ .\-/]{1,2}0{2,8}){0,4}|"
    rb"0{1,4}[ .\-/]{0,2}\(?0{1,4}\)[ .\-/]{0,2}0{2,8}(?:[ .\-/]{1,2}0{2,8}){0,4}|0{7,15}"
)
_Read: TypeAlias = "Callable[[Views, int, int, bool], Match | None]"
_Forms: TypeAlias = "tuple[tuple[re.Pattern[bytes], tuple[tuple[re.Pattern[bytes], _Read, bool], ...]], ...]"


def _table(
    *rows: tuple[bytes, _Read, bool],
) -> tuple[re.Pattern[bytes], tuple[tuple[re.Pattern[bytes], _Read, bool], ...]]:
    """Return *rows* (form, reader, only alone) behind one pattern that tells whether any fits."""
    some = re.compile(b"|".join(re.sub(rb"\\\d", _S, form) for form, _, _ in rows))
    return some, tuple((re.compile(form), read, alone) for form, read, alone in rows)


_FIRST: Final[_Forms] = (
    _table(
        (
            rb"0{13,19}|0000(" + _S + rb")(?:0000\1){2}0000(?:\1000(?!0))?|0000([ \-.])000000\2(?:00000|0000)",
            _card,
            False,
        ),
        (rb"(?:0" + _S + rb"){12,18}0", _card, True),
        (rb"(?=(?:0[ \-.]{0,2}){13})0{2,8}(?:[ \-.]{1,2}0{1,8}){1,6}", _card, True),
        (rb"0{12,19}|0000[ \-]0000[ \-]0000", _announced_card, True),
        (rb"000[ \-.]00[ \-.]0000", _ssn, False),
        (rb"(?:0 ){8}0", _spaced_ssn, True),
        (rb"0{1,3}(?:\.0{1,3}){3}", _ipv4, False),
    ),
    _table(*((form.shape, _id(form), form.alone) for form in ids.FORMS if form.sure)),
    _table((rb"(?<![0./\-])(?:00?([./\-])00?\1(?:0000|00)|0000([./\-])00?\2 ?00?)(?![./\-]0)", _born, False)),
)
_LAST: Final[_Forms] = (
    _table(*((form.shape, _id(form), form.alone) for form in ids.FORMS if not form.sure)),
    _table((rb"0{6,14}", _document, True), (rb"0{1,8}(?:[ \-./]0{1,8}){1,6}", _document, True)),
)
_ANY: Final = re.compile(rb"0{6}|0{1,6}[ .\-/_()]{1,2}0")


# --- with letters ----------------------------------------------------------------------------------------------------
_LETTERED: Final = tuple((re.compile(form.shape), form) for form in ids.LETTERED)
_ANY_LETTERED: Final = re.compile(b"|".join(b"(" + form.shape + b")" for form in ids.LETTERED))
_IN_WORD: Final = frozenset({b"0", b"A", b"a"})
_LONGEST_ID: Final = 18


def lettered_id(seen: Views, at: int) -> Span | None:
    """Return an identity number that holds capitals around *at*."""
    shape, start = seen.shape, at
    while True:
        if (
            shape[start] in b"0A"
            and shape[start - 1 : start] not in _IN_WORD
            and (found := _lettered_from(seen, start, at))
        ):
            return found
        if not start or at - start >= _LONGEST_ID + 4 or shape[start - 1] not in b"0A-. ":
            return None
        start -= 1


def _lettered_from(seen: Views, start: int, at: int) -> Span | None:
    some = _ANY_LETTERED.match(seen.shape, start)
    if some is None:
        return None
    for form, row in _LETTERED[cast("int", some.lastindex) - 1 :]:  # the first that fits, and those after it
        fit = form.match(seen.shape, start)
        if (
            fit
            and fit.end() > at
            and closes(seen, fit.end())
            and ids.is_valid(row.number, seen.text[start : fit.end()])
        ):
            said = announced(seen, start)
            if said == "ID" or (row.sure and said != "COUNT"):
                return start, fit.end()
    return None
