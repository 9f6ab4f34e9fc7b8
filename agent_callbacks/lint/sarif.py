"""Findings as a SARIF 2.1.0 log (OASIS), which code scanning services take."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from agent_callbacks.lint.rules import RULES
from agent_callbacks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent_callbacks.lint.finding import Finding, Level
    from agent_callbacks.lint.rules import Rule

__all__ = ["sarif"]

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final[Mapping[Level, str]] = {"error": "error", "warning": "warning", "information": "note"}


def sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return *findings* as one SARIF log with one run; all rules are described, so that indexes are stable."""
    listed = list(RULES.values())
    order = {rule.code: place for place, rule in enumerate(listed)}
    driver = {"name": "agent-callbacks", "version": __version__, "rules": list(map(_rule, listed))}
    results = [_result(finding, order[finding.code]) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"wrong: {rule.bad}\nright: {rule.good}"},
        "defaultConfiguration": {"level": _LEVELS[rule.level]},
    }


def _result(finding: Finding, place: int) -> dict[str, Any]:
    text = finding.message + (f"\n{finding.help}" if finding.help else "")
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.path)}}
    if finding.line:
        region = {"startLine": finding.line, "startColumn": finding.column}
        if finding.end_line >= finding.line:
            region |= {"endLine": finding.end_line, "endColumn": finding.end_column}
        physical["region"] = region
    # What a finding is about, not the line it stands on: it stays the same finding when lines are added above it.
    identity = f"{finding.code}\0{finding.path}\0{finding.name}\0{finding.excerpt.strip()}"
    return {
        "ruleId": finding.code,
        "ruleIndex": place,
        "level": _LEVELS[finding.level],
        "message": {"text": text},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"finding/v1": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()},
    }


def _uri(path: str) -> str:
    file = Path(path)
    return file.as_uri() if file.is_absolute() else quote(file.as_posix())
