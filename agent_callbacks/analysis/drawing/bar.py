"""Bars: a stretch of time in half cells, a share in eighths of a cell, and parts stacked one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_callbacks.analysis.drawing.ink import Paint

__all__ = ["Part", "share", "stacked", "stretch"]

# Two halves of a cell -> the line drawn there: "=" body, "-" the lighter head.
_STROKES: Final[Mapping[str, str]] = {
    "  ": " ", "- ": "╴", " -": "╶", "--": "─", "= ": "╸", " =": "╺", "==": "━", "-=": "╼", "=-": "╾",
}  # fmt: skip
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FULL: Final = "█"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stacked bar: how much, and the character and the style it is drawn with."""

    amount: float
    glyph: str
    style: str


def stretch(begin: float, head: float | None, end: float, room: int) -> str:
    """Return the line from *begin* to *end*, thin until *head*, all three shares of *room*; never nothing."""
    halves = 2 * room
    first = min(int(begin * halves), max(0, halves - 1))
    last = max(first + 1, round(end * halves))
    turn = first if head is None else min(last - 1, round(head * halves))
    strokes = " " * first + "-" * (turn - first) + "=" * (last - max(first, turn))
    strokes = strokes.ljust(halves)
    return "".join(_STROKES[strokes[at : at + 2]] for at in range(0, halves, 2)).rstrip()


def share(amount: float, whole: float, room: int) -> str:
    """Return a bar as long as *amount* is of *whole*, which takes *room* cells; what is not nothing is seen."""
    if amount <= 0 or whole <= 0:
        return ""
    eighths = max(1, min(8 * room, round(8 * room * amount / whole)))
    return (_FULL * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def stacked(parts: Sequence[Part], whole: float, room: int, paint: Paint) -> str:
    """Return *parts* one after the other on a bar on which *whole* takes *room* cells.

    Each ends where the sum up to it ends, so that rounding never makes the bar longer or shorter than its sum; a part
    too small for a cell is left out.
    """
    drawn: list[str] = []
    reached, sum_ = 0, 0.0
    for part in parts:
        sum_ += max(0.0, part.amount)
        until = min(room, round(room * sum_ / whole)) if whole > 0 else 0
        drawn.append(paint(part.glyph * (until - reached), part.style))
        reached = until
    if not reached and sum_ > 0 and whole > 0:
        largest = max(parts, key=lambda part: part.amount)
        return paint(_EIGHTHS[2], largest.style)
    return "".join(drawn)
