"""What the tools of a run waited for, by tool and by whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_callbacks.analysis.row import kind_of
from agent_callbacks.analysis.shown import visible
from agent_callbacks.convention import keys
from agent_callbacks.convention.peers import peer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.analysis.trace import Trace

__all__ = ["Wait", "waits_of"]


@dataclass(slots=True)
class Wait:
    """All calls of one tool: seconds they took, seconds of it they waited, and for whom; *span* is the longest wait."""

    name: str
    calls: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    peers: dict[str, float] = field(default_factory=dict[str, float])
    span: str = ""
    longest: float = 0.0


def waits_of(trace: Trace) -> list[Wait]:
    """Return the tools of *trace* that say for how long they waited, the longest first."""
    found: dict[str, Wait] = {}
    for span in trace.spans:
        waited = span.attributes.get(keys.TOOL_DOWNSTREAM_DURATION)
        if kind_of(span) != "T" or not isinstance(waited, (int, float)) or waited <= 0:
            continue
        wait = found.setdefault(span.name, Wait(visible(span.name)))
        wait.calls += 1
        wait.seconds += span.duration
        wait.waited += waited
        if waited > wait.longest:
            wait.span, wait.longest = span.span_id, waited
        for peer, seconds in _peers(span, trace):
            wait.peers[peer] = wait.peers.get(peer, 0.0) + seconds
    return sorted(found.values(), key=lambda wait: -wait.waited)


def _peers(span: Span, trace: Trace) -> Iterator[tuple[str, float]]:
    """Yield for whom *span* waited: what it says itself, else the client spans directly below."""
    names = span.attributes.get(keys.TOOL_DOWNSTREAM_PEERS)
    durations = span.attributes.get(keys.TOOL_DOWNSTREAM_PEER_DURATIONS)
    if isinstance(names, tuple) and isinstance(durations, tuple):
        for name, seconds in zip(names, durations, strict=False):
            if isinstance(seconds, (int, float)):
                yield visible(str(name)), seconds
        return
    for child in trace.children(span):
        if child.kind == "CLIENT":
            yield visible(peer_of(child.name, child.attributes)), child.duration
