"""What cannot be seen in a trace, and where the time that is not seen is shown instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.figure import counted
from agent_callbacks.analysis.phases import Component
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.analysis.attribution import Map, Place
    from agent_callbacks.analysis.span import Span

__all__ = ["BlindSpot", "blind_spots"]


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """Something the data does not show: a code for programs, a sentence for people, the spans it is about."""

    code: str
    text: str
    span_ids: tuple[str, ...]


_SENTENCES: Final = {
    "serialization": (
        "request serialization and connect of {} cannot be seen: no HTTP client span inside, so it is inside time to "
        "first token, or inside the answer of a call that was not streamed; instrument the HTTP client"
    ),
    "connect": "connect of {} cannot be told from waiting: the HTTP client span holds both, inside time to first token",
    "not_streamed": "time to first token of {} cannot be told from output tokens: not streamed, shown as the answer",
    "downstream": (
        "what {} waited for cannot be seen: no client span inside and no downstream() block, so all of it is shown as "
        "marshaling"
    ),
    "blocks_only": "in {} only downstream() blocks were counted: the tracer provider takes no span processor",
    "placed": "when in {} the downstream() blocks were is not recorded, only how long; drawn at the beginning",
    "orphans": "{} without a parent in the trace: placed under the root by time",
    "outside": "{} outside the root in part or whole: cut there",
    "clipped": "{} begun before or ended after the span around (clocks, or work in the background): cut there",
    "unended": "{} without an end: taken to last as long as what is inside",
    "unknown": "time of {} is unattributed: of no kind that is known",
}
_NOUNS: Final = {
    "serialization": "model call", "connect": "model call", "not_streamed": "model call", "downstream": "tool call",
    "blocks_only": "tool call", "placed": "tool call",
}  # fmt: skip


def blind_spots(placed: Map) -> list[BlindSpot]:
    """Return what cannot be seen of the spans in *placed*, each kind once."""
    found: dict[str, list[str]] = {code: [] for code in _SENTENCES}
    for span in placed.tree.spans:
        place = placed.of(span)
        for code in (*_of_span(span, placed), *_of_place(span, place, placed)):
            found[code].append(span.span_id)
    return [
        BlindSpot(code, _SENTENCES[code].format(counted(len(ids), _NOUNS.get(code, "span"))), tuple(ids))
        for code, ids in found.items()
        if ids
    ]


def _of_span(span: Span, placed: Map) -> Iterator[str]:
    """Yield what is wrong with the times of *span*."""
    tree = placed.tree
    if span.end_ns == 0:
        yield "unended"
    if span.span_id in tree.orphans:
        yield "orphans"
    parent = tree.parents.get(span.span_id)
    if parent is not None and (span.start_ns < parent.start_ns or tree.end(span) > tree.end(parent)):
        yield "outside" if parent is tree.root else "clipped"


def _of_place(span: Span, place: Place, placed: Map) -> Iterator[str]:
    """Yield what is missing of what *span* is."""
    if place.model is span:
        yield "connect" if placed.requests.get(span.span_id) else "serialization"
        if all(component is not Component.OUTPUT_TOKENS for _, component in placed.phases[span.span_id]):
            yield "not_streamed"
    elif place.tool is span and place.kind == "tool":
        yield from _of_tool(span, placed)
    elif place.kind == "other" and not place.client and place.call is None:
        yield "unknown"


def _of_tool(span: Span, placed: Map) -> Iterator[str]:
    length = placed.tree.end(span) - span.start_ns
    if placed.own[span.span_id] == length and not placed.blocks[span.span_id] and length:
        yield "downstream"
    if keys.TOOL_DOWNSTREAM_METHOD in span.attributes:
        yield "blocks_only"
    if 0 < placed.blocks[span.span_id] < placed.own[span.span_id]:
        yield "placed"
