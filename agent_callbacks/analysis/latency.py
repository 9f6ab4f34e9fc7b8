"""Where the seconds of a run went: every nanosecond of its root to one component, in words what could be faster.

``latency_report(trace)`` is all there is to call; what comes back is frozen values for a terminal, a page or a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.attribution import Map, Segment, map_of, segments
from agent_callbacks.analysis.blind_spots import BlindSpot, blind_spots
from agent_callbacks.analysis.critical_path import Piece, Tree, pieces, tree_of
from agent_callbacks.analysis.findings import Finding, Shape, findings
from agent_callbacks.analysis.phases import Component, seconds_ns
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.analysis.trace import Trace

__all__ = [
    "BlindSpot", "Component", "ComponentTime", "Finding", "LatencyReport", "ModelTiming", "Segment", "latency_report",
]  # fmt: skip

MODEL: Final = (Component.TIME_TO_FIRST_TOKEN, Component.OUTPUT_TOKENS, Component.MODEL_ANSWER)
"""The components in which a model is waited for."""
TOOLS: Final = (Component.TOOL_DOWNSTREAM, Component.TOOL_MARSHALING, Component.TOOL_QUEUE)
"""The components of tool execution."""


@dataclass(frozen=True, slots=True)
class ComponentTime:
    """How long one component took.

    ``time_ns`` is its time on the critical path, in which the run waited for it. ``share`` is that over the run's
    duration. ``work_ns`` adds up all calls, those beside the path too: what lies above ``time_ns`` ran in
    parallel to something longer. For what is no call they are the same.
    """

    component: Component
    time_ns: int
    share: float
    work_ns: int


@dataclass(frozen=True, slots=True)
class ModelTiming:
    """How fast one model call answered.

    Durations are nanoseconds, None where the call was not streamed or reported no tokens. ``tokens_per_second`` counts
    the tokens after the first over the time from the first to the last chunk.
    """

    span_id: str
    model: str | None
    duration_ns: int
    input_tokens: int | None
    output_tokens: int | None
    first_token_ns: int | None
    output_ns: int | None
    tokens_per_second: float | None


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """Where the time of a run went.

    ``components`` holds every component, also those of zero, in the order of ``Component``; their times add up to
    ``duration_ns`` exactly. ``segments`` are in the order of time and tile the root's span without gap or overlap.
    ``critical_path`` holds the ids of the spans the run waited for, in the order in which it first did.
    ``handler_ns`` is what this package's own callbacks took, None where that was not measured; it lies inside the other
    components, mostly framework overhead.
    """

    trace_id: str
    root_id: str
    name: str
    start_ns: int
    duration_ns: int
    components: tuple[ComponentTime, ...]
    segments: tuple[Segment, ...]
    critical_path: tuple[str, ...]
    models: tuple[ModelTiming, ...]
    findings: tuple[Finding, ...]
    blind_spots: tuple[BlindSpot, ...]
    handler_ns: int | None

    def time(self, *components: Component) -> int:
        """Return the nanoseconds on the critical path of *components* together."""
        return sum(one.time_ns for one in self.components if one.component in components)

    @property
    def model_ns(self) -> int:
        """Nanoseconds on the critical path in which a model was waited for."""
        return self.time(*MODEL)

    @property
    def tool_ns(self) -> int:
        """Nanoseconds on the critical path of tool execution: waiting, marshaling and queue."""
        return self.time(*TOOLS)


def latency_report(trace: Trace) -> LatencyReport:
    """Return where the time of *trace* went.

    The run is the span of ``trace.root``. Spans of other instrumentations, children that outlast their parents, spans
    whose parent is missing and spans without an end are taken as far as the clock allows; ``blind_spots`` says what
    cannot be seen for lack of data.

    Args:
        trace: As ``load`` reads it, from memory, a store or OTLP-JSON.
    """
    tree = tree_of(trace)
    placed = map_of(tree)
    path = pieces(tree)
    found = segments(path, placed)
    times = _summed(found)
    whole = tree.end(tree.root) - tree.root.start_ns
    work = _work(tree, placed, times)
    shape = Shape(placed, _on_path(tree, path), times, whole)
    return LatencyReport(
        trace_id=trace.trace_id,
        root_id=tree.root.span_id,
        name=tree.root.name,
        start_ns=tree.root.start_ns,
        duration_ns=whole,
        components=tuple(
            ComponentTime(one, times[one], times[one] / whole if whole else 0.0, work[one]) for one in times
        ),
        segments=tuple(_merged(found)),
        critical_path=_critical(tree, path),
        models=tuple(_timing(span, placed) for span in tree.spans if placed.of(span).model is span),
        findings=tuple(findings(shape)),
        blind_spots=tuple(blind_spots(placed)),
        handler_ns=seconds_ns(tree.root, keys.RUN_HANDLER_DURATION),
    )


def _summed(found: Iterable[Segment]) -> dict[Component, int]:
    times = dict.fromkeys(Component, 0)
    for segment in found:
        times[segment.component] += segment.length
    return times


def _work(tree: Tree, placed: Map, times: Mapping[Component, int]) -> dict[Component, int]:
    """Return by component the sum over all calls, whether the run waited for them or not."""
    work = dict(times)
    for component in (Component.REQUEST_SERIALIZATION, *MODEL, *TOOLS):
        work[component] = 0
    for span in tree.spans:
        place = placed.of(span)
        if place.call is not span:
            continue
        if place.tool is span:
            work[Component.TOOL_QUEUE] += seconds_ns(span, keys.TOOL_QUEUE_DURATION) or 0
        own = [piece for piece in pieces(tree, span) if placed.of(piece.span).call is span]
        for segment in segments(own, placed):
            if segment.component in work and segment.component is not Component.FRAMEWORK_OVERHEAD:
                work[segment.component] += segment.length
    return work


def _on_path(tree: Tree, path: Iterable[Piece]) -> dict[str, int]:
    """Return by span how long the run waited for it or for something in it."""
    found: dict[str, int] = {}
    for piece in path:
        found[piece.span.span_id] = found.get(piece.span.span_id, 0) + piece.end_ns - piece.start_ns
    for span in reversed(tree.spans):
        parent = tree.parents.get(span.span_id)
        if parent is not None and span.span_id in found:
            found[parent.span_id] = found.get(parent.span_id, 0) + found[span.span_id]
    return found


def _critical(tree: Tree, path: Iterable[Piece]) -> tuple[str, ...]:
    """Return the spans of *path* and those around them, in the order in which they were first waited for."""
    found: dict[str, None] = {}
    for piece in path:
        new = takewhile(lambda span: span.span_id not in found, chain((piece.span,), tree.above(piece.span)))
        found.update(dict.fromkeys(reversed([span.span_id for span in new])))
    return tuple(found)


def _merged(found: Iterable[Segment]) -> list[Segment]:
    """Return *found* with neighbours of one component and span as one."""
    merged: list[Segment] = []
    for segment in found:
        last = merged[-1] if merged else None
        same = last is not None and (last.component, last.span_id, last.exact) == (
            segment.component, segment.span_id, segment.exact,
        )  # fmt: skip
        if last is not None and same:
            merged[-1] = Segment(last.component, last.span_id, last.start_ns, segment.end_ns, last.exact)
        else:
            merged.append(segment)
    return merged


def _timing(span: Span, placed: Map) -> ModelTiming:
    spent: dict[Component, int] = {}
    reached = span.start_ns
    for until, component in placed.phases[span.span_id]:
        spent[component] = until - reached
        reached = until
    model = span.attributes.get(keys.RESPONSE_MODEL) or span.attributes.get(keys.REQUEST_MODEL)
    first = spent.get(Component.TIME_TO_FIRST_TOKEN)
    output = None if first is None else spent[Component.OUTPUT_TOKENS]
    if first is not None:
        first += spent.get(Component.REQUEST_SERIALIZATION, 0)
    made = span.count(keys.USAGE_OUTPUT_TOKENS)
    paced = output and made is not None and made > 1
    return ModelTiming(
        span_id=span.span_id,
        model=model if isinstance(model, str) else None,
        duration_ns=placed.tree.end(span) - span.start_ns,
        input_tokens=span.count(keys.USAGE_INPUT_TOKENS),
        output_tokens=made,
        first_token_ns=first,
        output_ns=output,
        tokens_per_second=((made or 0) - 1) * 1e9 / (output or 1) if paced else None,
    )
