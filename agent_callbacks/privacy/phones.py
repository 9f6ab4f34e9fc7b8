"""Phone numbers as they are written: with a country code, or in the formats of one country."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy.views import closes, opens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.privacy.views import Span, Views

__all__ = ["international", "is_date", "national", "plus_phone", "with_extension"]

# National digits after the country code, for countries whose numbers have one length; others 5 to 12 (ITU-T E.164).
_LENGTHS: Final[Mapping[str, tuple[int, int]]] = {
    "1": (10, 10), "7": (10, 10), "20": (8, 10), "27": (9, 9), "30": (10, 10), "31": (9, 9), "32": (8, 9), "33": (9, 9),
    "34": (9, 9), "36": (8, 9), "39": (6, 11), "40": (9, 9), "41": (9, 9), "43": (7, 13), "44": (9, 10), "45": (8, 8),
    "46": (7, 10), "47": (8, 8), "48": (9, 9), "49": (6, 13), "51": (8, 9), "52": (10, 11), "54": (10, 11),
    "55": (10, 11), "56": (9, 9), "57": (10, 10), "60": (8, 10), "61": (9, 9), "62": (8, 12),
    "63": (8, 10), "64": (8, 10), "65": (8, 8), "66": (8, 9), "81": (9, 10), "82": (8, 10), "84": (9, 10),
    "86": (10, 11), "90": (10, 10), "91": (10, 10), "92": (9, 10), "98": (10, 10),
}  # fmt: skip


_SHORTEST: Final = 8
_LONGEST: Final = 17
"""E.164 allows 15 digits; a trunk zero and an exit code may be written besides."""


def international(digits: str) -> bool:
    """Tell whether *digits*, country code first, have a length that the country uses; a trunk ``(0)`` may be inside."""
    if not _SHORTEST <= len(digits) <= _LONGEST or digits[0] == "0":
        return False
    code = next((digits[:size] for size in (1, 2) if digits[:size] in _LENGTHS), digits[:3])
    shortest, longest = _LENGTHS.get(code, (5, 12))
    trunk = digits[len(code)] == "0" and code != "39"
    return shortest <= len(digits) - len(code) - trunk <= longest


_PLUS: Final = re.compile(r"\+\(?\d(?:[ \xa0().\-/]{0,3}\d){6,16}", re.ASCII)
_LAST_GROUP: Final = re.compile(r"[ \xa0().\-/]{1,3}\d{1,17}\Z", re.ASCII)
_EXTENSION: Final = re.compile(r"[ ,;]{0,2}(?:ext|extension|x|#|Durchwahl|poste)[.: ]{0,2}\d{1,6}(?!\d)", re.IGNORECASE)


def plus_phone(seen: Views, at: int) -> Span | None:
    """Return an international phone number at the plus sign at *at*."""
    text = seen.text
    match = _PLUS.match(text, at)
    if match is None or not opens(seen, at):
        return None
    end = match.end()
    while True:
        if closes(seen, end) and international("".join(filter(str.isdigit, text[at:end]))):
            start = at - (text[at - 1 : at] == "(" and ")" in text[at:end])
            return start, with_extension(text, end)
        cut = _LAST_GROUP.search(text, at, end)
        if cut is None:
            return None
        end = cut.start()


def with_extension(text: str, end: int) -> int:
    """Return where a phone number ends that reaches *end* and may have an extension behind it."""
    extension = _EXTENSION.match(text, end)
    return extension.end() if extension else end


# Written so by nobody but people who note a phone number; the others hold only where no row of numbers goes on.
_SURE: Final = re.compile(
    r"(?:\+?1[ .\-])?(?:\([2-9]\d\d\)[ .\-]{0,2}|[2-9]\d\d[.\-])\d{3}[ .\-]?\d{4}|"  # US, CA
    r"0[1-9](?P<sep>[.\-])(?:\d\d(?P=sep)){3}\d\d|"  # FR
    r"\(0[1-9]\d{0,4}\)[ \-/]{0,2}\d{2,8}(?:[ \-]\d{2,8}){0,3}|"  # DE, GB, NL, AU
    r"\([1-9]\d\)[ ]?9?\d{4}[ .\-]?\d{4}|"  # BR
    r"8[ \-]?\(\d{3}\)[ ]?\d{3}[ \-]?\d\d[ \-]?\d\d|"  # RU
    r"0[1-9]\d{1,4}/\d{3,8}(?:[ \-]\d{1,5}){0,2}"  # DE
)
_LOOSE: Final = re.compile(
    r"(?:1[ ])?[2-9]\d\d[ ][2-9]\d\d[ \-]\d{4}|"  # US
    r"0[1-9](?P<sep>[ ])(?:\d\d(?P=sep)){3}\d\d|"  # FR
    r"(?P<trunk>0[1-9]\d{0,4}[ \-]\d{2,8}(?:[ \-]\d{2,8}){0,3})|"  # GB, DE, NL, IT, BR, JP, AU
    r"[1-9]\d[ \-]9?\d{4}[\- ]\d{4}|"  # BR, MX
    r"[5-9]\d\d(?P<three>[ .\-])\d{3}(?P=three)\d{3}|"  # ES, PT, PL
    r"[679]\d\d(?P<two>[ .\-])\d\d(?P=two)\d\d(?P=two)\d\d|"  # ES
    r"[1-9]\d(?P<four>[ \-])\d{3}(?P=four)\d\d(?P=four)\d\d|"  # ES, PL
    r"2\d[ ]\d{3}[ ]\d{4}|"  # PT
    r"[6-9]\d{4}[ \-]\d{5}|"  # IN
    r"3[2-9]\d[ .\-]?(?:\d{3}[ .\-]\d{3,4}|\d{2}[ .\-]\d{2}[ .\-]\d{3})|3[2-9]\d[ .\-]\d{6,7}|"  # IT
    r"1[3-9]\d[ \-]\d{4}[ \-]\d{4}|"  # CN
    r"07[1-9]\d{8}|0[67]\d{8}"  # GB, FR, NL mobiles without a gap
)
_ABROAD: Final = re.compile(r"00[1-9]\d{0,3}[ \-/.](?:\(0\)|\d)[\d \-/().]{6,18}")
_DATE: Final = re.compile(
    r"\d{1,2}[./\- ]\d{1,2}[./\- ](?:19|20)\d\d(?!\d)|"
    r"(?:19|20)\d\d[./\- ](?:0[1-9]|1[0-2])(?:[./\- ]|\Z)|(?:19|20)\d\d[.\-]\d{1,2}[.\-]\d{1,2}"
)
_FEWEST, _MOST = 9, 12


def national(text: str, *, alone: bool) -> bool:
    """Tell whether *text* is written like a phone number of one country.

    Args:
        text: Digits with their separators, from the first to the last.
        alone: No number stands next to it, so the groups belong together.
    """
    if _SURE.fullmatch(text):
        return True
    if text.startswith("00"):
        return _ABROAD.fullmatch(text) is not None and international("".join(filter(str.isdigit, text))[2:])
    if not (alone or "-" in text):
        return False
    match = _LOOSE.fullmatch(text)
    if match is None:
        return False
    return match["trunk"] is None or _FEWEST <= sum(map(str.isdigit, text)) <= _MOST


def is_date(text: str) -> bool:
    """Tell whether *text* begins like a date with a year of four digits."""
    return _DATE.match(text) is not None
