"""Reading traces back: from memory, the local store and OTLP-JSON, as values and as text."""

from __future__ import annotations

from agent_callbacks.analysis.latency import (
    BlindSpot,
    Component,
    ComponentTime,
    Finding,
    LatencyReport,
    ModelTiming,
    Segment,
    latency_report,
)
from agent_callbacks.analysis.outcome import RunOutcome
from agent_callbacks.analysis.personal import assert_no_pii
from agent_callbacks.analysis.span import Event, Link, Span, TraceError
from agent_callbacks.analysis.trace import Trace, load

__all__ = [
    "BlindSpot", "Component", "ComponentTime", "Event", "Finding", "LatencyReport", "Link", "ModelTiming", "RunOutcome",
    "Segment", "Span", "Trace", "TraceError", "assert_no_pii", "latency_report", "load",
]  # fmt: skip
