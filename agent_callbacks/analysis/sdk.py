"""A span that was read, as the SDK's: for what takes finished spans of the SDK, such as an exporter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.analysis.span import Span

__all__ = ["readable"]

_HEX: Final = re.compile(r"[0-9a-fA-F]{1,32}")


def readable(span: Span) -> ReadableSpan:
    """Return *span* as a finished span of the SDK."""
    parent = (
        None if span.parent_id is None else _context(span.trace_id, span.parent_id, remote=bool(span.parent_remote))
    )
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=parent,
        resource=Resource(_attributes(span.resource)),
        attributes=_attributes(span.attributes),
        events=[Event(event.name, _attributes(event.attributes), event.time_ns) for event in span.events],
        links=[Link(_context(link.trace_id, link.span_id), _attributes(link.attributes)) for link in span.links],
        kind=SpanKind.__members__.get(span.kind, SpanKind.INTERNAL),  # a file may name any
        status=Status(
            StatusCode.__members__.get(span.status, StatusCode.UNSET),
            span.status_message if span.status == "ERROR" else None,
        ),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=InstrumentationScope(span.scope),
    )


def _context(trace_id: str, span_id: str, *, remote: bool = False) -> SpanContext:
    return SpanContext(_number(trace_id), _number(span_id), remote, TraceFlags(TraceFlags.SAMPLED))


def _number(id_: str) -> int:
    """Return the number of a hexadecimal id; 0, which is no id, for what somebody else wrote in its place."""
    return int(id_, 16) if _HEX.fullmatch(id_) else 0


def _attributes(attributes: Mapping[str, object]) -> dict[str, Any]:
    return cast("dict[str, Any]", dict(attributes))
