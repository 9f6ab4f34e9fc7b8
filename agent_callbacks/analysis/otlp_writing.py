"""Spans as OTLP-JSON, the encoding that ``otlp`` reads: one request of the protocol per trace.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hex, 64-bit integers as strings, enums as
integers.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import orjson

from agent_callbacks.store import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent_callbacks.analysis.span import Event, Link, Span, Value

__all__ = ["document", "line"]

_KINDS: Final[Mapping[str, int]] = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_STATUSES: Final[Mapping[str, int]] = {"UNSET": 0, "OK": 1, "ERROR": 2}


def line(spans: Iterable[Span]) -> bytes:
    """Return *spans* as one line, its end included."""
    return orjson.dumps(document(spans)) + b"\n"


def document(spans: Iterable[Span]) -> dict[str, Any]:
    """Return *spans* as an ``ExportTraceServiceRequest`` of JSON, grouped by resource and scope."""
    found = [(_key(span), span.scope, span) for span in spans]
    of_resources: list[dict[str, Any]] = []
    for _, members in groupby(sorted(found, key=lambda each: each[:2]), key=lambda each: each[0]):
        same = list(members)
        scopes = [
            {"scope": {"name": scope}, "spans": [_span(span) for _, _, span in inner]}
            for scope, inner in groupby(same, key=lambda each: each[1])
        ]
        of_resources.append({"resource": {"attributes": _attributes(same[0][2].resource)}, "scopeSpans": scopes})
    return {"resourceSpans": of_resources}


def _key(span: Span) -> bytes:
    return orjson.dumps(schema.plain(span.resource), option=orjson.OPT_SORT_KEYS)


def _span(span: Span) -> dict[str, Any]:
    status = {"code": _STATUSES[span.status], **({"message": span.status_message} if span.status_message else {})}
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({"parentSpanId": span.parent_id} if span.parent_id else {}),
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(span.attributes),
        "events": [_event(event) for event in span.events],
        "links": [_link(link) for link in span.links],
        "status": status,
    }


def _event(event: Event) -> dict[str, Any]:
    return {"timeUnixNano": str(event.time_ns), "name": event.name, "attributes": _attributes(event.attributes)}


def _link(link: Link) -> dict[str, Any]:
    return {"traceId": link.trace_id, "spanId": link.span_id, "attributes": _attributes(link.attributes)}


def _attributes(attributes: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Value) -> dict[str, Any]:
    """Return *value* as an ``AnyValue``."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, tuple):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    name, encoded = _SCALARS[type(value)]
    return {name: encoded(value)}


# A number that JSON has not, such as NaN, is its name.
_SCALARS: Final[Mapping[type, tuple[str, Callable[[Any], object]]]] = {
    bool: ("boolValue", bool),
    int: ("intValue", str),
    float: ("doubleValue", schema.plain),
    str: ("stringValue", str),
}
