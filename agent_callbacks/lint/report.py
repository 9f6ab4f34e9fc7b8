"""The result of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_callbacks.lint.finding import Finding
    from agent_callbacks.lint.source import SourceName

__all__ = ["Report", "merged"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found, and how much it looked at."""

    findings: tuple[Finding, ...] = ()
    names: tuple[SourceName, ...] = ()
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """``files``, ``spans``, ``tools``, ``literal``, ``resolved``, ``unresolved`` of source; ``traces``,
    ``trace_spans``: how many."""


def merged(reports: Iterable[Report]) -> Report:
    """Return one report of several, in the order of their places."""
    findings: list[Finding] = []
    names: list[SourceName] = []
    counts: dict[str, int] = {}
    for report in reports:
        findings += report.findings
        names += report.names
        for name, number in report.counts.items():
            counts[name] = counts.get(name, 0) + number
    return Report(tuple(sorted(findings, key=lambda finding: finding.order)), tuple(names), counts)
