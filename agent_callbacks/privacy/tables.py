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
    while at < len(text):
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
    r"\s{0,4}(?:E?'((?:[^'\\]|''|\\.){0,4096}+)'|\"([^\"\n]{0,4096}+)\"|([^,()'\"]{1,256}+)(\([^()]{0,128}\))?)\s{0,4}"
)


def inserts(seen: Views) -> Iterator[Match]:
    """Yield the values of SQL ``INSERT`` statements whose columns say what they are."""
    for statement in _INSERT.finditer(seen.text):
        kinds = [_kind(name.strip(" \n\t\"'`[]"), seen.names) for name in statement[1].split(",")]
        if any(kinds):
            yield from _tuples(seen.text, statement.end(), kinds)


def _tuples(text: str, at: int, kinds: list[str | None]) -> Iterator[Match]:
    if not text.startswith("(", at):
        return
    place, at = 0, at + 1
    while value := _VALUE.match(text, at):
        group = value.lastindex or 0
        if (
            group < _CALL
            and place < len(kinds)
            and (kind := kinds[place])
            and value[group].strip().lower() not in _NO_VALUES
        ):
            yield Match(*value.span(group), kind, 32)
        place, at = place + 1, value.end()
        if text.startswith(",", at):
            at += 1
        elif following := _NEXT.match(text, at):
            place, at = 0, following.end()
        else:
            return


_CALL: Final = 4
_NEXT: Final = re.compile(r"\)\s{0,8},\s{0,8}\(")
_NO_VALUES: Final = frozenset({"", "null", "default", "?"})
