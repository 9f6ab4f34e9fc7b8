"""A streamed model call lasts as long as its stream, however that ends."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index_instrumentation import get_dispatcher
from pydantic import Field

from tests.llamaindex.models import Line, ScriptedLLM, asks, iter_of, says
from tests.llamaindex.shared import outcomes, tree, trees

if TYPE_CHECKING:
    from agent_callbacks import AgentEventHandler
    from tests.conftest import Spans

HELLO = [ChatMessage("hello")]


def model(*script: Any) -> ScriptedLLM:
    """Return a model that plays *script*."""
    return ScriptedLLM(script=list(script) or [says("a long answer in pieces")])


def test_a_stream_is_open_until_it_is_read(events: AgentEventHandler, spans: Spans) -> None:
    """The span ends with the last piece, says what was used, and when the first piece came."""
    stream = model().stream_chat(HELLO)
    assert events.open_runs == 1
    assert [] == spans.names()
    assert 4 == sum(1 for _ in stream)
    assert events.open_runs == 0
    found = spans.attributes("llm.chat")
    assert {
        "agent_callbacks.llm.chunks": 4,
        "agent_callbacks.outcome": "success",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
    }.items() <= found.items()
    assert found["gen_ai.response.time_to_first_chunk"] <= found["agent_callbacks.llm.time_to_first_content"]


async def test_an_async_stream_is_open_until_it_is_read(events: AgentEventHandler, spans: Spans) -> None:
    """The same when the pieces are awaited."""
    stream = await model().astream_chat(HELLO)
    assert events.open_runs == 1
    assert 4 == len([piece async for piece in stream])
    assert {"llm.chat": "success"} == outcomes(spans)


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_a_consumer_gets_what_it_would_without_us(method: str, spans: Spans) -> None:
    """The handler neither takes nor changes a piece."""
    from agent_callbacks import AgentEventHandler

    given = HELLO if method == "stream_chat" else "hello"
    without = [piece.delta for piece in getattr(model(), method)(given)]
    with AgentEventHandler(tracer_provider=spans.provider).install():
        assert without == [piece.delta for piece in getattr(model(), method)(given)]


def test_closing_a_stream_is_no_error(events: AgentEventHandler, spans: Spans) -> None:
    """A consumer that leaves early abandons the call; what came until then is kept."""
    stream = model().stream_chat(HELLO)
    next(stream)
    stream.close()
    assert {"llm.chat": "abandoned"} == outcomes(spans)
    assert spans.one("llm.chat").status.is_unset
    assert spans.attributes("llm.chat")["agent_callbacks.llm.chunks"] == 1


def test_a_stream_that_is_dropped_is_abandoned(events: AgentEventHandler, spans: Spans) -> None:
    """A stream nobody ever reads ends when nobody has it any more."""
    stream = model().stream_chat(HELLO)
    assert events.open_runs == 1
    del stream
    assert {"llm.chat": "abandoned"} == outcomes(spans)


async def test_an_async_stream_broken_out_of_is_abandoned(events: AgentEventHandler, spans: Spans) -> None:
    """Breaking out of an asynchronous stream ends it as well."""
    stream = await model().astream_chat(HELLO)
    async for _ in stream:
        break
    await stream.aclose()
    assert {"llm.chat": "abandoned"} == outcomes(spans)


def test_a_stream_in_a_cycle_is_abandoned(events: AgentEventHandler, spans: Spans) -> None:
    """A stream that only the garbage collector can drop ends when it does."""
    holder: list[Any] = [model().stream_chat(HELLO)]
    holder.append(holder)
    del holder
    gc.collect()
    assert {"llm.chat": "abandoned"} == outcomes(spans)


def test_a_stream_that_raises_has_failed(events: AgentEventHandler, spans: Spans) -> None:
    """An error in the middle is the call's, recorded once."""
    stream = model(Line("some words here", error=ConnectionError("reset"))).stream_chat(HELLO)
    with pytest.raises(ConnectionError):
        list(stream)
    span = spans.one("llm.chat")
    assert ("failure", "ConnectionError") == (
        (span.attributes or {})["agent_callbacks.outcome"],
        (span.attributes or {})["error.type"],
    )
    assert ["exception"] == [event.name for event in span.events]


def test_a_call_between_two_pieces_is_no_child(events: AgentEventHandler, spans: Spans) -> None:
    """What the consumer does while a stream is open is not inside it."""
    stream = model().stream_chat(HELLO)
    next(stream)
    model(says("other")).chat(HELLO)
    list(stream)
    assert ["llm.chat", "llm.chat"] == trees(spans)


def test_first_content_may_be_a_tool_call(events: AgentEventHandler, spans: Spans) -> None:
    """A stream whose first content is a tool call says when that came."""
    list(model(asks(("search_web", {"query": "x"}))).stream_chat(HELLO))
    assert "agent_callbacks.llm.time_to_first_content" in spans.attributes("llm.chat")


# --- models of other kinds -------------------------------------------------------------------------------------------
def test_a_completion_behind_a_chat_is_one_call(events: AgentEventHandler, spans: Spans) -> None:
    """A model that answers a chat by completing a prompt is asked once."""
    MockLLM().chat(HELLO)
    list(MockLLM().stream_chat(HELLO))
    assert ["llm.chat", "llm.chat"] == trees(spans)


class Plain(CustomLLM):
    """A model whose own chat() has no decorator, so LlamaIndex emits no events for it."""

    @property
    def metadata(self) -> LLMMetadata:
        """Return a name."""
        return LLMMetadata(model_name="plain-1")

    def chat(self, messages: Any, **_: Any) -> ChatResponse:
        """Answer."""
        return ChatResponse(
            message=ChatMessage(role="assistant", content="hi"),
            raw={"usage": {"prompt_tokens": 5, "completion_tokens": 2}},
        )

    def stream_chat(self, messages: Any, **_: Any) -> Any:
        """Answer in pieces."""
        return (self.chat(messages) for _ in range(2))

    @llm_completion_callback()
    def complete(self, prompt: str, **_: Any) -> CompletionResponse:
        """Complete."""
        return CompletionResponse(text="hi")

    @llm_completion_callback()
    def stream_complete(self, prompt: str, **_: Any) -> Any:
        """Complete in pieces."""
        yield CompletionResponse(text="hi", delta="hi")


def test_a_model_without_events_is_recorded(events: AgentEventHandler, spans: Spans) -> None:
    """Parameters come from the model and tokens from its answer, no event needed."""
    Plain().chat(HELLO)
    found = spans.attributes("llm.chat")
    assert ("plain-1", 5, 2) == (
        found["gen_ai.request.model"],
        found["gen_ai.usage.input_tokens"],
        found["gen_ai.usage.output_tokens"],
    )


def test_a_stream_without_events_ends_with_its_generator(events: AgentEventHandler, spans: Spans) -> None:
    """Without events nothing tells that a stream was read to the end but that it is gone: no failure is made up."""
    for _ in Plain().stream_chat(HELLO):
        pass
    gc.collect()
    assert "success" == outcomes(spans)["llm.chat"]


def test_a_predict_is_its_model_call(events: AgentEventHandler, spans: Spans) -> None:
    """predict() is a wrapper: the call behind it is the span."""
    from llama_index.core import PromptTemplate

    model(says("42")).predict(PromptTemplate("why {what}?"), what="this")
    assert "llm.chat" == tree(spans)


def test_the_streams_of_a_loop_that_is_gone_are_ended(events: AgentEventHandler, spans: Spans) -> None:
    """An asynchronous stream that outlives its loop ends when it is dropped."""
    stream = asyncio.run(model().astream_chat(HELLO))
    assert events.open_runs == 1
    del stream
    gc.collect()
    assert {"llm.chat": "abandoned"} == outcomes(spans)


class Overriding(ScriptedLLM):
    """Overrides a method without the decorator, and calls the inherited one."""

    def stream_chat(self, messages: Any, **given: Any) -> Any:
        """Answer in pieces."""
        return iter_of(super().stream_chat(messages, **given))


def test_an_overridden_stream_is_told_by_the_inherited_one(events: AgentEventHandler, spans: Spans) -> None:
    """One call with the usage of the inner half, read to the end or left early."""
    made = Overriding(script=[says("a long answer in pieces")], repeat=True)
    assert 4 == len(list(made.stream_chat(HELLO)))
    assert ["llm.chat"] == trees(spans)
    assert spans.attributes("llm.chat")["gen_ai.usage.output_tokens"] == 10
    stream = made.stream_chat(HELLO)
    next(stream)
    stream.close()
    del stream
    assert ["success", "abandoned"] == [
        (span.attributes or {})["agent_callbacks.outcome"] for span in spans.named("llm.chat")
    ]
    assert {} == events.open_spans


class Keeping(ScriptedLLM):
    """Starts the inherited stream, keeps it, and answers with another one."""

    kept: list[Any] = Field(default_factory=list)

    def stream_chat(self, messages: Any, **given: Any) -> Any:
        """Answer in other pieces."""
        self.kept.append(super().stream_chat(messages, **given))
        return iter_of(iter([ChatResponse(message=ChatMessage("hi", role="assistant"), delta="hi")]))


def test_an_inner_stream_that_outlives_its_call_says_nothing(events: AgentEventHandler, spans: Spans) -> None:
    """What the inner half says after the call has ended is nobody's, and is let go with it."""
    made = Keeping(script=[says("a long answer in pieces")])
    list(made.stream_chat(HELLO))
    assert ["llm.chat"] == spans.names()
    next(made.kept[0])
    made.kept.clear()
    assert {} == events.open_spans
    assert ["llm.chat"] == spans.names()


def test_an_exception_told_before_the_call_has_returned_ends_nothing(events: AgentEventHandler, spans: Spans) -> None:
    """Only a stream ends by an event; a call that has not returned ends by its span."""

    class Telling(ScriptedLLM):
        def _answer(self, messages: Any) -> Any:
            get_dispatcher().event(ExceptionEvent(exception=ConnectionError("told")))
            return super()._answer(messages)

    Telling(script=[says("hi")]).chat(HELLO)
    assert {"llm.chat": "success"} == outcomes(spans)


def test_what_is_gone_already_is_not_ended_again(events: AgentEventHandler, spans: Spans) -> None:
    """A stream that is dropped while another thread ends it is ended once."""
    events._spans._dropped("gone", None)
    events._spans._forgotten("gone", None)
    assert (0, ()) == (events.internal_errors, spans.finished())
