"""A span of the user's lands where it was made: inside tools, models, steps and threads, and nowhere else."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import function_tool as threads
from llama_index_instrumentation import get_dispatcher
from opentelemetry import trace

from tests.llamaindex.flows import My_Flow2, with_model
from tests.llamaindex.models import ScriptedLLM, asks, says
from tests.llamaindex.shared import support, tree

if TYPE_CHECKING:
    from agent_callbacks import AgentEventHandler
    from tests.conftest import Spans


class TracedLLM(ScriptedLLM):
    """Makes a span of the user's in each call, as an instrumented HTTP client would."""

    tracer: Any = None

    def _next(self, messages: Any) -> Any:
        self.tracer.start_span("http").end()
        return super()._next(messages)


def parent_name(spans: Spans, name: str) -> set[str | None]:
    """Return the names of the parents of the spans called *name*."""
    names = {span.context.span_id: span.name for span in spans.finished()}
    return {names.get(span.parent.span_id) if span.parent else None for span in spans.named(name)}


@pytest.mark.parametrize("streaming", [True, False])
async def test_in_a_model(events: AgentEventHandler, spans: Spans, streaming: bool) -> None:
    """What a model does before it answers is a child of its call, streamed or not."""
    made = TracedLLM(script=[says("hi there you")], tracer=spans.provider.get_tracer("user"))
    agent = FunctionAgent(name="a", llm=made, streaming=streaming)
    await agent.run("hi")
    assert {"llm.chat"} == parent_name(spans, "http")


async def test_in_tools_side_by_side(events: AgentEventHandler, spans: Spans) -> None:
    """Each of several tools at once has its own children; synchronous ones run in threads."""
    tracer = spans.provider.get_tracer("user")

    async def one() -> str:
        """Do one."""
        with tracer.start_as_current_span("from_one"):
            await asyncio.sleep(0.01)
            tracer.start_span("deeper").end()
        return "1"

    def two() -> str:
        """Do two."""
        tracer.start_span("from_two").end()
        return "2"

    await support(asks(("one", {}), ("two", {}), ("one", {})), says("done"), tools=[one, two]).run("hi")
    assert {"tool.one"} == parent_name(spans, "from_one")
    if "copy_context" in inspect.getsource(threads):  # older releases start threads without a context
        assert {"tool.two"} == parent_name(spans, "from_two")
    assert {"from_one"} == parent_name(spans, "deeper")


async def test_in_a_step_of_ones_own(events: AgentEventHandler, spans: Spans) -> None:
    """A workflow's step that runs in a thread is inside the workflow."""
    made = TracedLLM(script=[says("hi")], tracer=spans.provider.get_tracer("user"))

    class Flow(My_Flow2):
        pass

    await with_model(Flow, made).run()
    assert {"llm.text_completion"} == parent_name(spans, "http")
    assert "chain.flow\n└─ llm.text_completion\n   └─ http" == tree(spans)


async def test_in_a_members_own_code(events: AgentEventHandler, spans: Spans) -> None:
    """What an agent of a workflow does between its calls is in that agent's step, not in the workflow."""
    tracer = spans.provider.get_tracer("user")

    class Own(FunctionAgent):
        async def take_step(self, *args: Any, **given: Any) -> Any:
            found = await super().take_step(*args, **given)
            tracer.start_span("own_code").end()
            return found

    member = Own(name="writer", description="writes", llm=ScriptedLLM(script=[says("text")]))
    await AgentWorkflow(agents=[member], root_agent="writer").run("hi")
    assert (
        tree(spans)
        == """\
agent.run
└─ agent.run.writer
   └─ agent.step.1
      ├─ llm.chat
      └─ own_code"""
    )


async def test_the_request_around_is_the_parent(events: AgentEventHandler, spans: Spans) -> None:
    """The run hangs on the user's span, which is current again afterwards."""
    with spans.provider.get_tracer("user").start_as_current_span("request") as request:
        await support(says("hi")).run("hi")
        assert trace.get_current_span() is request
    assert {"request"} == parent_name(spans, "agent.run.support")


async def test_nothing_is_current_after_a_run(events: AgentEventHandler, spans: Spans) -> None:
    """Neither success nor failure leaves a span behind."""
    await support(says("hi")).run("hi")
    assert not trace.get_current_span().get_span_context().is_valid
    with pytest.raises(ConnectionError):
        await support(ConnectionError("429")).run("hi")
    assert not trace.get_current_span().get_span_context().is_valid
    with pytest.raises(ConnectionError):
        ScriptedLLM(script=[ConnectionError("429")]).chat([ChatMessage("hi")])
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_failed_future_leaves_nothing_current(events: AgentEventHandler, spans: Spans) -> None:
    """A function that returns a future ends with it, in another context, and what follows is not its child."""
    dispatcher = get_dispatcher("tests.future")

    @dispatcher.span
    def later() -> asyncio.Future[int]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.get_loop().call_soon(future.set_exception, ConnectionError("429"))
        return future

    with pytest.raises(ConnectionError):
        await later()
    await asyncio.sleep(0)
    assert not trace.get_current_span().get_span_context().is_valid
    spans.provider.get_tracer("user").start_span("after").end()
    assert {None} == parent_name(spans, "after")


async def test_what_a_tool_leaves_running_stays_in_the_trace(events: AgentEventHandler, spans: Spans) -> None:
    """A task that outlives its tool and the run is in the run's trace, with a link."""
    go, left = asyncio.Event(), list[asyncio.Task[Any]]()

    async def afterwards() -> None:
        await go.wait()
        await ScriptedLLM(script=[says("late")]).achat([ChatMessage("x")])

    async def start() -> str:
        """Start something."""
        left.append(asyncio.create_task(afterwards()))
        return "started"

    await support(asks(("start", {})), says("done"), tools=[start]).run("hi")
    go.set()
    await left[0]
    assert 1 == len({span.context.trace_id for span in spans.finished()})
    late = max(spans.named("llm.chat"), key=lambda span: span.start_time or 0)
    assert ["late"] == [(link.attributes or {})["agent_callbacks.link.kind"] for link in late.links]
    assert {"tool.start"} == {
        span.name for span in spans.finished() if late.parent and span.context.span_id == late.parent.span_id
    }
