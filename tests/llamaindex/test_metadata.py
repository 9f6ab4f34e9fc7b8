"""Who asked stands on every span, what LlamaIndex puts into its tags on none, and both cross processes."""

from __future__ import annotations

import asyncio
import contextvars
import json
from typing import TYPE_CHECKING, Any

import pytest
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags
from opentelemetry import baggage
from opentelemetry import context as otel_context

from agent_callbacks import AgentEventHandler, Settings, request_metadata
from agent_callbacks.llamaindex import propagation
from tests.llamaindex.engines import Orders, query_engine
from tests.llamaindex.models import ScriptedLLM, asks, says
from tests.llamaindex.shared import support, tree, two_steps

if TYPE_CHECKING:
    from tests.conftest import Spans

CANARIES = ("alice@example.org", "4111 1111 1111 1111", "sk-canary-0123456789abcdef")


def said_by_all(spans: Spans, key: str) -> set[Any]:
    """Return the values of *key* over all spans, None where it is missing."""
    return {(span.attributes or {}).get(key) for span in spans.finished()}


TAGS: dict[str, Any] = {"user_id": "u-17", "session_id": "s-9", "variant": "b", "plan": "gold"}


async def test_tags_stand_on_every_span(events: AgentEventHandler, spans: Spans) -> None:
    """instrument_tags reach the root too, where LlamaIndex passes none."""
    with instrument_tags(TAGS):
        await support(*two_steps()).run("hi")
    assert 7 == len(spans.finished())
    assert {"u-17"} == said_by_all(spans, "user.id")
    assert {"s-9"} == said_by_all(spans, "session.id")
    assert {"b"} == said_by_all(spans, "feature_flag.result.variant")
    assert {'{"plan":"gold"}'} == said_by_all(spans, "metadata")


async def test_dotted_tags_are_understood(events: AgentEventHandler, spans: Spans) -> None:
    """Tags spelled as attributes mean the same."""
    with instrument_tags({"user.id": "u-17", "session.id": "s-9"}):
        await support(*two_steps()).run("hi")
    assert ({"u-17"}, {"s-9"}) == (said_by_all(spans, "user.id"), said_by_all(spans, "session.id"))


async def test_request_metadata_stands_on_every_span(events: AgentEventHandler, spans: Spans) -> None:
    """request_metadata() reaches the root, the tools in threads and what they ask."""
    with request_metadata(user_id="u-17", session_id="s-9", variant={"prompt": "b"}):
        await support(*two_steps()).run("hi")
    assert {"u-17"} == said_by_all(spans, "user.id")
    assert {"prompt"} == said_by_all(spans, "feature_flag.key")


def test_threads_of_a_chat_engine_know_who_asked(events: AgentEventHandler, spans: Spans) -> None:
    """So does what a streaming chat engine does in a thread."""
    from llama_index.core.chat_engine import ContextChatEngine

    engine = ContextChatEngine.from_defaults(retriever=Orders(), llm=ScriptedLLM(script=[says("a long answer")]))
    with request_metadata(user_id="u-17"):
        response = engine.stream_chat("why?")
    assert "".join(response.response_gen)
    assert {"u-17"} == said_by_all(spans, "user.id")


def test_a_stream_read_after_the_request_knows_who_asked(events: AgentEventHandler, spans: Spans) -> None:
    """A model asked while the consumer reads belongs to who asked the query."""
    engine = query_engine(says("a long answer"), streaming=True)
    spans.clear()
    with request_metadata(user_id="u-17"):
        response = engine.query("why?")
    assert "".join(response.response_gen)
    assert {"u-17"} == said_by_all(spans, "user.id")


async def test_baggage_stands_on_every_span(events: AgentEventHandler, spans: Spans) -> None:
    """OpenTelemetry baggage is read for the keys that the settings allow."""
    token = otel_context.attach(baggage.set_baggage("user_id", "u-17"))
    try:
        await support(*two_steps()).run("hi")
    finally:
        otel_context.detach(token)
    assert {"u-17"} == said_by_all(spans, "user.id")


async def test_requests_side_by_side_do_not_mix(events: AgentEventHandler, spans: Spans) -> None:
    """Two users at once are two users."""

    async def one(user: str) -> None:
        with request_metadata(user_id=user):
            await support(*two_steps()).run("hi")

    await asyncio.gather(*(one(f"u-{number}") for number in range(4)))
    users = {span.context.trace_id: set[Any]() for span in spans.finished()}
    for span in spans.finished():
        users[span.context.trace_id].add((span.attributes or {})["user.id"])
    assert [1] * 4 == [len(found) for found in users.values()]


@pytest.mark.parametrize("content", ["off", "arguments", "tools", "all"])
async def test_nothing_personal_leaves(spans: Spans, content: Any) -> None:
    """No personal data of question, arguments, results, errors, documents or tags leaves, at any content level."""
    secret = " ".join(CANARIES[:2])

    def boom(text: str) -> str:
        """Fail with what was given."""
        raise ValueError(f"cannot: {text}")

    def echo(text: str) -> str:
        """Give back what was given."""
        return text

    script = [asks(("boom", {"text": secret}), ("echo", {"text": secret})), says(f"I know {secret}")]
    with (
        AgentEventHandler(tracer_provider=spans.provider, settings=Settings(content=content)).install(),
        instrument_tags({"user_id": "u-1", "note": secret}),
    ):
        await support(*script, tools=[boom, echo], system_prompt=f"system {secret}").run(f"my card: {secret}")
        query_engine(says(secret)).query(secret)
    everything = "".join(span.to_json() for span in spans.finished())
    assert 12 <= len(spans.finished())
    for canary in CANARIES:
        assert canary not in everything
    for key in ("input_summary", "input_event", "start_event", "run_id", "llamaindex.", "api_key"):
        assert key not in everything


async def test_the_key_is_never_read(events: AgentEventHandler, spans: Spans) -> None:
    """A model's key is a plain field of it; nothing of ours asks for it."""

    class Watched(ScriptedLLM):
        def __getattribute__(self, name: str) -> Any:
            if name == "api_key":
                read.append(name)
            return super().__getattribute__(name)

    read: list[str] = []
    made = Watched(script=[says("hi")])
    read.clear()
    made.chat([])
    assert [] == read
    assert spans.attributes("llm.chat")["gen_ai.request.temperature"] == 0.5


# --- from process to process -----------------------------------------------------------------------------------------
def elsewhere(function: Any) -> Any:
    """Run *function* as in another process: in a context in which nothing was ever set."""
    return contextvars.Context().run(function)


def test_a_trace_goes_on_elsewhere(events: AgentEventHandler, spans: Spans) -> None:
    """What was captured is plain data, and what runs where it is restored is in the same trace, asked by the same."""
    dispatcher = get_dispatcher()

    def before() -> dict[str, Any]:
        with (
            spans.provider.get_tracer("user").start_as_current_span("request"),
            request_metadata(user_id="u-17", session_id="s-9", variant="b", content="off", plan="gold", what=object()),
        ):
            return dispatcher.capture_propagation_context()

    def after() -> None:
        dispatcher.restore_propagation_context(json.loads(stored))
        ScriptedLLM(script=[says("hi")]).chat([])

    stored = json.dumps(elsewhere(before))
    assert '"traceparent"' in stored
    elsewhere(after)
    assert "request\n└─ llm.chat" == tree(spans)
    found = spans.attributes("llm.chat")
    assert ("u-17", "s-9", "b", '{"plan":"gold"}') == (
        found["user.id"],
        found["session.id"],
        found["feature_flag.result.variant"],
        found["metadata"],
    )


def test_a_runtime_that_starts_tasks_empty_keeps_one_trace(events: AgentEventHandler, spans: Spans) -> None:
    """A tool whose agent runs in an empty context, as durable runtimes do, still has that agent below it."""
    stored: dict[str, Any] = {}

    async def research() -> str:
        """Research."""
        stored.update(get_dispatcher().capture_propagation_context())
        return "x"

    asyncio.run(_run(asks(("research", {})), says("done"), tools=[research]))

    def after() -> None:
        get_dispatcher().restore_propagation_context(stored)
        asyncio.run(_run(says("facts"), tools=[]))

    elsewhere(after)
    assert 1 == len({span.context.trace_id for span in spans.finished()})


async def _run(*script: Any, **options: Any) -> None:
    await support(*script, **options).run("hi")


def test_restoring_where_one_is_changes_nothing() -> None:
    """In the same task the trace is current already; a stranger's data is no trace."""
    before = otel_context.get_current()
    propagation.restore({})
    propagation.restore({propagation.KEY: {"traceparent": "nonsense", "tracestate": 3}})
    assert otel_context.get_current() is before


def test_nothing_to_capture_is_nothing() -> None:
    """Outside any trace and request nothing is passed on."""
    assert {} == propagation.capture(("user_id",))


def test_baggage_is_captured(events: AgentEventHandler) -> None:
    """Who asked travels as our own data, whether it came as baggage or not."""

    def inside() -> dict[str, Any]:
        otel_context.attach(baggage.set_baggage("user_id", "u-17"))
        return propagation.capture(("user_id",))

    assert {"request": {"user_id": "u-17"}} == elsewhere(inside)[propagation.KEY]
