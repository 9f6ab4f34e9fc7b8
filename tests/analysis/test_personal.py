"""``assert_no_pii``: a test of a user's own fails with places and types, never with a value."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode

from agent_callbacks import Sanitizer
from agent_callbacks.analysis import assert_no_pii, load
from agent_callbacks.analysis.personal import personal_data
from agent_callbacks.store.write import StoreExporter
from tests.store.story import support

MAIL = "bob@example.com"


def span(name="GET", scope="app", resource=None, event=None, status=None, **attributes):
    """Return a finished span."""
    provider = TracerProvider(resource=Resource(resource or {}), shutdown_on_exit=False)
    made = provider.get_tracer(scope).start_span(name, attributes=attributes)
    if event:
        made.add_event(*event)
    if status:
        made.set_status(Status(StatusCode.ERROR, status))
    made.end()
    return made


def places(made):
    """Return where personal data is found."""
    (trace,) = load([made])
    return [(found.place.partition("' ")[2], found.kind) for found in personal_data(trace.spans[0], Sanitizer())]


def test_clean_spans_pass(tmp_path):
    """From the SDK, as traces, as spans, and from a file."""
    spans = support()
    assert_no_pii(spans)
    assert_no_pii(load(spans))
    assert_no_pii(load(spans)[0].spans)
    exporter = StoreExporter(tmp_path / "traces.db", max_age_seconds=1e9)
    exporter.export(spans)
    exporter.shutdown()
    assert_no_pii(tmp_path / "traces.db")


def test_the_error_says_where_and_what_but_not_who():
    """A failing test may be printed anywhere."""
    with pytest.raises(AssertionError) as caught:
        assert_no_pii([span(to=f"mail {MAIL}")])
    assert "personal data in spans:\nspan 'GET' to [5:20]: EMAIL" == str(caught.value)


def test_many_finds_are_counted():
    """The message stays short."""
    with pytest.raises(AssertionError, match="and 5 more"):
        assert_no_pii([span(**{f"to_{number}": MAIL for number in range(25)})])


def test_a_sanitizer_of_ones_own_decides():
    """What it lets through is no find."""
    assert_no_pii([span(to=MAIL)], Sanitizer(allow_values=frozenset({MAIL})))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": f"to {MAIL}"}, ("name", "EMAIL")),
        ({"status": f"no {MAIL}"}, ("status", "EMAIL")),
        ({"scope": f"of {MAIL}"}, ("scope", "EMAIL")),
        ({"resource": {"owner": MAIL}}, ("resource owner", "EMAIL")),
        ({"event": (f"to {MAIL}", {})}, ("event name", "EMAIL")),
        ({"event": ("told", {"to": MAIL})}, ("event 'told' to", "EMAIL")),
        ({"to": ["x", MAIL]}, ("to[1]", "EMAIL")),
        ({MAIL: "x"}, ("key", "EMAIL")),
        ({"password": "horse"}, ("password", "SECRET")),
        ({"password": ["horse"]}, ("password", "SECRET")),
        ({"card": 4111111111111111}, ("card", "CREDIT_CARD")),
        ({"user.id": MAIL}, ("user.id", "EMAIL")),
    ],
)
def test_every_place_is_looked_at(given, expected):
    """Names, status, scope, resource, events, sequences, keys, what keys say, numbers, identities."""
    assert [expected] == places(span(**given))


@pytest.mark.parametrize(
    "given", [{"user.id": "4111111111111111"}, {"count": 12, "ok": True}, {"password": "[SECRET]"}]
)
def test_what_is_no_find(given):
    """An id of digits, counts and switches, and what was replaced already."""
    assert [] == places(span(**given))


def test_nested_attributes_are_looked_at():
    """A source that nests is read to its leaves, with what is said by the keys on the way."""
    from agent_callbacks.privacy.findings import in_value

    found = list(in_value({"a": [{"b": MAIL, "password": "horse"}], "raw": b"x", "none": None}, Sanitizer(), "at"))
    assert [("at a[0] b", "EMAIL"), ("at a[0] password", "SECRET")] == [(one.place, one.kind) for one in found]


def test_a_report_counts_what_was_done():
    """By type, with failures and what was too long; a text that is remembered counts once."""
    sanitizer = Sanitizer(max_characters=50)
    for _ in range(2):
        sanitizer.clean(f"{MAIL}, ann@example.com")
    sanitizer.clean_value({"password": "horse"})
    sanitizer.clean_identity(MAIL)
    sanitizer.clean("word " * 40)
    assert ({"EMAIL": 3, "SECRET": 1}, 0, 1) == sanitizer.report()
