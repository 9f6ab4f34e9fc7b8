"""The exporter fence: nothing leaves through an exporter wrapped in it without having passed the sanitizer.

Our own spans are cleaned before they are written; this is the second line, for spans that others made.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from agent_callbacks.convention import keys
from agent_callbacks.privacy.sanitizer import FAILED, Sanitizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SanitizingSpanExporter"]

logger = logging.getLogger("agent_callbacks")

_IDENTITIES: Final = frozenset(
    {keys.USER_ID, keys.SESSION_ID, keys.CONVERSATION_ID, keys.TOOL_CALL_ID, keys.RESPONSE_ID, keys.RUN_THREAD_ID}
)
_PLAIN_KEY: Final = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)*")
_LARGEST_COUNT: Final = 10**7  # beyond it a number may be a telephone or an account
_CLEAN_PAIRS: Final = 4096
_LONGEST_KNOWN: Final = 256  # characters; longer values rarely repeat
_RESOURCES: Final = 16

Attributes = dict[str, Any]


class SanitizingSpanExporter(SpanExporter):
    """Clean every span before *exporter* sees it; a span that needs no cleaning passes untouched.

    Names, attributes, events, status descriptions, links and the resource are cleaned. Identity values (user, session,
    conversation, call ids) are checked for unmistakable forms only. A span that cannot be cleaned is exported with its
    text replaced by ``[REDACTED:error]`` and counted in ``failures``; what it said is neither exported nor logged.

    Args:
        exporter: Where the cleaned spans go.
        sanitizer: What cleans (default: ``Sanitizer()``); a disabled one lets everything pass.
        trust_own: Let spans of this package pass, whose writer has cleaned them already.

    Attributes:
        failures: Spans that could not be cleaned.
    """

    def __init__(self, exporter: SpanExporter, sanitizer: Sanitizer | None = None, *, trust_own: bool = True) -> None:
        self.exporter: Final = exporter
        self.failures = 0
        self._sanitizer = Sanitizer() if sanitizer is None else sanitizer
        self._trust_own = trust_own
        self._clean_pairs: dict[tuple[str, str], None] = {}  # only what held nothing personal is remembered
        self._resources: OrderedDict[int, tuple[Resource, Resource]] = OrderedDict()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export *spans*, cleaned."""
        if not self._sanitizer.enabled:
            return self.exporter.export(spans)
        return self.exporter.export([self.clean(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the wrapped exporter down."""
        self.exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the wrapped exporter."""
        return self.exporter.force_flush(timeout_millis)

    def clean(self, span: ReadableSpan) -> ReadableSpan:
        """Return *span* itself when it is clean, a cleaned copy otherwise; never what could not be checked."""
        try:
            return self._clean(span)
        except Exception as error:  # noqa: BLE001 - fail closed: whatever a sanitizer raises, the value must not leave
            self.failures += 1
            if self.failures == 1:
                logger.warning("a span could not be sanitized (%s); its text is replaced", type(error).__name__)
            return _redacted(span)

    def _clean(self, span: ReadableSpan) -> ReadableSpan:
        resource = self._resource(span.resource)
        scope = span.instrumentation_scope
        if self._trust_own and scope is not None and scope.name == keys.SCOPE_NAME:
            return span if resource is span.resource else _copy(span, resource=resource)
        changes: dict[str, Any] = {}
        if (name := self._sanitizer.clean(span.name)) != span.name:
            changes["name"] = name
        if (attributes := self._attributes(span.attributes)) is not None:
            changes["attributes"] = attributes
        if _differ(events := [self._event(event) for event in span.events], span.events):
            changes["events"] = events
        if _differ(links := [self._link(link) for link in span.links], span.links):
            changes["links"] = links
        description = span.status.description
        if description and (cleaned := self._sanitizer.clean(description)) != description:
            changes["status"] = Status(span.status.status_code, cleaned)
        if resource is not span.resource:
            changes["resource"] = resource
        return _copy(span, **changes) if changes else span

    def _attributes(self, attributes: Mapping[str, Any] | None) -> Attributes | None:
        """Return the cleaned attributes, None when nothing had to change."""
        cleaned: Attributes = {}
        changed = False
        for key, value in (attributes or {}).items():
            new_key, new_value = self._pair(key, value)
            changed = changed or new_key != key or new_value is not value
            cleaned[new_key] = new_value
        return cleaned if changed else None

    def _pair(self, key: str, value: object) -> tuple[str, Any]:
        """Return one key and value cleaned; the value itself when it is clean."""
        known = isinstance(value, str) and len(value) <= _LONGEST_KNOWN
        if known and (key, value) in self._clean_pairs:
            return key, value
        new_key, new_value = self._checked(key, value)
        if known and new_key == key and new_value is value:
            self._clean_pairs[key, cast("str", value)] = None
            while len(self._clean_pairs) > _CLEAN_PAIRS:
                self._clean_pairs.popitem()
        return new_key, new_value

    def _checked(self, key: str, value: object) -> tuple[str, Any]:
        if key in _IDENTITIES and isinstance(value, str):
            cleaned = self._sanitizer.clean_identity(value)
            return key, value if cleaned == value else cleaned
        if value is None or isinstance(value, (bool, float)):
            return self._sanitizer.clean(key), value
        answer = cast("Mapping[str, object]", self._sanitizer.clean_value({key: value}))
        ((new_key, new_value),) = answer.items()
        return new_key, value if new_value == _plain(value) else _attribute(new_value)

    def _event(self, event: Event) -> Event:
        name, attributes = self._sanitizer.clean(event.name), self._attributes(event.attributes)
        if name == event.name and attributes is None:
            return event
        kept = dict(event.attributes or {}) if attributes is None else attributes
        return _CleanEvent(name, kept, event.timestamp, dropped=event.dropped_attributes)

    def _link(self, link: Link) -> Link:
        attributes = self._attributes(link.attributes)
        return link if attributes is None else _CleanLink(link.context, attributes, dropped=link.dropped_attributes)

    def _resource(self, resource: Resource) -> Resource:
        """Return *resource* cleaned: once, as every span of a provider shares it."""
        known = self._resources.get(id(resource))
        if known is not None and known[0] is resource:
            return known[1]
        attributes = self._attributes(resource.attributes)
        cleaned = resource if attributes is None else Resource(attributes, resource.schema_url)
        self._resources[id(resource)] = (resource, cleaned)
        if len(self._resources) > _RESOURCES:
            self._resources.popitem(last=False)
        return cleaned


def _differ(new: Sequence[object], old: Sequence[object]) -> bool:
    return any(one is not other for one, other in zip(new, old, strict=True))


def _plain(value: object) -> object:
    """Return *value* in the shape the sanitizer answers in, for comparison: its sequences are lists."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    return value


def _attribute(value: object) -> object:
    """Return a cleaned *value* as an attribute may hold it: no nulls, sequences of one type."""
    if isinstance(value, list):
        items = cast("list[object]", value)
        return items if len({type(item) for item in items}) <= 1 else [str(item) for item in items]
    return FAILED if value is None else value


class _CleanEvent(Event):
    """An event that still says how many attributes the SDK dropped from the original."""

    def __init__(self, name: str, attributes: Attributes, timestamp: int, *, dropped: int) -> None:
        super().__init__(name, attributes, timestamp)
        self._dropped = dropped

    @property
    def dropped_attributes(self) -> int:
        return self._dropped


class _CleanLink(Link):
    """A link that still says how many attributes the SDK dropped from the original."""

    def __init__(self, context: Any, attributes: Attributes, *, dropped: int) -> None:
        super().__init__(context, attributes)
        self._dropped = dropped

    @property
    def dropped_attributes(self) -> int:
        return self._dropped


class _CleanSpan(ReadableSpan):
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


def _copy(span: ReadableSpan, **changes: Any) -> ReadableSpan:
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
    return _CleanSpan(span, {**fields, **changes})


def _redacted(span: ReadableSpan) -> ReadableSpan:
    """Return a copy of *span* that says when and where, and nothing else: no text of it has been checked."""
    status = span.status
    return _copy(
        span,
        name=FAILED,
        attributes=_redacted_attributes(span.attributes),
        events=[
            _CleanEvent(
                keys.EXCEPTION_EVENT if event.name == keys.EXCEPTION_EVENT else FAILED,
                _redacted_attributes(event.attributes),
                event.timestamp,
                dropped=event.dropped_attributes,
            )
            for event in span.events
        ],
        links=[
            _CleanLink(link.context, _redacted_attributes(link.attributes), dropped=link.dropped_attributes)
            for link in span.links
        ],
        status=Status(status.status_code, FAILED if status.description else None),
        resource=Resource(_redacted_attributes(span.resource.attributes), span.resource.schema_url),
    )


def _redacted_attributes(attributes: Mapping[str, Any] | None) -> Attributes:
    """Return *attributes* with all but counts replaced, under the keys that are plain identifiers."""
    return {
        key: value if isinstance(value, (bool, int, float)) and abs(value) < _LARGEST_COUNT else FAILED
        for key, value in (attributes or {}).items()
        if _PLAIN_KEY.fullmatch(key)
    }
