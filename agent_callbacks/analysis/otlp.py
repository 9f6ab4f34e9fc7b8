"""OTLP-JSON, as a file of one document or of one document a line, read into spans.

The encoding is that of the OTLP specification 1.x ("JSON Protobuf Encoding"): hex ids, 64-bit integers as strings,
enums as integers. Base64 ids and enum names, which a plain protobuf writer produces, are understood too.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from agent_callbacks.analysis.span import Event, Link, Span, TraceError, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_KINDS: Final = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")  # unspecified reads as internal
_STATUSES: Final = ("UNSET", "OK", "ERROR")
_OTHER_SIGNALS: Final = ("resourceMetrics", "resourceLogs", "resourceProfiles")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_END: Final = 2**63
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in which file we are, for errors."""

    path: Path
    line: int

    def wrong(self, expected: str) -> TraceError:
        return TraceError(f"{self.path}, line {self.line}: expected {expected}")


def spans(path: Path, content: bytes | None = None) -> Iterator[Span]:
    """Yield the spans of the OTLP-JSON file at *path*.

    Args:
        path: The file, also for errors.
        content: What is in it, where it was read already.

    Raises:
        TraceError: Names the line and what was expected there.
        OSError: The file cannot be read.
    """
    for place, document in _documents(path, path.read_bytes() if content is None else content):
        yield from _of_document(document, place)


def lines(path: Path, file: Iterable[bytes]) -> Iterator[list[Span] | TraceError]:
    """Yield the spans of each line of *file*, or what is wrong with the line; a file of one long document is one line.

    Args:
        path: The file's name, for errors.
        file: The file, open for reading.
    """
    for number, line in enumerate(file, 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        if number == 1 and not _whole(text):
            text += b"".join(file)
            if not _whole(text):  # many lines, of which the first is broken
                yield from _each(path, text.split(b"\n"))
                return
        yield from _each(path, [text], number)


def _whole(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _each(path: Path, texts: Iterable[bytes], first: int = 1) -> Iterator[list[Span] | TraceError]:
    for number, text in enumerate(texts, first):
        if not text.strip():
            continue
        place = _Place(path, number)
        try:
            yield list(_of_document(orjson.loads(text), place))
        except orjson.JSONDecodeError as error:
            yield place.wrong(f"JSON, column {error.colno}: {error.msg.partition(':')[0]}")
        except TraceError as error:
            yield error


def _of_document(document: object, place: _Place) -> Iterator[Span]:
    known = _object(document, place, 'an object with "resourceSpans"')
    if "resourceSpans" not in known and not any(signal in known for signal in _OTHER_SIGNALS):
        raise place.wrong('OTLP-JSON with "resourceSpans"')
    try:
        for of_resource in _objects(known, "resourceSpans", place):
            yield from _of_resource(of_resource, place)
    except RecursionError as error:
        raise place.wrong("attributes that are nested less deeply") from error


def _documents(path: Path, content: bytes) -> Iterator[tuple[_Place, object]]:
    """Yield every document with the line it stands on: a first line that is whole JSON means one a line."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    lines = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    if not lines:
        raise _Place(path, 1).wrong("OTLP-JSON, found an empty file")
    first, _ = lines[0]
    try:
        orjson.loads(lines[0][1])
    except orjson.JSONDecodeError:
        lines = [(first, content)]
    for number, line in lines:
        try:
            yield _Place(path, number), orjson.loads(line)
        except orjson.JSONDecodeError as error:
            at = error.lineno if line is content else number
            raise _Place(path, at).wrong(f"JSON, column {error.colno}: {error.msg.partition(':')[0]}") from error


def _of_resource(of_resource: Mapping[str, Any], place: _Place) -> Iterator[Span]:
    resource = _attributes(_object(of_resource.get("resource") or {}, place, '"resource" to be an object'), place)
    for of_scope in _objects(of_resource, "scopeSpans", place):
        scope = _object(of_scope.get("scope") or {}, place, '"scope" to be an object')
        for span in _objects(of_scope, "spans", place):
            yield _span(span, str(scope.get("name", "")), resource, place)


def _span(span: Mapping[str, Any], scope: str, resource: Mapping[str, Any], place: _Place) -> Span:
    status = _object(span.get("status") or {}, place, '"status" to be an object')
    return Span(
        trace_id=_id(span, "traceId", _TRACE_BYTES, place),
        span_id=_id(span, "spanId", _SPAN_BYTES, place),
        parent_id=_id(span, "parentSpanId", _SPAN_BYTES, place) if _has_parent(span) else None,
        name=str(span.get("name", "")),
        kind=_enum(span.get("kind", 0), "SPAN_KIND_", _KINDS, place),
        start_ns=_int(span, "startTimeUnixNano", place),
        end_ns=_int(span, "endTimeUnixNano", place) if span.get("endTimeUnixNano") else 0,
        status=_enum(status.get("code", 0), "STATUS_CODE_", _STATUSES, place),
        status_message=str(status["message"]) if status.get("message") else None,
        scope=scope,
        attributes=attributes_of(_attributes(span, place)),
        events=tuple(_event(event, place) for event in _objects(span, "events", place)),
        links=tuple(_link(link, place) for link in _objects(span, "links", place)),
        resource=attributes_of(resource),
        parent_remote=_remote(span.get("flags")),
    )


def _remote(flags: object) -> bool | None:
    """Return whether the parent is another process's, from the span's flags (OTLP, ``SpanFlags``)."""
    known = isinstance(flags, int) and flags & _HAS_IS_REMOTE
    return bool(flags & _IS_REMOTE) if known and isinstance(flags, int) else None


def _event(event: Mapping[str, Any], place: _Place) -> Event:
    return Event(
        str(event.get("name", "")), _int(event, "timeUnixNano", place), attributes_of(_attributes(event, place))
    )


def _link(link: Mapping[str, Any], place: _Place) -> Link:
    return Link(
        _id(link, "traceId", _TRACE_BYTES, place),
        _id(link, "spanId", _SPAN_BYTES, place),
        attributes_of(_attributes(link, place)),
    )


def _has_parent(span: Mapping[str, Any]) -> bool:
    return bool(str(span.get("parentSpanId") or "").strip("0"))


def _id(holder: Mapping[str, Any], key: str, size: int, place: _Place) -> str:
    """Return the id under *key* as lower-case hex; it may be hex or base64."""
    value = holder.get(key)
    if isinstance(value, str):
        if len(value) == 2 * size and _HEX.fullmatch(value):
            return value.lower()
        try:
            raw = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) == size:
            return raw.hex()
    raise place.wrong(f'"{key}" to be {2 * size} hex digits')


def _int(holder: Mapping[str, Any], key: str, place: _Place) -> int:
    value = holder.get(key)
    if isinstance(value, (int, str)) and _INTEGER.fullmatch(str(value)) and -_END <= int(value) < _END:
        return int(value)
    raise place.wrong(f'"{key}" to be a 64-bit integer, as a string')


def _enum(value: object, prefix: str, names: Sequence[str], place: _Place) -> str:
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    if isinstance(value, str) and (name := value.removeprefix(prefix)) in {*names, "UNSPECIFIED"}:
        return names[0] if name == "UNSPECIFIED" else name
    raise place.wrong(f"{prefix}* as an integer from 0 to {len(names) - 1}")


def _attributes(holder: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in _objects(holder, "attributes", place):
        value = _object(pair.get("value") or {}, place, "an attribute's value to be an object")
        found[str(pair.get("key", ""))] = _value(value, place)
    return found


def _value(value: Mapping[str, Any], place: _Place) -> object:
    """Return the Python value of an OTLP ``AnyValue``; an empty one is None."""
    for kind, given in value.items():
        if kind == "intValue":
            return _int(value, kind, place)
        if kind == "arrayValue":
            array = _object(given, place, '"arrayValue" to be an object')
            return [_value(item, place) for item in _objects(array, "values", place)]
        if kind == "kvlistValue":
            pairs = _object(given, place, '"kvlistValue" to be an object')
            return _attributes({"attributes": pairs.get("values")}, place)
        return given
    return None


def _object(value: object, place: _Place, expected: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return cast("Mapping[str, Any]", value)
    raise place.wrong(expected)


def _objects(holder: Mapping[str, Any], key: str, place: _Place) -> Iterator[Mapping[str, Any]]:
    values: object = holder.get(key) or []
    if not isinstance(values, list):
        raise place.wrong(f'"{key}" to be an array')
    for value in cast("Sequence[object]", values):
        yield _object(value, place, f'"{key}" to hold objects')
