"""What a tool waits for: the union of intervals, by peer, clipped to the tool; live on its span."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import tool
from opentelemetry.trace import SpanKind, TracerProvider

from agent_callbacks import AgentCallbackHandler, downstream
from agent_callbacks.convention.peers import OTHER, peer_of
from agent_callbacks.interval import MAX_PARTS, Union
from agent_callbacks.recording.values import ModelCall, ModelResult, Retrieval, RetrievalResult, ToolCall, ToolResult
from agent_callbacks.recording.waits import MAX_OPEN, MAX_PEERS, Waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span

    from agent_callbacks.recording.recorder import Recorder
    from tests.conftest import Spans

DOWNSTREAM = "agent_callbacks.tool.downstream_duration"
MARSHALING = "agent_callbacks.tool.marshaling_duration"
PEERS = "agent_callbacks.tool.downstream_peers"
DURATIONS = "agent_callbacks.tool.downstream_peer_durations"
METHOD = "agent_callbacks.tool.downstream_method"
NS = 10**9


@pytest.fixture
def recorder(handler: AgentCallbackHandler) -> Recorder:
    """Give the recorder of a handler, to be told times."""
    return handler._recorder


def by_peer(found: dict[str, Any]) -> dict[str, float]:
    """Return the seconds by peer that a tool's span says."""
    return dict(zip(found[PEERS], found[DURATIONS], strict=True))


# --- the union -------------------------------------------------------------------------------------------------------
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=30), st.integers(0, 70))
def test_a_union_is_what_its_points_are(intervals: list[tuple[int, int]], until: int) -> None:
    """In any order, overlapping, touching or empty: as many nanoseconds as lie in at least one of them."""
    union = Union()
    for begin, end in intervals:
        union.add(begin, end)
    expected = {at for begin, end in intervals for at in range(begin, end)}
    assert len([at for at in expected if at < until]) == union.length(until)


def test_a_union_of_very_many_is_exact_and_bounded() -> None:
    """Ten thousand calls one after the other."""
    union = Union()
    for number in range(10_000):
        union.add(number * 10, number * 10 + 3)
    assert 30_000 == union.length(10**9)
    assert union.parts <= MAX_PARTS


def test_what_encloses_very_many_takes_their_place() -> None:
    """A call that waits for them all ends last, and is counted whole."""
    union = Union()
    for number in range(1, 1000):
        union.add(number * 10, number * 10 + 3)
    union.add(0, 20_000)
    assert 20_000 == union.length(10**9)


def test_a_union_of_very_many_is_never_too_long() -> None:
    """What begins among those that are no longer told apart counts from their end on."""
    union = Union()
    for number in range(1, 1000):
        union.add(number * 10, number * 10 + 3)
    before = union.length(10**9)
    union.add(15, 25)
    assert before == union.length(10**9)
    union.add(15, 20_000)
    assert before < union.length(10**9) <= 20_000


# --- whom ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("expected", "attributes"),
    [
        ("postgresql/orders", {"db.system.name": "postgresql", "db.namespace": "orders", "server.address": "db1"}),
        ("postgresql/orders", {"db.system": "postgresql", "db.name": "orders"}),
        ("redis", {"db.system.name": "redis", "server.address": "cache"}),
        ("crm.example.com", {"server.address": "crm.example.com", "url.full": "https://other.example.com/"}),
        ("crm.example.com", {"net.peer.name": "crm.example.com"}),
        ("crm.example.com", {"url.full": "https://user:secret@crm.example.com:8443/v1?q=1"}),
        ("openai", {"gen_ai.provider.name": "openai"}),
        ("GET", {"url.full": "http://[broken"}),
        ("GET", {"server.address": 7}),
        ("GET", None),
    ],
)
def test_a_peer_is_read_from_what_instrumentations_say(expected: str, attributes: dict[str, object] | None) -> None:
    """The database before the host, today's spelling before yesterday's, the span's own name where nothing is said."""
    assert expected == peer_of("GET", attributes)


def test_peers_and_open_waits_are_bounded() -> None:
    """The peers beyond the limit share a name; waits that nobody ends are not kept without end."""
    waits = Waits(0)
    for number in range(MAX_PEERS + 5):
        waits.end(None, number, number + 1, f"p{number}")
    for number in range(MAX_OPEN + 5):
        waits.begin(number, 100 + number, lambda: "late")
    waited, peers = waits.close(100 + MAX_OPEN + 4)
    assert (MAX_PEERS + 1, 5 + MAX_OPEN + 4) == (len(peers), peers[OTHER])
    assert MAX_PEERS + 5 + MAX_OPEN + 4 == waited
    waits.begin("after", 0, lambda: "after")
    waits.end("after", 0, 50, "after")
    assert (waited, peers) == waits.close(100 + MAX_OPEN + 4)


# --- live ------------------------------------------------------------------------------------------------------------
def client(spans: Spans, name: str, start: int, end: int | None, **attributes: str) -> Span:
    """Make a client span as an instrumentation would, with times of its own, in seconds."""
    tracer = spans.provider.get_tracer("http")
    made = tracer.start_span(name, kind=SpanKind.CLIENT, start_time=start * NS, attributes=attributes)
    if end is not None:
        made.end(end * NS)
    return made


def test_waiting_is_a_union_by_peer(recorder: Recorder, spans: Spans) -> None:
    """Calls that overlap count once in all, and each for its peer; what is left is marshaling."""
    recorder.start("tool", None, ToolCall("x"), 10 * NS)
    client(spans, "GET", 11, 14, **{"server.address": "crm.example.com"})
    client(spans, "SELECT", 13, 15, **{"db.system.name": "sqlite"})
    client(spans, "GET", 16, 17, **{"server.address": "crm.example.com"})
    recorder.end("tool", ToolResult(), 20 * NS)
    found = spans.attributes("tool.x")
    assert (5.0, 5.0) == (found[DOWNSTREAM], found[MARSHALING])
    assert {"crm.example.com": 4.0, "sqlite": 2.0} == by_peer(found)
    assert METHOD not in found


def test_a_span_that_is_open_when_the_tool_ends_counts_until_then(recorder: Recorder, spans: Spans) -> None:
    """Nothing is counted outside the tool: neither before its start nor after its end."""
    recorder.start("tool", None, ToolCall("x"), 10 * NS)
    client(spans, "GET", 7, 9)
    client(spans, "GET", 8, 12)
    late = client(spans, "POST", 18, None)
    late.set_attribute("server.address", "late.example.com")
    client(spans, "PUT", 19, 25)
    recorder.end("tool", ToolResult(), 20 * NS)
    late.end(30 * NS)
    found = spans.attributes("tool.x")
    assert (4.0, 6.0) == (found[DOWNSTREAM], found[MARSHALING])
    assert {"GET": 2.0, "late.example.com": 2.0, "PUT": 1.0} == by_peer(found)


def test_a_clients_span_counts_at_any_depth(recorder: Recorder, spans: Spans) -> None:
    """Below spans that are none, and for every tool around."""
    recorder.start("outer", None, ToolCall("outer"), 10 * NS)
    recorder.start("inner", "outer", ToolCall("inner"), 12 * NS)
    tracer = spans.provider.get_tracer("app")
    with tracer.start_as_current_span("parse"), tracer.start_as_current_span("fetch"):
        client(spans, "GET", 13, 15)
    recorder.end("inner", ToolResult(), 16 * NS)
    recorder.end("outer", ToolResult(), 20 * NS)
    assert [(2.0, 8.0), (2.0, 2.0)] == [
        (found[DOWNSTREAM], found[MARSHALING]) for found in map(spans.attributes, ("tool.outer", "tool.inner"))
    ]


def test_models_and_retrievers_in_a_tool_are_waited_for(recorder: Recorder, spans: Spans) -> None:
    """They are clients too, a sub-agent's model among them, also when they are still open when the tool ends."""
    recorder.start("tool", None, ToolCall("x"), 10 * NS)
    recorder.start("model", "tool", ModelCall(provider="openai"), 11 * NS)
    recorder.end("model", ModelResult(), 13 * NS)
    recorder.start("hosted", "tool", ModelCall(provider="openai", server_address="llm.example.com"), 13 * NS)
    recorder.end("hosted", ModelResult(), 14 * NS)
    recorder.start("manuals", "tool", Retrieval("manuals"), 14 * NS)
    recorder.end("manuals", RetrievalResult(), 15 * NS)
    recorder.start("nameless", "tool", ModelCall(), 16 * NS)
    recorder.end("nameless", ModelResult(), 17 * NS)
    begun, over = threading.Event(), threading.Event()

    def retrieve() -> None:
        recorder.start("open", "tool", Retrieval("archive"), 18 * NS)
        begun.set()
        over.wait()
        recorder.end("open", RetrievalResult(), 30 * NS)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(retrieve,))
    thread.start()
    begun.wait()
    recorder.end("tool", ToolResult(), 20 * NS)
    over.set()
    thread.join()
    assert {"openai": 2.0, "archive": 2.0, "llm.example.com": 1.0, "manuals": 1.0, "unknown": 1.0} == by_peer(
        spans.attributes("tool.x")
    )


def test_blocks_in_threads_count(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A thread that was given the context of the tool waits for it."""

    @tool
    def look(text: str) -> str:
        """Do."""

        def fetch() -> None:
            with downstream("disk"):
                pass

        for number in range(3):
            thread = threading.Thread(target=contextvars.copy_context().run, args=(fetch,), name=str(number))
            thread.start()
            thread.join()
        return text

    look.invoke({"text": "x"}, {"callbacks": [handler]})
    assert ("disk",) == spans.attributes("tool.look")[PEERS]


async def test_blocks_in_tasks_count_once(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Tasks that wait side by side do not wait longer than the tool runs."""

    @tool
    async def look(text: str) -> str:
        """Do."""

        async def fetch(peer: str) -> None:
            with downstream(peer):
                await asyncio.sleep(0.01)

        await asyncio.gather(*(fetch(f"shard{number % 2}") for number in range(20)))
        return text

    await look.ainvoke({"text": "x"}, {"callbacks": [handler]})
    (span,) = spans.finished()
    found = by_peer(dict(span.attributes or {}))
    assert {"shard0", "shard1"} == set(found)
    lasted = ((span.end_time or 0) - (span.start_time or 0)) / NS
    assert max(found.values()) <= spans.attributes("tool.look")[DOWNSTREAM] <= lasted


def test_a_block_that_outlasts_the_tool_counts_until_its_end(handler: AgentCallbackHandler, spans: Spans) -> None:
    """What is left open when the tool returns had been waited for until then."""
    kept: list[Iterator[None]] = []

    @tool
    def look(text: str) -> str:
        """Do."""

        def stream() -> Iterator[None]:
            with downstream("queue"):
                yield

        kept.append(stream())
        next(kept[0])
        return text

    look.invoke({"text": "x"}, {"callbacks": [handler]})
    assert ("queue",) == spans.attributes("tool.look")[PEERS]
    kept[0].close()  # type: ignore[attr-defined]


def test_a_peer_is_cleaned(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Bounded and sanitized like everything else on a span; two that read alike are one."""

    @tool
    def look(text: str) -> str:
        """Do."""
        for peer in ("jane.roe@example.org", "john.doe@example.org", "y" * 1000, 7):
            with downstream(peer):  # type: ignore[arg-type]
                pass
        return text

    look.invoke({"text": "x"}, {"callbacks": [handler]})
    assert {"[EMAIL]", "y" * 128, "7"} == set(spans.attributes("tool.look")[PEERS])


def test_where_spans_cannot_be_watched_the_tool_says_so(spans: Spans) -> None:
    """A provider that takes no processor: only what is marked by hand counts, and the span says that."""

    class Closed(TracerProvider):
        """Somebody else's provider, which hands out the SDK's tracers."""

        def get_tracer(self, *args: Any, **more: Any) -> Any:
            return spans.provider.get_tracer(*args, **more)

    @tool
    def look(text: str) -> str:
        """Do."""
        with downstream("crm"), spans.provider.get_tracer("http").start_as_current_span("GET", kind=SpanKind.CLIENT):
            return text

    look.invoke({"text": "x"}, {"callbacks": [AgentCallbackHandler(tracer_provider=Closed())]})
    found = spans.attributes("tool.look")
    assert ("blocks", ("crm",)) == (found[METHOD], found[PEERS])


def test_peers_are_in_the_order_of_their_time(recorder: Recorder, spans: Spans) -> None:
    """The longest first."""
    recorder.start("tool", None, ToolCall("x"), 0 * NS + 1)
    for peer, start, end in (("a", 1, 2), ("b", 2, 5), ("c", 5, 7)):
        client(spans, peer, start, end)
    recorder.end("tool", ToolResult(), 10 * NS)
    lengths = spans.attributes("tool.x")[DURATIONS]
    assert all(one >= other for one, other in pairwise(lengths))
    assert ("b", "c", "a") == spans.attributes("tool.x")[PEERS]
