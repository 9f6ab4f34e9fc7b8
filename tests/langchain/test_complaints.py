"""What users of other handlers complain about, row by row: where spans land and which trace they are in."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from typing import TYPE_CHECKING, Any, Final

import pytest
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry.trace import SpanKind

from agent_callbacks import AgentCallbackHandler, Settings
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import USER, asks, question, says

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

    from tests.conftest import Spans

ROWS: Final = {
    1: "test_a_graph_streamed_by_a_server_exports_all_its_spans",
    2: "test_an_async_graph_is_one_trace",
    3: "test_every_span_of_an_async_agent_but_one_has_a_parent",
    4: "test_a_client_span_in_an_async_model_is_its_child",
    5: "test_client_spans_nest_in_tool_model_retriever_and_node",
    6: "test_a_database_span_is_in_the_retriever",
    7: "test_a_span_in_a_node_is_a_child_of_that_node",
    8: "test_a_client_span_in_a_sync_model_is_its_child",
    9: "test_a_decorated_tool_has_its_span_under_the_tool",
}
OTHER_FILES: Final = ("runs", "memory", "outcomes", "content", "usage")
OPENAI: Final = "tests.langchain.wire.test_openai"
ANTHROPIC: Final = "tests.langchain.wire.test_anthropic"
COVERED_BY: Final = {
    **dict.fromkeys((26, 36, 37, 38, 40, 44), OPENAI),
    **dict.fromkeys((39, 43), ANTHROPIC),
    51: "tests.langchain.test_privacy_paths",
    53: "tests.langchain.test_metadata",
}
PYTHON_3_10: Final = {18}


def test_no_row_is_forgotten() -> None:
    """All 57 complaints have a test that exists, are held by another file that exists, or are about Python 3.10."""
    rows = dict.fromkeys(COVERED_BY, "") | {row: test for row, test in ROWS.items() if test in globals()}
    for name in OTHER_FILES:
        module = importlib.import_module(f"tests.langchain.test_complaints_{name}")
        rows |= {row: test for row, test in module.ROWS.items() if hasattr(module, test)}
    assert all(importlib.util.find_spec(name) for name in COVERED_BY.values())
    assert set(range(1, 58)) - PYTHON_3_10 == set(rows)


# --- reading spans ---------------------------------------------------------------------------------------------------
def parents(spans: Spans) -> dict[str, str | None]:
    """Return the name of each span's parent; of spans that share a name the last one counts."""
    by_id = {span.context.span_id: span.name for span in spans.finished()}
    return {span.name: by_id.get(span.parent.span_id) if span.parent else None for span in spans.finished()}


def roots(spans: Spans) -> list[ReadableSpan]:
    """Return the spans without a parent."""
    return [span for span in spans.finished() if span.parent is None]


def orphans(spans: Spans) -> list[str]:
    """Return the names of the spans whose parent was not exported."""
    known = {span.context.span_id for span in spans.finished()}
    return [span.name for span in spans.finished() if span.parent and span.parent.span_id not in known]


def trace_ids(spans: Spans) -> set[int]:
    """Return the ids of all traces."""
    return {span.context.trace_id for span in spans.finished()}


@pytest.fixture
def tracer(spans: Spans) -> Tracer:
    """Give what a client's instrumentation would make its spans with."""
    return spans.provider.get_tracer("client")


def config(handler: AgentCallbackHandler, **more: Any) -> Any:
    """Return a run's config with the handler."""
    return {"callbacks": [handler], "metadata": USER, **more}


@tool
async def search_web(query: str) -> str:
    """Search the web."""
    await asyncio.sleep(0)
    return f"found {query}"


def three_nodes() -> Any:
    """Return a graph of three async nodes, the second of which asks a model."""
    model = ScriptedChat(script=[says("hello")], repeat=True)

    async def quiet(_: Any) -> Any:
        await asyncio.sleep(0)
        return {}

    async def think(state: Any) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    for before, name, node in ((START, "read", quiet), ("read", "think", think), ("think", "write", quiet)):
        graph.add_node(name, node)
        graph.add_edge(before, name)
    return graph.compile(name="letters")


# --- async and streams -----------------------------------------------------------------------------------------------
async def test_a_graph_streamed_by_a_server_exports_all_its_spans(
    handler: AgentCallbackHandler, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """The body of a streamed response is iterated in another task than the endpoint's; nothing is lost or logged."""
    fastapi, httpx = pytest.importorskip("fastapi"), pytest.importorskip("httpx")
    responses = importlib.import_module("fastapi.responses")
    app, graph = fastapi.FastAPI(), three_nodes()

    async def body() -> AsyncIterator[str]:
        async for _ in graph.astream(question(), config(handler)):
            yield "x"

    async def answer() -> Any:
        return responses.StreamingResponse(body())

    app.get("/")(answer)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        texts = [(await client.get("/")).text for _ in range(3)]
    assert texts == ["xxx"] * 3
    assert spans.tree() == "\n".join(["agent.run.letters\n  agent.step.1\n    llm.chat"] * 3)
    assert len(trace_ids(spans)) == 3
    assert not [record.getMessage() for record in caplog.records if "detach" in record.getMessage().lower()]


async def test_an_async_graph_is_one_trace(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    """Three nodes are no three traces, with their own spans or without."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(inner_spans=True))
    await three_nodes().ainvoke(question(), config(handler))
    assert {"node.read", "node.think", "node.write"} <= set(spans.names())
    assert len(trace_ids(spans)) == 1
    assert not orphans(spans)
    assert not caplog.records


async def test_every_span_of_an_async_agent_but_one_has_a_parent(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Only the run itself is a root."""
    model = ScriptedChat(script=[asks(("search_web", {"query": "a"}), ("search_web", {"query": "b"})), says("done")])
    await create_agent(model, [search_web], name="support").ainvoke(question(), config(handler))
    assert len(spans.finished()) == 7
    assert [span.name for span in roots(spans)] == ["agent.run.support"]
    assert not orphans(spans)


# --- spans of clients ------------------------------------------------------------------------------------------------
class Dialling(ScriptedChat):
    """A model that makes the span of an HTTP client around each way of being asked."""

    tracer: Any

    def _generate(self, *args: Any, **given: Any) -> Any:
        with self.tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
            return super()._generate(*args, **given)

    async def _agenerate(self, *args: Any, **given: Any) -> Any:
        with self.tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
            return await super()._agenerate(*args, **given)

    def _stream(self, *args: Any, **given: Any) -> Iterator[Any]:
        with self.tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
            pass
        yield from super()._stream(*args, **given)

    async def _astream(self, *args: Any, **given: Any) -> AsyncIterator[Any]:
        with self.tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
            await asyncio.sleep(0)
        async for chunk in super()._astream(*args, **given):
            yield chunk


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_span_in_an_async_model_is_its_child(
    *, streamed: bool, handler: AgentCallbackHandler, spans: Spans, tracer: Tracer
) -> None:
    """The HTTP request of ``ainvoke`` and ``astream`` is a child of the model's span."""
    model = Dialling(script=[says("hello")], tracer=tracer)
    if streamed:
        async for _ in model.astream("hi", config(handler)):
            pass
    else:
        await model.ainvoke("hi", config(handler))
    assert parents(spans) == {"llm.chat": None, "POST": "llm.chat"}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_span_in_a_sync_model_is_its_child(
    *, streamed: bool, handler: AgentCallbackHandler, spans: Spans, tracer: Tracer
) -> None:
    """So is that of ``invoke`` and ``stream``, inside an agent, where it must not be the model's sibling."""
    agent = create_agent(Dialling(script=[says("hello")], tracer=tracer), [], name="caller")
    if streamed:
        list(agent.stream(question(), config(handler), stream_mode="messages"))
    else:
        agent.invoke(question(), config(handler))
    assert parents(spans)["POST"] == "llm.chat"


class Database(BaseRetriever):
    """A retriever that makes the span of a database."""

    tracer: Any

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        with self.tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT):
            return [Document(query)]

    async def _aget_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        with self.tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT):
            await asyncio.sleep(0)
            return [Document(query)]


async def test_a_database_span_is_in_the_retriever(handler: AgentCallbackHandler, spans: Spans, tracer: Tracer) -> None:
    """The query's span is a child of the retriever's, sync and async."""
    Database(tracer=tracer).invoke("q", config(handler))
    await Database(tracer=tracer).ainvoke("q", config(handler))
    assert spans.tree() == "retriever.database\n  SELECT\nretriever.database\n  SELECT"


def test_client_spans_nest_in_tool_model_retriever_and_node(spans: Spans, tracer: Tracer) -> None:
    """Four kinds of body, four clients, each under the span of what called it."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(inner_spans=True))

    @tool
    def fetch(url: str) -> str:
        """Fetch."""
        with tracer.start_as_current_span("in tool"):
            return url

    def work(_: Any) -> Any:
        with tracer.start_as_current_span("in node"):
            pass
        fetch.invoke({"url": "x"})
        Database(tracer=tracer).invoke("q")
        return {"messages": [Dialling(script=[says("hello")], tracer=tracer).invoke("hi")]}

    graph = StateGraph(MessagesState)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    graph.compile(name="four").invoke(question(), config(handler))
    found = parents(spans)
    assert found["in tool"] == "tool.fetch"
    assert found["in node"] == "node.work"
    assert found["SELECT"] == "retriever.database"
    assert found["POST"] == "llm.chat"


async def test_a_span_in_a_node_is_a_child_of_that_node(spans: Spans, tracer: Tracer) -> None:
    """Where nodes have spans, what is made in one is not listed under the root; sync and async."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(inner_spans=True))

    def first(_: Any) -> Any:
        with tracer.start_as_current_span("sync"):
            return {}

    async def second(_: Any) -> Any:
        with tracer.start_as_current_span("async"):
            await asyncio.sleep(0)
            return {}

    graph = StateGraph(MessagesState)
    graph.add_node("first", first)
    graph.add_node("second", second)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    await graph.compile(name="pair").ainvoke(question(), config(handler))
    found = parents(spans)
    assert found["sync"] == "node.first"
    assert found["async"] == "node.second"


def test_a_decorated_tool_has_its_span_under_the_tool(
    handler: AgentCallbackHandler, spans: Spans, tracer: Tracer
) -> None:
    """A tool whose function carries ``start_as_current_span`` nests, and what it calls nests in turn."""

    @tool
    @tracer.start_as_current_span("mine")
    def fetch(url: str) -> str:
        """Fetch."""
        return str(search.invoke({"query": url}))

    @tool
    def search(query: str) -> str:
        """Search."""
        return query

    model = ScriptedChat(script=[asks(("fetch", {"url": "x"})), says("done")])
    create_agent(model, [fetch], name="reader").invoke(question(), config(handler))
    found = parents(spans)
    assert found["mine"] == "tool.fetch"
    assert found["tool.search"] == "mine"


@pytest.mark.parametrize("chained", [False, True], ids=["model", "chain"])
def test_a_span_around_what_a_node_does_is_around_its_steps(
    handler: AgentCallbackHandler, spans: Spans, tracer: Tracer, chained: bool
) -> None:
    """Where a node's code has a span of its own around a model call and its tool, the step is in it, and holds both."""

    @tool
    def search(query: str) -> str:
        """Search."""
        return query

    def work(_: Any) -> Any:
        model = ScriptedChat(script=[asks(("search", {"query": "x"}))])
        with tracer.start_as_current_span("plan"):
            answer = (RunnableLambda(str) | model if chained else model).invoke("hi")
            search.invoke(answer.tool_calls[0])
        return {"messages": [answer]}

    graph = StateGraph(MessagesState)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    graph.compile(name="planner").invoke(question(), config(handler))
    tree = "agent.run.planner\n  plan\n    agent.step.1\n      llm.chat\n      tool.search"
    assert tree == spans.tree()
