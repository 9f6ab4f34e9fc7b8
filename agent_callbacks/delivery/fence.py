"""The exporter fence: nothing leaves through an exporter wrapped in it without having passed the sanitizer.

Our own spans are cleaned before they are written; this is the second line, for spans that others made, and for what
others have put on ours: a span processor may write on any span.
"""

from __future__ import annotations

import logging
import math
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status, TraceState

from agent_callbacks.convention import keys
from agent_callbacks.delivery.copies import Attributes, CopiedEvent, CopiedLink, copied, in_state, scope_of
from agent_callbacks.privacy.sanitizer import FAILED, Sanitizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext

__all__ = ["SanitizingSpanExporter"]

logger = logging.getLogger("agent_callbacks")

# Who a process runs as (https://opentelemetry.io/docs/specs/semconv/registry/attributes/process/): a person's login.
_LOGINS: Final = frozenset({
    "process.owner", "process.user.name", "process.real_user.name", "process.saved_user.name", "user.name",
})  # fmt: skip
_PERSON_RULE: Final = "full_name"
_HOME: Final = re.compile(r"(/home/|/Users/|\b[A-Za-z]:\\{1,2}Users\\{1,2})[^/\\\s\"']{1,64}")
# Content on our own spans: long, and under keys that nobody else writes.
_OWN_CONTENT: Final = frozenset({
    keys.INPUT_MESSAGES, keys.OUTPUT_MESSAGES, keys.TOOL_DEFINITIONS, keys.TOOL_ARGUMENTS, keys.TOOL_RESULT,
    keys.RETRIEVAL_QUERY, keys.RETRIEVAL_DOCUMENTS, keys.RETRIEVER_CONTENTS, keys.INPUT_VALUE, keys.OUTPUT_VALUE,
    keys.SERVER_ADDRESS,
})  # fmt: skip
_OWN_SCOPE: Final = (keys.SCOPE_NAME, keys.SCHEMA_URL)
_OWN_PREFIXES: Final = ("llm.", "retrieval.documents.")
_PLAIN_KEY: Final = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)*")
_LARGEST_COUNT: Final = 10**7  # beyond it a number may be a telephone or an account
_CLEAN_PAIRS: Final = 4096
_LONGEST_KNOWN: Final = 256  # characters; longer values rarely repeat
_RESOURCES: Final = 16
_DROPPED: Final = object()


class SanitizingSpanExporter(SpanExporter):
    """Clean every span before *exporter* sees it; a span that needs no cleaning passes untouched.

    Names, attributes, events, status descriptions, links, scope, trace state and the resource are cleaned. Identity
    values (user, session, conversation, call ids) are checked for unmistakable forms only. A span that cannot be
    cleaned is exported with its text replaced by ``[REDACTED:error]`` and counted in ``failures``; what it said is
    neither exported nor logged.

    Args:
        exporter: Where the cleaned spans go.
        sanitizer: What cleans (default: ``Sanitizer()``); a disabled one lets everything pass.
        trust_own: Let the content on spans of this package pass, whose writer has cleaned it already.

    Attributes:
        failures: Spans that could not be cleaned.
    """

    def __init__(self, exporter: SpanExporter, sanitizer: Sanitizer | None = None, *, trust_own: bool = True) -> None:
        self.exporter: Final = exporter
        self.failures = 0
        self._sanitizer = Sanitizer() if sanitizer is None else sanitizer
        self._trust_own = trust_own
        self._clean_pairs: dict[tuple[str, str], None] = {}  # only what held nothing personal is remembered
        self._plain_keys: dict[str, None] = {}  # keys that hold nothing personal, and say nothing of their values
        self._resources: OrderedDict[int, tuple[Resource, Resource]] = OrderedDict()
        self._scopes: OrderedDict[int, tuple[InstrumentationScope, InstrumentationScope]] = OrderedDict()

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

    # --- the parts of a span -------------------------------------------------------------------------------------

    def _clean(self, span: ReadableSpan) -> ReadableSpan:
        scope = span.instrumentation_scope
        # The schema too: a tracer of the user's may be called like us.
        own = self._trust_own and scope is not None and (scope.name, scope.schema_url) == _OWN_SCOPE
        description = span.status.description
        cleaned: dict[str, Any] = {
            "name": self._text(span.name),
            "attributes": self._attributes(span.attributes, own=own),
            "events": _changed([self._event(event, own=own) for event in span.events], span.events),
            "links": _changed([self._link(link) for link in span.links], span.links),
            "context": self._context(span.context),
            "parent": self._context(span.parent),
            "resource": self._resource(span.resource),
            "instrumentation_scope": None if scope is None else self._scope(scope),
        }
        changes = {
            part: value for part, value in cleaned.items() if value is not None and value is not getattr(span, part)
        }
        if description and (said := self._text(description)) is not description:
            changes["status"] = Status(span.status.status_code, said)
        return copied(span, **changes) if changes else span

    def _text(self, text: str) -> str:
        """Return *text* cleaned; the object itself when it is clean."""
        cleaned = self._sanitizer.clean(text)
        return text if cleaned == text else cleaned

    def _attributes(self, attributes: Mapping[str, Any] | None, *, own: bool = False) -> Attributes | None:
        """Return the cleaned attributes, None when nothing had to change."""
        cleaned: Attributes = {}
        changed = False
        for key, value in (attributes or {}).items():
            if own and (key in _OWN_CONTENT or key.startswith(_OWN_PREFIXES)):
                cleaned[key] = value
                continue
            new_key, new_value = self._pair(key, value)
            changed = changed or new_key != key or new_value is not value
            if new_value is not _DROPPED:
                cleaned[new_key] = new_value
        return cleaned if changed else None

    def _pair(self, key: str, value: object) -> tuple[str, Any]:
        """Return one key and value cleaned; the value itself when it is clean, ``_DROPPED`` when the pair goes."""
        if value is None or isinstance(value, bool) or (isinstance(value, (int, float)) and _counts(value)):
            return self._counted(key, value)
        known = isinstance(value, str) and len(value) <= _LONGEST_KNOWN
        if known and (key, value) in self._clean_pairs:
            return key, value
        new_key, new_value = self._checked(key, value)
        if known and new_key == key and new_value is value:
            _remember(self._clean_pairs, (key, cast("str", value)))
        return new_key, new_value

    def _counted(self, key: str, value: object) -> tuple[str, Any]:
        """Return a key and a small number or a switch: only the key can say anything of somebody."""
        if key in self._plain_keys:
            return key, value
        new_key, one = self._checked(key, "1")
        if new_key == key and one == "1":
            _remember(self._plain_keys, key)
            return key, value
        return new_key, value if one == "1" or value is None or isinstance(value, bool) else one

    def _checked(self, key: str, value: object) -> tuple[str, Any]:
        if key in keys.IDENTITIES and isinstance(value, str):
            cleaned = self._sanitizer.clean_identity(value)
            return key, value if cleaned == value else cleaned
        rule = _PERSON_RULE if key in _LOGINS else key
        answer = cast("Mapping[str, object]", self._sanitizer.clean_value({rule: value}))
        new_key, new_value = next(iter(answer.items()), (rule, _DROPPED))
        if rule is _PERSON_RULE:
            new_key = key
        if key.startswith("process."):
            new_value = _without_homes(new_value)
        return new_key, value if new_value == _plain(value) else _attribute(new_value)

    def _event(self, event: Event, *, own: bool) -> Event:
        name, attributes = self._text(event.name), self._attributes(event.attributes, own=own)
        if name is event.name and attributes is None:
            return event
        kept = dict(event.attributes or {}) if attributes is None else attributes
        return CopiedEvent(name, kept, event.timestamp, dropped=event.dropped_attributes)

    def _link(self, link: Link) -> Link:
        attributes, context = self._attributes(link.attributes), self._context(link.context)
        if attributes is None and context is link.context:
            return link
        kept = dict(link.attributes or {}) if attributes is None else attributes
        return CopiedLink(context, kept, dropped=link.dropped_attributes)

    def _context(self, context: SpanContext | None) -> Any:
        """Return *context* without the entries of its trace state that say more than where a trace goes."""
        if context is None or not context.trace_state:
            return context
        kept = [(key, value) for key, value in context.trace_state.items() if self._text(value) is value]
        return context if len(kept) == len(context.trace_state) else in_state(context, TraceState(kept))

    # --- what many spans share: cleaned once ---------------------------------------------------------------------

    def _resource(self, resource: Resource) -> Resource:
        known = self._resources.get(id(resource))
        if known is not None and known[0] is resource:
            return known[1]
        attributes = self._attributes(resource.attributes)
        cleaned = resource if attributes is None else Resource(attributes, resource.schema_url)
        return _share(self._resources, resource, cleaned)

    def _scope(self, scope: InstrumentationScope) -> InstrumentationScope:
        known = self._scopes.get(id(scope))
        if known is not None and known[0] is scope:
            return known[1]
        name, attributes = self._text(scope.name), self._attributes(scope.attributes)
        version = scope.version and self._text(scope.version)
        same = name is scope.name and version is scope.version and attributes is None
        return _share(self._scopes, scope, scope if same else scope_of(scope, name, version, attributes))


_T = TypeVar("_T")
_K = TypeVar("_K")


def _share(known: OrderedDict[int, tuple[_T, _T]], original: _T, cleaned: _T) -> _T:
    known[id(original)] = (original, cleaned)
    if len(known) > _RESOURCES:
        known.popitem(last=False)
    return cleaned


def _remember(known: dict[_K, None], key: _K) -> None:
    known[key] = None
    while len(known) > _CLEAN_PAIRS:
        known.popitem()


def _changed(new: Sequence[_T], old: Sequence[_T]) -> Sequence[_T] | None:
    return new if any(one is not other for one, other in zip(new, old, strict=True)) else None


def _counts(value: float) -> bool:
    return not abs(value) >= _LARGEST_COUNT or abs(value) == math.inf


def _without_homes(value: object) -> object:
    """Return *value* without the names of home directories, which are those of people."""
    if isinstance(value, list):
        return [_without_homes(item) for item in cast("list[object]", value)]
    return _HOME.sub(r"\1[PERSON]", value) if isinstance(value, str) else value


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


def _redacted(span: ReadableSpan) -> ReadableSpan:
    """Return a copy of *span* that says when and where, and nothing else: no text of it has been checked."""
    status, scope = span.status, span.instrumentation_scope
    named = scope is not None and _PLAIN_KEY.fullmatch(scope.name) is not None
    return copied(
        span,
        context=None if span.context is None else in_state(span.context, TraceState()),
        parent=None if span.parent is None else in_state(span.parent, TraceState()),
        instrumentation_scope=None if scope is None else scope_of(scope, scope.name if named else FAILED, None, {}),
        name=FAILED,
        attributes=_redacted_attributes(span.attributes),
        events=[
            CopiedEvent(
                keys.EXCEPTION_EVENT if event.name == keys.EXCEPTION_EVENT else FAILED,
                _redacted_attributes(event.attributes),
                event.timestamp,
                dropped=event.dropped_attributes,
            )
            for event in span.events
        ],
        links=[
            CopiedLink(
                in_state(link.context, TraceState()),
                _redacted_attributes(link.attributes),
                dropped=link.dropped_attributes,
            )
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
