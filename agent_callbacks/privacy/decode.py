"""A second reading of a text: with escapes undone, look-alike letters told apart, what is invisible gone.

Detectors look at the reading; an offset map leads what they find back, so what is exported keeps its form outside the
match. Most texts are their own second reading, and finding that out costs a look at their rare signs.
"""

from __future__ import annotations

import functools
import html
import re
import sys
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent_callbacks.privacy.match import Match

__all__ = ["Reading", "second_reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read differently, and the way back.

    Attributes:
        text: What the text says.
        starts: Where in it each replaced piece begins, in order.
        ends: Where each ends.
        sources: The piece of the original for each: first and last position.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    sources: tuple[tuple[int, int], ...]

    def original(self, match: Match) -> Match:
        """Return *match* where it lies in the original; a piece it touches belongs to it whole."""
        return match._replace(start=self._start(match.start), end=self._end(match.end))

    def _start(self, at: int) -> int:
        place = bisect_right(self.starts, at) - 1
        if place < 0:
            return at
        if at < self.ends[place]:
            return self.sources[place][0]
        return at - self.ends[place] + self.sources[place][1]

    def _end(self, at: int) -> int:
        place = bisect_right(self.starts, at - 1) - 1
        if place < 0:
            return at
        if at <= self.ends[place]:
            return self.sources[place][1]
        return at - self.ends[place] + self.sources[place][1]


# Letters of other scripts that look like Latin ones (code point, letter); Unicode TR 39 has the full list.
_PAIRS: Final = """
    0430a 0435e 043eo 0440p 0441c 0443y 0445x 0456i 0458j 0455s 04bbh 0501d 051bq 051dw 0432b 043ak 043cm 043dh 0442t
    0410A 0412B 0415E 041aK 041cM 041dH 041eO 0420P 0421C 0422T 0425X 0423Y 0406I 0408J 0405S 04cfl 03b1a 03bfo 03c1p
    03b5e 03b9i 03bak 03bdv 03c4t 03c5u 03c7x 03b7n 03f2c 0391A 0392B 0395E 0396Z 0397H 0399I 039aK 039cM 039dN 039fO
    03a1P 03a4T 03a5Y 03a7X 3002. 0131i 0251a 0261g 026ai 0578n 057du 0585o 0570h 0581g
"""
_ALIKE: Final = {int(pair[:4], 16): pair[4:] for pair in _PAIRS.split()}
_LOOK: Final = "".join(letter for letter in map(chr, _ALIKE) if letter != "\u3002")
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\ufe63"
_SPACES: Final = "\u2000-\u200a\u202f\u205f\u3000"
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e0fff"
)
_FOLDED: Final = (
    "\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\u0e50-\u0e59\u2024\u2070-\u209c\u2100-\u214f\u2460-\u24ff\ufb00-\ufb06"
    "\ufe50-\ufe57\ufe59-\ufe62\ufe64-\ufe6b\uff00-\uff9f\U0001d400-\U0001d7ff\U0001f110-\U0001f189"
)
_NEAR: Final = "A-Za-z0-9@._\\-"
_ODD: Final = (
    f"[{_INVISIBLE}]{{1,4096}}+|[{_FOLDED}]|(?<=[{_NEAR}])[{_LOOK}]{{1,16}}|[{_LOOK}]{{1,16}}+(?=[{_NEAR}])|"
    f"(?<=[0-9)])[{_DASHES}{_SPACES}](?=[0-9(])|(?<=[A-Za-z0-9])\u3002(?=[A-Za-z0-9])"
)
_MAYBE_ODD: Final = re.compile(f"[{_INVISIBLE}{_FOLDED}{_LOOK}{_DASHES}{_SPACES}\u3002]")
"""What every odd piece begins with: most texts outside ASCII have accents and quotes only, and one look tells."""
_ENTITY: Final = (
    r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|commat|period|colon|sol|lowbar|nbsp|"
    r"hyphen|plus|equals|num|quot|amp|dash|Tab|NewLine);?"
)
_ESCAPES: Final[Mapping[str, str]] = {
    "%": r"%(?:25){0,3}[2-7][0-9A-Fa-f]|(?:%(?:25){0,3}[C-Fc-f][0-9A-Fa-f])(?:%(?:25){0,3}[89ABab][0-9A-Fa-f]){1,3}",
    "\\": r"\\{1,8}(?:u\{[0-9A-Fa-f]{1,6}\}|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|/|U[0-9A-Fa-f]{8})",
    "&": _ENTITY,
    "+": r"(?<=[A-Za-z0-9).,])\+(?=[A-Za-z0-9(])",
}
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{2,8}")


def _percent(piece: str) -> str:
    pairs = re.sub("(?:25)+(?=[0-9A-Fa-f]{2})", "", piece) if "%25" in piece else piece
    return bytes.fromhex(pairs.replace("%", "")).decode("utf-8", "replace")


_SURROGATES: Final = range(0xD800, 0xE000)


def _backslash(piece: str) -> str:
    if piece.endswith("/"):
        return "/"
    found = _HEXADECIMAL.search(piece)
    code = int(found[0], 16) if found else 0
    return "?" if code > sys.maxunicode or code in _SURROGATES else chr(code)


def _entity(piece: str) -> str:
    return html.unescape(piece if piece.endswith(";") else piece + ";")


_UNDO: Final[Mapping[str, Callable[[str], str]]] = {"%": _percent, "\\": _backslash, "&": _entity, "+": lambda _: " "}


@functools.lru_cache(maxsize=4096)
def _plain(piece: str) -> str:
    """Return what a piece outside ASCII stands for, or itself."""
    if _UNSEEN.match(piece):
        return ""
    if _DASH.match(piece):
        return "-"
    digit = unicodedata.decimal(piece, None) if len(piece) == 1 else None
    return unicodedata.normalize("NFKC", piece).translate(_ALIKE) if digit is None else str(digit)


_UNSEEN: Final = re.compile(f"[{_INVISIBLE}]")
_DASH: Final = re.compile(f"[{_DASHES}]")


@functools.lru_cache(maxsize=16)
def _pieces(signs: str, *, ascii_only: bool) -> re.Pattern[str]:
    return re.compile("|".join([*map(_ESCAPES.__getitem__, signs), *([] if ascii_only else [_ODD])]))


def second_reading(text: str, marks: str) -> Reading | None:
    """Return what *text* says when its evasions are undone, None if that is what it says already.

    Args:
        text: Any text.
        marks: Its rare signs.
    """
    plain_text = text.isascii() or not _MAYBE_ODD.search(text)
    signs = "".join([sign for sign in _ESCAPES if sign in marks and (sign != "+" or "=" in marks)]) if marks else ""
    if plain_text and not signs:
        return None
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    sources: list[tuple[int, int]] = []
    done = size = 0
    for hit in _pieces(signs, ascii_only=plain_text).finditer(text):
        piece = hit[0]
        undo = _UNDO.get(piece[0])
        plain = _plain(piece) if undo is None else undo(piece)
        if plain == piece:
            continue
        start = hit.start()
        parts += (text[done:start], plain)
        size += start - done
        starts.append(size)
        size += len(plain)
        ends.append(size)
        sources.append((start, hit.end()))
        done = hit.end()
    if not sources:
        return None
    parts.append(text[done:])
    return Reading("".join(parts), tuple(starts), tuple(ends), tuple(sources))
