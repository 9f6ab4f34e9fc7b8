"""What happens rarely: retried steps, the framework's own calls, streams that fail in engines, other frameworks."""

from __future__ import annotations

import asyncio
import gc
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.chat_engine import ContextChatEngine, SimpleChatEngine
from llama_index.core.memory import ChatSummaryMemoryBuffer
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags
from workflows.errors import WorkflowCancelledByUser

from agent_callbacks import AgentEventHandler, Settings
from agent_callbacks.llamaindex import role
from tests.llamaindex.engines import Orders, query_engine
from tests.llamaindex.flows import FanOut, Flaky, with_model
from tests.llamaindex.models import Line, ScriptedLLM, asks, says
from tests.llamaindex.shared import TWO_STEPS, lookup_order, outcomes, search_web, support, tree, trees, two_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Spans

BROKEN = Line("some words here", error=ConnectionError("reset"))


def flaky(*script: Any, **failures: list[Exception]) -> Flaky:
    """Return an agent that plays *script* and whose steps fail as *failures* say."""
    model = ScriptedLLM(script=list(script))
    return Flaky(name="support", tools=[search_web, lookup_order], llm=model, failures=failures, streaming=False)


async def settled(events: AgentEventHandler) -> None:
    """Give the loop the turns it needs to finish generators that were dropped."""
    for _ in range(100):
        gc.collect()
        await asyncio.sleep(0)
        if not events.open_runs:
            break


# --- retries ---------------------------------------------------------------------------------------------------------
async def test_a_model_asked_again_is_in_the_same_step(events: AgentEventHandler, spans: Spans) -> None:
    """A step that LlamaIndex tries again is the same decision; the second call says that it is one."""
    await flaky(ConnectionError("429"), says("hi")).run("hi")
    assert "agent.run.support\n└─ agent.step.1\n   ├─ llm.chat\n   └─ llm.chat" == tree(spans)
    attempts = [(span.attributes or {}).get("agent_callbacks.retry.attempt") for span in spans.named("llm.chat")]
    assert [None, 2] == attempts


async def test_a_decision_begun_again_is_the_same(events: AgentEventHandler, spans: Spans) -> None:
    """Trying to begin a decision again begins no second one."""
    await flaky(*two_steps(), setup_agent=[ConnectionError("x")]).run("hi")
    assert TWO_STEPS == tree(spans)


async def test_a_tool_called_again_says_so(events: AgentEventHandler, spans: Spans) -> None:
    """A tool whose step failed after it was called is called again."""
    script = [asks(("search_web", {"query": "x"})), says("done")]
    await flaky(*script, call_tool=[ConnectionError("x")]).run("hi")
    found = [dict(span.attributes or {}) for span in spans.named("tool.search_web")]
    assert ["failure", "success"] == [attributes["agent_callbacks.outcome"] for attributes in found]
    assert [None, 2] == [attributes.get("agent_callbacks.retry.attempt") for attributes in found]


# --- the framework's own calls ---------------------------------------------------------------------------------------
async def test_a_memory_that_summarizes_opens_no_step(events: AgentEventHandler, spans: Spans) -> None:
    """What a memory asks its model on its own account is marked and is no decision of the agent."""
    memory = ChatSummaryMemoryBuffer.from_defaults(
        llm=ScriptedLLM(script=[says("summary")], repeat=True), token_limit=2, count_initial_tokens=False
    )
    history = [ChatMessage("a long question " * 5), ChatMessage("a long answer " * 5, role="assistant")]
    await support(says("done")).run("hi", chat_history=history, memory=memory)
    assert spans.attributes("agent.run.support")["agent_callbacks.run.steps"] == 1
    internal = [span for span in spans.named("llm.chat") if (span.attributes or {}).get("agent_callbacks.llm.internal")]
    assert internal
    assert len(spans.named("llm.chat")) == len(internal) + 1


# --- names and kinds -------------------------------------------------------------------------------------------------
async def test_an_agent_nobody_named_has_no_name(events: AgentEventHandler, spans: Spans) -> None:
    """LlamaIndex's default name is none; metadata may give one, or say that it is a chain."""
    await FunctionAgent(llm=ScriptedLLM(script=[says("hi")])).run("hi")
    with instrument_tags({"agent_name": "helper"}):
        await FunctionAgent(llm=ScriptedLLM(script=[says("hi")])).run("hi")
    with instrument_tags({"agent_kind": "chain"}):
        await FunctionAgent(name="x", llm=ScriptedLLM(script=[says("hi")])).run("hi")
    with instrument_tags({"agent_kind": "agent"}):
        await with_model(FanOut, ScriptedLLM(script=[says("hi")])).run()
    assert ["agent.run", "agent.run.helper", "chain.function_agent", "agent.run"] == [
        found.splitlines()[0] for found in trees(spans)
    ]
    assert "agent.run\n└─ agent.step.1\n   └─ llm.text_completion" == trees(spans)[-1]


async def test_the_question_is_the_runs_input(spans: Spans) -> None:
    """With all content a run shows the question, as text or as a message, and the answer."""
    settings = Settings(content="all")
    with AgentEventHandler(tracer_provider=spans.provider, settings=settings).install():
        await support(says("hello")).run(ChatMessage("why?"))
    found = spans.attributes("agent.run.support")
    assert '{"messages":[{"role":"user","parts":[{"type":"text","content":"why?"}]}]}' == found["input.value"]
    assert "hello" in found["output.value"]


def test_functions_of_ones_own_are_chains(events: AgentEventHandler, spans: Spans) -> None:
    """A decorated function groups what it calls where it is the root, and hides inside something."""
    dispatcher = get_dispatcher("tests.functions")

    @dispatcher.span
    def inner() -> None:
        ScriptedLLM(script=[says("hi")]).chat([])

    @dispatcher.span
    def outer() -> None:
        inner()

    outer()
    assert "chain.outer\n└─ llm.chat" == tree(spans)


def test_what_nobody_knows_is_counted_and_hides_nothing(spans: Spans) -> None:
    """A class of a kind we do not know shows as a chain, is counted, and keeps what is below it in one trace."""
    dispatcher = get_dispatcher("tests.unknown")

    class Novelty:
        @dispatcher.span
        def think(self) -> None:
            ScriptedLLM(script=[says("hi")]).chat([])

    with AgentEventHandler(tracer_provider=spans.provider).install() as handler:
        Novelty().think()
    assert "chain.novelty\n└─ llm.chat" == tree(spans)
    assert 1 == handler.unclassified_spans


def test_roles_are_kept_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes made on the fly do not fill the memory."""
    monkeypatch.setattr(role, "_MAX_KNOWN", 2)
    for number in range(5):
        role.role_of(type(f"Made{number}", (), {}), "x")
    assert len(role._known) <= 2


def test_a_span_dropped_without_an_error_is_abandoned(spans: Spans) -> None:
    """A drop that names no error, and one of a span that was never entered."""
    handler = AgentEventHandler(tracer_provider=spans.provider)
    given = inspect.signature(lambda: None).bind()
    id_ = "ScriptedLLM.chat-00000000-0000-0000-0000-000000000000"
    handler.span_enter(id_, given, ScriptedLLM())
    handler.span_drop(id_, given)
    handler.span_drop(id_, given)
    handler.span_exit(id_, given)
    assert {"llm.chat": "abandoned"} == outcomes(spans)


# --- agents' tools ---------------------------------------------------------------------------------------------------
async def test_a_tool_that_says_it_failed_has_failed(events: AgentEventHandler, spans: Spans) -> None:
    """A tool may report an error as its result."""
    from llama_index.core.tools import ToolOutput

    def boom() -> str:
        """Fail."""
        return "no"

    def as_error(output: Any) -> ToolOutput:
        return ToolOutput("boom", "no", raw_input={}, is_error=True)

    made = FunctionTool.from_defaults(boom, callback=as_error)
    await support(asks(("boom", {})), says("sorry"), tools=[made]).run("hi")
    found = spans.attributes("tool.boom")
    assert ("failure", "tool_error") == (found["agent_callbacks.outcome"], found["error.type"])


async def test_tools_that_share_an_id_are_two(events: AgentEventHandler, spans: Spans) -> None:
    """Some providers give the tool's name as id: two calls at once are two spans of the step that asked."""
    twice = Line(calls=(("search_web", {"query": "a"}, "search_web"), ("search_web", {"query": "b"}, "search_web")))
    await support(twice, says("done")).run("hi")
    assert (
        tree(spans)
        == """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  ├─ tool.search_web
│  └─ tool.search_web
└─ agent.step.2
   └─ llm.chat"""
    )


async def test_a_member_that_fails_fails_its_run(events: AgentEventHandler, spans: Spans) -> None:
    """The exception stands on the model call; the member's run and the workflow's have failed by it."""
    member = FunctionAgent(name="writer", description="writes", llm=ScriptedLLM(script=[ConnectionError("429")]))
    with pytest.raises(ConnectionError):
        await AgentWorkflow(agents=[member], root_agent="writer").run("hi")
    assert {"failure"} == set(outcomes(spans).values())
    assert ["llm.chat"] == [span.name for span in spans.finished() for _ in span.events]


# --- streams in engines ----------------------------------------------------------------------------------------------
def test_a_streamed_query_that_breaks_has_failed(events: AgentEventHandler, spans: Spans) -> None:
    """An error while the consumer reads is the model's and the query's."""
    response = query_engine(BROKEN, streaming=True).query("why?")
    spans.clear()
    with pytest.raises(ConnectionError):
        list(response.response_gen)
    assert {"chain.retriever_query_engine": "failure", "llm.chat": "failure"} == outcomes(spans)


async def test_a_streamed_async_query_that_breaks_has_failed(events: AgentEventHandler, spans: Spans) -> None:
    """The same when the pieces are awaited."""
    response = await query_engine(BROKEN, streaming=True).aquery("why?")
    with pytest.raises(ConnectionError):
        [piece async for piece in response.async_response_gen()]
    assert outcomes(spans)["chain.retriever_query_engine"] == "failure"


async def test_a_streamed_async_query_left_early_is_abandoned(events: AgentEventHandler, spans: Spans) -> None:
    """And when the consumer leaves."""
    response = await query_engine(says("a long answer in pieces"), streaming=True).aquery("why?")
    stream = response.response_gen
    async for _ in stream:
        break
    await stream.aclose()
    await settled(events)
    found = outcomes(spans)
    assert ("abandoned", "abandoned") == (found["chain.retriever_query_engine"], found["llm.chat"])


def test_a_streamed_query_shows_its_whole_answer(spans: Spans) -> None:
    """With all content the query's answer is what the consumer has read."""
    engine = query_engine(says("a long answer in pieces"), streaming=True)
    settings = Settings(content="all")
    with AgentEventHandler(tracer_provider=spans.provider, settings=settings).install():
        list(engine.query("why?").response_gen)
    found = spans.attributes("chain.retriever_query_engine")
    assert ("why?", "a long answer in pieces") == (
        found["input.value"].strip('"'),
        found["output.value"].strip('"'),
    )


def test_a_chat_engine_whose_stream_breaks_has_failed(events: AgentEventHandler, spans: Spans) -> None:
    """The thread that writes the memory fails with the model, and so does the chat."""
    import threading

    threading.excepthook, before = (lambda _: None), threading.excepthook
    try:
        engine = ContextChatEngine.from_defaults(retriever=Orders(), llm=ScriptedLLM(script=[BROKEN]))
        with pytest.raises(ConnectionError):
            list(engine.stream_chat("why?").response_gen)
    finally:
        threading.excepthook = before
    assert outcomes(spans)["chain.context_chat_engine"] == "failure"


def test_a_chat_engine_read_late_is_one_tree(events: AgentEventHandler, spans: Spans) -> None:
    """A chat whose memory was written before its call returned ends with its call, or with the thread."""
    engine = SimpleChatEngine.from_defaults(llm=ScriptedLLM(script=[says("x")], chunk_chars=100))
    response = engine.stream_chat("why?")
    assert "x" == "".join(response.response_gen)
    del response
    gc.collect()
    assert "chain.simple_chat_engine\n└─ llm.chat" == tree(spans)


class Crumbs(CustomQueryEngine):
    """Returns a bare generator, as some engines of users' own do."""

    model: Any

    def custom_query(self, query_str: str) -> Any:
        """Return pieces."""
        return self._pieces()

    def _pieces(self) -> Iterator[str]:
        for piece in self.model.stream_chat([ChatMessage("x")]):
            yield piece.delta


def test_an_engine_that_returns_a_generator_lasts_as_long(events: AgentEventHandler, spans: Spans) -> None:
    """A bare generator cannot be told to be read to its end, only to be gone."""
    stream = Crumbs(model=ScriptedLLM(script=[says("a long answer in pieces")])).query("why?")
    assert 1 == events.open_runs
    del stream
    assert {"chain.crumbs": "abandoned"} == outcomes(spans)


# --- with the other framework ----------------------------------------------------------------------------------------
async def test_an_engine_in_a_langgraph_tool_is_one_trace(events: AgentEventHandler, spans: Spans) -> None:
    """A query engine that a LangGraph agent calls as a tool hangs on that tool, with who asked on every span."""
    agents = pytest.importorskip("langchain.agents")
    from langchain_core.tools import tool

    from agent_callbacks import AgentCallbackHandler
    from tests.langchain.models import ScriptedChat
    from tests.langchain.stories import asks as wants
    from tests.langchain.stories import says as answers

    engine = query_engine(says("42"))
    spans.clear()

    @tool
    async def search_docs(query: str) -> str:
        """Search the documents."""
        return str(await engine.aquery(query))

    agent = agents.create_agent(
        ScriptedChat(script=[wants(("search_docs", {"query": "x"})), answers("done")]), [search_docs], name="support"
    )
    handler = AgentCallbackHandler(tracer_provider=spans.provider)
    await agent.ainvoke({"messages": [("user", "hi")]}, {"callbacks": [handler], "metadata": {"user_id": "u-17"}})
    assert (
        tree(spans)
        == """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.search_docs
│     ├─ retriever.simple_vector_store
│     │  └─ llm.embeddings
│     └─ llm.chat
└─ agent.step.2
   └─ llm.chat"""
    )
    assert {"u-17"} == {(span.attributes or {}).get("user.id") for span in spans.finished()}


async def test_a_run_cancelled_while_the_model_streams_is_cancelled(events: AgentEventHandler, spans: Spans) -> None:
    """Cancelling in the middle of an answer cancels the call, the step and the run."""
    gate = asyncio.Event()

    class Slow(ScriptedLLM):
        async def astream_chat(self, messages: Any, **given: Any) -> Any:
            inner = await super().astream_chat(messages, **given)

            async def pieces() -> Any:
                async for piece in inner:
                    gate.set()
                    yield piece
                    await asyncio.Event().wait()

            return pieces()

    handler = FunctionAgent(name="support", llm=Slow(script=[says("a long answer in pieces")])).run("hi")
    await gate.wait()
    await handler.cancel_run()
    with pytest.raises(WorkflowCancelledByUser):
        await handler
    await settled(events)
    found = outcomes(spans)
    assert ("cancelled", "cancelled") == (found["agent.run.support"], found["agent.step.1"])
    assert found["llm.chat"] in {"cancelled", "abandoned"}
