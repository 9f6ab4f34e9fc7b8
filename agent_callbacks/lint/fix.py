"""Repairing source: the edits of findings, applied from the end of a file to its beginning."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_callbacks.lint.finding import Edit, Finding

__all__ = ["diff", "repaired"]


def repaired(source: str, findings: Iterable[Finding], *, unsafe: bool = False) -> tuple[str, int]:
    """Return *source* with the edits of *findings*, and how many there were; of two at one place the first counts.

    Args:
        source: The file's text.
        findings: Of this file.
        unsafe: Also make the edits that change more than the name of a span: what a tool is called for the model.
    """
    edits = {_place(each.edit): each.edit for each in findings if each.edit and (unsafe or each.edit.safe)}
    lines = source.splitlines(keepends=True)
    done = 0
    before: tuple[int, int] | None = None
    for edit in sorted(edits.values(), key=_place, reverse=True):
        end = (edit.end_line, edit.end_column)
        if before is None or end <= before:
            line = lines[edit.line - 1]
            lines[edit.line - 1] = line[: edit.column] + edit.text + line[edit.end_column :]
            before = (edit.line, edit.column)
            done += 1
    return "".join(lines), done


def _place(edit: Edit) -> tuple[int, int]:
    return edit.line, edit.column


def diff(path: str, before: str, after: str) -> str:
    """Return a unified diff of one file."""
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), path, path)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
