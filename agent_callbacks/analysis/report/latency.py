"""Where a run's seconds went, and what could be changed, as the page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.latency import Component as Kind
from agent_callbacks.analysis.report.amount import said
from agent_callbacks.analysis.report.model import Component, Finding
from agent_callbacks.analysis.shown import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent_callbacks.analysis.latency import ComponentTime, LatencyReport

__all__ = ["TITLES", "components_of", "critical_of", "findings_of", "unseen"]

_NANOSECONDS: Final = 1e9
TITLES: Final[Mapping[Kind, str]] = {
    Kind.REQUEST_SERIALIZATION: "Request serialization and connect",
    Kind.TIME_TO_FIRST_TOKEN: "Time to first token",
    Kind.OUTPUT_TOKENS: "Output tokens",
    Kind.MODEL_ANSWER: "Model answer, not streamed",
    Kind.TOOL_DOWNSTREAM: "Tools waiting for others",
    Kind.TOOL_MARSHALING: "Tools' own work",
    Kind.TOOL_QUEUE: "Tools waiting to begin",
    Kind.CONTEXT_INJECTION: "Context injection",
    Kind.FRAMEWORK_OVERHEAD: "Framework overhead",
    Kind.COORDINATION: "Between steps and agents",
    Kind.UNATTRIBUTED: "Unattributed",
}
_KINDS: Final[Mapping[str, str]] = {
    "sequential_calls": "Could run in parallel",
    "slow_peer": "A slow service",
    "queueing": "Waiting to begin",
    "first_token": "Waiting for first tokens",
    "growing_context": "Growing context",
    "framework": "Time in the framework",
}
_EVIDENCE: Final[Mapping[str, str]] = {
    "one_answer": "certain to be independent",
    "no_model_between": "strong evidence",
    "unrelated_arguments": "some evidence",
    "unknown_dependency": "weak evidence",
    "measured": "measured",
}


def components_of(report: LatencyReport) -> tuple[Component, ...]:
    """Return the components of *report*, those of no time left out but for the unattributed one."""
    return tuple(
        Component(part.component.value, TITLES[part.component], part.time_ns / _NANOSECONDS, part.share, _beside(part))
        for part in report.components
        if part.time_ns or part.component is Kind.UNATTRIBUTED
    )


def _beside(part: ComponentTime) -> str | None:
    """Say how much of a component ran beside something longer, where that is worth a word."""
    beside = part.work_ns - part.time_ns
    if beside <= part.work_ns / 100:
        return None
    return f"all calls together {said(part.work_ns / _NANOSECONDS, 'seconds')}: the rest ran beside something longer"


def findings_of(report: LatencyReport, places: Mapping[str, int]) -> tuple[Finding, ...]:
    """Return the findings of *report*, the one that saves most first; *places* are those of the rows by span id."""
    found = sorted(report.findings, key=lambda finding: -(finding.saving_ns or 0))
    return tuple(
        Finding(
            kind=finding.kind,
            title=_KINDS[finding.kind],
            text=visible(finding.text),
            evidence=_EVIDENCE[finding.evidence],
            saving=None if finding.saving_ns is None else finding.saving_ns / _NANOSECONDS,
            spans=tuple(places[span_id] for span_id in finding.span_ids if span_id in places),
        )
        for finding in found
    )


def critical_of(report: LatencyReport) -> dict[str, list[tuple[int, int]]]:
    """Return the pieces of the critical path by the id of the span they lie in, nanoseconds since the epoch."""
    found: dict[str, list[tuple[int, int]]] = {}
    for segment in report.segments:
        pieces = found.setdefault(segment.span_id, [])
        if pieces and pieces[-1][1] == segment.start_ns:
            pieces[-1] = (pieces[-1][0], segment.end_ns)
        else:
            pieces.append((segment.start_ns, segment.end_ns))
    return found


def unseen(report: LatencyReport) -> Iterator[str]:
    """Yield sentences on what the data cannot show."""
    for spot in report.blind_spots:
        yield visible(spot.text)
    if report.handler_ns is not None:
        yield f"agent-callbacks itself took {report.handler_ns / 1e6:.1f} ms of the run, inside the components above"
