"""Whatever comes in, no exception leaves the handler, the agent's answer is its own, and spans stay valid."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypedDict
from unittest.mock import MagicMock
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler, adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, StateGraph

from agent_callbacks import request_metadata
from tests.langchain.hostile import VALUES, bounded, check
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import asks, question, says

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Spans


@pytest.fixture(params=["off", "all"])
def handler(request: pytest.FixtureRequest, spans: Spans) -> AgentCallbackHandler:
    """Give a handler that exports nothing, or all it may, in a small span."""
    return bounded(spans, content=request.param)


@pytest.fixture(params=VALUES)
def value(request: pytest.FixtureRequest) -> Any:
    """Give one value of each kind."""
    return VALUES[request.param]()


class Silent(BaseCallbackHandler):
    """A handler that does nothing: what the framework itself does with a value, it does with this one too."""


def same(run: Callable[[Any], Any], handler: AgentCallbackHandler) -> None:
    """Assert that *run* ends the same way with a handler that does nothing and with ours."""

    def ending(callback: Any) -> tuple[Any, Any]:
        try:
            return run({"callbacks": [callback]}), None
        except Exception as error:  # noqa: BLE001 - whatever the framework makes of the value
            return None, type(error)

    (expected, failed), (found, failed_with_ours) = ending(Silent()), ending(handler)
    assert failed is failed_with_ours
    assert expected is found
    if failed is not None:  # the framework stumbled where it reports nothing: the next run closes what it left
        RunnableLambda(str).invoke("next", {"callbacks": [handler]})


# --- values through the framework ------------------------------------------------------------------------------------
def test_any_value_passes_through_a_chain(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """Input and output of a chain are the user's own objects."""
    same(lambda given: RunnableLambda(lambda one: one, name="same").invoke(value, given), handler)
    check(spans, handler)


async def test_any_value_passes_through_an_async_chain(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """The same in async code, where a failure of ours would be logged by the framework."""

    async def give(_: Any) -> Any:
        return value

    with contextlib.suppress(RuntimeError):  # the framework asks what it was given for its class
        assert await RunnableLambda(give).ainvoke("x", {"callbacks": [handler]}) is value
    check(spans, handler)


class AnyTool(BaseTool):
    """A tool that gives back what it holds."""

    name: str = "give"
    description: str = "Give."
    held: Any = None

    def _run(self, *_: Any, **__: Any) -> Any:
        return self.held


def test_any_value_is_a_tools_result(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """A tool may return anything."""
    same(lambda given: AnyTool(held=value).invoke({"query": "x"}, given), handler)
    check(spans, handler)


def test_any_value_is_a_tools_argument(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """A tool may be given anything; what the framework cannot print it refuses with any handler."""

    @tool
    def take(held: Any) -> str:
        """Take."""
        return "taken"

    same(lambda given: take.invoke({"held": value}, given), handler)
    if spans.finished():
        check(spans, handler)
    assert handler.internal_errors == 0


class Held(TypedDict):
    """A graph's state."""

    held: Any
    more: Any


def test_any_value_stands_in_a_graphs_state(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """A graph's state may hold anything, beside what a node adds."""
    graph = StateGraph(Held)
    graph.add_node("work", lambda state: {"more": state["held"]})
    graph.add_edge(START, "work")
    compiled = graph.compile(name="holds")
    same(lambda given: compiled.invoke({"held": value, "more": None}, given)["more"], handler)
    check(spans, handler)


def test_any_value_stands_in_metadata(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """In the config at the root, another at a child, and in a block around both."""

    def run(given: Any) -> Any:
        def work(_: Any) -> str:
            inner: Any = {"metadata": {"own": value, "user_id": value, "variant": value, "tags": [value]}}
            return str(RunnableLambda(lambda _: "done").invoke("x", inner))

        with request_metadata(held=value):
            return RunnableLambda(work).invoke("x", {**given, "metadata": {"own": object(), "session_id": value}})

    same(lambda given: len(run(given)), handler)
    check(spans, handler)


def test_any_value_is_a_custom_events_data(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """What the user's code tells may be anything."""

    def work(_: Any) -> str:
        dispatch_custom_event("told", value)
        return "done"

    assert RunnableLambda(work).invoke("x", {"callbacks": [handler]}) == "done"
    check(spans, handler)
    assert [event.name for event in spans.finished()[0].events] == ["told"]


async def test_any_value_is_an_async_custom_events_data(
    value: Any, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """The async twin of it."""

    async def work(_: Any) -> str:
        await adispatch_custom_event("told", value)
        return "done"

    assert await RunnableLambda(work).ainvoke("x", {"callbacks": [handler]}) == "done"
    check(spans, handler)


class Holding(BaseRetriever):
    """A retriever whose documents hold anything in their metadata."""

    held: Any = None

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        return [Document(query, metadata={"held": self.held, "score": 0.5})]


@pytest.mark.parametrize("attributes", ["bridged", "openinference"])
def test_any_value_stands_in_a_documents_metadata(value: Any, attributes: Any, spans: Spans) -> None:
    """What a store keeps beside a text is not under anyone's control."""
    handler = bounded(spans, content="all", attributes=attributes)
    same(lambda given: len(Holding(held=value).invoke("q", given)), handler)
    check(spans, handler)


def test_any_value_is_what_an_error_says(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """An exception's arguments, cause and notes may be anything, and it is raised unchanged."""
    error = LookupError(value)
    error.__cause__ = ValueError(value)
    error.__notes__ = [value]

    def fail(_: Any) -> Any:
        raise error

    with pytest.raises(LookupError) as caught:
        RunnableLambda(fail).invoke("x", {"callbacks": [handler]})
    assert caught.value is error
    check(spans, handler)


def test_any_value_in_a_message_is_sent_and_answered(value: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """A message's extra fields, metadata and blocks may hold anything."""
    block: Any = {"type": "text", "text": "hi", "held": value}
    kept: Any = {"held": value, "usage": value, "token_usage": value, "finish_reason": value, "model_name": value}
    asked = HumanMessage.model_construct(
        content=[block, {"type": "image", "url": value}], additional_kwargs={"k": value}
    )
    answer = AIMessage.model_construct(
        content=[block],
        response_metadata=kept,
        usage_metadata=None,
        tool_calls=[{"name": "take", "args": {"held": value}, "id": "1"}],
        invalid_tool_calls=[],
        additional_kwargs=kept,
        id="m-1",
    )
    result = LLMResult.model_construct(generations=[[ChatGeneration.model_construct(message=answer, text="hi")]])
    result.llm_output = kept
    key = uuid4()
    handler.on_chat_model_start({"kwargs": kept}, [[asked]], run_id=key, invocation_params=kept, options=kept)
    handler.on_llm_end(result, run_id=key)
    check(spans, handler)


# --- stand-ins -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("attributes", ["bridged", "openinference"])
def test_a_stand_in_for_everything_is_recorded(attributes: Any, spans: Spans) -> None:
    """Users' tests replace messages, results, documents and metadata by mocks: spans come out, nothing fails."""
    handler = bounded(spans, content="all", attributes=attributes)
    mock, root, model, called, found = MagicMock(), uuid4(), uuid4(), uuid4(), uuid4()
    handler.on_chain_start(mock, mock, run_id=root, metadata={"mock": mock}, tags=[mock], name=mock)
    handler.on_chat_model_start(mock, [[mock, mock]], run_id=model, parent_run_id=root, invocation_params=mock)
    handler.on_llm_new_token(mock, chunk=mock, run_id=model)
    handler.on_llm_end(MagicMock(generations=[[mock]]), run_id=model)
    handler.on_tool_start(mock, mock, run_id=called, parent_run_id=root, inputs={"mock": mock}, tool_call_id=mock)
    handler.on_retry(mock, run_id=called)
    handler.on_tool_end(mock, run_id=called)
    handler.on_retriever_start(mock, mock, run_id=found, parent_run_id=root)
    handler.on_retriever_end([mock, (mock, mock)], run_id=found)
    handler.on_agent_action(mock, run_id=root)
    handler.on_agent_finish(mock, run_id=root)
    handler.on_chain_end(mock, run_id=root)
    check(spans, handler, at_least=4)


# --- the agent's answer ----------------------------------------------------------------------------------------------
def agent() -> Any:
    """Return an agent that uses a tool, asks for one that does not exist, and answers; one at a time."""

    @tool
    def look(text: str) -> str:
        """Look."""
        return f"seen {text}"

    # Tools that run side by side answer in either order.
    script = [asks(("look", {"text": "a"})), asks(("gone", {"text": "b"})), says("a long answer in several chunks")]
    return create_agent(ScriptedChat(script=script), [look], name="same")


def told(message: Any) -> Any:
    """Return what does not differ between two runs."""
    return message.type, message.content, getattr(message, "tool_calls", None), message.response_metadata


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream", "astream"])
async def test_an_agent_answers_the_same_with_and_without(
    mode: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Messages and chunks, their order and their number, are those of a run nobody records."""

    async def run(given: Any) -> list[Any]:
        if mode == "invoke":
            return list(map(told, agent().invoke(question(), given)["messages"]))
        if mode == "ainvoke":
            return list(map(told, (await agent().ainvoke(question(), given))["messages"]))
        if mode == "stream":
            return [told(one) for one, _ in agent().stream(question(), given, stream_mode="messages")]
        return [told(one) async for one, _ in agent().astream(question(), given, stream_mode="messages")]

    assert await run({}) == await run({"callbacks": [handler]})
    check(spans, handler, at_least=6)
