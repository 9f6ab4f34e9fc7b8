"""A trace in a notebook's cell: a small table, without script, link or style sheet.

Built as elements, never as text, so that nothing a span carries is read as markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET  # builds only; nothing is parsed

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.figure import counted
from agent_callbacks.analysis.row import rows, totals
from agent_callbacks.analysis.waterfall import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_callbacks.analysis.row import Kind, Row
    from agent_callbacks.analysis.trace import Trace

__all__ = ["table"]

MAX_ROWS: Final = 200
_LONGEST_NAME: Final = 80
_COLORS: Final[Mapping[Kind, str]] = {
    "A": "#64748b", "S": "#8291a7", "M": "#7c5fd3", "E": "#7c5fd3",
    "T": "#10897a", "R": "#b0690f", "C": "#2a7ca3", "N": "#78818d",
    "·": "#78818d",
}  # fmt: skip
_FAILED: Final = "#c8372d"
_CELL: Final = "text-align:left;padding:1px 10px 1px 0;border:0;background:none"
_NUMBER: Final = f"{_CELL};text-align:right;font-variant-numeric:tabular-nums"
_PATH: Final = "white-space:pre;font-family:monospace"


def table(trace: Trace) -> str:
    """Return *trace* as an HTML table of at most 200 spans."""
    lines = rows(trace)
    box = ET.Element("div", style="max-width:1000px;font-size:13px")
    ET.SubElement(box, "div", style="font-weight:600").text = _head(trace)
    grid = ET.SubElement(box, "table", style="border-collapse:collapse;width:100%;font-size:inherit")
    _line(grid, "th", ("span", "time", "in", "out", ""))
    for row in lines[:MAX_ROWS]:
        shown = (_name(row), duration(row.duration), _count(row.input_tokens), _count(row.output_tokens), "")
        cell = _line(grid, "td", shown)
        _bar(cell, row)
    if len(lines) > MAX_ROWS:
        more = f"and {len(lines) - MAX_ROWS:,} more spans; agent-callbacks report shows all"
        ET.SubElement(box, "div").text = more
    return ET.tostring(box, encoding="unicode", method="html")


def _head(trace: Trace) -> str:
    sums = totals(trace)
    parts = [
        cells.printable(trace.root.name),
        duration(trace.duration),
        counted(sums.steps, "step"),
    ]
    if sums.input_tokens is not None:
        parts.append(f"{sums.input_tokens:,} tokens in")
    return " · ".join(parts)


def _line(grid: ET.Element, tag: str, texts: Sequence[str]) -> ET.Element:
    """Add a row; return its last cell, which has the bar."""
    row = ET.SubElement(grid, "tr", style="background:none")
    styles = (f"{_CELL};{_PATH}", _NUMBER, _NUMBER, _NUMBER, f"{_CELL};width:45%")
    cell = row
    for style, text in zip(styles, texts, strict=True):
        cell = ET.SubElement(row, tag, style=style)
        cell.text = text
    return cell


def _name(row: Row) -> str:
    mark = f" ✗ {row.mark}" if row.failed else f" {row.mark}" if row.mark else ""
    return cells.cut(f"{row.prefix}{row.name}{mark}", _LONGEST_NAME)


def _count(tokens: int | None) -> str:
    return "" if tokens is None else f"{tokens:,}"


def _bar(cell: ET.Element, row: Row) -> None:
    color = _FAILED if row.failed else _COLORS[row.kind]
    length = max(0.2, 100 * (row.end - row.begin))
    left = min(100 * row.begin, 100 - length)
    ET.SubElement(
        cell,
        "div",
        style=f"margin-left:{left:.2f}%;width:{length:.2f}%;height:9px;border-radius:2px;background:{color}",
    )
