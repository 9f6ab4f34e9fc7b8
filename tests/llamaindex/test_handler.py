"""The handler itself: installing it, what it does with failures of its own, closing, and settings."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher, root_dispatcher
from llama_index_instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation.span_handlers import BaseSpanHandler
from opentelemetry.sdk.trace import TracerProvider

from agent_callbacks import AgentEventHandler, Settings
from agent_callbacks.llamaindex import spans as spans_module
from agent_callbacks.recording import process
from tests.llamaindex.engines import EMBEDDING, query_engine
from tests.llamaindex.models import ScriptedLLM, asks, says
from tests.llamaindex.shared import outcomes, support, two_steps

if TYPE_CHECKING:
    from tests.conftest import Records, Spans

HELLO = [ChatMessage("hello")]


def chat() -> None:
    """Ask a model once."""
    ScriptedLLM(script=[says("hi")]).chat(HELLO)


def installed(handler: object) -> tuple[int, int]:
    """Return how often *handler* stands in each list of the root dispatcher."""
    return (
        sum(other is handler for other in root_dispatcher.event_handlers),
        sum(other is handler for other in root_dispatcher.span_handlers),
    )


def test_it_is_both_kinds_of_handler(spans: Spans) -> None:
    """One object is what LlamaIndex wants in either list."""
    handler = AgentEventHandler(tracer_provider=spans.provider)
    assert isinstance(handler, BaseEventHandler)
    assert isinstance(handler, BaseSpanHandler)


def test_installing_twice_is_installing_once(spans: Spans) -> None:
    """A second install changes nothing, and uninstall leaves nothing."""
    before = (list(root_dispatcher.event_handlers), list(root_dispatcher.span_handlers))
    handler = AgentEventHandler(tracer_provider=spans.provider)
    assert handler is handler.install()
    handler.install()
    assert (1, 1) == installed(handler)
    chat()
    assert ["llm.chat"] == spans.names()
    handler.uninstall()
    assert (0, 0) == installed(handler)
    assert [id(one) for one in before[0]] == [id(one) for one in root_dispatcher.event_handlers]
    assert [id(one) for one in before[1]] == [id(one) for one in root_dispatcher.span_handlers]
    chat()
    assert ["llm.chat"] == spans.names()


def test_two_handlers_are_told_apart(spans: Spans) -> None:
    """Handlers are known by identity: pydantic would call them equal."""
    with AgentEventHandler(tracer_provider=spans.provider).install() as one:
        other = AgentEventHandler(tracer_provider=spans.provider).install()
        other.uninstall()
        assert (1, 1) == installed(one)


def test_two_handlers_record_once(spans: Spans) -> None:
    """What two handlers on one provider report is one span."""
    with (
        AgentEventHandler(tracer_provider=spans.provider).install() as one,
        AgentEventHandler(tracer_provider=spans.provider).install() as other,
    ):
        asyncio.run(_run())
        assert 7 == len(spans.finished())
        assert (0, 0) == (one.unmatched_events, other.unmatched_events)


async def _run(**options: Any) -> None:
    await support(*two_steps(), **options).run("hi")


def test_it_can_listen_to_a_part(spans: Spans) -> None:
    """On another dispatcher it hears only of what that one does."""
    part = get_dispatcher("tests.part")
    handler = AgentEventHandler(tracer_provider=spans.provider).install(part)
    chat()
    part.span(EMBEDDING.class_name)()
    handler.uninstall()
    assert 1 == len(spans.finished())
    assert handler not in part.event_handlers


@pytest.mark.logs_expected
def test_events_alone_are_not_enough(spans: Spans, nothing_logged: Records) -> None:
    """A handler that was only added for events says once what to do."""
    process.forget_warnings()
    handler = AgentEventHandler(tracer_provider=spans.provider)
    root_dispatcher.add_event_handler(handler)
    chat()
    chat()
    handler.uninstall()
    (said,) = [record.getMessage() for record in nothing_logged.kept]
    assert "install()" in said
    assert () == spans.finished()


@pytest.mark.logs_expected
@pytest.mark.swallows
def test_a_failure_of_ours_is_counted_and_named_once(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, nothing_logged: Records
) -> None:
    """LlamaIndex would swallow it without a word; we count each and log the type once, and the agent goes on."""

    def broken(*_: Any, **__: Any) -> Any:
        raise LookupError("secret text")

    process.forget_warnings()
    monkeypatch.setattr(spans_module, "role_of", broken)
    with AgentEventHandler(tracer_provider=spans.provider).install() as handler:
        chat()
        chat()
    assert handler.internal_errors == 2
    (said,) = [record.getMessage() for record in nothing_logged.kept]
    assert "LookupError" in said
    assert "secret" not in said


@pytest.mark.logs_expected
@pytest.mark.swallows
def test_what_cannot_be_read_is_recorded_without_it(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """A span whose answer cannot be read still ends."""

    def broken(*_: Any, **__: Any) -> Any:
        raise LookupError

    monkeypatch.setattr(spans_module, "model_result", broken)
    with AgentEventHandler(tracer_provider=spans.provider).install():
        chat()
    assert ["llm.chat"] == spans.names()


def test_closing_ends_what_is_open_and_no_provider(spans: Spans) -> None:
    """close() abandons open spans; the provider goes on."""
    with AgentEventHandler(tracer_provider=spans.provider).install() as handler:
        stream = ScriptedLLM(script=[says("hi")]).stream_chat(HELLO)
        handler.close()
        assert "abandoned" == spans.attributes("llm.chat")["agent_callbacks.outcome"]
        assert {} == handler.open_spans
        list(stream)
        chat()
    assert ["llm.chat", "llm.chat"] == spans.names()


def test_uninstalling_in_the_middle_of_a_run_abandons_what_is_open(spans: Spans) -> None:
    """Of what is open it would never hear the end: that closes as abandoned, and the run comes to its answer."""
    handler = AgentEventHandler(tracer_provider=spans.provider)

    async def left() -> str:
        gate, asked = asyncio.Event(), asyncio.Event()
        script = asks(("search_web", {"query": "a"})), says("done")
        agent = support(*script, streaming=False, tools=[_waiting_tool(asked, gate)])
        running = agent.run("hi")
        await asked.wait()
        handler.uninstall()
        gate.set()
        return str(await running)

    handler.install()
    assert "done" == asyncio.run(left())
    assert 0 == handler.open_runs
    assert {} == handler.open_spans
    assert 0 == handler.unmatched_events
    said = outcomes(spans)
    ended = {"agent.run.support": "abandoned", "agent.step.1": "abandoned", "tool.search_web": "abandoned"}
    assert ended | {"llm.chat": "success"} == said


def test_uninstalling_before_a_stream_is_read_abandons_it(spans: Spans) -> None:
    """Who leaves the ``with`` before the answer has been read still gets all of it."""
    with AgentEventHandler(tracer_provider=spans.provider).install() as handler:
        answer = query_engine(says("forty-two"), streaming=True).query("why?")
    assert (0, {}) == (handler.open_runs, handler.open_spans)
    assert "abandoned" == outcomes(spans)["chain.retriever_query_engine"]
    before = len(spans.finished())
    assert "forty-two" == "".join(answer.response_gen)
    assert (before, 0) == (len(spans.finished()), handler.open_runs)


def _waiting_tool(asked: asyncio.Event, gate: asyncio.Event) -> FunctionTool:
    async def search_web(query: str) -> str:
        """Search the web."""
        asked.set()
        await gate.wait()
        return query

    return FunctionTool.from_defaults(async_fn=search_web)


def test_a_dispatcher_that_shuts_down_abandons_what_is_open(spans: Spans) -> None:
    """LlamaIndex's shutdown drops every open span, which has not failed for that."""
    with AgentEventHandler(tracer_provider=spans.provider).install():
        stream = ScriptedLLM(script=[says("hi")]).stream_chat(HELLO)
        root_dispatcher.shutdown()
        assert "abandoned" == spans.attributes("llm.chat")["agent_callbacks.outcome"]
        del stream
    assert 1 == len(spans.finished())


def test_models_and_embeddings_can_still_be_pickled(spans: Spans) -> None:
    """Nothing of ours clings to what LlamaIndex sends to other processes."""
    with AgentEventHandler(tracer_provider=spans.provider).install():
        EMBEDDING.get_text_embedding("x")
        restored = pickle.loads(pickle.dumps(EMBEDDING))  # noqa: S301 - our own bytes
        assert EMBEDDING.embed_dim == restored.embed_dim
        copy.deepcopy(EMBEDDING)


def test_a_disabled_handler_does_nothing(spans: Spans) -> None:
    """enabled=False leaves LlamaIndex alone."""
    settings = Settings(enabled=False)
    with AgentEventHandler(tracer_provider=spans.provider, settings=settings).install() as handler:
        chat()
        list(ScriptedLLM(script=[says("hi")]).stream_chat(HELLO))
        assert {} == handler.open_spans
    assert () == spans.finished()


def test_what_is_open_can_be_seen(spans: Spans) -> None:
    """An open operation is listed, and the trace of the latest root is known."""
    with AgentEventHandler(tracer_provider=spans.provider).install() as handler:
        stream = ScriptedLLM(script=[says("hi")]).stream_chat(HELLO)
        assert 1 == len(list(handler.open_operations())) == handler.open_runs
        list(stream)
    assert f"{spans.one('llm.chat').context.trace_id:032x}" == handler.last_trace_id
    assert "AgentEventHandler" == handler.class_name()


def test_unused_parts_of_the_base_class_do_nothing(spans: Spans) -> None:
    """The three methods that a span handler may implement instead are there and silent."""
    handler = AgentEventHandler(tracer_provider=spans.provider)
    assert handler.new_span("x") is None
    assert handler.prepare_to_exit_span("x") is None
    assert handler.prepare_to_drop_span("x") is None


@pytest.mark.swallows
@pytest.mark.logs_expected
def test_swallowed_is_counted(spans: Spans) -> None:
    """The guard counts at the handler."""
    handler = AgentEventHandler(tracer_provider=spans.provider)
    handler.swallowed(LookupError())
    assert handler.internal_errors == 1


# --- settings --------------------------------------------------------------------------------------------------------
def recorded(spans: Spans, settings: Settings) -> None:
    """Run an agent and a query under *settings*."""
    engine = query_engine(says("42"))
    with AgentEventHandler(tracer_provider=spans.provider, settings=settings).install():
        asyncio.run(_run(streaming=False))
        engine.query("why?")


def test_inner_spans_show_every_step(spans: Spans) -> None:
    """With inner_spans the framework's own spans are nodes, and what happens inside them hangs on them."""
    recorded(spans, Settings(inner_spans=True))
    names = spans.names()
    assert {"node.init_run", "node.setup_agent", "node.run_agent_step", "node.query", "node.synthesize"} & set(names)
    assert {"agent.run.support", "agent.step.1", "tool.search_web", "llm.chat"} <= set(names)
    assert 2 == len({span.context.trace_id for span in spans.finished()})


def test_the_standards_names(spans: Spans) -> None:
    """span_names="otel_genai" gives the names of the GenAI conventions."""
    recorded(spans, Settings(span_names="otel_genai"))
    assert {"invoke_agent support", "chat scripted-1", "execute_tool search_web", "retrieval SimpleVectorStore"} <= set(
        spans.names()
    )


def test_openinference_attributes(spans: Spans) -> None:
    """attributes="openinference" says everything in those keys too."""
    recorded(spans, Settings(attributes="openinference", content="all"))
    kinds = {(span.attributes or {})["openinference.span.kind"] for span in spans.finished()}
    assert {"AGENT", "CHAIN", "LLM", "TOOL", "RETRIEVER", "EMBEDDING"} == kinds


@pytest.mark.parametrize(
    ("content", "arguments", "results", "messages"),
    [("off", 0, 0, 0), ("arguments", 2, 0, 0), ("tools", 2, 2, 0), ("all", 2, 2, 3)],
)
def test_content_levels(spans: Spans, content: Any, arguments: int, results: int, messages: int) -> None:
    """Each level lets through what it says, on every kind of span."""
    recorded(spans, Settings(content=content))
    said = [dict(span.attributes or {}) for span in spans.finished()]
    counted = [
        sum(key in attributes for attributes in said)
        for key in ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.input.messages")
    ]
    assert [arguments, results, messages] == counted


def test_a_handler_without_a_provider_follows_the_global_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers may be set up after the handler."""
    from opentelemetry import trace

    handler = AgentEventHandler()
    provider = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    with handler.install():
        chat()
    assert handler.last_trace_id is not None


def test_an_unknown_argument_is_refused_with_the_nearest() -> None:
    """A misspelt argument is an error that names the right one, and a setting is sent to where it belongs."""
    with pytest.raises(TypeError, match="did you mean 'tracer_provider'"):
        AgentEventHandler(tracer_provder=None)
    with pytest.raises(TypeError, match=r"AgentEventHandler\(settings=Settings\(content=\.\.\.\)\)"):
        AgentEventHandler(content="off")
