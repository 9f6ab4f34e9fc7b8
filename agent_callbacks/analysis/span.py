"""One finished span as a frozen value, whatever it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from agent_callbacks.store import schema

if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = "bool | int | float | str | tuple[Value, ...] | dict[str, Value] | None"

_NO_ATTRIBUTES: Final[Mapping[str, Value]] = {}


class TraceError(Exception):
    """A source cannot be read as traces; the message names the file, the line and what was expected."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span; ``time_ns`` is nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value], hash=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A pointer to another span; ids are lower-case hex."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value], hash=False)


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span.

    Ids are lower-case hex, times are nanoseconds since the epoch, ``kind`` and ``status`` are the names of
    OpenTelemetry's constants (``"CLIENT"``, ``"ERROR"``), sequences in attributes are tuples, whatever the source.
    An ``end_ns`` of 0 says that the span never ended.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str = "UNSET"
    status_message: str | None = None
    scope: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value], hash=False)
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    resource: Mapping[str, Value] = field(default_factory=dict[str, Value], hash=False)
    parent_remote: bool | None = field(default=None, compare=False)
    """Whether the parent is a span of another process; None where the source does not say, as a store does not."""

    @property
    def duration(self) -> float:
        """The span's length in seconds, never negative."""
        return max(0, self.end_ns - self.start_ns) / 1e9

    def text(self, key: str) -> str | None:
        """Return the text under *key* of the attributes; None where there is none."""
        found = self.attributes.get(key)
        return found if isinstance(found, str) else None

    def number(self, key: str) -> float | None:
        """Return the number under *key* of the attributes; None where there is none."""
        found = self.attributes.get(key)
        return found if isinstance(found, int | float) and not isinstance(found, bool) else None

    def count(self, key: str) -> int | None:
        """Return the whole number under *key* of the attributes; None where there is none, or one below nothing."""
        found = self.attributes.get(key)
        return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def attributes_of(value: object) -> Mapping[str, Value]:
    """Return the attributes in JSON-like *value*; anything but a mapping has none."""
    found = _tuples(schema.plain(value))
    return found if isinstance(found, dict) else _NO_ATTRIBUTES


def _tuples(value: schema.Plain) -> Value:
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
