"""Copies of finished spans with some of their parts changed: what the SDK hands to exporters is immutable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import TraceState

__all__ = ["Attributes", "CopiedEvent", "CopiedLink", "copied", "in_state", "scope_of"]

Attributes = dict[str, Any]


class CopiedEvent(Event):
    """An event that still says how many attributes the SDK dropped from the original."""

    def __init__(self, name: str, attributes: Attributes, timestamp: int, *, dropped: int) -> None:
        super().__init__(name, attributes, timestamp)
        self._dropped = dropped

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the SDK dropped."""
        return self._dropped


class CopiedLink(Link):
    """A link that still says how many attributes the SDK dropped from the original."""

    def __init__(self, context: Any, attributes: Attributes, *, dropped: int) -> None:
        super().__init__(context, attributes)
        self._dropped = dropped

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the SDK dropped."""
        return self._dropped


class _CopiedSpan(ReadableSpan):
    """A copy of a span that still says how much the SDK dropped from the original."""

    def __init__(self, original: ReadableSpan, fields: Mapping[str, Any]) -> None:
        super().__init__(**fields)
        self._original = original

    @property
    def dropped_attributes(self) -> int:
        return self._original.dropped_attributes

    @property
    def dropped_events(self) -> int:
        return self._original.dropped_events

    @property
    def dropped_links(self) -> int:
        return self._original.dropped_links


def copied(span: ReadableSpan, **changes: Any) -> ReadableSpan:
    """Return a copy of *span* with *changes*."""
    fields: dict[str, Any] = {
        "name": span.name,
        "context": span.context,
        "parent": span.parent,
        "resource": span.resource,
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
        "kind": span.kind,
        "status": span.status,
        "start_time": span.start_time,
        "end_time": span.end_time,
        "instrumentation_scope": span.instrumentation_scope,
    }
    return _CopiedSpan(span, {**fields, **changes})


def in_state(context: SpanContext, state: TraceState) -> SpanContext:
    """Return *context* with another trace state."""
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags, state)


def scope_of(scope: InstrumentationScope, name: str, version: str | None, attributes: Attributes | None) -> Any:
    """Return a copy of *scope* with these; *attributes* None are its own."""
    kept: Any = scope.attributes if attributes is None else attributes
    return InstrumentationScope(name, version, scope.schema_url, kept)
