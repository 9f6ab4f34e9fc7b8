"""Which component of latency each piece of the critical path belongs to: every nanosecond to exactly one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_callbacks.analysis.kinds import CALLS, CLIENTS, PLUMBING, Kind, kind_of
from agent_callbacks.analysis.phases import Component, phases, seconds_ns
from agent_callbacks.convention import keys
from agent_callbacks.interval import covered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.analysis.critical_path import Piece, Tree
    from agent_callbacks.analysis.span import Span

__all__ = ["Map", "Place", "Segment", "map_of", "segments"]


@dataclass(frozen=True, slots=True)
class Segment:
    """Time of the root that belongs to one component and one span; nanoseconds of Unix time.

    ``exact`` is False where only the length is known, not when it was: a tool's ``downstream()`` blocks are recorded as
    a sum, and drawn at the beginning of the tool's own time.
    """

    component: Component
    span_id: str
    start_ns: int
    end_ns: int
    exact: bool = True

    @property
    def length(self) -> int:
        """Nanoseconds."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span is: the innermost model call, tool (or retriever) and step around or at it, and the agent runs.

    ``client`` says that it is inside a client's span, so that all of it is waiting. A sub-agent's run begins afresh:
    its time is looked into, wherever it was called.
    """

    kind: Kind = "other"
    runs: tuple[str, ...] = ()
    step: Span | None = None
    tool: Span | None = None
    model: Span | None = None
    client: bool = False

    @property
    def call(self) -> Span | None:
        """The model call, tool or retriever that the time belongs to."""
        return self.model or self.tool


@dataclass(frozen=True, slots=True)
class Map:
    """The places of all spans of a tree, with what has to be known of its tools and model calls."""

    tree: Tree
    places: Mapping[str, Place]
    blocks: Mapping[str, int]
    """By tool: nanoseconds of ``downstream()`` blocks that no span shows."""
    own: Mapping[str, int]
    """By tool: nanoseconds that no client's span covers."""
    phases: Mapping[str, Sequence[tuple[int, Component]]]
    """By model call: its phases."""
    requests: Mapping[str, Sequence[tuple[int, int]]]
    """By model call: the HTTP requests seen in it."""

    def of(self, span: Span) -> Place:
        """Return the place of *span*."""
        return self.places[span.span_id]

    def lifted(self, call: Span | None, place: Place) -> Span | None:
        """Return the call of *place*'s own agent that *call* is part of, such as the tool around a sub-agent's."""
        if call is None:
            return None
        calls = [
            around
            for around in (call, *self.tree.above(call))
            if self.of(around).call is around and self.of(around).runs == place.runs
        ]
        return calls[-1] if calls else call


def map_of(tree: Tree) -> Map:
    """Return the places of all spans of *tree*."""
    found: dict[str, Place] = {}
    for span in tree.spans:
        parent = tree.parents.get(span.span_id)
        found[span.span_id] = _place(span, Place() if parent is None else found[parent.span_id])
    own, blocks = _unseen(tree, found)
    requests = _requests(tree, found)
    divided = {
        span.span_id: phases(span, tree.end(span), requests.get(span.span_id, ()))
        for span in tree.spans
        if found[span.span_id].model is span
    }
    return Map(tree, found, blocks, own, divided, requests)


def _place(span: Span, parent: Place) -> Place:
    kind = kind_of(span)
    if parent.model is not None:
        return replace(parent, kind=kind)
    client = parent.client or span.kind == "CLIENT" or kind in CLIENTS
    if kind == "run":
        return Place(kind, (*parent.runs, span.span_id))
    if kind == "model" or (kind == "embedding" and parent.tool is None):
        return replace(parent, kind=kind, model=span)
    if kind in CALLS and not (parent.client and parent.tool):
        return replace(parent, kind=kind, tool=span, client=client)
    return replace(parent, kind=kind, step=span if kind == "step" else parent.step, client=client)


def _tools(tree: Tree, found: Mapping[str, Place]) -> Iterator[tuple[str, Span]]:
    return ((span.span_id, span) for span in tree.spans if found[span.span_id].tool is span)


def _waits(tree: Tree, found: Mapping[str, Place]) -> dict[str, list[tuple[int, int]]]:
    """Return by tool what it waited for: the clients' spans at any depth, clipped to it."""
    waits: dict[str, list[tuple[int, int]]] = {key: [] for key, _ in _tools(tree, found)}
    for span in tree.spans:
        if span.kind == "CLIENT" or found[span.span_id].kind in CLIENTS:
            for around in (span, *tree.above(span)):
                if around.span_id in waits:
                    begin, end = max(span.start_ns, around.start_ns), min(tree.end(span), tree.end(around))
                    waits[around.span_id].append((begin, end))
    return waits


def _unseen(tree: Tree, found: Mapping[str, Place]) -> tuple[dict[str, int], dict[str, int]]:
    """Return by tool how long no client's span covers it, and how long of that it said that it waited."""
    waits = {key: covered(intervals) for key, intervals in _waits(tree, found).items()}
    own: dict[str, int] = {}
    blocks = dict.fromkeys(waits, 0)
    for key, span in reversed(list(_tools(tree, found))):
        said, nested = seconds_ns(span, keys.TOOL_DOWNSTREAM_DURATION) or 0, blocks[key]
        own[key] = tree.end(span) - span.start_ns - waits[key]
        blocks[key] = min(own[key], max(0, said - waits[key] - nested))
        for around in tree.above(span):
            if around.span_id in blocks:
                blocks[around.span_id] += blocks[key]
    return own, blocks


def _requests(tree: Tree, found: Mapping[str, Place]) -> dict[str, list[tuple[int, int]]]:
    """Return by model call its requests: the innermost clients' spans in it."""
    requests: dict[str, list[tuple[int, int]]] = {}
    inner: set[str] = set()
    for span in reversed(tree.spans):
        model = found[span.span_id].model
        if model is None or model is span or span.kind != "CLIENT" or span.span_id in inner:
            continue
        requests.setdefault(model.span_id, []).append((span.start_ns, tree.end(span)))
        inner.update(around.span_id for around in tree.above(span))
    return requests


# --- from pieces to segments -----------------------------------------------------------------------------------------


def segments(pieces: Sequence[Piece], placed: Map) -> list[Segment]:
    """Return the components of *pieces*, which are in the order of time; they tile what the pieces tile."""
    found: list[Segment] = []
    calls = [placed.of(piece.span).call for piece in pieces]
    following = _following(calls)
    waiting = _blocks_on(pieces, placed)
    before: Span | None = None
    for piece, call, after in zip(pieces, calls, following, strict=True):
        place = placed.of(piece.span)
        if place.model is not None:
            parts = _model_parts(piece, placed.phases[place.model.span_id])
        elif place.tool is not None:
            parts = _tool_parts(piece, place.tool, waiting, client=place.client)
        else:
            around = [placed.lifted(one, place) for one in (before, after)]
            parts = _own_parts(piece, place, around[0], around[1], placed)
        found += parts
        before = call or before
    return found


def _following(calls: Sequence[Span | None]) -> list[Span | None]:
    """Return for each place in *calls* the next one that is there."""
    found: list[Span | None] = []
    after: Span | None = None
    for call in reversed(calls):
        found.append(after)
        after = call or after
    return found[::-1]


def _blocks_on(pieces: Sequence[Piece], placed: Map) -> dict[str, int]:
    """Return by tool how much of its ``downstream()`` blocks lies in *pieces*: their share of its own time."""
    shown: dict[str, int] = {}
    for piece in pieces:
        place = placed.of(piece.span)
        if place.tool is not None and place.model is None and not place.client:
            key = place.tool.span_id
            shown[key] = shown.get(key, 0) + piece.end_ns - piece.start_ns
    return {key: min(length, placed.blocks[key] * length // max(1, placed.own[key])) for key, length in shown.items()}


def _model_parts(piece: Piece, divided: Sequence[tuple[int, Component]]) -> Iterator[Segment]:
    start = piece.start_ns
    for until, component in divided:
        end = min(piece.end_ns, until)
        if end > start:
            yield Segment(component, piece.span.span_id, start, end)
            start = end


def _tool_parts(piece: Piece, tool: Span, waiting: dict[str, int], *, client: bool) -> Iterator[Segment]:
    start, end = piece.start_ns, piece.end_ns
    if client:
        yield Segment(Component.TOOL_DOWNSTREAM, piece.span.span_id, start, end)
        return
    blocked = min(end - start, waiting[tool.span_id])
    waiting[tool.span_id] -= blocked
    if blocked:
        whole = blocked == end - start
        yield Segment(Component.TOOL_DOWNSTREAM, piece.span.span_id, start, start + blocked, exact=whole)
    if start + blocked < end:
        yield Segment(Component.TOOL_MARSHALING, piece.span.span_id, start + blocked, end, exact=not blocked)


def _own_parts(piece: Piece, place: Place, before: Span | None, after: Span | None, placed: Map) -> Iterator[Segment]:
    """Yield the parts of time between calls."""
    if place.client:
        component = Component.FRAMEWORK_OVERHEAD
    elif place.kind in PLUMBING:
        component = _between(place, before, after, placed)
    else:
        yield Segment(Component.UNATTRIBUTED, piece.span.span_id, piece.start_ns, piece.end_ns)
        return
    queued = _queued_from(after, placed)
    split = piece.end_ns if queued is None else min(piece.end_ns, max(piece.start_ns, queued))
    if split > piece.start_ns:
        yield Segment(component, piece.span.span_id, piece.start_ns, split)
    if split < piece.end_ns:
        yield Segment(Component.TOOL_QUEUE, piece.span.span_id, split, piece.end_ns)


def _queued_from(after: Span | None, placed: Map) -> int | None:
    """Return since when the tool *after* has been queued."""
    if after is None or placed.of(after).tool is not after:
        return None
    queue = seconds_ns(after, keys.TOOL_QUEUE_DURATION)
    return None if queue is None else after.start_ns - queue


def _between(place: Place, before: Span | None, after: Span | None, placed: Map) -> Component:
    """Return what the time between two calls is."""
    if before is None or after is None:
        return Component.FRAMEWORK_OVERHEAD
    last, following = placed.of(before), placed.of(after)
    if last.runs == following.runs == place.runs:
        return _within(place, last, following, after)
    inside = all(other.runs[: len(place.runs)] == place.runs for other in (last, following))
    return Component.COORDINATION if inside and last.runs != following.runs else Component.FRAMEWORK_OVERHEAD


def _within(place: Place, last: Place, following: Place, after: Span) -> Component:
    """Return what the time between two calls of one agent is.

    A step that opens before its model call shows by that where the prompt is built: what lies between the steps is then
    no part of it.
    """
    between_steps = place.step is None and last.step is not following.step
    if last.call is not None and last.model is None and following.model is not None:
        opened = following.step is not None and following.step.start_ns < after.start_ns
        return Component.COORDINATION if between_steps and opened else Component.CONTEXT_INJECTION
    return Component.COORDINATION if between_steps else Component.FRAMEWORK_OVERHEAD
