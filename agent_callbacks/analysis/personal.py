"""Personal data in finished spans: where it stands and what it is, never what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent_callbacks.analysis.span import Span
from agent_callbacks.analysis.trace import Trace, load
from agent_callbacks.convention import keys
from agent_callbacks.privacy.findings import Finding, in_pair, in_text
from agent_callbacks.privacy.sanitizer import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["assert_no_pii", "personal_data"]

_SHOWN = 20


def personal_data(span: Span, sanitizer: Sanitizer) -> Iterator[Finding]:
    """Yield what *sanitizer* would replace in *span*: names, keys, values, events, links, status, scope, resource."""
    place = f"span {sanitizer.clean(span.name)!r}"
    yield from in_text(span.name, sanitizer, f"{place} name")
    yield from in_text(span.status_message or "", sanitizer, f"{place} status")
    yield from in_text(span.scope, sanitizer, f"{place} scope")
    yield from _in_attributes(span.attributes, sanitizer, place)
    for event in span.events:
        yield from in_text(event.name, sanitizer, f"{place} event name")
        yield from _in_attributes(event.attributes, sanitizer, f"{place} event {sanitizer.clean(event.name)!r}")
    for link in span.links:
        yield from _in_attributes(link.attributes, sanitizer, f"{place} link")
    yield from _in_attributes(span.resource, sanitizer, f"{place} resource")


def assert_no_pii(
    spans: Iterable[ReadableSpan | Span | Trace] | Path | str, sanitizer: Sanitizer | None = None
) -> None:
    """Assert that *spans* hold no personal data and no secrets that a sanitizer would replace.

    Args:
        spans: Finished spans of the OpenTelemetry SDK, spans or traces of ``load``, or a path that ``load`` reads.
        sanitizer: What looks (default: ``Sanitizer()``); use the one the spans were made with.

    Raises:
        AssertionError: They do; says where and of which type, never what.
        TraceError: The path cannot be read.
    """
    looks = Sanitizer() if sanitizer is None else sanitizer
    found = [finding for span in _spans(spans) for finding in personal_data(span, looks)]
    if found:
        lines = [f"{finding.place} [{finding.start}:{finding.end}]: {finding.kind}" for finding in found[:_SHOWN]]
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        raise AssertionError("personal data in spans:\n" + "\n".join(lines + more))


def _spans(given: Iterable[ReadableSpan | Span | Trace] | Path | str) -> Iterator[Span]:
    if isinstance(given, (str, Path)):
        for trace in load(given):
            yield from trace.spans
        return
    for one in given:
        if isinstance(one, Span):
            yield one
        elif isinstance(one, Trace):
            yield from one.spans
        else:
            yield from load([one])[0].spans


def _in_attributes(attributes: Mapping[str, object], sanitizer: Sanitizer, place: str) -> Iterator[Finding]:
    for key, value in attributes.items():
        yield from in_pair(key, value, sanitizer, place, identity=key in keys.IDENTITIES)
