"""The fence: what other instrumentations put on their spans is cleaned on its way out."""

from __future__ import annotations

import re

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState

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

    def build(name="GET /", scope="requests", resource=None, limits=None, schema=None, **options):
        described = Resource({"service.name": "app"} if resource is None else resource)
        provider = TracerProvider(resource=described, shutdown_on_exit=False, span_limits=limits)
        events, status = options.pop("events", ()), options.pop("status", None)
        span = provider.get_tracer(scope, schema_url=schema).start_span(name, **options)
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


def test_content_on_own_spans_is_trusted_unless_told_otherwise(make):
    """Content of ours passes, its writer has cleaned it; the resource, which nobody cleaned, does not."""
    given = {keys.TOOL_RESULT: MAIL, "llm.output_messages.0.message.role": MAIL}
    own = {"scope": keys.SCOPE_NAME, "schema": keys.SCHEMA_URL, "attributes": given}
    span = make("x", **own)
    assert span is passed(span)
    assert "[EMAIL]" == passed(make("x", **{**own, "schema": None})).attributes[keys.TOOL_RESULT]
    assert "[EMAIL]" == passed(span, trust_own=False).attributes[keys.TOOL_RESULT]
    out = passed(make("x", resource={"owner": MAIL}, **own))
    assert (MAIL, {"owner": "[EMAIL]"}) == (out.attributes[keys.TOOL_RESULT], dict(out.resource.attributes))


def test_what_others_put_on_own_spans_is_cleaned(make):
    """A span processor may write on any span: baggage as attributes, under any key, another name, an event."""
    span = make(
        f"to {MAIL}",
        scope=keys.SCOPE_NAME,
        schema=keys.SCHEMA_URL,
        attributes={keys.USER_ID: MAIL, "baggage.who": MAIL, keys.TOOL_RESULT: "x"},
        events=[("sent", {"to": MAIL})],
        links=[Link(SpanContext(1, 2, is_remote=False), {"to": MAIL})],
        status=Status(StatusCode.ERROR, MAIL),
    )
    out = passed(span)
    assert MAIL not in out.to_json()
    assert ("to [EMAIL]", "x") == (out.name, out.attributes[keys.TOOL_RESULT])


def test_scope_and_trace_state_are_cleaned(make):
    """What an instrumentation calls itself, and what came along with the trace, says nothing of anybody."""
    state = TraceState([("user", MAIL), ("vendor", "00f067aa0ba902b7")])
    context = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    parent = trace.set_span_in_context(trace.NonRecordingSpan(context))
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer(f"by {MAIL}", f"1 {MAIL}", attributes={"who": MAIL})
    span = tracer.start_span("x", context=parent, links=[Link(context)])
    span.end()
    out = passed(span)
    scope = out.instrumentation_scope
    assert ("by [EMAIL]", "1 [EMAIL]", {"who": "[EMAIL]"}) == (scope.name, scope.version, dict(scope.attributes))
    for found in (out.context, out.parent, out.links[0].context):
        assert {"vendor": "00f067aa0ba902b7"} == dict(found.trace_state)
    assert (span.context.trace_id, span.context.span_id) == (out.context.trace_id, out.context.span_id)
    assert (1, 2) == (out.links[0].context.trace_id, out.links[0].context.span_id)
    fence = SanitizingSpanExporter(InMemorySpanExporter())
    assert fence.clean(span).instrumentation_scope is fence.clean(span).instrumentation_scope


def test_a_clean_trace_state_stays(make):
    """Sampling and routing depend on it."""
    state = TraceState([("ot", "th:c;rv:d29d6a7215ced0"), ("dd", "s:1")])
    context = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    span = make("x", context=trace.set_span_in_context(trace.NonRecordingSpan(context)))
    assert span is passed(span)


def test_who_runs_a_process_is_not_told(make):
    """The login, the names of home directories and what options are given say who runs it and with which secrets."""
    resource = {
        "process.owner": "zelda",
        "process.executable.path": "/home/zelda/app/bin/python3",
        "process.command_args": ["/Users/zelda/run.py", "--password", "hunter-Zq9xW", "--verbose", "yes"],
        "process.command_line": "C:\\Users\\zelda\\run.exe --token abcDEF123456xyz",
        "process.pid": 4711,
    }
    out = dict(passed(make(resource=resource)).resource.attributes)
    assert {
        "process.owner": "[PERSON]",
        "process.executable.path": "/home/[PERSON]/app/bin/python3",
        "process.command_args": ("/Users/[PERSON]/run.py", "--password", "[SECRET]", "--verbose", "yes"),
        "process.command_line": "C:\\Users\\[PERSON]\\run.exe --token [SECRET]",
        "process.pid": 4711,
    } == out


def test_numbers_are_values_too(make):
    """A number under a telling key, or one as long as a card's, goes; counts, fractions and switches stay."""
    given = {"password": 4711, "pin": True, "card": 4111111111111111, "rate": 4111111111111111.0, "ssn": 1.5}
    kept = {"count": 12, "ratio": 0.25, "far": float("inf"), "time": 1764039035000000000}
    out = dict(passed(make(attributes={**given, **kept})).attributes)
    assert kept == {key: out[key] for key in kept}
    assert ("[SECRET]", True, "[US_SSN]") == (out["password"], out["pin"], out["ssn"])
    assert "[CREDIT_CARD]" == out["card"] == out["rate"]


def test_keys_of_counts_are_remembered(make):
    """A key that says nothing is looked at once; its numbers pass."""
    fence = SanitizingSpanExporter(InMemorySpanExporter())
    spans = [make(attributes={"count": number, MAIL: number}) for number in range(3)]
    assert [{"count": number, "[EMAIL]": number} for number in range(3)] == [
        dict(fence.clean(span).attributes) for span in spans
    ]
    assert ["count"] == list(fence._plain_keys)


def test_a_dropped_type_takes_the_pair_along(make):
    """With the mode ``drop`` the attribute is gone, and the rest of the span is there."""
    sanitizer = Sanitizer(modes={"SECRET": "drop", "PERSON": "drop"})
    out = passed(make(attributes={"password": "x", "user.name": "zelda", "count": 3}), sanitizer=sanitizer)
    assert ("GET /", {"count": 3}) == (out.name, dict(out.attributes))


def test_tags_of_our_spans_stay(make):
    """What the writer has replaced by a tag is not tagged again: it would join nothing any more."""
    sanitizer = Sanitizer(modes={"SECRET": "tag", "EMAIL": "tag"}, pseudonym_key="k")
    tags = sanitizer.clean_value({"db.password": "correct horse", "to": MAIL})
    span = make(scope=keys.SCOPE_NAME, schema=keys.SCHEMA_URL, attributes=tags)
    assert span is passed(span, sanitizer=sanitizer)


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
