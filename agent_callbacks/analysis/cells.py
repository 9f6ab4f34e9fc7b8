"""Text in terminal cells: made harmless, measured, cut and padded."""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import Final

ELLIPSIS: Final = "…"

# Whole sequences go, not only their ESC, so that no "[31m" is left standing: CSI, then OSC/DCS/SOS/PM/APC with their
# terminator, then the two-byte ones (ECMA-48, sections 5.4 and 8.3). Bounded, so that hostile text costs linear time.
_SEQUENCES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]{0,8}[0-~]?"
)
_SPACES: Final = re.compile(r"\s+")
# Control, format (bidi overrides, zero width), surrogates, private use, unassigned, line and paragraph separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COMBINING: Final = frozenset({"Mn", "Me"})


def printable(text: str) -> str:
    """Return *text* on one line, without escape sequences, control, format or otherwise invisible characters.

    What a span carries may come from anyone; nothing of it may steer the terminal it is shown on.
    """
    if text.isascii() and text.isprintable():
        return text
    line = _SPACES.sub(" ", _SEQUENCES.sub("", text))
    return _SPACES.sub(" ", "".join(filter(_visible, line)))


def _visible(character: str) -> bool:
    return unicodedata.category(character) not in _HIDDEN


def width(text: str) -> int:
    """Return how many terminal cells *text* takes (Unicode TR11: wide and fullwidth take two, combining none)."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in _COMBINING:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, cells: int) -> str:
    """Return *text* in at most *cells* cells, an ellipsis standing for what is missing."""
    if width(text) <= cells:
        return text
    fitting = sum(taken < cells for taken in itertools.accumulate(map(_cells, text)))
    return text[:fitting] + ELLIPSIS if cells > 0 else ""


def left(text: str, cells: int) -> str:
    """Return *text* cut or padded on its right to exactly *cells* cells."""
    text = cut(text, cells)
    return text + " " * (cells - width(text))


def right(text: str, cells: int) -> str:
    """Return *text* cut or padded on its left to exactly *cells* cells."""
    text = cut(text, cells)
    return " " * (cells - width(text)) + text
