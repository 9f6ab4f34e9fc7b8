"""langchain-anthropic against Anthropic's wire format: what ends up on the span of a model call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool

from agent_callbacks import AgentCallbackHandler, Settings
from agent_callbacks.convention import keys
from tests.features import ERRORS_OF_STREAMS, THINKING_TOKENS
from tests.wire import anthropic_payload as payload
from tests.wire.server import Reply
from tests.wire.span import picked, stream_moments, tokens

if TYPE_CHECKING:
    from tests.conftest import Spans
    from tests.wire.server import WireServer

KEY = "sk-ant-api03-Wr1T3nF0rTh3T3stsAndN3v3rIssu3dByAnyb0dyAtA11-xQ7AAA"


def chat(wire: WireServer, **more: Any) -> Any:
    """Return a chat model of the local server."""
    return ChatAnthropic(base_url=wire.url, api_key=KEY, **{"max_retries": 0, "model": "claude-wire-1", **more})


def config(handler: AgentCallbackHandler) -> Any:
    """Return the run configuration a user writes."""
    return {"callbacks": [handler]}


def reasoning(count: int) -> dict[str, int]:
    """Return the tokens of thinking, where the integration hands them on."""
    return {"reasoning": count} if THINKING_TOKENS.there else {}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_chat(wire, spans: Spans, handler):
    """A chat is one span; input tokens include what was read from and written to the cache."""
    wire.answer(Reply(payload.message(payload.text("Hello"), counts=payload.usage(10, 5, read=100, written=50))))
    chat(wire, temperature=0.5, max_tokens=64, top_k=40, stop=["X"]).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert {
        keys.OPERATION_NAME: "chat",
        keys.PROVIDER_NAME: "anthropic",
        keys.REQUEST_MODEL: "claude-wire-1",
        keys.REQUEST_TEMPERATURE: 0.5,
        keys.REQUEST_MAX_TOKENS: 64,
        keys.REQUEST_TOP_K: 40,
        keys.REQUEST_STOP_SEQUENCES: ("X",),
        keys.SERVER_ADDRESS: "127.0.0.1",
        keys.SERVER_PORT: wire.port,
        keys.RESPONSE_MODEL: payload.MODEL,
        keys.RESPONSE_ID: "msg_wire1",
        keys.RESPONSE_FINISH_REASONS: ("stop",),
        keys.TOKENS_METHOD: "reconciled",
        keys.OUTCOME: "success",
    }.items() <= span.items()
    assert {"input": 160, "output": 5, "cached": 100, "written": 50} == tokens(span)
    assert "field_of_next_year" not in spans.one("llm.chat").to_json()


@pytest.mark.parametrize(
    ("stop", "expected"),
    [("max_tokens", "length"), ("stop_sequence", "stop"), ("refusal", "content_filter"), ("pause_turn", "pause_turn")],
)
def test_finish_reasons(wire, spans: Spans, handler, stop, expected):
    """Anthropic's stop reasons are said in the standard's words, an unknown one in its own."""
    wire.answer(Reply(payload.message(payload.text("Hello"), stop=stop)))
    chat(wire).invoke("hi", config(handler))

    assert (expected,) == spans.attributes("llm.chat")[keys.RESPONSE_FINISH_REASONS]


def test_tool_use(wire, spans: Spans):
    """A tool call that Anthropic sends as a block is one part of the answer, and the reason it ended."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content="all"))
    blocks = (payload.text("Adding."), payload.tool_use("toolu_1", "add", a=1, b=2))
    wire.answer(Reply(payload.message(*blocks, stop="tool_use", counts=payload.usage(10, 20, thinking=4))))
    chat(wire).bind_tools([add]).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")
    (message,) = json.loads(span[keys.OUTPUT_MESSAGES])

    assert {"input": 10, "output": 20, **reasoning(4)} == tokens(span)
    assert ("tool_call",) == span[keys.RESPONSE_FINISH_REASONS]
    assert [
        {"type": "text", "content": "Adding."},
        {"type": "tool_call", "name": "add", "arguments": {"a": 1, "b": 2}, "id": "toolu_1"},
    ] == message["parts"]


def test_stream_with_thinking_and_cache(wire, spans: Spans):
    """A stream that thinks first: exact tokens, counted once, and content timed apart from the first chunk."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content="all"))
    thinking = (
        payload.start(payload.usage(10, 1, read=100, written=50)),
        *payload.thinking_block(0, "let", " me", " see"),
    )
    frames = (
        *thinking,
        *payload.text_block(1, "It is", " three."),
        *payload.tool_block(2, "toolu_1", "add", a=1, b=2),
        *payload.finish("tool_use", payload.usage(10, 40, read=100, written=50, thinking=12)),
    )
    wire.answer(Reply(frames=frames, gate=len(thinking)))
    for _ in chat(wire).bind_tools([add]).stream("hi", config(handler)):
        wire.resume()
    span = spans.attributes("llm.chat")
    first, content = stream_moments(spans.one("llm.chat"))
    (message,) = json.loads(span[keys.OUTPUT_MESSAGES])

    assert {"input": 160, "output": 40, "cached": 100, "written": 50, **reasoning(12)} == tokens(span)
    assert ["reconciled", payload.MODEL, ("tool_call",)] == picked(
        span, keys.TOKENS_METHOD, keys.RESPONSE_MODEL, keys.RESPONSE_FINISH_REASONS
    )
    assert wire.sent[0] <= first <= wire.sent[len(thinking)] <= content
    assert [
        {"type": "reasoning", "content": "let me see"},
        {"type": "text", "content": "It is three."},
        {"type": "tool_call", "name": "add", "arguments": {"a": 1, "b": 2}, "id": "toolu_1"},
    ] == message["parts"]


async def test_async_stream(wire, spans: Spans, handler):
    """The asynchronous client gives the same span."""
    frames = (
        payload.start(payload.usage(10, 1)),
        *payload.text_block(0, "Hel", "lo"),
        *payload.finish("end_turn", payload.usage(10, 5)),
    )
    wire.answer(Reply(frames=frames))
    async for _ in chat(wire).astream("hi", config(handler)):
        pass
    span = spans.attributes("llm.chat")

    assert {"input": 10, "output": 5} == tokens(span)
    assert [("stop",), "success"] == picked(span, keys.RESPONSE_FINISH_REASONS, keys.OUTCOME)


def test_an_older_stream_that_reports_no_input(wire, spans: Spans, handler):
    """A stream whose closing usage has no input tokens does not claim that there were none."""
    frames = (
        payload.start({"input_tokens": 10, "output_tokens": 1}),
        *payload.text_block(0, "Hello"),
        *payload.finish("end_turn", {"output_tokens": 5}),
    )
    wire.answer(Reply(frames=frames))
    list(chat(wire).stream("hi", config(handler)))
    span = spans.attributes("llm.chat")

    assert 0 != span.get(keys.USAGE_INPUT_TOKENS)
    assert 5 == span[keys.USAGE_OUTPUT_TOKENS]
    assert "estimated" == span[keys.TOKENS_METHOD]


def test_too_many_requests_then_success(wire, spans: Spans, handler):
    """The SDK's own retry stays inside the one span, which succeeds."""
    busy = Reply(payload.error("Number of requests has exceeded your limit", "rate_limit_error"), status=429)
    wire.answer(busy, Reply(payload.message(payload.text("Hello"), counts=payload.usage(10, 5))))
    chat(wire, max_retries=1).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")

    assert 2 == len(wire.received)
    assert ["llm.chat"] == spans.names()
    assert ["success", None] == picked(span, keys.OUTCOME, keys.ERROR_TYPE)
    assert {"input": 10, "output": 5} == tokens(span)


@pytest.mark.parametrize("status", [500, 529])
def test_server_error(wire, spans: Spans, handler, status):
    """A failing or overloaded provider is one failed span with the error's type."""
    wire.answer(Reply(payload.error("Overloaded", "overloaded_error"), status=status))
    with pytest.raises(Exception, match="Overloaded") as error:
        chat(wire).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert type(error.value).__name__ == span[keys.ERROR_TYPE].rpartition(".")[2]
    assert ["failure", "127.0.0.1"] == picked(span, keys.OUTCOME, keys.SERVER_ADDRESS)


def test_an_error_that_quotes_the_key(wire, spans: Spans, handler):
    """A provider that repeats the key in its error message does not get it exported."""
    wire.answer(Reply(payload.error(f"invalid x-api-key {KEY}", "authentication_error"), status=401))
    with pytest.raises(Exception, match="invalid x-api-key") as error:
        chat(wire).invoke("hi", config(handler))

    assert KEY in str(error.value)
    assert KEY[:20] not in spans.one("llm.chat").to_json()


@pytest.mark.parametrize("way", ["cut", pytest.param("event", marks=ERRORS_OF_STREAMS.needed)])
def test_a_stream_that_breaks(wire, spans: Spans, handler, way):
    """A lost connection and an error event in the stream are each one failed span that keeps what was timed."""
    frames = (payload.start(payload.usage(10, 1)), *payload.text_block(0, "half an ans")[:2])
    if way == "event":
        frames += (payload.event("error", error={"type": "overloaded_error", "message": "Overloaded"}),)
    wire.answer(Reply(frames=frames, cut=way == "cut"))
    with pytest.raises(Exception, match=r"(?i)overloaded|peer|connection") as error:
        list(chat(wire).stream("hi", config(handler)))
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert "failure" == span[keys.OUTCOME]
    assert type(error.value).__name__ == span[keys.ERROR_TYPE].rpartition(".")[2]
    assert span[keys.TIME_TO_FIRST_CHUNK] > 0
    assert span.get(keys.TOKENS_METHOD) in {None, "estimated"}
