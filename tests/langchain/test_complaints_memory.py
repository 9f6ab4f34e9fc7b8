"""What users of other handlers complain about, row by row: what is kept after a run, and runs that nobody ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.documents import Document  # noqa: TC002 - pydantic reads the annotation
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph

from agent_callbacks import AgentCallbackHandler, Settings
from agent_callbacks.recording import process
from tests.langchain.models import Cut, ScriptedChat
from tests.langchain.stories import USER, asks, question, says

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Tracer

    from tests.conftest import Spans

ROWS: Final = {
    19: "test_no_table_grows_with_runs_of_any_end",
    20: "test_nothing_keeps_inputs_or_outputs_after_the_root",
    21: "test_handlers_made_per_call_go_with_their_call",
    22: "test_a_thousand_handlers_start_no_thread",
    23: "test_a_retriever_that_raises_ends",
    24: "test_a_cancelled_tool_ends_as_cancelled",
    25: "test_a_stream_left_early_is_one_ended_span",
}


def config(handler: AgentCallbackHandler, **more: Any) -> Any:
    """Return a run's config with the handler."""
    return {"callbacks": [handler], "metadata": USER, **more}


def tables(spans: Spans) -> dict[str, int]:
    """Return how much stands in the tables of what is open."""
    shared = process.shared(spans.provider)
    watched: Any = shared.processor
    return {"open": len(shared.open), "steps": len(shared.steps), "foreign": len(watched._open)}


async def closed_by_the_loop() -> None:
    """Let the event loop close the generators nobody holds: LangChain leaves its inner ones to it."""
    gc.collect()
    for _ in range(100):  # turns of the loop, not seconds
        await asyncio.sleep(0)


NOTHING: Final = {"open": 0, "steps": 0, "foreign": 0}


@tool
async def slow(query: str) -> str:
    """Take for ever."""
    await asyncio.sleep(60)
    return query


@tool
def explode(query: str) -> str:
    """Fail."""
    raise LookupError(query)


# --- tables ----------------------------------------------------------------------------------------------------------
async def one_of_each_end(handler: AgentCallbackHandler, tracer: Tracer) -> None:
    """Run once for each way a run can end."""
    given = config(handler)
    agent = create_agent(ScriptedChat(script=[asks(("explode", {"query": "x"}))] * 2), [explode], name="bomb")
    with contextlib.suppress(LookupError):
        await agent.ainvoke(question(), given)
    with contextlib.suppress(LookupError):
        agent.invoke(question(), given)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(slow.ainvoke({"query": "x"}, given), 0.005)
    waiting = create_agent(ScriptedChat(script=[asks(("slow", {"query": "x"}))]), [slow], name="late")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(waiting.ainvoke(question(), given), 0.05)
    model = ScriptedChat(script=[says("a long answer in chunks"), Cut("half an", OSError("gone"))], repeat=True)
    for _ in model.stream("hi", given):
        break
    with contextlib.suppress(OSError), tracer.start_as_current_span("around"):
        async for _ in model.astream("hi", given):
            await asyncio.sleep(0)
    stream = create_agent(ScriptedChat(script=[says("a long answer")]), [], name="left").astream(question(), given)
    await anext(stream)
    await stream.aclose()


async def test_no_table_grows_with_runs_of_any_end(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Errors, early closes and cancels leave nothing behind, however often."""
    tracer = spans.provider.get_tracer("user")
    for _ in range(15):
        await one_of_each_end(handler, tracer)
    await closed_by_the_loop()
    assert tables(spans) == NOTHING
    assert handler.open_runs == 0
    assert handler.unmatched_events == 0


# --- what is kept ----------------------------------------------------------------------------------------------------
class Payload(str):
    """A text that can be watched."""

    __slots__ = ("__weakref__",)


class Thing:
    """Any object of the user's."""


class MissingError(LookupError):
    """An error that can be watched."""


class State(TypedDict):
    """A graph's state with an object in it."""

    thing: Any
    made: Any


async def run_and_watch(handler: AgentCallbackHandler, *, fail: bool) -> list[weakref.ref[Any]]:
    """Run a graph whose input, tool argument, result, error and output are watched; return the watches."""
    watched: list[weakref.ref[Any]] = []

    def watch(value: Any) -> Any:
        watched.append(weakref.ref(value))
        return value

    @tool
    def keep(text: Any) -> Any:
        """Keep."""
        if fail:
            raise watch(MissingError(text))
        return watch(Thing())

    async def node(_: State) -> Any:
        message = watch(says("hello"))
        await ScriptedChat(script=[message]).ainvoke([watch(says("before"))])
        with contextlib.suppress(LookupError):
            keep.invoke({"text": watch(Payload("argument"))})
        return {"made": watch(Thing())}

    graph = StateGraph(State)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    await graph.compile(name="holds").ainvoke({"thing": watch(Thing()), "made": None}, config(handler))
    return watched


@pytest.mark.parametrize("content", ["off", "all"])
@pytest.mark.parametrize("fail", [False, True])
async def test_nothing_keeps_inputs_or_outputs_after_the_root(*, content: Any, fail: bool, spans: Spans) -> None:
    """Once the root has ended, nothing of ours holds an input, an argument, a message, an error or an output."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content=content))
    watched = await run_and_watch(handler, fail=fail)
    gc.collect()
    kept = [found for reference in watched if (found := reference()) is not None]
    assert not [type(found).__name__ for found in kept if held_by_us(found)]
    assert tables(spans) == NOTHING


def held_by_us(value: object) -> bool:
    """Say whether an object of ours refers to *value*, directly or through containers and frames."""
    seen, near = {id(value)}, [value]
    for _ in range(4):
        near = [one for one in gc.get_referrers(*near) if id(one) not in seen] if near else []
        seen.update(map(id, near))
        if any(type(one).__module__.startswith("agent_callbacks") for one in near):
            return True
    return False


@pytest.mark.parametrize("end", ["error", "cancel", "close"])
async def test_a_run_that_ends_badly_keeps_nothing(end: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """The input of a run that failed, was cancelled or was left is not held either."""
    thing = Thing()
    gone = weakref.ref(thing)

    async def work(given: Any) -> Any:
        if end == "error":
            raise LookupError
        await asyncio.sleep(60 if end == "cancel" else 0)
        return given

    async def call(given: Any) -> None:
        if end == "close":
            stream = RunnableLambda(work).astream(given, config(handler))
            await anext(stream)
            await stream.aclose()
            return
        await asyncio.wait_for(RunnableLambda(work).ainvoke(given, config(handler)), 0.02)

    with contextlib.suppress(LookupError, TimeoutError):
        await call(thing)
    del thing
    await closed_by_the_loop()
    assert gone() is None or not held_by_us(gone())
    if end != "cancel":
        assert tables(spans) == NOTHING


@pytest.mark.frees_recorders
def test_handlers_made_per_call_go_with_their_call(spans: Spans) -> None:
    """A handler for each request is collected with it, and so is what it saw."""
    agent = create_agent(ScriptedChat(script=[says("hello")], repeat=True), [], name="again")

    def call() -> weakref.ref[Any]:
        handler = AgentCallbackHandler(tracer_provider=spans.provider)
        agent.invoke(question(), config(handler))
        return weakref.ref(handler._recorder)

    recorders = [call() for _ in range(20)]
    gc.collect()
    assert [reference() for reference in recorders] == [None] * 20
    assert tables(spans) == NOTHING


@pytest.mark.frees_recorders
def test_a_thousand_handlers_start_no_thread(spans: Spans) -> None:
    """The number of threads is constant, and the provider gets one processor, not a thousand."""
    AgentCallbackHandler(tracer_provider=spans.provider)
    threads, processors = threading.active_count(), len(spans.provider._active_span_processor._span_processors)
    handlers = [AgentCallbackHandler(tracer_provider=spans.provider) for _ in range(1000)]
    assert threads == threading.active_count()
    assert processors == len(spans.provider._active_span_processor._span_processors)
    assert len(handlers) == 1000


# --- runs that nobody ends -------------------------------------------------------------------------------------------
class Broken(BaseRetriever):
    """A retriever whose store is down."""

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        raise ConnectionError(query)


@pytest.mark.parametrize("metadata", [{}, USER], ids=["no session", "session"])
@pytest.mark.parametrize("inside", [True, False], ids=["in a chain", "alone"])
async def test_a_retriever_that_raises_ends(
    *, inside: bool, metadata: dict[str, str], handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Whether a session is given or not decides nothing about what is a root or when it ends."""
    found: Any = RunnableLambda(lambda text: text) | Broken() if inside else Broken()
    with pytest.raises(ConnectionError):
        found.invoke("q", {"callbacks": [handler], "metadata": metadata})
    with pytest.raises(ConnectionError):
        await found.ainvoke("q", {"callbacks": [handler], "metadata": metadata})
    assert len([span for span in spans.finished() if span.parent is None]) == 2
    assert {(span.attributes or {})["error.type"] for span in spans.finished()} == {"ConnectionError"}
    assert tables(spans) == NOTHING


async def test_a_cancelled_tool_ends_as_cancelled(handler: AgentCallbackHandler, spans: Spans) -> None:
    """The framework reports nothing; its span ends without an error, and the next span in the task is a root."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slow.ainvoke({"query": "x"}, config(handler)), 0.01)
    with spans.provider.get_tracer("user").start_as_current_span("next"):
        pass
    await asyncio.create_task(ScriptedChat(script=[says("hello")]).ainvoke("hi", config(handler)))
    found = {span.name: span for span in spans.finished()}
    assert found["next"].parent is None
    assert found["llm.chat"].parent is None
    # What was cancelled in this very task closes with the next call made in it.
    await ScriptedChat(script=[says("hello")]).ainvoke("hi", config(handler))
    cancelled = spans.one("tool.slow")
    assert (cancelled.attributes or {})["agent_callbacks.outcome"] == "cancelled"
    assert cancelled.status.status_code.name == "UNSET"
    assert not cancelled.events


def leave_by_break(stream: Any) -> None:
    """Read one chunk and break."""
    for _ in stream:
        break


def leave_by_close(stream: Any) -> None:
    """Read one chunk and close."""
    next(stream)
    stream.close()


def leave_by_drop(stream: Any) -> None:
    """Read one chunk and forget the stream."""
    next(stream)
    del stream


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_close, leave_by_drop])
@pytest.mark.parametrize("kind", ["model", "agent"])
def test_a_stream_left_early_is_one_ended_span(
    kind: str, leave: Callable[[Any], None], handler: AgentCallbackHandler, spans: Spans
) -> None:
    """A break, a close and a dropped reference each leave one ended span of each operation."""
    model = ScriptedChat(script=[says("a long answer in chunks")])
    if kind == "model":
        leave(model.stream("hi", config(handler)))
    else:
        leave(create_agent(model, [], name="left").stream(question(), config(handler), stream_mode="messages"))
    gc.collect()
    expected = ["llm.chat"] if kind == "model" else ["agent.run.left", "agent.step.1", "llm.chat"]
    assert expected == sorted(spans.names())
    assert {(span.attributes or {})["agent_callbacks.outcome"] for span in spans.finished()} <= {
        "abandoned", "cancelled", "success",
    }  # fmt: skip


@pytest.mark.parametrize("how", ["aclose", "drop"])
async def test_an_async_stream_left_early_is_one_ended_span(
    how: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """The same for an async stream, closed or dropped."""
    stream = ScriptedChat(script=[says("a long answer in chunks")]).astream("hi", config(handler))
    await anext(stream)
    if how == "aclose":
        await stream.aclose()
    del stream
    await closed_by_the_loop()
    assert spans.names() == ["llm.chat"]
