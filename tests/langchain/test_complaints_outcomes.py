"""What users of other handlers complain about, row by row: odd values, and what is an error."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.tools import InjectedState, ToolRuntime
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from pydantic import BaseModel

from agent_callbacks import AgentCallbackHandler, Settings
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import USER, asks, question, says

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from tests.conftest import Spans

ROWS: Final = {
    27: "test_any_output_ends_its_span",
    28: "test_injected_arguments_reach_no_attribute",
    29: "test_starts_without_any_argument_are_recorded",
    30: "test_a_state_of_messages_and_models_is_exported",
    31: "test_an_interrupt_is_no_error",
    32: "test_a_hand_off_is_no_error",
    33: "test_a_users_error_of_that_name_is_an_error",
    34: "test_a_resumed_run_links_to_the_interrupted_one",
    35: "test_a_resumed_run_links_to_the_interrupted_one",
    52: "test_with_content_off_an_error_says_its_type_only",
}


def config(handler: AgentCallbackHandler, **more: Any) -> Any:
    """Return a run's config with the handler."""
    return {"callbacks": [handler], "metadata": USER, **more}


def exporting(spans: Spans, **settings: Any) -> AgentCallbackHandler:
    """Return a handler with these settings."""
    return AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(**settings))


def statuses(spans: Spans) -> set[str]:
    """Return the statuses of all spans."""
    return {span.status.status_code.name for span in spans.finished()}


def outcome(span: ReadableSpan) -> Any:
    """Return how *span* says it went."""
    return (span.attributes or {})["agent_callbacks.outcome"]


# --- odd values ------------------------------------------------------------------------------------------------------
class Shy:
    """An object whose every word raises."""

    def __repr__(self) -> str:
        raise ValueError

    __str__ = __repr__


def odd_values() -> dict[str, Any]:
    """Return what a tool may give back that JSON has no word for."""
    circle: dict[str, Any] = {}
    circle["self"] = circle
    return {
        "date": date(2026, 1, 2), "time": datetime(2026, 1, 2, tzinfo=UTC), "decimal": Decimal("1.5"), "set": {1, 2},
        "lock": threading.Lock(), "shy": Shy(), "circle": circle, "bytes": b"\xff", "nan": float("nan"),
    }  # fmt: skip


@pytest.mark.parametrize("name", odd_values())
def test_any_output_ends_its_span(name: str, spans: Spans) -> None:
    """A tool, a chain and a graph that give back what JSON does not know end like any other."""
    handler, value = exporting(spans, content="all"), odd_values()[name]

    @tool
    def give(query: str) -> Any:
        """Give."""
        return {"found": value}

    assert give.invoke({"query": "x"}, config(handler))["found"] is value
    assert RunnableLambda(lambda _: value).invoke("x", config(handler)) is value
    assert spans.names() == ["tool.give", "chain.runnable_lambda"]
    assert encode_spans(spans.finished()).ByteSize() > 0


def test_injected_arguments_reach_no_attribute(spans: Spans) -> None:
    """Config and state that LangGraph hands to a tool are no arguments; attributes are plain."""
    handler = exporting(spans, content="all")

    @tool
    def look(
        query: str,
        config: RunnableConfig,
        state: Annotated[dict[str, Any], InjectedState],
        tool_call_id: Annotated[str, InjectedToolCallId],
        runtime: ToolRuntime,
    ) -> str:
        """Look."""
        assert config
        assert state
        assert tool_call_id == runtime.tool_call_id
        return query

    agent = create_agent(ScriptedChat(script=[asks(("look", {"query": "x"})), says("done")]), [look], name="injects")
    agent.invoke(question(), config(handler))
    assert spans.attributes("tool.look")["gen_ai.tool.call.arguments"] == '{"query":"x"}'
    assert spans.attributes("tool.look")["agent_callbacks.outcome"] == "success"
    plain = (bool, str, int, float)
    for span in spans.finished():
        for value in (span.attributes or {}).values():
            assert all(isinstance(part, plain) for part in (value if isinstance(value, tuple) else (value,)))


@pytest.mark.parametrize("kind", ["chain", "chat_model", "llm", "tool", "retriever"])
def test_starts_without_any_argument_are_recorded(kind: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """None for serialized, inputs, name, tags and metadata crashes nothing and still makes a span."""
    key = uuid4()
    end = "llm" if kind == "chat_model" else kind
    nothing = dict.fromkeys(("parent_run_id", "tags", "metadata", "name"))
    getattr(handler, f"on_{kind}_start")(None, None, run_id=key, **nothing)
    getattr(handler, f"on_{end}_end")(None, run_id=key)
    assert len(spans.finished()) == 1
    assert handler.internal_errors == 0


class Order(BaseModel):
    """A model in a state."""

    number: int = 7


@dataclass
class Parcel:
    """A dataclass in a state."""

    orders: list[Order] = field(default_factory=lambda: [Order()])


class Shop(MessagesState):
    """A state of messages, a dataclass and a model."""

    parcel: Parcel
    order: Order


def test_a_state_of_messages_and_models_is_exported(spans: Spans) -> None:
    """A graph's state is readable JSON, whatever it is made of."""
    handler = exporting(spans, content="all")
    graph = StateGraph(Shop)
    graph.add_node("answer", lambda _: {"messages": [says("shipped")]})
    graph.add_edge(START, "answer")
    graph.compile(name="shop").invoke({**question("where?"), "parcel": Parcel(), "order": Order()}, config(handler))
    found = spans.attributes("agent.run.shop")
    assert '"order":{"number":7}' in found["input.value"]
    assert '"parcel":{"orders":[{"number":7}]}' in found["output.value"]
    assert "where?" in found["input.value"]
    assert "shipped" in found["output.value"]


# --- what is an error ------------------------------------------------------------------------------------------------
def waiting_node() -> Any:
    """Return a graph whose node waits."""
    graph = StateGraph(MessagesState)
    graph.add_node("ask", lambda _: {"messages": [says(str(interrupt("sure?")))]})
    graph.add_edge(START, "ask")
    return graph.compile(name="waits", checkpointer=InMemorySaver())


@tool
def ask_human(text: str) -> str:
    """Ask a human."""
    return str(interrupt(text))


@tool
def send(text: str) -> str:
    """Send."""
    return text


def waiting_tool() -> Any:
    """Return an agent whose tool waits."""
    model = ScriptedChat(script=[asks(("ask_human", {"text": "sure?"})), says("done")])
    return create_agent(model, [ask_human], name="waits", checkpointer=InMemorySaver())


def waiting_middleware() -> Any:
    """Return an agent whose middleware waits."""
    model = ScriptedChat(script=[asks(("send", {"text": "sure?"})), says("done")])
    hold = HumanInTheLoopMiddleware(interrupt_on={"send": True})
    return create_agent(model, [send], name="waits", checkpointer=InMemorySaver(), middleware=[hold])


RESUME: Final[dict[str, Any]] = {"decisions": [{"type": "approve"}]}
WAITING: Final = [waiting_node, waiting_tool, waiting_middleware]


@pytest.mark.parametrize("make", WAITING)
@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_an_interrupt_is_no_error(
    mode: str, make: Callable[[], Any], handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Waiting for a human, in a node, a tool or a middleware: no ERROR, no exception, the run says interrupted."""
    given = config(handler, configurable={"thread_id": str(uuid4())})
    if mode == "invoke":
        make().invoke(question(), given)
    else:
        await make().ainvoke(question(), given)
    assert statuses(spans) == {"UNSET"}
    assert not [event for span in spans.finished() for event in span.events]
    assert outcome(spans.one("agent.run.waits")) == "interrupted"


@pytest.mark.parametrize("fresh", [False, True], ids=["same handler", "new handler"])
@pytest.mark.parametrize("make", WAITING)
def test_a_resumed_run_links_to_the_interrupted_one(
    *, make: Callable[[], Any], fresh: bool, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """The two traces of one conversation are linked, also where each request makes its own handler."""
    agent, thread = make(), {"configurable": {"thread_id": str(uuid4())}}
    agent.invoke(question(), config(handler, **thread))
    second = exporting(spans) if fresh else handler
    agent.invoke(Command(resume=RESUME), config(second, **thread))
    first, resumed = spans.named("agent.run.waits")
    assert [outcome(first), outcome(resumed)] == ["interrupted", "success"]
    assert [link.context.span_id for link in resumed.links] == [first.context.span_id]
    assert statuses(spans) == {"UNSET"}


def outer_graph(inner: Any) -> Any:
    """Return a graph around *inner*, which may hand over to its other node."""
    graph = StateGraph(MessagesState)
    graph.add_node("inner", inner)
    graph.add_node("other", lambda _: {"messages": [says("taken over")]})
    graph.add_edge(START, "inner")
    graph.add_edge("other", END)
    return graph.compile(name="outer")


def subgraph_that_hands_over() -> Any:
    """Return a subgraph whose node hands over."""
    graph = StateGraph(MessagesState)
    graph.add_node("give", lambda _: Command(graph=Command.PARENT, goto="other"))
    graph.add_edge(START, "give")
    return graph.compile(name="giver")


def agent_whose_tool_hands_over() -> Any:
    """Return an agent whose tool hands over."""

    @tool
    def give(tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Hand over."""
        told = {"messages": [ToolMessage("given", tool_call_id=tool_call_id)]}
        return Command(graph=Command.PARENT, goto="other", update=told)

    return create_agent(ScriptedChat(script=[asks(("give", {}))]), [give], name="giver")


@pytest.mark.parametrize("make", [subgraph_that_hands_over, agent_whose_tool_hands_over])
@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_a_hand_off_is_no_error(
    mode: str, make: Callable[[], Any], handler: AgentCallbackHandler, spans: Spans
) -> None:
    """``Command(graph=PARENT)`` travels as an exception; no span of the run is an error or abandoned."""
    graph = outer_graph(make())
    state = graph.invoke(question(), config(handler)) if mode == "invoke" else await graph.ainvoke(
        question(), config(handler)
    )  # fmt: skip
    assert state["messages"][-1].text == "taken over"
    assert statuses(spans) == {"UNSET"}
    assert {outcome(span) for span in spans.finished()} == {"success"}
    assert not [event for span in spans.finished() for event in span.events]


@pytest.mark.parametrize("name", ["GraphInterrupt", "ParentCommand", "CancelledError", "GraphBubbleUp"])
def test_a_users_error_of_that_name_is_an_error(name: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """What decides is the type, not its name."""
    own = type(name, (Exception,), {"__module__": "shop.errors"})

    def fail(_: Any) -> Any:
        raise own

    with pytest.raises(own):
        RunnableLambda(fail).invoke("x", config(handler))
    (span,) = spans.finished()
    assert span.status.status_code.name == "ERROR"
    assert (span.attributes or {})["error.type"] == f"shop.errors.{name}"


def test_with_content_off_an_error_says_its_type_only(spans: Spans) -> None:
    """Neither the status nor the event tells what the exception said, on no span of the run."""
    handler = exporting(spans, content="off")

    @tool
    def explode(query: str) -> str:
        """Fail."""
        raise ValueError("the account of Rosamund Quince")

    agent = create_agent(ScriptedChat(script=[asks(("explode", {"query": "x"}))]), [explode], name="bomb")
    with pytest.raises(ValueError, match="Rosamund"):
        agent.invoke(question(), config(handler))
    assert not [span.name for span in spans.finished() if "Rosamund" in span.to_json()]
    (event,) = spans.one("tool.explode").events
    assert dict(event.attributes or {}) == {"exception.type": "ValueError"}
    assert {span.status.description for span in spans.finished()} == {None}
    assert spans.attributes("tool.explode")["error.type"] == "ValueError"
