"""How things end other than well: errors, cancellation, limits, and waiting for a human."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import ReActAgent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent
from llama_index_instrumentation.dispatcher import instrument_tags
from workflows.errors import WorkflowCancelledByUser, WorkflowRuntimeError, WorkflowTimeoutError

from tests.features import WAITING_TOOLS
from tests.llamaindex.flows import Retrying, ask_human, ask_human_by_name, with_model
from tests.llamaindex.models import Line, ScriptedLLM, asks, says
from tests.llamaindex.shared import outcomes, search_web, support, tree, trees

if TYPE_CHECKING:
    from agent_callbacks import AgentEventHandler
    from tests.conftest import Spans


def failures(spans: Spans) -> dict[str, str]:
    """Return the error type of each span that failed, by its name."""
    found = {span.name: dict(span.attributes or {}) for span in spans.finished() if not span.status.is_ok}
    return {name: str(attributes["error.type"]) for name, attributes in found.items()}


def exceptions(spans: Spans) -> list[str]:
    """Return the names of the spans that an exception was recorded on."""
    return [span.name for span in spans.finished() for event in span.events if event.name == "exception"]


async def test_a_tool_error_is_the_tools(events: AgentEventHandler, spans: Spans) -> None:
    """A tool that raises has failed, though LlamaIndex hands its error to the model as a result."""

    def boom() -> str:
        """Fail."""
        raise ValueError("no")

    await support(asks(("boom", {})), says("sorry"), tools=[boom]).run("hi")
    assert {"tool.boom": "ValueError"} == failures(spans)
    assert ["tool.boom"] == exceptions(spans)


async def test_a_tool_that_does_not_exist_is_unknown(events: AgentEventHandler, spans: Spans) -> None:
    """A tool the model made up shows in the step that asked for it, with the name it asked for."""
    await support(asks(("nosuch", {}), ("search_web", {"query": "x"})), says("sorry")).run("hi")
    assert (
        tree(spans)
        == """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  ├─ tool.unknown
│  └─ tool.search_web
└─ agent.step.2
   └─ llm.chat"""
    )
    assert {"tool.unknown": "unknown_tool"} == failures(spans)
    assert spans.attributes("tool.unknown")["agent_callbacks.tool.requested_name"] == "nosuch"


async def test_react_tells_an_unknown_tool_too(events: AgentEventHandler, spans: Spans) -> None:
    """An agent that reads the tool out of text knows which tools there are from its own list."""
    script = [says("Thought: I look.\nAction: nosuch\nAction Input: {}"), says("Thought: I can answer.\nAnswer: 42")]
    await ReActAgent(name="r", tools=[search_web], llm=ScriptedLLM(script=script), streaming=False).run("hi")
    assert {"tool.unknown": "unknown_tool"} == failures(spans)
    assert spans.attributes("tool.unknown")["agent_callbacks.tool.requested_name"] == "nosuch"


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_model_error_is_recorded_once(events: AgentEventHandler, spans: Spans, streaming: bool) -> None:
    """The exception stands on the model call; step and run failed by it and say its type."""
    agent = support(Line("some words", error=ConnectionError("429")), streaming=streaming)
    with pytest.raises(ConnectionError):
        await agent.run("hi")
    assert dict.fromkeys(["agent.run.support", "agent.step.1", "llm.chat"], "ConnectionError") == failures(spans)
    assert ["llm.chat"] == exceptions(spans)


async def _cancelled(events: AgentEventHandler, how: str) -> None:
    started = asyncio.Event()

    async def slow() -> str:
        """Wait for ever."""
        started.set()
        await asyncio.Event().wait()
        return "never"

    options = {"timeout": 0.3} if how == "timeout" else {}
    handler = support(asks(("slow", {})), tools=[slow], **options).run("hi")
    await started.wait()
    if how == "cancel_run":
        await handler.cancel_run()
    if how == "task":
        task = asyncio.ensure_future(asyncio.wait_for(handler, 0.05))
        with pytest.raises(TimeoutError):
            await task
    else:
        with pytest.raises((WorkflowCancelledByUser, WorkflowTimeoutError)):
            await handler


@pytest.mark.parametrize("how", ["cancel_run", "task"])
async def test_cancelling_is_no_error(events: AgentEventHandler, spans: Spans, how: str) -> None:
    """Whoever cancels a run in the middle of a tool cancels the tool, the step and the run; nothing has failed."""
    await _cancelled(events, how)
    expected = {"llm.chat": "success"} | dict.fromkeys(["agent.run.support", "agent.step.1", "tool.slow"], "cancelled")
    assert expected == outcomes(spans)
    assert not failures(spans)


async def test_a_timeout_fails_the_run_and_cancels_the_tool(events: AgentEventHandler, spans: Spans) -> None:
    """A workflow that is too slow has failed; what it was doing was cancelled."""
    await _cancelled(events, "timeout")
    assert outcomes(spans)["tool.slow"] == "cancelled"
    assert failures(spans)["agent.run.support"].endswith("WorkflowTimeoutError")


async def test_too_many_rounds_is_an_error(events: AgentEventHandler, spans: Spans) -> None:
    """max_iterations ends the run with an error, not the tools and models that worked."""
    script = [asks(("search_web", {"query": "x"})), asks(("search_web", {"query": "y"}))]
    with pytest.raises(WorkflowRuntimeError):
        await support(*script).run("hi", max_iterations=2)
    assert set(failures(spans)) == {"agent.run.support", "agent.step.2"}
    assert ["agent.run.support"] == exceptions(spans)


# --- a human in the loop ---------------------------------------------------------------------------------------------
@WAITING_TOOLS.needed
async def test_waiting_for_a_human_is_no_error(events: AgentEventHandler, spans: Spans) -> None:
    """The tool that waits is interrupted, its second run says that it is one, and the run is a success."""
    handler = support(asks(("ask_human", {"question": "sure?"})), says("done"), tools=[ask_human]).run("hi")
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            handler.ctx.send_event(HumanResponseEvent(response="yes"))
    await handler
    assert (
        tree(spans)
        == """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  ├─ tool.ask_human
│  └─ tool.ask_human
└─ agent.step.2
   └─ llm.chat"""
    )
    first, second = (dict(span.attributes or {}) for span in spans.named("tool.ask_human"))
    assert ("interrupted", None) == (first["agent_callbacks.outcome"], first.get("agent_callbacks.retry.attempt"))
    assert ("success", 2) == (second["agent_callbacks.outcome"], second["agent_callbacks.retry.attempt"])
    assert spans.attributes("agent.run.support")["agent_callbacks.outcome"] == "success"
    assert not failures(spans)


@WAITING_TOOLS.needed
async def test_two_tools_wait_for_their_humans(events: AgentEventHandler, spans: Spans) -> None:
    """A run goes on when the last of its waiting tools does; cancelled before, it is interrupted."""
    wanted = [("ask_human", {"question": "a"}), ("ask_human", {"question": "b"})]
    handler = support(asks(*wanted), says("done"), tools=[ask_human_by_name]).run("hi")
    waiting = 0
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            waiting += 1
            if waiting == 2:
                break
    handler.ctx.send_event(HumanResponseEvent(response="yes", name="a"))
    while len(spans.named("tool.ask_human")) < 3:  # noqa: ASYNC110 - nothing tells that a span has ended
        await asyncio.sleep(0.001)
    await handler.cancel_run()
    with pytest.raises(WorkflowCancelledByUser):
        await handler
    assert ["interrupted", "interrupted", "success"] == [
        (span.attributes or {})["agent_callbacks.outcome"] for span in spans.named("tool.ask_human")
    ]
    assert "interrupted" == spans.attributes("agent.run.support")["agent_callbacks.outcome"]


@WAITING_TOOLS.needed
@pytest.mark.filterwarnings("ignore:Skipping serialization")
async def test_a_run_resumed_elsewhere_is_linked_to_the_one_that_waited(
    events: AgentEventHandler, spans: Spans
) -> None:
    """A run left while it waits is interrupted; the run that goes on with its context says which one that was."""
    agent = support(asks(("ask_human", {"question": "sure?"})), says("done"), tools=[ask_human])
    memory = ChatMemoryBuffer.from_defaults()
    with instrument_tags({"thread_id": "t-1", "user_id": "u-1"}):
        handler = agent.run("hi")
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                break
        saved: Any = handler.ctx.to_dict()
        await handler.cancel_run()
        with pytest.raises(WorkflowCancelledByUser):
            await handler
        context = Context.from_dict(agent, saved)
        await context.store.set("memory", memory)
        resumed = agent.run(ctx=context)
        resumed.ctx.send_event(HumanResponseEvent(response="yes"))
        await resumed
    assert [
        """\
agent.run.support
└─ agent.step.1
   ├─ llm.chat
   └─ tool.ask_human""",
        """\
agent.run.support
├─ tool.ask_human
└─ agent.step.1
   └─ llm.chat""",
    ] == trees(spans)
    first, second = spans.named("agent.run.support")
    assert (first.attributes or {})["agent_callbacks.outcome"] == "interrupted"
    assert [first.context.span_id] == [link.context.span_id for link in second.links]


# --- retries ---------------------------------------------------------------------------------------------------------
async def test_a_retried_step_keeps_its_chain(events: AgentEventHandler, spans: Spans) -> None:
    """Each try's model call is a span of the workflow, which succeeds in the end."""
    model = ScriptedLLM(script=[ConnectionError("429"), says("fine")])

    assert await with_model(Retrying, model).run() == "fine"
    assert (
        tree(spans)
        == """\
chain.retrying
├─ llm.text_completion
└─ llm.text_completion"""
    )
    assert {"llm.text_completion"} == set(failures(spans))
    assert spans.attributes("chain.retrying")["agent_callbacks.outcome"] == "success"
