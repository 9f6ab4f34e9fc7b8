"""What users of other handlers complain about, row by row: clocks, counts, names, and doubled handlers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind
from pydantic import Field

from agent_callbacks import AgentCallbackHandler, Settings
from agent_callbacks.analysis import load
from agent_callbacks.analysis.cost import cost_report, reprice
from agent_callbacks.convention import keys
from tests.features import EVENT_STREAMS
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import USER, question, says

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Spans

COUNTED: Final = (keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS, keys.LLM_COST)
ROWS: Final = {
    41: "test_stream_events_v3_have_a_first_chunk",
    42: "test_first_chunk_and_first_content_are_two_clocks_from_the_models_start",
    45: "test_usage_on_a_providers_own_span_is_not_added",
    55: "test_a_handler_given_twice_records_once",
    56: "test_two_model_calls_can_be_told_apart",
    57: "test_a_providers_span_after_a_model_call_is_recorded",
}


def config(handler: AgentCallbackHandler, **more: Any) -> Any:
    """Return a run's config with the handler."""
    return {"callbacks": [handler], "metadata": USER, **more}


# --- clocks ----------------------------------------------------------------------------------------------------------
@EVENT_STREAMS.needed
@pytest.mark.parametrize("kind", ["model", "agent"])
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
async def test_stream_events_v3_have_a_first_chunk(
    kind: str, mode: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Version 3 fires no new-token callback; the first chunk is timed all the same."""
    model = ScriptedChat(script=[says("an answer in several chunks", input=10, output=6)], delay=0.005)
    target: Any = model if kind == "model" else create_agent(model, [], name="streams")
    given = "hi" if kind == "model" else question()
    if mode == "sync":
        drain(target.stream_events(given, config(handler), version="v3"))
    else:
        found = target.astream_events(given, config(handler), version="v3")
        async for _ in await found if asyncio.iscoroutine(found) else found:
            pass
        for _ in range(1000):  # LangChain's own task ends the model after the last event was read
            if not handler.open_runs:
                break
            await asyncio.sleep(0.01)
    attributes = spans.attributes("llm.chat")
    assert 0 < attributes["gen_ai.response.time_to_first_chunk"]
    assert attributes["gen_ai.response.time_to_first_chunk"] <= attributes["agent_callbacks.llm.time_to_first_content"]
    # Four more chunks come after the first, each after a sleep: a clock that only started at the end shows none.
    assert attributes["agent_callbacks.llm.generation_duration"] >= 3 * model.delay
    assert attributes["gen_ai.usage.input_tokens"] == 10


# --- an answer nobody pays for ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_an_answer_from_langchains_cache_uses_and_costs_nothing(mode: str, spans: Spans, tmp_path: Path) -> None:
    """The second run is answered by ``set_llm_cache``: marked, without tokens, at no cost, as is the run around it."""
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nmodel = "scripted-1"\ninput = 1\noutput = 2\n')
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(prices=prices))
    model = ScriptedChat(script=[says("paid", input=1000, output=100)], cache=InMemoryCache())
    agent: Any = create_agent(model, [], name="cached")
    for _ in range(2):
        given = {"messages": [HumanMessage("who?", id="always-the-same")]}, config(handler)
        found = agent.invoke(*given) if mode == "sync" else await agent.ainvoke(*given)
        assert "paid" == found["messages"][-1].text
    paid, free = [dict(span.attributes or {}) for span in spans.named("llm.chat")]
    assert (None, 1000, 100, 0.0012) == tuple(paid.get(key) for key in (keys.CACHE_HIT, *COUNTED))
    assert (True, None, None, 0.0) == tuple(free.get(key) for key in (keys.CACHE_HIT, *COUNTED))
    runs = [dict(span.attributes or {}) for span in spans.named("agent.run.cached")]
    assert [(1000, 0.0012), (0, 0.0)] == [(run[keys.RUN_INPUT_TOKENS], run[keys.RUN_COST]) for run in runs]
    _, stored = sorted(load(spans.finished()), key=lambda trace: trace.start_ns)
    assert (0, 0) == (cost_report(stored, prices=prices).total, reprice(stored, model="gpt-4o").total)


def test_a_model_that_costs_nothing_is_no_cache(spans: Spans, handler: AgentCallbackHandler) -> None:
    """A provider may report a price of zero beside what it counted: its tokens count."""
    answer = says("free", input=10, output=2)
    answer.usage_metadata["total_cost"] = 0.0  # type: ignore[index, typeddict-unknown-key]
    ScriptedChat(script=[answer]).invoke("hi", config(handler))
    said = spans.attributes("llm.chat")
    assert (None, 10) == (said.get(keys.CACHE_HIT), said[keys.USAGE_INPUT_TOKENS])


def drain(events: Any) -> None:
    """Read all *events*."""
    for _ in events:
        pass


class Thinking(ScriptedChat):
    """A model that thinks aloud before it answers, and says when it did."""

    said: list[int] = Field(default_factory=list)

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        thought = AIMessageChunk([{"type": "reasoning", "reasoning": "hm", "index": 0}])
        spoken = AIMessageChunk([{"type": "text", "text": "yes", "index": 1}])
        for message in (thought, spoken):
            self.said.append(time.time_ns())
            yield ChatGenerationChunk(message=message)


def test_first_chunk_and_first_content_are_two_clocks_from_the_models_start(
    handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Both begin at the model's start, not the agent's; the first ends at anything, the second at text."""
    asked: list[int] = []
    model = Thinking(script=[])

    def work(_: Any) -> Any:
        asked.append(time.time_ns())
        list(model.stream("hi"))
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    graph.compile(name="thinks").invoke(question(), config(handler))
    span, found = spans.one("llm.chat"), spans.attributes("llm.chat")
    keys = ("gen_ai.response.time_to_first_chunk", "agent_callbacks.llm.time_to_first_content")
    first, content = ((span.start_time or 0) + round(found[key] * 1e9) for key in keys)
    assert asked[0] <= (span.start_time or 0)
    assert model.said[0] <= first <= model.said[1] <= content


# --- counts ----------------------------------------------------------------------------------------------------------
def test_usage_on_a_providers_own_span_is_not_added(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A provider's instrumentation inside the model reports the same tokens; step and run count them once."""

    class Instrumented(ScriptedChat):
        def _generate(self, *args: Any, **given: Any) -> Any:
            usage = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
            tracer = spans.provider.get_tracer("provider")
            with tracer.start_as_current_span("chat gpt", kind=SpanKind.CLIENT, attributes=usage):
                return super()._generate(*args, **given)

    model = Instrumented(script=[says("done", input=100, output=10)])
    create_agent(model, [], name="counts").invoke(question(), config(handler))
    assert spans.tree() == "agent.run.counts\n  agent.step.1\n    llm.chat\n      chat gpt"
    assert spans.attributes("agent.step.1")["agent_callbacks.step.input_tokens"] == 100
    run = spans.attributes("agent.run.counts")
    assert [run[f"agent_callbacks.run.{key}"] for key in ("total_input_tokens", "total_output_tokens")] == [100, 10]
    assert "gen_ai.usage.input_tokens" not in run


# --- handlers and names ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", ["constructor", "config", "both", "twice", "two"])
async def test_a_handler_given_twice_records_once(
    given: str, handler: AgentCallbackHandler, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """In the constructor, in the config, in both, or as two instances on one provider: one span each, no complaint."""
    other = AgentCallbackHandler(tracer_provider=spans.provider)
    in_model = [handler] if given in {"constructor", "both"} else None
    in_config = {"config": [handler], "both": [handler], "twice": [handler, handler], "two": [handler, other]}
    model = ScriptedChat(script=[says("done", input=100, output=10)], repeat=True, callbacks=in_model)
    agent = create_agent(model, [], name="once")
    settings: Any = {"callbacks": in_config.get(given, []), "metadata": USER}
    agent.invoke(question(), settings)
    await agent.ainvoke(question(), settings)
    expected = "llm.chat" if given == "constructor" else "agent.run.once\n  agent.step.1\n    llm.chat"
    assert spans.tree() == f"{expected}\n{expected}"
    assert not caplog.records
    assert handler.unmatched_events + other.unmatched_events == 0


def test_two_model_calls_can_be_told_apart(handler: AgentCallbackHandler, spans: Spans) -> None:
    """No span is called after a class; the step and the model asked tell two calls apart."""
    models = [ScriptedChat(script=[says("hello")], model_name=name) for name in ("small", "large")]
    chain: Any = RunnableLambda(lambda _: {"messages": [model.invoke("hi") for model in models]})
    graph = StateGraph(MessagesState)
    graph.add_node("work", chain)
    graph.add_edge(START, "work")
    graph.compile(name="pair").invoke(question(), config(handler))
    assert spans.tree() == "agent.run.pair\n  agent.step.1\n    llm.chat\n  agent.step.2\n    llm.chat"
    asked = [(span.attributes or {})["gen_ai.request.model"] for span in spans.named("llm.chat")]
    assert asked == ["small", "large"]
    assert "Scripted" not in "".join(spans.names())


async def test_a_providers_span_after_a_model_call_is_recorded(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Nothing of ours suppresses other instrumentations, neither in the model's body nor after it."""
    suppressed: list[Any] = []
    tracer = spans.provider.get_tracer("provider")

    async def work(_: Any) -> Any:
        answer = await ScriptedChat(script=[says("hello")]).ainvoke("hi")
        suppressed.extend(key for key in otel_context.get_current() if "suppress" in key)
        with tracer.start_as_current_span("embeddings", kind=SpanKind.CLIENT):
            return {"messages": [answer]}

    graph = StateGraph(MessagesState)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    await graph.compile(name="later").ainvoke(question(), config(handler))
    assert spans.one("embeddings").parent is not None
    assert not suppressed
