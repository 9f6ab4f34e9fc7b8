"""A finished span as the columns of the store, and what a batch of them says of its traces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

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
    """The columns of ``layout.COLUMNS``."""
    traces: Sequence[tuple[str, int, int, bool]]
    """Trace id, first start and the time its age counts from (epoch ns), and whether its root is among the spans."""
    askers: Sequence[tuple[str, str, str]]
    """Role, id and trace id."""
    evaluations: Sequence[tuple[object, ...]]
    """Trace id, span id, place among the span's events, name, score, label and time (epoch ns)."""


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
    said = [row for span in spans for row in _evaluations(span)]
    return Batch([_row(span) for span in spans], list(traces.values()), list(askers), said)


def _row(span: ReadableSpan) -> tuple[object, ...]:
    """Return *span* as the columns of ``layout.COLUMNS``."""
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
    """Yield what listing, filtering and summing up need without reading the attributes."""
    yield _text(attributes.get(keys.OPERATION_NAME))
    yield _text(attributes.get(keys.OUTCOME))
    for key in (keys.STEP_INDEX, keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS):
        value = schema.plain(attributes.get(key))
        yield value if isinstance(value, int) else None
    yield _number(attributes.get(keys.LLM_COST))
    for either in _EITHER:
        yield next((_text(attributes[key]) for key in either if attributes.get(key) is not None), None)
    yield _variants(attributes.get(keys.METADATA))
    for key in (keys.SESSION_ID, keys.USER_ID, keys.CONVERSATION_ID):
        yield _text(attributes.get(key))


# A column, and the keys that may fill it: the first that is there.
_EITHER: Final = (
    (keys.REQUEST_MODEL, keys.RESPONSE_MODEL), (keys.AGENT_NAME, keys.STEP_AGENT), (keys.ERROR_TYPE,),
    (keys.FEATURE_FLAG_KEY,), (keys.FEATURE_FLAG_VARIANT,),
)  # fmt: skip


def _variants(metadata: object) -> str | None:
    """Return the variants of several experiments, as JSON, where the request took part in several."""
    if not isinstance(metadata, str) or '"variants"' not in metadata:
        return None
    try:
        found = _table(orjson.loads(metadata))
    except orjson.JSONDecodeError:  # of somebody else
        return None
    named = {key: value for key, value in _table(found.get("variants")).items() if isinstance(value, str)}
    return _json(named) if named else None


def _table(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _evaluations(span: ReadableSpan) -> Iterator[tuple[object, ...]]:
    for place, event in enumerate(span.events):
        said = event.attributes or {}
        name = said.get(keys.EVALUATION_NAME)
        if event.name == keys.EVALUATION_EVENT and isinstance(name, str) and name:
            context = cast("SpanContext", span.context)
            yield (
                format_trace_id(context.trace_id), format_span_id(context.span_id), place, schema.text(name),
                _number(said.get(keys.EVALUATION_SCORE)), _text(said.get(keys.EVALUATION_LABEL)), event.timestamp,
            )  # fmt: skip


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _text(value: object) -> str | None:
    return None if value is None else schema.text(str(value))


def _json(value: object) -> str:
    return orjson.dumps(schema.plain(value)).decode()
