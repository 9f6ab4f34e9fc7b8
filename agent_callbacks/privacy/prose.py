"""What people write around a detector: dates of birth in words, addresses spelled out or defanged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy import validators
from agent_callbacks.privacy.context import announced
from agent_callbacks.privacy.views import closes, opens

if TYPE_CHECKING:
    from agent_callbacks.privacy.views import Span, Views

__all__ = ["birth", "defanged"]

_MONTH: Final = r"[A-Za-z\xc0-\xff]{3,10}\.?"
_DATE: Final = re.compile(
    rf"\d{{1,2}}(?:st|nd|rd|th|er|\.|\xba)?[ \-](?:of |de |d')?{_MONTH},?[ \-](?:de |del |do )?\d{{4}}|"
    rf"{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}"
)
_LONGEST_DATE: Final = 30
_YEAR: Final = 5
_BEFORE_YEAR: Final = frozenset({b"a", b"A", b".", b","})


def birth(seen: Views, at: int) -> Span | None:
    """Return the date in words that ends with the year behind *at*, if a word for birth announces it."""
    text = seen.text
    if seen.shape[at - 1 : at] not in _BEFORE_YEAR:
        return None
    for match in _DATE.finditer(text, max(0, at - _LONGEST_DATE), at + _YEAR):
        if match.end() == at + _YEAR and closes(seen, match.end()):
            return match.span() if announced(seen, match.start()) == "DATE_OF_BIRTH" else None
    return None


_DEFANGED: Final = re.compile(r"\d{1,3}(?:[\[({]?(?:\.|dot)[\])}]?\d{1,3}){3}", re.ASCII | re.IGNORECASE)
_OCTETS: Final = re.compile(r"\d{1,3}", re.ASCII)


_LONGEST_OCTETS: Final = 16


def defanged(seen: Views, at: int) -> Span | None:
    """Return the IPv4 address around *at* whose dots are in brackets."""
    text, start = seen.text, at
    while start and at - start < _LONGEST_OCTETS and (text[start - 1].isdigit() or text[start - 1] == "."):
        start -= 1
    match = _DEFANGED.match(text, start)
    if match is None or not opens(seen, start) or not closes(seen, match.end()):
        return None
    return match.span() if validators.ip(".".join(_OCTETS.findall(match[0]))) else None
