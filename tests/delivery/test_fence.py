"""The fence: what other instrumentations put on their spans is cleaned on its way out."""

from __future__ import annotations

import re

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from agent_callbacks.convention import keys
from agent_callbacks.delivery.fence import SanitizingSpanExporter
from agent_callbacks.privacy.sanitizer import Sanitizer

MAIL = "bob@example.com"


class Failing(Sanitizer):
    """A sanitizer that breaks, quoting what it read."""

    def clean(self, text, max_bytes=None):
        """Break."""
        raise KeyError(text)


@pytest.fixture
def make():
    """Build a finished span."""

    def build(name="GET /", scope="requests", resource=None, limits=None, **options):
        described = Resource({"service.name": "app"} if resource is None else resource)
        provider = TracerProvider(resource=described, shutdown_on_exit=False, span_limits=limits)
        events, status = options.pop("events", ()), options.pop("status", None)
        span = provider.get_tracer(scope).start_span(name, **options)
        for event, attributes in events:
            span.add_event(event, attributes)
        if status:
            span.set_status(status)
        span.end()
        return span

    return build


def passed(span, **options):
    """Return what comes out of the fence for *span*."""
    exporter = InMemorySpanExporter()
    assert SpanExportResult.SUCCESS == SanitizingSpanExporter(exporter, **options).export([span])
    (out,) = exporter.get_finished_spans()
    return out


def test_a_clean_span_passes_untouched(make):
    """A span that needs no cleaning is exported itself, not a copy."""
    span = make(
        attributes={"http.status": 200, "names": ("a", "b"), "ratio": 0.5, "ok": True, "text": "plain"},
        events=[("retry", {"attempt": 2})],
        links=[Link(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)), {"why": "batch"})],
    )
    assert span is passed(span)


def test_what_instrumentations_write_stays(make):
    """Names, routes, statuses, counts and ids that instrumentations write are no personal data."""
    span = make(
        "POST /v1/orders/{id}",
        attributes={
            "http.request.method": "POST",
            "http.response.status_code": 201,
            "url.full": "https://shop.example/v1/orders/8123?page=2",
            "server.port": 5432,
            "db.system.name": "postgresql",
            "db.query.text": "SELECT * FROM orders WHERE id = $1",
            "gen_ai.usage.input_tokens": 1234,
            "thread.id": 139665567759232,
            "messaging.message.id": "0a8a5b1e-4f3c-4c79-a9d0-6fd0dcb8a6f1",
            "long": "word " * 20_000,
        },
        resource=dict(Resource.create({"service.name": "app"}).attributes),
    )
    assert span is passed(span)


def test_every_place_is_cleaned(make):
    """Name, keys, values, sequences, events, status, links and resource carry no address out."""
    span = make(
        f"mail {MAIL}",
        attributes={"to": MAIL, "cc": (MAIL, "x"), f"box.{MAIL}": "1", "raw": f"from {MAIL}".encode()},
        events=[(f"sent to {MAIL}", {"exception.message": f"no {MAIL}"})],
        links=[Link(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)), {"to": MAIL})],
        status=Status(StatusCode.ERROR, f"{MAIL} bounced"),
        resource={"owner": MAIL},
    )
    out = passed(span)
    assert MAIL not in out.to_json()
    assert "mail [EMAIL]" == out.name
    assert "[EMAIL]" == out.attributes["to"]
    assert ["[EMAIL]", "x"] == list(out.attributes["cc"])
    assert "sent to [EMAIL]" == out.events[0].name
    assert (StatusCode.ERROR, "[EMAIL] bounced") == (out.status.status_code, out.status.description)
    assert {"to": "[EMAIL]"} == out.links[0].attributes
    assert {"owner": "[EMAIL]"} == dict(out.resource.attributes)


@pytest.mark.logs_expected
def test_what_is_not_text_stays(make):
    """Ids, times, kind, parent, scope and the counts of what the SDK dropped are those of the original."""
    limits = SpanLimits(max_span_attributes=1, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1)
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
    span = make(
        attributes={"a": 1, "to": MAIL},
        events=[("one", {}), ("two", {"a": 1, "to": MAIL})],
        links=[Link(context), Link(context, {"a": 1, "to": MAIL})],
        limits=limits,
    )
    out = passed(span)
    assert out is not span
    for name in ("context", "parent", "kind", "start_time", "end_time", "instrumentation_scope"):
        assert getattr(span, name) == getattr(out, name)
    assert (1, 1, 1) == (out.dropped_attributes, out.dropped_events, out.dropped_links)
    assert (1, 1) == (out.events[0].dropped_attributes, out.links[0].dropped_attributes)
    assert span.events[0].timestamp == out.events[0].timestamp


def test_identities_are_checked_for_unmistakable_forms_only(make):
    """A user id of digits stays, an address as a user id does not."""
    out = passed(make(attributes={keys.USER_ID: "4111111111111111", keys.SESSION_ID: MAIL, "note": MAIL}))
    assert "4111111111111111" == out.attributes[keys.USER_ID]
    assert re.fullmatch(r"\[EMAIL:[0-9a-f]{8}\]", out.attributes[keys.SESSION_ID])


def test_own_spans_are_trusted_unless_told_otherwise(make):
    """A span of ours passes, its writer has cleaned it; the resource, which nobody cleaned, does not."""
    span = make(f"to {MAIL}", scope=keys.SCOPE_NAME)
    assert span is passed(span)
    assert "to [EMAIL]" == passed(span, trust_own=False).name
    out = passed(make("x", scope=keys.SCOPE_NAME, resource={"owner": MAIL}))
    assert ("x", {"owner": "[EMAIL]"}) == (out.name, dict(out.resource.attributes))


def test_the_resource_is_cleaned_once(make):
    """All spans of a provider keep sharing one resource."""
    fence = SanitizingSpanExporter(InMemorySpanExporter())
    span = make(resource={"owner": MAIL})
    assert fence.clean(span).resource is fence.clean(span).resource
    for index in range(40):
        fence.clean(make(resource={"owner": f"{index}{MAIL}"}))
    assert len(fence._resources) <= 16


def test_what_is_remembered_as_clean_is_bounded_and_short(make):
    """Clean values are recognised again, never more than a fixed number of them, and no value that was cleaned."""
    fence = SanitizingSpanExporter(InMemorySpanExporter())
    for index in range(45):
        fence.clean(make(attributes={f"key_{number}": f"word {index} {number}" for number in range(100)}))
    assert len(fence._clean_pairs) <= 4096
    fence = SanitizingSpanExporter(InMemorySpanExporter())
    for _ in range(2):
        out = fence.clean(make(attributes={"to": MAIL, "plain": "x", "long": "y" * 1000}))
        assert "[EMAIL]" == out.attributes["to"]
    assert ("plain", "x") in fence._clean_pairs
    assert not any(MAIL in value or len(value) > 256 for _, value in fence._clean_pairs)


def test_a_disabled_sanitizer_lets_everything_pass(make):
    """Turned off, the fence is open."""
    span = make(MAIL)
    assert span is passed(span, sanitizer=Sanitizer.disabled(reason="tests"))


@pytest.mark.logs_expected
def test_what_cannot_be_cleaned_is_replaced(make, nothing_logged):
    """A sanitizer that breaks lets nothing out: no text, no odd key, no long number, no log line with the value."""
    span = make(
        MAIL,
        attributes={"to": MAIL, "count": 3, "ok": True, "phone": 15551234567, f"box {MAIL}": "x"},
        events=[(MAIL, {"to": MAIL}), ("exception", {"exception.message": MAIL})],
        links=[Link(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)), {"to": MAIL})],
        status=Status(StatusCode.ERROR, MAIL),
        resource={"owner": MAIL},
    )
    exporter = InMemorySpanExporter()
    fence = SanitizingSpanExporter(exporter, Failing())
    fence.export([span, span])
    out = exporter.get_finished_spans()[0]
    marker = "[REDACTED:error]"
    assert 2 == fence.failures
    assert MAIL not in out.to_json()
    assert {"to": marker, "count": 3, "ok": True, "phone": marker} == dict(out.attributes)
    assert [marker, "exception"] == [event.name for event in out.events]
    assert (marker, StatusCode.ERROR, marker) == (out.name, out.status.status_code, out.status.description)
    assert span.context == out.context
    (logged,) = nothing_logged.kept
    assert "KeyError" in logged.getMessage()
    assert MAIL not in logged.getMessage() + str(logged.exc_info)


def test_flush_and_shutdown_reach_the_exporter():
    """The fence is transparent for flush and shutdown."""

    class Exporter(InMemorySpanExporter):
        def force_flush(self, timeout_millis=30000):
            return timeout_millis == 5

    exporter = Exporter()
    fence = SanitizingSpanExporter(exporter)
    assert fence.force_flush(5)
    assert not fence.force_flush()
    fence.shutdown()
    assert exporter._stopped
