"""What the SDK's ``ConsoleSpanExporter`` prints, read into spans: JSON objects one after the other."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from agent_callbacks.analysis.span import Event, Link, Span, TraceError, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["is_console", "spans"]

_BEGINNING: Final = 4096
_SPACE: Final = " \t\r\n,[]"


def is_console(content: bytes) -> bool:
    """Tell whether *content* begins as the console exporter's output does."""
    beginning = content[:_BEGINNING]
    return b'"context"' in beginning and b'"trace_id"' in beginning and b'"resourceSpans"' not in beginning


def spans(path: Path, content: bytes) -> Iterator[Span]:
    """Yield the spans in *content*, which is the console exporter's output.

    Raises:
        TraceError: Names the line and what was expected there.
    """
    text = content.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    end = 0
    while (begin := _next(text, end)) < len(text):
        try:
            found, end = decoder.raw_decode(text, begin)
            span = _span(cast("Mapping[str, Any]", found))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            line = text.count("\n", 0, begin) + 1
            raise TraceError(f"{path}, line {line}: expected a span as the console exporter prints it") from error
        yield span


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _span(found: Mapping[str, Any]) -> Span:
    status = _table(found, "status")
    return Span(
        trace_id=_id(found["context"]["trace_id"]),
        span_id=_id(found["context"]["span_id"]),
        parent_id=_id(found["parent_id"]) if found.get("parent_id") else None,
        name=str(found["name"]),
        kind=str(found.get("kind", "")).removeprefix("SpanKind.") or "INTERNAL",
        start_ns=_time(found["start_time"]),
        end_ns=_time(found["end_time"]) if found.get("end_time") else 0,
        status=str(status.get("status_code", "UNSET")),
        status_message=status.get("description"),
        attributes=attributes_of(found.get("attributes")),
        events=tuple(
            Event(str(event["name"]), _time(event["timestamp"]), attributes_of(event.get("attributes")))
            for event in found.get("events") or ()
        ),
        links=tuple(
            Link(
                _id(link["context"]["trace_id"]), _id(link["context"]["span_id"]), attributes_of(link.get("attributes"))
            )
            for link in found.get("links") or ()
        ),
        resource=attributes_of(_table(found, "resource").get("attributes")),
    )


def _table(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", found.get(key) or {})


def _id(value: str) -> str:
    found = value.removeprefix("0x").lower()
    int(found, 16)  # raises for what is none
    return found


def _time(value: str) -> int:
    """Return nanoseconds since the epoch; the exporter prints microseconds."""
    moment = datetime.fromisoformat(value)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
