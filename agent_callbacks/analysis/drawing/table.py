"""Tables for any width: columns give way in a given order, and what is left over goes to the bars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from agent_callbacks.analysis.drawing.ink import Paint

__all__ = ["Column", "flexible", "legend", "numbers", "table", "texts"]

_GAP: Final = 2
_ROOMY: Final = 0.4


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    ``draw`` gets a row's number and the column's cells, and returns exactly as many, painted. ``wanted`` is what it
    takes where there is room, ``least`` what it can live with, ``rank`` when it goes where even that is too much: the
    highest first, those of one rank together, 0 never. ``grows`` says that what no other column needs is its own.
    ``gap`` are the cells before it.
    """

    title: str
    draw: Callable[[int, int], str]
    wanted: int
    least: int
    rank: int = 0
    grows: bool = False
    right: bool = False
    style: str = "faint"
    gap: int = _GAP


def numbers(title: str, column: Sequence[str], paint: Paint, *, rank: int = 0, style: str = "") -> Column:
    """Return a column of short texts, set to the right."""
    return _texts(title, column, [style] * len(column), paint, rank=rank, right=True)


def texts(title: str, column: Sequence[str], paint: Paint, *, rank: int = 0, style: str = "") -> Column:
    """Return a column of short texts, set to the left."""
    return _texts(title, column, [style] * len(column), paint, rank=rank, right=False)


def legend(glyphs: Sequence[str], styles: Sequence[str], paint: Paint) -> Column:
    """Return a column of one character a row, each in its own style."""
    return Column("", lambda row, room: paint(cells.left(glyphs[row], room), styles[row]), 1, 1)


def flexible(title: str, column: Sequence[str], paint: Paint, *, least: int, style: str = "", rank: int = 0) -> Column:
    """Return a column of texts that are cut where there is no room for them."""
    made = texts(title, column, paint, style=style, rank=rank)
    return replace(made, least=min(least, made.wanted))


def _texts(title: str, column: Sequence[str], styles: Sequence[str], paint: Paint, *, rank: int, right: bool) -> Column:
    wanted = max(map(cells.width, (title, *column)))
    return Column(
        title, lambda row, room: _set(column[row], room, styles[row], paint, right=right), wanted, wanted, rank,
        right=right,
    )  # fmt: skip


def _set(text: str, room: int, style: str, paint: Paint, *, right: bool) -> str:
    """Return *text*, painted, in *room* cells; the blanks beside it are no part of the paint."""
    shown = cells.cut(text, room)
    blanks = " " * (room - cells.width(shown))
    return blanks + paint(shown, style) if right else paint(shown, style) + blanks


def table(columns: Iterable[Column], rows: int, width: int, paint: Paint) -> list[str]:
    """Return the lines of a table at most *width* cells wide, the line of titles first; none ends in blanks.

    Args:
        columns: From the left; those that are not wanted may have been left out already.
        rows: How many.
        width: In cells.
        paint: What colours.
    """
    kept = list(columns)
    while _sum(_sizes(kept, width)) > width and (first := max(each.rank for each in kept)):
        kept = [each for each in kept if each.rank != first]
    sizes = _fitted(kept, width)
    fitted = list(zip(kept, sizes, strict=True))
    titles = [_set(column.title, size, column.style, paint, right=column.right) for column, size in fitted]
    lines = [_line(kept, [column.draw(row, size) for column, size in fitted]) for row in range(rows)]
    return [_line(kept, titles), *lines] if any(column.title for column in kept) else lines


def _sizes(columns: Sequence[Column], width: int) -> list[tuple[int, Column]]:
    """Return what each column asks for before another has to go: one that can be cut takes two fifths at most."""
    return [(max(each.least, min(each.wanted, int(width * _ROOMY))) if each.least < each.wanted and not each.grows
             else each.least, each) for each in columns]  # fmt: skip


def _sum(sizes: Sequence[tuple[int, Column]]) -> int:
    return sum(size + (column.gap if place else 0) for place, (size, column) in enumerate(sizes))


def _fitted(columns: Sequence[Column], width: int) -> list[int]:
    """Return each column's cells: a column that can be cut gives way, one that grows takes what is left."""
    asked = _sizes(columns, width)
    spare = width - _sum(asked)
    sizes = [size for size, _ in asked]
    for place, column in enumerate(columns):
        if spare < 0 and column.least < sizes[place]:
            taken = min(-spare, sizes[place] - column.least)
            sizes[place] -= taken
            spare += taken
    for place, column in enumerate(columns):
        if spare > 0 and column.grows:
            sizes[place] = min(column.wanted, sizes[place] + spare)
    return sizes


def _line(columns: Sequence[Column], drawn: Sequence[str]) -> str:
    parts = [(" " * column.gap if place else "") + text
             for place, (column, text) in enumerate(zip(columns, drawn, strict=True))]  # fmt: skip
    return "".join(parts).rstrip()
