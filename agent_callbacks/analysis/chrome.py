"""A trace in Chrome's trace event format, which Perfetto, chrome://tracing and speedscope open.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Slices of one track must
lie within each other, so a span that runs beside its sibling goes to a track of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent_callbacks.analysis.row import kind_of
from agent_callbacks.analysis.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent_callbacks.analysis.row import Kind
    from agent_callbacks.analysis.span import Span, Value
    from agent_callbacks.analysis.trace import Trace

__all__ = ["document"]

_PROCESS: Final = 1
_CATEGORIES: Final[Mapping[Kind, str]] = {
    "A": "agent", "S": "step", "M": "model", "E": "embedding",
    "T": "tool", "R": "retriever", "C": "chain", "N": "node", "·": "other",
}  # fmt: skip


def document(trace: Trace) -> dict[str, Any]:
    """Return *trace* as a dict that ``json.dump`` writes as a file to open in Perfetto.

    Times are microseconds from the trace's start; ``otherData.start_ns`` is that start in nanoseconds since the epoch.
    """
    tracks = _tracks(trace)
    names = {tracks[span.span_id]: span.name for span in reversed(trace.spans)}
    events = [_named("process_name", 0, trace.root.name)]
    events += [_named("thread_name", track, f"{track} · {names[track]}") for track in sorted(names)]
    for span, _ in trace.walk():
        events += _events(span, tracks[span.span_id], trace.start_ns)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"trace_id": trace.trace_id, "start_ns": str(trace.start_ns)},
    }


def _tracks(trace: Trace) -> dict[str, int]:
    """Return the track of each span, from 1: its parent's where nothing else runs, else one where nothing does."""
    open_spans: list[list[Span]] = []  # by track, the spans that run now, each within the one before
    tracks: dict[str, int] = {}
    order = {span.span_id: place for place, (span, _) in enumerate(trace.walk())}
    for span in sorted(trace.spans, key=lambda span: (span.start_ns, order[span.span_id])):
        for running in open_spans:
            while running and _end(running[-1]) <= span.start_ns:
                running.pop()
        home = tracks.get(span.parent_id or "", 0)
        if not (home and _lies_in(span, open_spans[home - 1])):
            home = next((place for place, running in enumerate(open_spans, 1) if not running), len(open_spans) + 1)
        if home > len(open_spans):
            open_spans.append([])
        open_spans[home - 1].append(span)
        tracks[span.span_id] = home
    return tracks


def _lies_in(span: Span, running: list[Span]) -> bool:
    return not running or (running[-1].span_id == span.parent_id and _end(span) <= _end(running[-1]))


def _end(span: Span) -> int:
    return max(span.start_ns, span.end_ns)


def _arguments(attributes: Mapping[str, Value]) -> dict[str, Any]:
    return {key: shown(value) for key, value in attributes.items()}


def _named(what: str, track: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": _PROCESS, "tid": track, "args": {"name": name}}


def _events(span: Span, track: int, start_ns: int) -> Iterator[dict[str, Any]]:
    """Yield the span as a complete event, and what happened during it as instants."""
    common = {"cat": _CATEGORIES[kind_of(span)], "pid": _PROCESS, "tid": track}
    about: dict[str, Any] = {"span_id": span.span_id, "status": span.status, **_arguments(span.attributes)}
    if not span.end_ns:
        about["unfinished"] = True
    yield {
        "ph": "X",
        "name": span.name,
        "ts": (span.start_ns - start_ns) / 1000,
        "dur": (_end(span) - span.start_ns) / 1000,
        "args": about,
        **common,
    }
    for event in span.events:
        at = (event.time_ns - start_ns) / 1000
        yield {"ph": "i", "s": "t", "name": event.name, "ts": at, "args": _arguments(event.attributes), **common}
