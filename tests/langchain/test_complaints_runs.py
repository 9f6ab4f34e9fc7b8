"""What users of other handlers complain about, row by row: many runs on one handler, and the order of callbacks."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import operator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListLLM
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from opentelemetry import trace

from agent_callbacks.analysis.trace import load
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import USER, asks, question, says

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Spans

ROWS: Final = {
    10: "test_runs_in_a_row_do_not_nest",
    11: "test_a_batch_is_as_many_roots_as_inputs",
    12: "test_runs_side_by_side_keep_to_their_own_trace",
    13: "test_a_wide_fan_out_has_no_orphans",
    14: "test_sync_and_async_tell_the_same_story",
    15: "test_end_callbacks_need_nothing_of_the_starts_context",
    16: "test_a_text_model_beside_another_handler_keeps_its_start",
    17: "test_a_runnable_called_in_anothers_body_is_its_child",
}


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
    """Give what the caller makes spans with."""
    return spans.provider.get_tracer("caller")


def config(handler: AgentCallbackHandler, **more: Any) -> Any:
    """Return a run's config with the handler."""
    return {"callbacks": [handler], "metadata": USER, **more}


@tool
def lookup_order(order: str) -> str:
    """Look an order up."""
    return f"order {order} shipped"


def support(*, turns: int = 1) -> Any:
    """Return an agent that asks twice for an order."""
    asked = asks(("lookup_order", {"order": "7"}), ("lookup_order", {"order": "8"}))
    return create_agent(ScriptedChat(script=[asked, says("done")] * turns), [lookup_order], name="support")


# --- many runs -------------------------------------------------------------------------------------------------------
async def test_runs_in_a_row_do_not_nest(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Fifty runs in one task are fifty roots in fifty traces."""
    model = ScriptedChat(script=[says("hello")], repeat=True)
    agent = create_agent(model, [], name="again")
    for _ in range(50):
        await agent.ainvoke(question(), config(handler))
    assert len(roots(spans)) == 50
    assert len(trace_ids(spans)) == 50
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_batch_is_as_many_roots_as_inputs(handler: AgentCallbackHandler, spans: Spans, tracer: Tracer) -> None:
    """The runs of a batch stand side by side, and the caller's next span is a root too."""
    chain = RunnableLambda(lambda text: text) | ScriptedChat(script=[says("hello")], repeat=True)
    chain.batch(["a", "b", "c"], config(handler))
    with tracer.start_as_current_span("next"):
        pass
    assert [span.name for span in roots(spans)] == ["chain.runnable_sequence"] * 3 + ["next"]
    assert len(trace_ids(spans)) == 4


async def test_runs_side_by_side_keep_to_their_own_trace(handler: AgentCallbackHandler, spans: Spans) -> None:
    """One handler, twenty tasks and eight threads: all spans of a trace carry the tag of one run."""

    def given(number: int) -> Any:
        return config(handler, tags=[f"run-{number}"])

    async def threads() -> None:
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(support().invoke, question(), given(100 + number)) for number in range(8)]
            await asyncio.gather(*map(asyncio.wrap_future, jobs))

    await asyncio.gather(*(support().ainvoke(question(), given(number)) for number in range(20)), threads())
    tags: dict[int, set[Any]] = {}
    for span in spans.finished():
        tags.setdefault(span.context.trace_id, set()).add((span.attributes or {}).get("tag.tags"))
    assert len(tags) == 28
    assert all(len(found) == 1 for found in tags.values())
    assert {tree.tree().count("\n") for tree in load(spans.finished())} == {6}


class Notes(TypedDict):
    """The state of a fan-out."""

    notes: Annotated[list[str], operator.add]


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_a_wide_fan_out_has_no_orphans(mode: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """Fifty Send tasks at once, three times: each model call has its parent, in one trace a run."""
    model = ScriptedChat(script=[says("note")], repeat=True)
    graph = StateGraph(Notes)
    graph.add_node("write", RunnableLambda(lambda _: {"notes": [model.invoke("hi").text]}))
    graph.add_conditional_edges(START, lambda _: [Send("write", {"notes": []})] * 50, ["write"])
    compiled = graph.compile(name="fan")
    for _ in range(3):
        state: Any = {"notes": []}
        if mode == "invoke":
            compiled.invoke(state, config(handler))
        else:
            await compiled.ainvoke(state, config(handler))
    assert len(spans.named("llm.chat")) == 150
    assert len(roots(spans)) == 3
    assert not orphans(spans)
    assert len(trace_ids(spans)) == 3


async def test_sync_and_async_tell_the_same_story(handler: AgentCallbackHandler, spans: Spans) -> None:
    """The trees of invoke and ainvoke are equal."""
    support().invoke(question(), config(handler))
    await support().ainvoke(question(), config(handler))
    first, second = (found.tree() for found in load(spans.finished()))
    assert first == second
    assert "tool.lookup_order" in first


# --- callbacks -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["tool", "retriever", "chain"])
def test_end_callbacks_need_nothing_of_the_starts_context(
    kind: str, handler: AgentCallbackHandler, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """Shielded end callbacks run elsewhere: one in an empty context closes the span, and nothing stays current."""
    key = uuid4()
    getattr(handler, f"on_{kind}_start")({}, "in", name="x", run_id=key)
    contextvars.Context().run(getattr(handler, f"on_{kind}_end"), "out", run_id=key)
    assert len(spans.finished()) == 1
    assert not trace.get_current_span().get_span_context().is_valid
    assert not caplog.records


async def test_a_text_model_beside_another_handler_keeps_its_start(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Another inline handler, as LangSmith's is, takes no start away from us in async code."""

    class Other(BaseCallbackHandler):
        run_inline = True

    await FakeListLLM(responses=["hello"]).ainvoke("hi", {"callbacks": [Other(), handler]})
    assert spans.names() == ["llm.text_completion"]
    assert handler.unmatched_events == 0


async def test_a_runnable_called_in_anothers_body_is_its_child(handler: AgentCallbackHandler, spans: Spans) -> None:
    """No config is handed on by the user's code, in a task of its own or not."""
    model = ScriptedChat(script=[says("hello")], repeat=True)

    async def body(text: str) -> str:
        await asyncio.create_task(model.ainvoke(text))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(model.ainvoke(text), 5)
        return (await model.ainvoke(text)).text

    await RunnableLambda(body, name="outer").ainvoke("hi", config(handler))
    assert spans.tree() == "chain.outer\n  llm.chat\n  llm.chat\n  llm.chat"
