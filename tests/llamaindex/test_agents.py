"""The tree a reader sees, agent by agent, with the real framework and a scripted model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent, ReActAgent
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context
from pydantic import BaseModel

from tests.features import EARLY_STOPPING
from tests.llamaindex.models import ScriptedLLM, asks, says
from tests.llamaindex.shared import TWO_STEPS, lookup_order, search_web, support, tree, trees, two_steps

if TYPE_CHECKING:
    from agent_callbacks import AgentEventHandler
    from tests.conftest import Spans


@pytest.mark.parametrize("streaming", [True, False])
async def test_tools_hang_on_the_step_that_asked(events: AgentEventHandler, spans: Spans, streaming: bool) -> None:
    """Two tools asked for by one answer are siblings in its step; the next answer is the next step."""
    await support(*two_steps(), streaming=streaming).run("hi")
    assert TWO_STEPS == tree(spans)


async def test_runs_side_by_side_do_not_mix(events: AgentEventHandler, spans: Spans) -> None:
    """Five runs at once are five traces, each the whole tree."""
    await asyncio.gather(*(support(*two_steps()).run("hi") for _ in range(5)))
    assert [TWO_STEPS] * 5 == trees(spans)


@pytest.mark.filterwarnings("ignore:Skipping serialization")
async def test_a_second_run_counts_from_one(events: AgentEventHandler, spans: Spans) -> None:
    """A conversation that goes on in the same context is a new run with steps of its own."""
    agent = support(*two_steps(), *two_steps())
    context = Context(agent)
    await agent.run("hi", ctx=context)
    await agent.run("and now?", ctx=context)
    assert [TWO_STEPS] * 2 == trees(spans)


async def test_react_asks_again_after_bad_format(events: AgentEventHandler, spans: Spans) -> None:
    """A format repair is a new decision with new input, so a new step."""
    script = [
        says('Thought: I look.\nAction: search_web\nAction Input: {"query": "x"}'),
        says("Thought: garbage without"),
        says("Thought: I can answer.\nAnswer: 42"),
    ]
    agent = ReActAgent(name="reactor", tools=[search_web], llm=ScriptedLLM(script=script), streaming=False)
    await agent.run("hi")
    assert (
        tree(spans)
        == """\
agent.run.reactor
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.search_web
├─ agent.step.2
│  └─ llm.chat
└─ agent.step.3
   └─ llm.chat"""
    )


async def test_code_act_runs_code_as_a_tool(events: AgentEventHandler, spans: Spans) -> None:
    """CodeAct's execution of code is a tool of the step that wrote it."""
    script = [says("let me\n<execute>\nprint(1)\n</execute>"), says("it is 1")]
    agent = CodeActAgent(
        name="coder", tools=[search_web], llm=ScriptedLLM(script=script), code_execute_fn=lambda code: f"ran {code}"
    )
    await agent.run("hi")
    assert (
        tree(spans)
        == """\
agent.run.coder
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.execute
└─ agent.step.2
   └─ llm.chat"""
    )


async def test_every_stay_of_a_member_is_a_run(events: AgentEventHandler, spans: Spans) -> None:
    """Handing over gives the members' runs side by side under the workflow's, each counting from one."""
    triage = FunctionAgent(
        name="triage",
        description="sorts",
        llm=ScriptedLLM(script=[asks(("handoff", {"to_agent": "writer", "reason": "r"}))]),
        can_handoff_to=["writer"],
    )
    writer = FunctionAgent(
        name="writer",
        description="writes",
        tools=[search_web],
        llm=ScriptedLLM(script=[asks(("search_web", {"query": "x"})), says("text")]),
    )
    await AgentWorkflow(agents=[triage, writer], root_agent="triage").run("hi")
    assert (
        tree(spans)
        == """\
agent.run
├─ agent.run.triage
│  └─ agent.step.1
│     ├─ llm.chat
│     └─ tool.handoff
└─ agent.run.writer
   ├─ agent.step.1
   │  ├─ llm.chat
   │  └─ tool.search_web
   └─ agent.step.2
      └─ llm.chat"""
    )


async def test_an_agent_in_a_tool_counts_from_one(events: AgentEventHandler, spans: Spans) -> None:
    """An agent called by a tool is an agent run of its own under that tool."""
    inner = FunctionAgent(
        name="researcher",
        tools=[search_web],
        llm=ScriptedLLM(script=[asks(("search_web", {"query": "x"})), says("facts")]),
    )

    async def research(topic: str) -> str:
        """Research a topic."""
        return str(await inner.run(topic))

    await support(asks(("research", {"topic": "x"})), says("done"), tools=[research]).run("hi")
    assert (
        tree(spans)
        == """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.research
│     └─ agent.run.researcher
│        ├─ agent.step.1
│        │  ├─ llm.chat
│        │  └─ tool.search_web
│        └─ agent.step.2
│           └─ llm.chat
└─ agent.step.2
   └─ llm.chat"""
    )


@EARLY_STOPPING.needed
async def test_the_answer_after_the_last_round_belongs_to_its_step(events: AgentEventHandler, spans: Spans) -> None:
    """early_stopping_method="generate" asks the model once more within the step that was one too many."""
    script = [asks(("search_web", {"query": "x"})), asks(("search_web", {"query": "y"})), says("enough")]
    await support(*script, early_stopping_method="generate").run("hi", max_iterations=2)
    assert (
        tree(spans)
        == """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.search_web
└─ agent.step.2
   ├─ llm.chat
   └─ llm.chat"""
    )


class Weather(BaseModel):
    """The weather."""

    degrees: int


async def test_a_structured_answer_belongs_to_its_step(events: AgentEventHandler, spans: Spans) -> None:
    """The call that turns the answer into an object is one model call of the same step."""
    script = [says("three degrees"), asks(("Weather", {"degrees": 3}))]
    answer: Any = await support(*script, output_cls=Weather).run("hi")
    assert {"degrees": 3} == answer.structured_response
    assert (
        tree(spans)
        == """\
agent.run.support
└─ agent.step.1
   ├─ llm.chat
   └─ llm.chat"""
    )


async def test_a_model_called_in_a_tool_is_the_tools(events: AgentEventHandler, spans: Spans) -> None:
    """A model call inside a tool hangs on the tool and is no step of the agent."""
    helper = ScriptedLLM(script=[says("short")])

    async def summarize(text: str) -> str:
        """Summarize a text."""
        return str(await helper.acomplete(text))

    await support(asks(("summarize", {"text": "x"})), says("done"), tools=[summarize]).run("hi")
    assert (
        tree(spans)
        == """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.summarize
│     └─ llm.text_completion
└─ agent.step.2
   └─ llm.chat"""
    )


async def test_a_tool_that_returns_directly_ends_the_run(events: AgentEventHandler, spans: Spans) -> None:
    """With return_direct the tool's answer is the agent's; there is no second step."""
    tool = FunctionTool.from_defaults(lookup_order, return_direct=True)
    await support(asks(("lookup_order", {"order": "7"})), tools=[tool]).run("hi")
    assert (
        tree(spans)
        == """\
agent.run.support
└─ agent.step.1
   ├─ llm.chat
   └─ tool.lookup_order"""
    )


async def test_a_tool_says_how_long_it_queued(events: AgentEventHandler, spans: Spans) -> None:
    """Seven tools share four workers: each says how long it waited since it was asked for, the fifth the longest."""
    gate = asyncio.Event()
    started: list[str] = []

    async def wait(name: str) -> str:
        """Wait."""
        started.append(name)
        if len(started) == 4:
            gate.set()
        await gate.wait()
        return name

    wanted = [("wait", {"name": str(number)}) for number in range(7)]
    await support(asks(*wanted), says("done"), tools=[wait]).run("hi")
    queued = [dict(span.attributes or {})["agent_callbacks.tool.queue_duration"] for span in spans.named("tool.wait")]
    assert len(queued) == 7
    assert sorted(queued) == queued
    first_ended = min(span.end_time or 0 for span in spans.named("tool.wait"))
    assert all((span.start_time or 0) >= first_ended for span in spans.named("tool.wait")[4:])
