"""Comments that suppress: ``# noqa: SPN105`` and ``# agent-callbacks: ignore[SPN105] reason``."""

from __future__ import annotations

import dataclasses
import io
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent_callbacks.lint.finding import Edit, Finding
from agent_callbacks.lint.judge import found
from agent_callbacks.lint.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["Suppression", "applied", "suppressions"]

_NOQA: Final = re.compile(r"#\s*noqa(?P<listed>\s*:\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?", re.IGNORECASE)
_OURS: Final = re.compile(r"#\s*agent-callbacks:\s*ignore(?:\[(?P<codes>[^\]]*)\])?", re.IGNORECASE)
_CODE: Final = re.compile(r"[A-Z]+[0-9]+", re.IGNORECASE)
# An error of reading cannot be suppressed by a comment in what was not read.
_NEVER: Final = frozenset({"SPN900", "SPN901", "SPN902"})


@dataclass(frozen=True, slots=True)
class Suppression:
    """A comment; ``codes`` is empty where it suppresses everything on its line."""

    line: int
    column: int
    text: str
    codes: tuple[str, ...]


def suppressions(source: str) -> list[Suppression]:
    """Return the suppressing comments of *source*, which is known to parse."""
    if "noqa" not in source and "agent-callbacks:" not in source:
        return []
    stated: list[Suppression] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        for pattern in (_OURS, _NOQA) if token.type == tokenize.COMMENT else ():
            if match := pattern.search(token.string):
                codes = tuple(code.upper() for code in _CODE.findall(match["codes"] or ""))
                stated.append(Suppression(token.start[0], token.start[1] + 1, token.string, codes))
    return stated


def applied(
    findings: Sequence[Finding],
    comments: Sequence[Suppression],
    path: str,
    enabled: Collection[str],
    lines: Sequence[str],
) -> list[Finding]:
    """Return the *findings* of one file that no comment suppresses, and what is wrong with the comments.

    Args:
        findings: Of the file at *path*, whatever their code.
        comments: Of the same file.
        path: For the findings about comments.
        enabled: A comment for a rule that is off is not called unused.
        lines: Of the file.
    """
    used: set[tuple[int, str]] = set()
    kept: list[Finding] = []
    for finding in findings:
        hit = next((each for each in comments if _covers(each, finding)), None)
        if hit is None:
            kept.append(finding)
        else:
            used.add((hit.line, finding.code))
    for comment in comments:
        kept += _about(comment, used, path, enabled, lines[comment.line - 1])
    return kept


def _covers(comment: Suppression, finding: Finding) -> bool:
    on_line = finding.line <= comment.line <= max(finding.line, finding.end_line)
    return on_line and finding.code not in _NEVER and (not comment.codes or finding.code in comment.codes)


def _about(
    comment: Suppression, used: set[tuple[int, str]], path: str, enabled: Collection[str], line: str
) -> list[Finding]:
    given: dict[str, str | int] = {
        "path": path, "line": comment.line, "column": comment.column, "excerpt": line, "end_line": comment.line,
        "end_column": comment.column + len(comment.text), "name": comment.text,
    }  # fmt: skip
    listed: list[Finding] = []
    ours = [code for code in comment.codes if code.startswith("SPN")]
    for code in ours:
        if code not in RULES:
            listed.append(found("SPN902", f"`{code}` is no rule", help="see agent-callbacks rules", **given))
        elif code in enabled and (comment.line, code) not in used:
            unused = found("SPN901", f"`{code}` suppresses nothing here", help="remove it", **given)
            listed.append(dataclasses.replace(unused, edit=_without(comment, code, line)))
    return listed


def _without(comment: Suppression, code: str, line: str) -> Edit | None:
    """Return the edit that removes a comment which suppresses only *code*."""
    start, end = comment.column - 1, comment.column - 1 + len(comment.text)
    alone = _NOQA.fullmatch(comment.text.strip()) or _OURS.match(comment.text)
    if comment.codes != (code,) or alone is None:
        return None
    return Edit(comment.line, len(line[:start].rstrip()), comment.line, end, "")
