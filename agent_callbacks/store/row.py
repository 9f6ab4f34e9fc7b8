"""A finished span as the columns of the store, and what a batch of them says of its traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import orjson
from opentelemetry.trace import format_span_id, format_trace_id

from agent_callbacks.convention import keys
from agent_callbacks.store import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

__all__ = ["Batch", "batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to write in one transaction."""

    spans: Sequence[tuple[object, ...]]
    """The columns of ``schema.COLUMNS``."""
    traces: Sequence[tuple[str, int, int, bool]]
    """Trace id, first start and the time its age counts from (epoch ns), and whether its root is among the spans."""
    askers: Sequence[tuple[str, str, str]]
    """Role, id and trace id."""


def batch(spans: Sequence[ReadableSpan], not_older_than_ns: int = 0) -> Batch:
    """Return the rows of *spans*; no trace counts as older than *not_older_than_ns* (epoch ns)."""
    traces: dict[str, tuple[str, int, int, bool]] = {}
    askers: dict[tuple[str, str, str], None] = {}
    for span in spans:
        trace_id = format_trace_id(cast("SpanContext", span.context).trace_id)
        start = span.start_time or 0
        rooted = span.parent is None or span.parent.is_remote
        _, first, last, known = traces.get(trace_id, (trace_id, start, not_older_than_ns, False))
        traces[trace_id] = trace_id, min(first, start), max(last, start), known or rooted
        for role, key in ((schema.USER, keys.USER_ID), (schema.SESSION, keys.SESSION_ID)):
            if (asker := _text((span.attributes or {}).get(key))) is not None:
                askers[role, asker, trace_id] = None
    return Batch([_row(span) for span in spans], list(traces.values()), list(askers))


def _row(span: ReadableSpan) -> tuple[object, ...]:
    """Return *span* as the columns of ``schema.COLUMNS``."""
    context, attributes, scope = cast("SpanContext", span.context), span.attributes or {}, span.instrumentation_scope
    return (
        format_trace_id(context.trace_id),
        format_span_id(context.span_id),
        format_span_id(span.parent.span_id) if span.parent else None,
        schema.text(span.name),
        span.kind.name,
        span.start_time or 0,
        span.end_time or span.start_time or 0,
        span.status.status_code.name,
        None if span.status.description is None else schema.text(span.status.description),
        *_columns(attributes),
        schema.text(scope.name) if scope else "",
        _json(attributes),
        _json([
            {"name": event.name, "time_ns": event.timestamp, "attributes": dict(event.attributes or {})}
            for event in span.events
        ]),
        _json([
            {
                "trace_id": format_trace_id(link.context.trace_id),
                "span_id": format_span_id(link.context.span_id),
                "attributes": dict(link.attributes or {}),
            }
            for link in span.links
        ]),
        _json(span.resource.attributes),
    )  # fmt: skip


def _columns(attributes: Mapping[str, object]) -> Iterator[object]:
    """Yield what listing and filtering need without reading the attributes."""
    yield _text(attributes.get(keys.OPERATION_NAME))
    yield _text(attributes.get(keys.OUTCOME))
    for key in (keys.STEP_INDEX, keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS):
        value = schema.plain(attributes.get(key))
        yield value if isinstance(value, int) else None
    for key in (keys.SESSION_ID, keys.USER_ID, keys.CONVERSATION_ID):
        yield _text(attributes.get(key))


def _text(value: object) -> str | None:
    return None if value is None else schema.text(str(value))


def _json(value: object) -> str:
    return orjson.dumps(schema.plain(value)).decode()
