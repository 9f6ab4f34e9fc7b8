"""What was found, as text: for people, for editors, for machines, for GitHub."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from agent_callbacks.analysis import cells
from agent_callbacks.lint.finding import LEVELS
from agent_callbacks.lint.rules import RULES
from agent_callbacks.lint.sarif import sarif

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent_callbacks.lint.finding import Finding, Level
    from agent_callbacks.lint.report import Report

__all__ = ["FORMATS", "document", "summary"]

SCHEMA: Final = "agent_callbacks.lint/1"
_COLORS: Final[Mapping[Level, str]] = {"error": "31", "warning": "33", "information": "36"}
_GITHUB: Final[Mapping[Level, str]] = {"error": "error", "warning": "warning", "information": "notice"}
_FIELDS: Final = (
    "path", "line", "column", "end_line", "end_column", "name", "help", "trace_id", "span_id",
)  # fmt: skip


# --- for people ------------------------------------------------------------------------------------------------------
def full(report: Report, *, color: bool = False) -> str:
    """Return every finding with its line and a caret under the name, and a summary."""
    blocks = [_block(finding, color=color) for finding in report.findings]
    return "\n\n".join([*blocks, summary(report)])


def concise(report: Report, *, color: bool = False) -> str:
    """Return one line a finding, and a summary."""
    return "\n".join([*(_heading(finding, color=color) for finding in report.findings), summary(report)])


def _heading(finding: Finding, *, color: bool) -> str:
    code = _painted(f"{finding.code} {RULES[finding.code].name}", _COLORS[finding.level], color=color)
    return f"{_where(finding)}: {code}: {cells.printable(finding.message)}"


def _where(finding: Finding) -> str:
    place = cells.printable(finding.path)
    if finding.line:
        return f"{place}:{finding.line}:{finding.column}"
    return f"{place}: trace {finding.trace_id[:8]}" if finding.trace_id else place


def _block(finding: Finding, *, color: bool) -> str:
    lines = [_heading(finding, color=color)]
    if finding.excerpt:
        number = str(finding.line) if finding.line else ""
        shown, before, width = _marked(finding)
        caret = _painted("^" * max(1, width), _COLORS[finding.level], color=color)
        blank = " " * len(number)
        lines += [f"{number} | {shown}", f"{blank} | {' ' * before}{caret}"]
    if finding.help:
        lines.append(f"  help: {cells.printable(finding.help)}")
    return "\n".join(lines)


def _marked(finding: Finding) -> tuple[str, int, int]:
    """Return the excerpt as it may be shown, the cells before the caret, and those above it."""
    start = finding.column - 1
    end = finding.end_column - 1 if finding.end_line == finding.line else len(finding.excerpt)
    indent = len(finding.excerpt) - len(finding.excerpt.lstrip()) if finding.line else 0
    before = cells.printable(finding.excerpt[indent:start])
    named = cells.printable(finding.excerpt[start:end])
    rest = cells.printable(finding.excerpt[end:])
    margin = " " * indent
    return margin + before + named + rest.rstrip(), indent + cells.width(before), cells.width(named)


def _painted(text: str, code: str, *, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def summary(report: Report) -> str:
    """Return how much was looked at, how much of it could be followed, and how many findings there are."""
    counts = report.counts
    parts = [_counted(counts.get("files", 0), "file")]
    if counts.get("traces"):
        parts.append(f"{_counted(counts['traces'], 'trace')} with {_counted(counts['trace_spans'], 'span')}")
    followed = ", ".join(f"{counts.get(how, 0)} {how}" for how in ("literal", "resolved", "unresolved"))
    names, tools = _counted(counts.get("spans", 0), "span name"), _counted(counts.get("tools", 0), "tool or agent")
    parts.append(f"{names} and {tools} ({followed})".replace("tool or agents", "tools or agents"))
    found = {level: sum(each.level == level for each in report.findings) for level in LEVELS}
    ending = ", ".join(_counted(number, level) for level, number in found.items())
    fixable = sum(each.edit is not None and each.edit.safe for each in report.findings)
    return f"{', '.join(parts)}: {ending}" + (f"; {fixable} fixable with --fix" if fixable else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 or noun == "information" else f"{number} {noun}s"


# --- for machines ----------------------------------------------------------------------------------------------------
def _as_json(report: Report, *, color: bool = False) -> str:
    del color
    listed = list(map(document, report.findings))
    return json.dumps({"schema": SCHEMA, "counts": report.counts, "findings": listed}, indent=2)


def _as_jsonl(report: Report, *, color: bool = False) -> str:
    del color
    return "\n".join(json.dumps(document(finding)) for finding in report.findings)


def document(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON has it: code, rule, level, message, place, and its fix where there is one."""
    made: dict[str, Any] = {
        "code": finding.code,
        "rule": RULES[finding.code].name,
        "level": finding.level,
        "message": finding.message,
    }
    made.update((name, getattr(finding, name)) for name in _FIELDS)
    made["fix"] = None if finding.edit is None else dataclasses.asdict(finding.edit)
    return made


def _github(report: Report, *, color: bool = False) -> str:
    del color
    return "\n".join(map(_annotation, report.findings))


def _annotation(finding: Finding) -> str:
    """Return a workflow command (GitHub, "Workflow commands for GitHub Actions")."""
    properties: dict[str, object] = {"file": finding.path}
    if finding.line:
        properties |= {"line": finding.line, "endLine": max(finding.line, finding.end_line), "col": finding.column}
        if finding.end_line == finding.line:
            properties["endColumn"] = max(finding.column, finding.end_column)
    properties["title"] = f"{finding.code} {RULES[finding.code].name}"
    listed = ",".join(f"{key}={_escaped(str(value), more=True)}" for key, value in properties.items())
    text = finding.message + (f"; {finding.help}" if finding.help else "")
    return f"::{_GITHUB[finding.level]} {listed}::{_escaped(text)}"


def _escaped(text: str, *, more: bool = False) -> str:
    pairs: Sequence[tuple[str, str]] = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
    if more:
        pairs = (*pairs, (":", "%3A"), (",", "%2C"))
    for found, replacement in pairs:
        text = text.replace(found, replacement)
    return text


def _sarif(report: Report, *, color: bool = False) -> str:
    del color
    return json.dumps(sarif(report.findings), indent=2)


FORMATS: Final[Mapping[str, Callable[..., str]]] = {
    "full": full,
    "concise": concise,
    "json": _as_json,
    "jsonl": _as_jsonl,
    "github": _github,
    "sarif": _sarif,
}
"""Name -> a function of a report and ``color``."""
