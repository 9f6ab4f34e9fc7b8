"""Half characters, megabytes and what bodies write themselves: spans stay small and can be encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool
from opentelemetry import trace

from tests.langchain.hostile import SURROGATE, bounded, check
from tests.langchain.models import ScriptedChat

if TYPE_CHECKING:
    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Spans


@pytest.fixture(params=["off", "all"])
def handler(request: pytest.FixtureRequest, spans: Spans) -> AgentCallbackHandler:
    """Give a handler that exports nothing, or all it may, in a small span."""
    return bounded(spans, content=request.param)


# --- lone surrogates -------------------------------------------------------------------------------------------------
@pytest.mark.logs_expected
def test_lone_surrogates_are_encodable_everywhere(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Half a character in names, ids, tags, metadata, texts, keys and errors never breaks an export."""
    who: Any = {
        "user_id": SURROGATE, "session_id": SURROGATE, "thread_id": SURROGATE, "agent_name": SURROGATE,
        "variant": {SURROGATE: SURROGATE}, SURROGATE: SURROGATE, "experiment": SURROGATE,
    }  # fmt: skip
    common: Any = {"tags": [SURROGATE], "metadata": who}
    message = HumanMessage.model_construct(content=SURROGATE, name=SURROGATE)
    about: Any = {"name": SURROGATE, "description": SURROGATE, "id": [SURROGATE]}
    root, model, called, found = (uuid4() for _ in range(4))
    under = {"parent_run_id": root, **common}
    handler.on_chain_start(about, {SURROGATE: SURROGATE}, name=SURROGATE, run_id=root, **common)
    asked: Any = {"model": SURROGATE, "stop": [SURROGATE], "tools": [about], "_type": SURROGATE, "base_url": SURROGATE}
    handler.on_chat_model_start(about, [[message, SURROGATE]], invocation_params=asked, run_id=model, **under)
    handler.on_llm_new_token(SURROGATE, run_id=model)
    answer = AIMessage.model_construct(
        content=SURROGATE, id=SURROGATE, response_metadata={"model_name": SURROGATE, "finish_reason": SURROGATE},
        tool_calls=[{"name": SURROGATE, "args": {SURROGATE: SURROGATE}, "id": SURROGATE}], invalid_tool_calls=[],
    )  # fmt: skip
    generation = ChatGeneration.model_construct(message=answer, text="")
    handler.on_llm_end(LLMResult.model_construct(generations=[[generation]]), run_id=model)
    asked = {"inputs": {SURROGATE: 1}, "tool_call_id": SURROGATE}
    handler.on_tool_start(about, SURROGATE, name=SURROGATE, run_id=called, **asked, **under)
    handler.on_custom_event(SURROGATE, {SURROGATE: SURROGATE}, run_id=called)
    handler.on_tool_error(ValueError(SURROGATE), run_id=called)
    handler.on_retriever_start(about, SURROGATE, name=SURROGATE, run_id=found, **under)
    document = Document.model_construct(page_content=SURROGATE, metadata={SURROGATE: SURROGATE}, id=SURROGATE)
    handler.on_retriever_end([document], run_id=found)
    handler.on_chain_error(RuntimeError(SURROGATE), run_id=root)
    check(spans, handler, at_least=5)


@pytest.mark.logs_expected
@pytest.mark.parametrize("place", ["input", "run name", "tag", "metadata", "error", "argument key"])
async def test_lone_surrogates_pass_through_the_framework(
    place: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Where the framework lets them through, the answer is the user's and the span is exported."""

    async def work(given: Any) -> Any:
        if place == "error":
            raise ValueError(SURROGATE)
        return given

    config: Any = {"callbacks": [handler]}
    extra = {
        "run name": ("run_name", SURROGATE),
        "tag": ("tags", [SURROGATE]),
        "metadata": ("metadata", {SURROGATE: SURROGATE}),
    }
    config.update([extra[place]] if place in extra else [])
    given = {SURROGATE: SURROGATE} if place == "argument key" else SURROGATE
    if place == "error":
        with pytest.raises(ValueError, match="half"):
            await RunnableLambda(work).ainvoke(given, config)
    else:
        assert await RunnableLambda(work).ainvoke(given, config) == given
    check(spans, handler)


class AnyTool(BaseTool):
    """A tool that gives back what it holds."""

    name: str = "give"
    description: str = "Give."
    held: Any = None

    def _run(self, *_: Any, **__: Any) -> Any:
        return self.held


# --- sizes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("attributes", ["bridged", "openinference"])
def test_large_histories_and_texts_stay_bounded(attributes: Any, spans: Spans) -> None:
    """Two hundred messages, one of them of 3 MB, a 3 MB answer with a 3 MB argument: spans stay small and valid."""
    handler = bounded(spans, content="all", attributes=attributes)
    large = "word " * 600_000
    history = [SystemMessage("be brief"), *[HumanMessage(f"turn {n}") for n in range(198)], HumanMessage(large)]
    answer = AIMessage(large, tool_calls=[{"name": "take", "args": {"text": large}, "id": "1", "type": "tool_call"}])
    ScriptedChat(script=[answer]).invoke(history, {"callbacks": [handler]})
    AnyTool(held=ToolMessage(large, tool_call_id="1")).invoke({"query": large}, {"callbacks": [handler]})
    check(spans, handler, at_least=2)


def test_a_large_error_stays_bounded(handler: AgentCallbackHandler, spans: Spans) -> None:
    """So does what a failure says."""

    def fail(_: Any) -> Any:
        raise ValueError("word " * 600_000)

    with pytest.raises(ValueError, match="word"):
        RunnableLambda(fail).invoke("x", {"callbacks": [handler]})
    check(spans, handler)


@pytest.mark.logs_expected
def test_large_metadata_stays_bounded(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Ids, variants, tags and metadata of megabytes do not make a span of megabytes."""
    large = "x" * 3_000_000
    metadata = {"user_id": large, "session_id": large, "variant": {large: large}, "more": large, large: "x"}
    RunnableLambda(lambda one: one).invoke(
        "x", {"callbacks": [handler], "metadata": metadata, "tags": [large, "b" * 100_000], "run_name": "n" * 100_000}
    )
    check(spans, handler)


@pytest.mark.parametrize("how", ["tags", "variants", "metadata"])
def test_many_small_labels_stay_bounded(how: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """Thousands of tags, experiments or metadata keys do not either."""
    config: Any = {"callbacks": [handler]}
    if how == "tags":
        config["tags"] = [f"tag {number} " + "x" * 50 for number in range(5_000)]
    else:
        many: Any = {f"key {number}": "x" * 50 for number in range(5_000)}
        config["metadata"] = {"variant": many} if how == "variants" else many
    RunnableLambda(lambda one: one).invoke("x", config)
    check(spans, handler)


ODD_ATTRIBUTES: Final[dict[str, Any]] = {
    "huge int": 10**400, "long": "word " * 600_000, "long list": ["x" * 100] * 30_000, "surrogate": SURROGATE,
    "mixed": ["a", 1, None, 2.5], "none": None,
    "dict": {"a": 1}, "bytes": b"\xff", "nan": float("nan"), "nested": [["a"]],
}  # fmt: skip


@pytest.mark.logs_expected
@pytest.mark.parametrize("name", ODD_ATTRIBUTES)
def test_what_a_body_sets_on_the_current_span_is_bounded_and_valid(
    name: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Attributes, events, links, names and statuses of the user's never break the span or the body."""
    value = ODD_ATTRIBUTES[name]

    def body(_: Any) -> str:
        span = trace.get_current_span()
        span.set_attribute("odd", value)
        span.set_attributes({f"odd.{number}": value for number in range(3)})
        span.add_event("odd", {"odd": value})
        span.add_link(trace.INVALID_SPAN.get_span_context(), {"odd": value})
        span.record_exception(ValueError(value), {"odd": value})
        span.set_status(trace.StatusCode.ERROR, value if isinstance(value, str) else None)
        return "done"

    assert RunnableLambda(body, name="body").invoke("x", {"callbacks": [handler]}) == "done"
    check(spans, handler)


def test_what_a_body_sets_without_end_is_bounded(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Nor do thousands of attributes and events of a loop, and what identifies the span is still there."""

    def body(_: Any) -> str:
        for number in range(2_000):
            trace.get_current_span().set_attribute(f"loop.{number}", "x" * 1000)
            trace.get_current_span().add_event("loop", {"text": "x" * 1000})
        return "done"

    RunnableLambda(body, name="loop").invoke("x", {"callbacks": [handler], "metadata": {"user_id": "u"}})
    assert spans.attributes("chain.loop")["user.id"] == "u"
    assert spans.attributes("chain.loop")["gen_ai.operation.name"] == "invoke_workflow"
    check(spans, handler)
