"""Query engines, chat engines, workflows, retrievers, embeddings, rerankers, ingestion: trees and what spans say."""

from __future__ import annotations

import asyncio
import concurrent.futures
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document
from llama_index.core.chat_engine import ContextChatEngine, SimpleChatEngine
from llama_index.core.extractors import TitleExtractor
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.tools import QueryEngineTool
from opentelemetry import trace

from tests.llamaindex.engines import DOCUMENTS, EMBEDDING, Orders, WordRerank, index, query_engine
from tests.llamaindex.flows import Answering, Failing, FanOut, My_Flow2, with_model
from tests.llamaindex.models import ScriptedLLM, asks, says
from tests.llamaindex.shared import outcomes, support, tree, trees

if TYPE_CHECKING:
    from agent_callbacks import AgentEventHandler
    from tests.conftest import Spans

RAG = """\
chain.retriever_query_engine
├─ retriever.simple_vector_store
│  └─ llm.embeddings
└─ llm.chat"""


def rag(events: AgentEventHandler, spans: Spans, *script: Any, **options: Any) -> Any:
    """Return a query engine; what building its index recorded is forgotten."""
    engine = query_engine(*script, **options)
    spans.clear()
    return engine


def test_building_an_index_shows_its_embeddings(events: AgentEventHandler, spans: Spans) -> None:
    """Splitting is internal; the embeddings are one call, with count and dimensions."""
    index()
    assert ["llm.embeddings"] == trees(spans)
    found = spans.attributes("llm.embeddings")
    assert (3, 3) == (found["agent_callbacks.embeddings.count"], found["gen_ai.embeddings.dimension.count"])
    assert found["gen_ai.operation.name"] == "embeddings"


def test_a_query_is_one_tree(events: AgentEventHandler, spans: Spans) -> None:
    """A query engine shows retrieval, its embedding and the model; the rest is internal."""
    assert "42" == str(rag(events, spans, says("42")).query("why?"))
    assert RAG == tree(spans)
    found = spans.attributes("retriever.simple_vector_store")
    assert (2, 2) == (found["gen_ai.retrieval.top_k"], found["agent_callbacks.retriever.document_count"])


async def test_an_async_query_is_the_same_tree(events: AgentEventHandler, spans: Spans) -> None:
    """Query and aquery tell the same story."""
    await rag(events, spans, says("42")).aquery("why?")
    assert RAG == tree(spans)


def test_a_streamed_query_is_one_trace(events: AgentEventHandler, spans: Spans) -> None:
    """The model is asked while the consumer reads, and still hangs on the query, which lasts as long."""
    response = rag(events, spans, says("a long answer in pieces"), streaming=True).query("why?")
    assert events.open_runs
    assert not trace.get_current_span().get_span_context().is_valid
    assert "a long answer in pieces" == "".join(response.response_gen)
    assert RAG == tree(spans)
    root, model = spans.one("chain.retriever_query_engine"), spans.one("llm.chat")
    assert (root.end_time or 0) >= (model.end_time or 0)
    assert spans.attributes("llm.chat")["gen_ai.usage.output_tokens"] == 10


async def test_a_streamed_async_query_is_one_trace(events: AgentEventHandler, spans: Spans) -> None:
    """The same when the pieces are awaited."""
    response = await rag(events, spans, says("a long answer in pieces"), streaming=True).aquery("why?")
    assert "a long answer in pieces" == "".join([piece async for piece in response.async_response_gen()])
    assert RAG == tree(spans)


def test_a_streamed_query_keeps_the_consumers_spans_out(events: AgentEventHandler, spans: Spans) -> None:
    """What the consumer does between two pieces is not the query's."""
    tracer = spans.provider.get_tracer("user")
    response = rag(events, spans, says("a long answer in pieces"), streaming=True).query("why?")
    for _ in response.response_gen:
        tracer.start_span("consumer").end()
    assert all(span.parent is None for span in spans.named("consumer"))


def test_a_streamed_query_that_nobody_reads_is_abandoned(events: AgentEventHandler, spans: Spans) -> None:
    """A response that is dropped ends its query."""
    rag(events, spans, says("unread"), streaming=True).query("why?")
    assert events.open_runs == 0
    assert outcomes(spans)["chain.retriever_query_engine"] == "abandoned"


def test_a_streamed_query_read_in_part_is_abandoned(events: AgentEventHandler, spans: Spans) -> None:
    """So are the query and the model when the consumer leaves early."""
    response = rag(events, spans, says("a long answer in pieces"), streaming=True).query("why?")
    next(iter(response.response_gen))
    del response
    assert events.open_runs == 0
    assert outcomes(spans)["chain.retriever_query_engine"] == outcomes(spans)["llm.chat"] == "abandoned"


def test_queries_in_threads_stay_in_their_request(events: AgentEventHandler, spans: Spans) -> None:
    """A pool that is given the context keeps the request's trace."""
    engine = rag(events, spans, says("42"), says("43"))
    tracer = spans.provider.get_tracer("user")
    with tracer.start_as_current_span("request"), concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = [pool.submit(copy_context().run, engine.query, "why?") for _ in range(2)]
        assert all(future.result() for future in done)
    assert 1 == len({span.context.trace_id for span in spans.finished()})


def test_a_chat_engine_is_one_tree(events: AgentEventHandler, spans: Spans) -> None:
    """A chat engine shows what its query engine would."""
    model = ScriptedLLM(script=[says("42")])
    engine = ContextChatEngine.from_defaults(retriever=Orders(), llm=model)
    engine.chat("why?")
    assert "chain.context_chat_engine\n├─ retriever.orders\n└─ llm.chat" == tree(spans)


def test_a_streaming_chat_engine_is_one_tree(events: AgentEventHandler, spans: Spans) -> None:
    """The thread that writes the answer into the memory is part of the chat."""
    model = ScriptedLLM(script=[says("a long answer in pieces")])
    engine = ContextChatEngine.from_defaults(retriever=Orders(), llm=model)
    assert "a long answer in pieces" == "".join(engine.stream_chat("why?").response_gen)
    assert "chain.context_chat_engine\n├─ retriever.orders\n└─ llm.chat" == tree(spans)
    root, answered = spans.one("chain.context_chat_engine"), spans.one("llm.chat")
    assert (root.end_time or 0) >= (answered.end_time or 0)


async def test_an_async_streaming_chat_engine_is_one_tree(events: AgentEventHandler, spans: Spans) -> None:
    """The same where a task writes the memory."""
    engine = SimpleChatEngine.from_defaults(llm=ScriptedLLM(script=[says("a long answer in pieces")]))
    response = await engine.astream_chat("why?")
    assert "a long answer in pieces" == "".join([piece async for piece in response.async_response_gen()])
    await asyncio.gather(*filter(None, [response.awrite_response_to_history_task]))
    assert "chain.simple_chat_engine\n└─ llm.chat" == tree(spans)


def test_a_synthesizer_by_itself_is_a_chain(events: AgentEventHandler, spans: Spans) -> None:
    """Without an engine around it, a synthesizer groups its model calls."""
    made = get_response_synthesizer(llm=ScriptedLLM(script=[says("42")]))
    made.synthesize("why?", nodes=Orders().retrieve("x"))
    assert ["retriever.orders", "chain.compact_and_refine\n└─ llm.chat"] == trees(spans)


def test_a_retriever_says_what_it_found(events: AgentEventHandler, spans: Spans) -> None:
    """A retriever called by itself is a root with count and scores."""
    Orders().retrieve("x")
    found = spans.attributes("retriever.orders")
    assert (2, (0.9, 0.5)) == (
        found["agent_callbacks.retriever.document_count"],
        found["agent_callbacks.retriever.scores"],
    )


def test_a_reranker_is_shown(events: AgentEventHandler, spans: Spans) -> None:
    """Reranking stands beside retrieval, with what is left of the documents."""
    made = get_response_synthesizer(llm=ScriptedLLM(script=[says("42")]))
    RetrieverQueryEngine(Orders(), response_synthesizer=made, node_postprocessors=[WordRerank(top_n=1)]).query("why?")
    assert (
        tree(spans)
        == """\
chain.retriever_query_engine
├─ retriever.orders
├─ retriever.word_rerank
└─ llm.chat"""
    )
    found = spans.attributes("retriever.word_rerank")
    assert (1, "RERANKER") == (
        found["agent_callbacks.retriever.document_count"],
        found["openinference.span.kind"],
    )


def test_a_failing_reranker_fails_itself_and_what_is_around(events: AgentEventHandler, spans: Spans) -> None:
    """The exception is recorded once, where it was raised; the retriever before it is a success."""
    made = get_response_synthesizer(llm=ScriptedLLM(script=[says("42")]))
    engine = RetrieverQueryEngine(
        Orders(), response_synthesizer=made, node_postprocessors=[WordRerank(error=ValueError("no"))]
    )
    with pytest.raises(ValueError, match="no"):
        engine.query("why?")
    assert outcomes(spans) == {
        "chain.retriever_query_engine": "failure",
        "retriever.orders": "success",
        "retriever.word_rerank": "failure",
    }
    assert ["retriever.word_rerank"] == [span.name for span in spans.finished() for _ in span.events]


def test_ingestion_is_a_chain(events: AgentEventHandler, spans: Spans) -> None:
    """A pipeline shows the models it asks: extractors' and embeddings'."""
    model = ScriptedLLM(script=[says("title")], repeat=True)
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), TitleExtractor(llm=model, nodes=1), EMBEDDING])
    pipeline.run(documents=[Document(text="one fish")])
    found = tree(spans).splitlines()
    assert found[0] == "chain.ingestion_pipeline"
    assert {line.strip("├─└│ ") for line in found[1:]} == {"llm.chat", "llm.embeddings"}


async def test_an_engine_as_a_tool_hangs_on_the_tool(events: AgentEventHandler, spans: Spans) -> None:
    """Inside an agent the engine itself does not show; what it asks hangs on the tool."""
    engine = rag(events, spans, says("42"))
    made = QueryEngineTool.from_defaults(engine, name="search_docs", description="Search the documents.")
    await support(asks(("search_docs", {"input": "why?"})), says("done"), tools=[made]).run("hi")
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


async def test_a_workflow_that_fans_out_is_a_chain(events: AgentEventHandler, spans: Spans) -> None:
    """Steps do not show, however often LlamaIndex runs them."""
    await with_model(FanOut, ScriptedLLM(script=[says("42")])).run()
    assert "chain.fan_out\n└─ llm.text_completion" == tree(spans)


async def test_a_synchronous_step_runs_inside_its_workflow(events: AgentEventHandler, spans: Spans) -> None:
    """A step in a thread is part of the workflow, whatever its class is called."""
    await with_model(My_Flow2, ScriptedLLM(script=[says("42")])).run()
    assert "chain.my_flow2\n└─ llm.text_completion" == tree(spans)


async def test_a_failing_workflow_has_failed(events: AgentEventHandler, spans: Spans) -> None:
    """A step's exception is the workflow's."""
    with pytest.raises(KeyError):
        await Failing().run()
    assert "failure" == outcomes(spans)["chain.failing"]


async def test_a_workflow_that_returns_a_stream_lasts_as_long(events: AgentEventHandler, spans: Spans) -> None:
    """A streamed answer inside a workflow's result keeps the workflow open."""
    engine = rag(events, spans, says("a long answer in pieces"), streaming=True)
    response = await with_model(Answering, engine).run()
    assert "a long answer in pieces" == "".join([piece async for piece in response.async_response_gen()])
    assert tree(spans).splitlines()[0] == "chain.answering"


def test_documents_are_not_mixed_up(events: AgentEventHandler, spans: Spans) -> None:
    """Document text and metadata stay out unless all content is wanted."""
    rag(events, spans, says("42")).query("why?")
    said = str([dict(span.attributes or {}) for span in spans.finished()])
    assert not [document.text for document in DOCUMENTS if document.text in said and len(document.text) > 3]
    assert "alice@example.org" not in said
