"""Sentences and short items in lines of a given width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent_callbacks.analysis.drawing.ink import Paint

__all__ = ["BETWEEN", "bullets", "joined", "pairs", "wrapped"]

BETWEEN: Final = " · "


def wrapped(text: str, width: int, hanging: int = 0) -> list[str]:
    """Return *text*, made safe to print, in lines at most *width* cells wide, all but the first *hanging* cells in."""
    lines: list[str] = []
    line = ""
    for word in cells.printable(text).split():
        indent = " " * hanging if lines else ""
        longer = f"{line} {word}" if line.strip() else f"{indent}{word}"
        if line.strip() and cells.width(longer) > width:
            lines.append(line)
            line = f"{' ' * hanging}{word}"
        else:
            line = longer
        line = cells.cut(line, width)
    return [*lines, line] if line.strip() else lines


def joined(items: Sequence[str], width: int) -> list[str]:
    """Return *items* side by side on as many lines as they need."""
    lines: list[str] = []
    for item in (cells.cut(cells.printable(item), width) for item in items):
        longer = f"{lines[-1]}{BETWEEN}{item}" if lines else item
        if lines and cells.width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(item)
    return lines


def bullets(sentences: Iterable[str], width: int, mark: str = "·") -> list[str]:
    """Return each of *sentences* with a mark before it."""
    return [line for each in sentences for line in wrapped(f"{mark} {each}", width, 2)]


def pairs(items: Sequence[tuple[str, str]], width: int, paint: Paint) -> list[str]:
    """Return pairs of a short title and a sentence, the sentences in a column of their own."""
    aside = max((cells.width(title) for title, _ in items), default=0) + 2
    lines: list[str] = []
    for title, text in items:
        for place, line in enumerate(wrapped(text, max(1, width - aside))):
            lines.append((paint(cells.left("" if place else title, aside), "faint") + line).rstrip())
    return lines
