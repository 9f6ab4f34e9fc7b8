"""Comma-separated values that a spreadsheet opens without running anything in them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final, TypeAlias

from agent_callbacks.analysis import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Cell", "written"]

Cell: TypeAlias = "str | int | float | bool | None"

# What spreadsheets take for the beginning of a formula, also in its wide form, and what some skip before it
# (OWASP, "CSV Injection"). An apostrophe before it makes the cell a text, and is what those show or swallow.
_FORMULA: Final = frozenset("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20\uff05\uff5c")
_TEXT: Final = "'"
_SEPARATORS: Final = ";,\t"


def written(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table (RFC 4180, but for lines that end as Unix's do), without a final newline.

    Numbers stand as they are; every text is quoted, is on one line, and has an apostrophe before it where a spreadsheet
    would take it, or what follows a separator in it, for a formula.
    """
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(titles)
    for row in rows:
        writer.writerow([_cell(each) for each in row])
    return text.getvalue().removesuffix("\n")


def _cell(value: Cell) -> Cell:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return "" if value is None else value
    text = cells.printable(value)
    return f"{_TEXT}{text}" if _dangerous(value) or _dangerous(text) else text


def _dangerous(text: str) -> bool:
    after = [text[place + 1 :] for place, character in enumerate(text) if character in _SEPARATORS]
    return not _FORMULA.isdisjoint(part.lstrip(" ")[:1] for part in (text, *after))
