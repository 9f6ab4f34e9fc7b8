"""What users of other handlers complain about, row by row: sizes and limits of a span, and who asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import StructuredTool, tool
from langgraph.graph import START, MessagesState, StateGraph

from agent_callbacks import AgentCallbackHandler, Settings
from tests.effort import calls
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import USER, says

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from tests.conftest import Spans

ROWS: Final = {
    46: "test_the_attribute_limit_drops_nothing_that_identifies",
    47: "test_no_content_stands_twice_on_a_span",
    48: "test_sixty_tools_evict_nothing",
    49: "test_metadata_of_a_graph_reaches_every_span",
    50: "test_a_handler_on_the_model_alone_knows_the_session",
    54: "test_a_long_history_costs_the_agent_little",
}
ATTRIBUTE_SETS: Final = ("genai", "bridged", "openinference")


def config(handler: AgentCallbackHandler, **more: Any) -> Any:
    """Return a run's config with the handler."""
    return {"callbacks": [handler], "metadata": USER, **more}


def exporting(spans: Spans, **settings: Any) -> AgentCallbackHandler:
    """Return a handler with these settings."""
    return AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(**settings))


def history(turns: int) -> list[BaseMessage]:
    """Return a conversation of *turns* messages, each its own words."""
    return [(HumanMessage, AIMessage)[number % 2](f"turn {number} " + "of many words " * 10) for number in range(turns)]


def in_a_graph(work: Callable[[Any], Any]) -> Any:
    """Return a graph of one node."""
    graph = StateGraph(MessagesState)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    return graph.compile(name="one")


def size(span: ReadableSpan) -> int:
    """Return the bytes of all attribute values of *span*."""
    values = (span.attributes or {}).values()
    return sum(len(part.encode()) for value in values for part in _texts(value))


def _texts(value: Any) -> list[str]:
    return [part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, str)]


# --- limits ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("attributes", ATTRIBUTE_SETS)
def test_the_attribute_limit_drops_nothing_that_identifies(attributes: Any, spans: Spans) -> None:
    """Two hundred messages, all content and the SDK's default limit of 128: name, user, session and tokens survive."""
    handler = exporting(spans, content="all", attributes=attributes)
    answer = says("done", input=5000, output=7)
    ScriptedChat(script=[answer]).invoke(history(200), config(handler))
    found = spans.attributes("llm.chat")
    wanted = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "scripted-1", "gen_ai.provider.name": "scripted",
        "user.id": "u-17", "session.id": "s-9", "feature_flag.result.variant": "prompt-b",
        "gen_ai.usage.input_tokens": 5000, "gen_ai.usage.output_tokens": 7, "agent_callbacks.outcome": "success",
    }  # fmt: skip
    assert wanted == {key: found.get(key) for key in wanted}
    assert "done" in found["gen_ai.output.messages"]
    assert len(found) <= 128


@pytest.mark.parametrize("attributes", ATTRIBUTE_SETS)
def test_a_failed_call_near_the_limit_keeps_what_identifies_it(attributes: Any, spans: Spans) -> None:
    """The error comes last and pushes nothing out that says whose call it was."""
    handler = exporting(spans, content="all", attributes=attributes)
    with pytest.raises(ConnectionError):
        ScriptedChat(script=[ConnectionError("gone")]).invoke(history(200), config(handler))
    found = spans.attributes("llm.chat")
    assert found["error.type"] == "ConnectionError"
    assert ["u-17", "s-9", "scripted-1"] == [
        found.get(key) for key in ("user.id", "session.id", "gen_ai.request.model")
    ]


@pytest.mark.parametrize("attributes", ATTRIBUTE_SETS)
@pytest.mark.parametrize("words", ["short", "long"])
def test_a_span_never_exceeds_its_bytes(words: str, attributes: Any, spans: Spans) -> None:
    """``max_span_bytes`` holds for what all attributes take together, whichever set is exported."""
    limit = 64 * 1024
    handler = exporting(spans, content="all", attributes=attributes, max_span_bytes=limit)
    messages = history(200) if words == "short" else [HumanMessage("many words " * 30_000) for _ in range(12)]
    ScriptedChat(script=[says("an answer " * 5_000)]).invoke(messages, config(handler))
    assert size(spans.one("llm.chat")) <= limit


def marked(place: str) -> str:
    """Return words that stand nowhere else."""
    return f"the lighthouse keeper of {place}"


@pytest.mark.parametrize("attributes", ["genai", "bridged"])
def test_no_content_stands_twice_on_a_span(attributes: Any, spans: Spans) -> None:
    """Each text of a message, an argument, a result and a state is once on the span it belongs to."""
    handler = exporting(spans, content="all", attributes=attributes)

    @tool
    def ask(text: str) -> str:
        """Ask."""
        return marked("result")

    def work(_: Any) -> Any:
        ask.invoke({"text": marked("argument")})
        return {"messages": [ScriptedChat(script=[says(marked("answer"))]).invoke(marked("prompt"))]}

    in_a_graph(work).invoke({"messages": [{"role": "user", "content": marked("question")}]}, config(handler))
    counts = {
        (span.name, place): span.to_json().count(marked(place))
        for span in spans.finished()
        for place in ("argument", "result", "prompt", "answer", "question")
        if marked(place) in span.to_json()
    }
    assert set(counts.values()) == {1}
    expected = {("tool.ask", "argument"), ("tool.ask", "result"), ("llm.chat", "prompt"), ("llm.chat", "answer")}
    assert expected <= set(counts)


def sixty_tools() -> list[Any]:
    """Return sixty tools with long descriptions."""

    def body(query: str) -> str:
        return query

    return [
        StructuredTool.from_function(body, name=f"tool_number_{number}", description="Looks things up. " * 40)
        for number in range(60)
    ]


@pytest.mark.parametrize("attributes", ATTRIBUTE_SETS)
def test_sixty_tools_evict_nothing(attributes: Any, spans: Spans) -> None:
    """Many schemas take their share and no more; what the call is, cost and said is still there."""
    handler = exporting(spans, content="all", attributes=attributes)
    model = ScriptedChat(script=[says("done", input=9000, output=3)]).bind_tools(sixty_tools())
    model.invoke(history(40), config(handler))
    found = spans.attributes("llm.chat")
    assert [found[key] for key in ("gen_ai.usage.input_tokens", "user.id", "session.id")] == [9000, "u-17", "s-9"]
    assert found["gen_ai.request.model"] == "scripted-1"
    assert "done" in found["gen_ai.output.messages"]
    assert json.loads(found["gen_ai.input.messages"])
    assert json.loads(found["gen_ai.tool.definitions"])
    assert size(spans.one("llm.chat")) <= Settings().max_span_bytes


# --- who asked -------------------------------------------------------------------------------------------------------
def test_metadata_of_a_graph_reaches_every_span(handler: AgentCallbackHandler, spans: Spans) -> None:
    """User, session and variant given where the graph is called stand on each of its spans."""

    @tool
    def look(text: str) -> str:
        """Look."""
        return text

    def work(_: Any) -> Any:
        look.invoke({"text": "x"})
        with spans.provider.get_tracer("user").start_as_current_span("mine"):
            return {"messages": [ScriptedChat(script=[says("hello")]).invoke("hi")]}

    in_a_graph(work).invoke({"messages": []}, config(handler))
    assert sorted(spans.names()) == ["agent.run.one", "agent.step.1", "llm.chat", "mine", "tool.look"]
    for span in spans.finished():
        found = span.attributes or {}
        keys = ("user.id", "session.id", "feature_flag.result.variant")
        assert list(USER.values()) == [found.get(key) for key in keys]


@pytest.mark.parametrize("place", ["constructor", "bound"])
def test_a_handler_on_the_model_alone_knows_the_session(
    place: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """A model inside a graph that alone has the handler still says whose session it serves."""
    model: Any = ScriptedChat(script=[says("hello")])
    model = model.model_copy(update={"callbacks": [handler]}) if place == "constructor" else model.with_config(
        callbacks=[handler]
    )  # fmt: skip
    in_a_graph(lambda _: {"messages": [model.invoke("hi")]}).invoke({"messages": []}, {"metadata": USER})
    assert spans.names() == ["llm.chat"]
    assert spans.attributes("llm.chat")["session.id"] == "s-9"


# --- cost of it ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("content", ["off", "all"])
def test_a_long_history_costs_the_agent_little(content: Any, spans: Spans) -> None:
    """Known messages sent again cost a few calls each: none is read, serialized or cleaned a second time."""
    handler, messages = exporting(spans, content=content), history(200)
    model = ScriptedChat(script=[says("done")], repeat=True)

    def work(sent: list[BaseMessage]) -> int:
        model.invoke(sent, config(handler))
        return calls(lambda: model.invoke(sent, config(handler)), within="agent_callbacks")

    assert work(messages) - work(messages[:1]) <= 8 * 199


def test_a_first_long_history_costs_what_its_parts_cost(spans: Spans) -> None:
    """The first time, when nothing is known yet, twice the messages are twice the work."""
    model = ScriptedChat(script=[says("done")], repeat=True)

    def work(number: int) -> int:
        handler, messages = exporting(spans, content="all"), history(number)
        model.invoke(history(1), config(handler))
        return calls(lambda: model.invoke(messages, config(handler)), within="agent_callbacks")

    short, long = work(100), work(200)
    assert long <= 2 * short
