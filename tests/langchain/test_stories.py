"""The tree a reader sees, story by story, with the real frameworks and a scripted model."""

from __future__ import annotations

import asyncio
import operator
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent, middleware
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt

from agent_callbacks import AgentCallbackHandler, Settings
from agent_callbacks.analysis.trace import load
from tests.features import INJECTED_STATE, MODEL_RETRIES
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import USER, asks, question, says

if TYPE_CHECKING:
    from tests.conftest import Spans


def trees(spans: Spans) -> list[str]:
    """Return the trees of all traces, oldest first."""
    return [trace.tree() for trace in sorted(load(spans.finished()), key=lambda trace: trace.start_ns)]


def tree(spans: Spans) -> str:
    """Return the tree of the only trace."""
    (only,) = trees(spans)
    return only


@tool
def search_web(query: str) -> str:
    """Search the web."""
    return f"found {query}"


@tool
def lookup_order(order: str) -> str:
    """Look an order up."""
    return f"order {order} shipped"


def config(handler: AgentCallbackHandler, **more: Any) -> Any:
    """Return a run's config with *handler* and who asks."""
    return {"callbacks": [handler], "metadata": USER, **more}


TWO_STEPS = """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  ├─ tool.search_web
│  └─ tool.lookup_order
└─ agent.step.2
   └─ llm.chat"""
# Threads start in either order.
TWO_STEPS_OTHER_FIRST = (
    TWO_STEPS.replace("search_web", "?").replace("lookup_order", "search_web").replace("?", "lookup_order")
)


def support(*script: Any, **options: Any) -> Any:
    """Return the agent of most stories, playing *script*."""
    model = ScriptedChat(script=list(script))
    return create_agent(model, [search_web, lookup_order], name="support", **options)


def two_steps() -> tuple[Any, ...]:
    """Return a script: two tools at once, then the answer."""
    return asks(("search_web", {"query": "a"}), ("lookup_order", {"order": "7"})), says("done")


def test_parallel_tools_hang_on_the_step_that_asked(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Two tools asked for by one answer are siblings in its step; the next answer is the next step."""
    support(*two_steps()).invoke(question(), config(handler))
    assert tree(spans) in {TWO_STEPS, TWO_STEPS_OTHER_FIRST}


async def test_async_gives_the_same_tree(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Invoke and ainvoke tell the same story."""
    await support(*two_steps()).ainvoke(question(), config(handler))
    assert tree(spans) in {TWO_STEPS, TWO_STEPS_OTHER_FIRST}


def test_streaming_gives_the_same_tree(handler: AgentCallbackHandler, spans: Spans) -> None:
    """So does stream, whatever the mode."""
    list(support(*two_steps()).stream(question(), config(handler), stream_mode="messages"))
    assert tree(spans) in {TWO_STEPS, TWO_STEPS_OTHER_FIRST}


def test_a_sub_agent_in_a_tool_counts_from_one(handler: AgentCallbackHandler, spans: Spans) -> None:
    """An agent called by a tool is an agent run of its own under that tool."""
    inner = create_agent(
        ScriptedChat(script=[asks(("search_web", {"query": "x"})), says("facts")]), [search_web], name="researcher"
    )

    @tool
    def research(topic: str) -> str:
        """Research a topic."""
        return str(inner.invoke(question(topic))["messages"][-1].content)

    outer = create_agent(
        ScriptedChat(script=[asks(("research", {"topic": "x"})), says("done")]), [research], name="boss"
    )
    outer.invoke(question(), config(handler))
    assert (
        tree(spans)
        == """\
agent.run.boss
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


@pytest.mark.parametrize(("name", "run"), [("support", "agent.run.support"), (None, "agent.run")])
def test_an_agent_that_calls_itself_keeps_its_name(
    name: str | None, run: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """In a tool it is that agent again, not a nameless one, and counts from one."""

    @tool
    def ask_again(text: str) -> str:
        """Ask again."""
        return str(agent.invoke(question(text))["messages"][-1].content)

    model = ScriptedChat(script=[asks(("ask_again", {"text": "?"})), says("inner"), says("outer")])
    agent: Any = create_agent(model, [ask_again], name=name)
    agent.invoke(question(), config(handler))
    assert f"""\
{run}
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.ask_again
│     └─ {run}
│        └─ agent.step.1
│           └─ llm.chat
└─ agent.step.2
   └─ llm.chat""" == tree(spans)


@INJECTED_STATE.needed
def test_every_stay_of_a_swarm_member_is_a_run(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Handing over gives the members' runs side by side under the swarm's."""
    swarm = pytest.importorskip("langgraph_swarm")
    alice = create_agent(
        ScriptedChat(script=[asks(("transfer_to_bob", {})), says("alice again")]),
        [swarm.create_handoff_tool(agent_name="bob")],
        name="alice",
    )
    bob = create_agent(
        ScriptedChat(script=[asks(("transfer_to_alice", {}), prefix="back")]),
        [swarm.create_handoff_tool(agent_name="alice")],
        name="bob",
    )
    swarm.create_swarm([alice, bob], default_active_agent="alice").compile().invoke(question(), config(handler))
    assert (
        tree(spans)
        == """\
agent.run
├─ agent.run.alice
│  └─ agent.step.1
│     ├─ llm.chat
│     └─ tool.transfer_to_bob
├─ agent.run.bob
│  └─ agent.step.1
│     ├─ llm.chat
│     └─ tool.transfer_to_alice
└─ agent.run.alice
   └─ agent.step.1
      └─ llm.chat"""
    )
    assert {span.status.status_code.name for span in spans.finished()} == {"UNSET"}


def test_branches_of_one_superstep_share_a_step(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Send fan-out: three model calls side by side are one decision."""

    class State(TypedDict):
        notes: Annotated[list[str], operator.add]

    model = ScriptedChat(script=[says("note")], repeat=True)
    graph = StateGraph(State)
    graph.add_node("write", lambda _: {"notes": [model.invoke("hi").text]})
    graph.add_node("join", lambda _: {"notes": [model.invoke("all").text]})
    graph.add_conditional_edges(START, lambda _: [Send("write", {"notes": []})] * 3, ["write"])
    graph.add_edge("write", "join")
    graph.compile(name="fan").invoke({"notes": []}, config(handler))
    assert (
        tree(spans)
        == """\
agent.run.fan
├─ agent.step.1
│  ├─ llm.chat
│  ├─ llm.chat
│  └─ llm.chat
└─ agent.step.2
   └─ llm.chat"""
    )


def test_a_retried_node_opens_no_new_step(handler: AgentCallbackHandler, spans: Spans) -> None:
    """RetryPolicy gives a node a second run; its model call is the same decision."""
    model = ScriptedChat(script=[says("first"), says("second"), says("next")])
    failures = iter([RuntimeError("flaky")])

    def think(_: Any) -> Any:
        answer = model.invoke("hi")
        for failure in failures:
            raise failure
        return {"messages": [answer]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think, retry_policy=RetryPolicy(initial_interval=0.01, retry_on=RuntimeError))
    graph.add_node("conclude", lambda _: {"messages": [model.invoke("so")]})
    graph.add_edge(START, "think")
    graph.add_edge("think", "conclude")
    graph.compile(name="patient").invoke(question(), config(handler))
    assert (
        tree(spans)
        == """\
agent.run.patient
├─ agent.step.1
│  ├─ llm.chat
│  └─ llm.chat
└─ agent.step.2
   └─ llm.chat"""
    )
    again = spans.named("llm.chat")[1]
    assert again.attributes is not None
    assert again.attributes["agent_callbacks.retry.attempt"] == 2


@MODEL_RETRIES.needed
def test_a_retried_model_call_stays_in_its_step(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Middleware that calls the model again after a failure makes no new decision."""
    again = middleware.ModelRetryMiddleware(max_retries=1, initial_delay=0.01)
    agent = support(RuntimeError("overloaded"), says("done"), middleware=[again])
    agent.invoke(question(), config(handler))
    assert (
        tree(spans)
        == """\
agent.run.support
└─ agent.step.1
   ├─ llm.chat
   └─ llm.chat"""
    )


def test_asking_again_with_new_input_is_a_new_step(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Format repair inside one node is a new decision."""
    model = ScriptedChat(script=[says("not json"), says("{}")])

    def think(_: Any) -> Any:
        first = model.invoke("give json")
        return {"messages": [model.invoke(f"repair {first.text}")]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    graph.compile(name="repair").invoke(question(), config(handler))
    assert tree(spans).count("agent.step") == 2


def test_a_tool_that_does_not_exist_is_unknown(handler: AgentCallbackHandler, spans: Spans) -> None:
    """The invented name is only an attribute; the span is an error in the step that asked."""
    support(asks(("book_flight", {"to": "Rome"})), says("sorry")).invoke(question(), config(handler))
    assert (
        tree(spans)
        == """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.unknown
└─ agent.step.2
   └─ llm.chat"""
    )
    (unknown,) = (span for span in spans.finished() if span.name == "tool.unknown")
    assert unknown.attributes is not None
    assert unknown.status.status_code.name == "ERROR"
    assert unknown.attributes["error.type"] == "unknown_tool"
    assert unknown.attributes["agent_callbacks.tool.requested_name"] == "book_flight"


def test_the_frameworks_own_calls_open_no_step(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A summary is the middleware's call: it belongs to the run, not to a decision."""
    summary = ScriptedChat(script=[says("short")], repeat=True)
    agent = support(
        says("done"),
        middleware=[SummarizationMiddleware(model=summary, trigger=("messages", 1), keep=("messages", 1))],
    )
    history = {"messages": [{"role": "user", "content": f"message {n}"} for n in range(6)]}
    agent.invoke(history, config(handler))
    assert (
        tree(spans)
        == """\
agent.run.support
├─ llm.chat
└─ agent.step.1
   └─ llm.chat"""
    )


def test_an_interrupt_is_no_error_and_the_resumed_run_is_linked(handler: AgentCallbackHandler, spans: Spans) -> None:
    """The root's outcome is interrupted; the run that goes on links to it and counts from one."""

    @tool
    def ask_human(question: str) -> str:
        """Ask a human."""
        return str(interrupt(question))

    agent = create_agent(
        ScriptedChat(script=[asks(("ask_human", {"question": "sure?"})), says("done")]),
        [ask_human],
        name="careful",
        checkpointer=InMemorySaver(),
    )
    thread = {"configurable": {"thread_id": "t-1"}}
    agent.invoke(question(), config(handler, **thread))
    agent.invoke(Command(resume="yes"), config(handler, **thread))
    first, second = trees(spans)
    assert (
        first
        == """\
agent.run.careful
└─ agent.step.1
   ├─ llm.chat
   └─ tool.ask_human"""
    )
    assert (
        second
        == """\
agent.run.careful
├─ tool.ask_human
└─ agent.step.1
   └─ llm.chat"""
    )
    roots = [span for span in spans.finished() if span.parent is None]
    outcomes = [(span.attributes or {})["agent_callbacks.outcome"] for span in roots]
    assert outcomes == ["interrupted", "success"]
    assert [link.context.span_id for link in roots[1].links] == [roots[0].context.span_id]
    assert {span.status.status_code.name for span in spans.finished()} == {"UNSET"}


def test_a_static_breakpoint_interrupts(handler: AgentCallbackHandler, spans: Spans) -> None:
    """interrupt_before stops the graph without an exception; the outcome says so, and the resumed run links to it."""
    graph = StateGraph(MessagesState)
    graph.add_node("one", lambda _: {})
    graph.add_node("two", lambda _: {})
    graph.add_edge(START, "one")
    graph.add_edge("one", "two")
    compiled = graph.compile(name="stops", checkpointer=InMemorySaver(), interrupt_before=["two"])
    thread = {"configurable": {"thread_id": "t-2"}}
    compiled.invoke(question(), config(handler, **thread))
    compiled.invoke(None, config(handler, **thread))
    first, second = spans.finished()
    assert (first.attributes or {})["agent_callbacks.outcome"] == "interrupted"
    assert [link.context.span_id for link in second.links] == [first.context.span_id]


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_nodes_that_are_shown_stand_beside_the_steps(how: str, spans: Spans) -> None:
    """A node may take several steps and begins before the one it takes: inside one it would outlive it."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(inner_spans=True))
    agent = support(asks(("search_web", {"query": "a"})), says("done"))
    if how == "invoke":
        agent.invoke(question(), config(handler))
    else:
        await agent.ainvoke(question(), config(handler))
    assert (
        tree(spans)
        == """\
agent.run.support
├─ node.model
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.search_web
├─ node.tools
├─ node.model
└─ agent.step.2
   └─ llm.chat"""
    )
    ends = {span.context.span_id: span.end_time or 0 for span in spans.finished()}
    late = [span.name for span in spans.finished() if span.parent and (span.end_time or 0) > ends[span.parent.span_id]]
    assert [] == late


def test_a_chain_has_no_steps(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A plain LCEL chain is a chain; its parts are hidden, its model call is not."""
    chain = ChatPromptTemplate.from_template("say {word}") | ScriptedChat(script=[says("hi")]) | RunnableLambda(str)
    chain.invoke({"word": "hi"}, config(handler, run_name="greeting"))
    assert (
        tree(spans)
        == """\
chain.greeting
└─ llm.chat"""
    )


@pytest.mark.parametrize(
    ("runnable", "expected"),
    [
        (RunnableParallel(first=RunnableLambda(str), second=RunnableLambda(str)), "chain.runnable_parallel"),
        (RunnablePassthrough.assign(first=RunnableLambda(str)), "chain.runnable_assign"),
        (RunnablePassthrough.assign(first=RunnableLambda(str)).pick("first"), "chain.runnable_sequence"),
    ],
)
def test_a_composed_chain_is_called_by_its_kind(
    runnable: Any, expected: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """LangChain writes the keys behind it, in angle brackets: they are no placeholder the user forgot to fill."""
    runnable.invoke({"x": 1}, config(handler))
    assert expected == tree(spans)


def test_agent_kind_overrides(handler: AgentCallbackHandler, spans: Spans) -> None:
    """What is an agent can be said in the metadata."""
    chain = RunnableLambda(lambda text: text) | ScriptedChat(script=[says("hi")])
    chain.invoke("hi", {"callbacks": [handler], "metadata": {"agent_kind": "agent", "agent_name": "poet"}})
    assert (
        tree(spans)
        == """\
agent.run.poet
└─ agent.step.1
   └─ llm.chat"""
    )


def test_a_model_called_by_a_tool_is_no_step(handler: AgentCallbackHandler, spans: Spans) -> None:
    """What a tool asks a model is caused by the tool."""
    helper = ScriptedChat(script=[says("summary")])

    @tool
    def summarize(text: str) -> str:
        """Summarize."""
        return str(helper.invoke(text).text)

    agent = create_agent(
        ScriptedChat(script=[asks(("summarize", {"text": "x"})), says("done")]), [summarize], name="boss"
    )
    agent.invoke(question(), config(handler))
    assert (
        tree(spans)
        == """\
agent.run.boss
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.summarize
│     └─ llm.chat
└─ agent.step.2
   └─ llm.chat"""
    )


async def test_a_tool_that_times_out_inside_a_node_is_cancelled(handler: AgentCallbackHandler, spans: Spans) -> None:
    """The framework fires no callback for it; the node goes on and the tool's span ends as cancelled."""

    @tool
    async def slow(query: str) -> str:
        """Take for ever."""
        await asyncio.sleep(60)
        return query

    model = ScriptedChat(script=[says("instead")])

    async def work(_: Any) -> Any:
        try:
            await asyncio.wait_for(slow.ainvoke({"query": "x"}), 0.02)
        except TimeoutError:
            return {"messages": [await model.ainvoke("plan b")]}

    graph = StateGraph(MessagesState)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    graph.add_edge("work", END)
    await graph.compile(name="hasty").ainvoke(question(), config(handler))
    assert (
        tree(spans)
        == """\
agent.run.hasty
├─ tool.slow
└─ agent.step.1
   └─ llm.chat"""
    )
    (cancelled,) = (span for span in spans.finished() if span.name == "tool.slow")
    assert (cancelled.attributes or {})["agent_callbacks.outcome"] == "cancelled"


def test_an_exception_is_recorded_once(handler: AgentCallbackHandler, spans: Spans) -> None:
    """The innermost span has the event, cleaned; its ancestors have only status and type."""

    @tool
    def explode(query: str) -> str:
        """Fail."""
        raise ValueError("card 4111 1111 1111 1111 of jane@example.com")

    agent = create_agent(ScriptedChat(script=[asks(("explode", {"query": "x"}))]), [explode], name="bomb")
    with pytest.raises(ValueError, match="card"):
        agent.invoke(question(), config(handler))
    by_name = {span.name: span for span in spans.finished()}
    assert [name for name, span in by_name.items() if span.events] == ["tool.explode"]
    assert {name for name, span in by_name.items() if span.status.status_code.name == "ERROR"} == {
        "tool.explode", "agent.step.1", "agent.run.bomb",
    }  # fmt: skip
    assert all(
        (by_name[name].attributes or {})["error.type"] == "ValueError" for name in ("tool.explode", "agent.run.bomb")
    )
    text = "".join(span.to_json() for span in spans.finished())
    assert "4111 1111" not in text  # with its space: an id in hex may hold the digits
    assert "jane@" not in text
