"""Columns of CSV, Markdown and SQL whose heading says what stands in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy.match import Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.privacy.keys import Names
    from agent_callbacks.privacy.views import Views

__all__ = ["columns", "inserts"]

_LONGEST_HEAD: Final = 400
_MOST_ROWS: Final = 5000
_SEPARATORS: Final = ("|", "\t", ";", ",")
_FEWEST: Final = 2
_HEADING: Final = re.compile(r"[\w .\-/#()]{0,40}")
_RULE: Final = re.compile(r"[|\-: ]{1,400}")
_NAMES: Final = frozenset({"name", "customer", "contact", "employee", "patient", "client", "person"})


def columns(seen: Views) -> Iterator[Match]:
    """Yield the cells of a table whose first line names its columns."""
    text = seen.text
    head_end = text.find("\n", 0, _LONGEST_HEAD)
    if head_end < 0:
        return
    head = text[:head_end].strip("\r")
    separator = next((one for one in _SEPARATORS if head.count(one) >= _FEWEST), None)
    if separator is None:
        return
    names = head.split(separator)
    if not all(map(_HEADING.fullmatch, (name.strip().strip("\"'") for name in names))):
        return
    kinds = [_kind(name.strip().strip("\"'"), seen.names) for name in names]
    if any(kinds):
        yield from _rows(text, head_end + 1, separator, kinds)


def _kind(name: str, names: Names) -> str | None:
    return "PERSON" if name.lower() in _NAMES else names.kind(name) if name else None


def _rows(text: str, at: int, separator: str, kinds: list[str | None]) -> Iterator[Match]:
    for _ in range(_MOST_ROWS):
        if at >= len(text):
            return
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        cells = _cells(text, at, end, separator)
        if len(cells) == len(kinds) and not _RULE.fullmatch(text, at, end):
            for (start, stop), kind in zip(cells, kinds, strict=True):
                if kind and start < stop:
                    yield Match(start, stop, kind, 32)
        at = end + 1


_CSV_CELL: Final = re.compile(r"\s{0,8}(?:\"((?:[^\"\n]|\"\"){0,4096}+)\"|([^,;\t|\n]{0,4096}))\s{0,8}")


def _cells(text: str, at: int, end: int, separator: str) -> list[tuple[int, int]]:
    cells: list[tuple[int, int]] = []
    while at <= end:
        quoted = _CSV_CELL.match(text, at, end)
        if quoted and quoted[1] is not None and text[quoted.end() : quoted.end() + 1] in {separator, "\n", "\r", ""}:
            cells.append(quoted.span(1))
            at = quoted.end() + 1
            continue
        stop = text.find(separator, at, end)
        stop = end if stop < 0 else stop
        start, last = at, stop
        while start < last and text[start].isspace():
            start += 1
        while last > start and text[last - 1].isspace():
            last -= 1
        cells.append((start, last))
        at = stop + 1
    return cells


_INSERT: Final = re.compile(
    r"(?i:insert\s{1,4}into\s{1,4}[\w.\"`\[\]]{1,120}\s{0,4})\(([^()]{1,1000})\)\s{0,4}(?i:values)\s{0,4}"
)
_VALUE: Final = re.compile(
    r"\s{0,4}(?:E?'((?:[^'\\]|''|\\.){0,4096}+)'|\"([^\"\n]{0,4096}+)\"|([^,()'\"]{1,256}+))\s{0,4}"
)
_MOST_VALUES: Final = 20_000


def inserts(seen: Views) -> Iterator[Match]:
    """Yield the values of SQL ``INSERT`` statements whose columns say what they are."""
    for statement in _INSERT.finditer(seen.text):
        kinds = [_kind(name.strip(" \n\t\"'`[]"), seen.names) for name in statement[1].split(",")]
        if any(kinds):
            yield from _tuples(seen.text, statement.end(), kinds)


def _tuples(text: str, at: int, kinds: list[str | None]) -> Iterator[Match]:
    place = 0
    for _ in range(_MOST_VALUES):
        sign = text[at : at + 1]
        if sign == "(":
            place = 0
        elif sign not in {",", ")"} or (sign == ")" and text[at + 1 : at + 2] not in {",", ""}):
            return
        at += 1
        value = _VALUE.match(text, at) if sign != ")" else None
        if value is None:
            while text[at : at + 1].isspace() or (sign == ")" and text[at : at + 1] == ","):
                at += 1
            continue
        if sign == "," and place == 0:
            return
        kind = kinds[place] if place < len(kinds) else None
        group = next(number for number in (1, 2, 3) if value[number] is not None)
        start, stop = value.span(group)
        if kind and value[group].strip() and value[group].strip().lower() not in {"null", "default", "?"}:
            yield Match(start, stop, kind, 32)
        place += 1
        at = value.end()
