"""langchain-openai against OpenAI's wire format: what ends up on the span of a model call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI

from agent_callbacks import AgentCallbackHandler, Settings
from agent_callbacks.convention import keys
from tests.features import EVENT_STREAMS
from tests.wire import openai_payload as payload
from tests.wire.openai_chat import KEY, TOOL_CALLS, add, double, told_of_chat
from tests.wire.server import Reply
from tests.wire.span import picked, stream_moments, tokens

if TYPE_CHECKING:
    from tests.conftest import Spans
    from tests.wire.server import WireServer


def client(kind: type[Any], wire: WireServer, **more: Any) -> dict[str, Any]:
    """Return a client of the local server."""
    return kind(base_url=f"{wire.url}/v1", api_key=KEY, **{"max_retries": 0, "model": "gpt-4o-mini", **more})


def chat(wire: WireServer, **more: Any) -> Any:
    """Return a chat model of the local server."""
    return client(ChatOpenAI, wire, **more)


def config(handler: AgentCallbackHandler) -> Any:
    """Return the run configuration a user writes."""
    return {"callbacks": [handler]}


TOOLS = [tool(add), tool(double)]


# --- chat completions ------------------------------------------------------------------------------------------------


def test_chat(wire, spans: Spans, handler):
    """A chat is one span that says who was asked, what was asked for, and what came back."""
    wire.answer(Reply(payload.completion(counts=payload.usage(9, 4))))
    chat(wire, temperature=0.5, max_tokens=100, stop=["X"], seed=7).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert told_of_chat(wire.port).items() <= span.items()
    assert keys.ERROR_TYPE not in span


def test_unknown_fields_stay_out(wire, spans: Spans, handler):
    """Fields that a provider invents next year neither break the span nor reach it."""
    wire.answer(Reply(payload.completion(counts=payload.usage(9, 4))))
    chat(wire).invoke("hi", config(handler))

    assert "field_of_next_year" in wire_text(payload.completion())
    assert "field_of_next_year" not in spans.one("llm.chat").to_json()


def wire_text(body: dict[str, Any]) -> str:
    """Return what goes over the wire."""
    return json.dumps(body)


def test_parallel_tool_calls(wire, spans: Spans, handler):
    """Two requested tools, cached and reasoning tokens: exact numbers, the parts inside their wholes."""
    wire.answer(
        Reply(payload.completion(payload.choice(None, "tool_calls", TOOL_CALLS), counts=payload.usage(100, 20, 64, 8)))
    )
    chat(wire).bind_tools(TOOLS).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")

    assert {"input": 100, "output": 20, "cached": 64, "reasoning": 8} == tokens(span)
    assert ("tool_call",) == span[keys.RESPONSE_FINISH_REASONS]


def test_two_choices_are_counted_once(wire, spans: Spans, handler):
    """Two choices of one answer share one usage."""
    choices = (payload.choice("one", index=0), payload.choice("two", "length", index=1))
    wire.answer(Reply(payload.completion(*choices, counts=payload.usage(9, 8))))
    chat(wire, n=2).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")

    assert {"input": 9, "output": 8} == tokens(span)
    assert [("stop", "length"), 2] == picked(span, keys.RESPONSE_FINISH_REASONS, keys.REQUEST_CHOICE_COUNT)


def test_messages_with_content_on(wire, spans: Spans):
    """With content on, the answer is in the standard's shape: text and each tool call once."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content="all"))
    calls = [payload.tool_call("call_1", "add", a=1, b=2)]
    wire.answer(Reply(payload.completion(payload.choice("Adding.", "tool_calls", calls), counts=payload.usage(9, 4))))
    chat(wire).bind_tools(TOOLS[:1]).invoke("What is 1 + 2?", config(handler))
    span = spans.attributes("llm.chat")

    assert [{"role": "user", "parts": [{"type": "text", "content": "What is 1 + 2?"}]}] == json.loads(
        span[keys.INPUT_MESSAGES]
    )
    assert [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Adding."},
                {"type": "tool_call", "name": "add", "arguments": {"a": 1, "b": 2}, "id": "call_1"},
            ],
            "finish_reason": "tool_call",
        }
    ] == json.loads(span[keys.OUTPUT_MESSAGES])


@pytest.mark.parametrize(
    ("said", "part"),
    [
        (
            {"function_call": {"name": "add", "arguments": '{"a": 1}'}},
            {"type": "tool_call", "name": "add", "arguments": '{"a": 1}'},
        ),
        ({"refusal": "I cannot help with that."}, {"type": "text", "content": "I cannot help with that."}),
        (
            {"audio": {"id": "a", "data": "AAAA", "expires_at": 1, "transcript": "Hello."}},
            {"type": "text", "content": "Hello."},
        ),
    ],
)
def test_what_stands_beside_an_empty_content_is_the_answer(wire, spans: Spans, said: Any, part: Any):
    """A function called the old way, a refusal, and what was spoken aloud."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content="all"))
    answer = payload.choice(None)
    answer["message"].update(said)
    wire.answer(Reply(payload.completion(answer, counts=payload.usage(9, 4))))
    chat(wire).invoke("hi", config(handler))
    (message,) = json.loads(spans.attributes("llm.chat")[keys.OUTPUT_MESSAGES])

    assert [part] == message["parts"]


# --- streams ---------------------------------------------------------------------------------------------------------


def test_stream_with_usage(wire, spans: Spans, handler):
    """The closing frame's usage is the call's, once."""
    wire.answer(Reply(frames=payload.chunks("Hel", "lo", counts=payload.usage(100, 20, 64, 8))))
    answer = list(chat(wire).stream("hi", config(handler), stream_usage=True))
    span = spans.attributes("llm.chat")

    assert "Hello" == "".join(chunk.text for chunk in answer)
    assert {"input": 100, "output": 20, "cached": 64, "reasoning": 8} == tokens(span)
    assert ["reconciled", ("stop",), payload.MODEL] == picked(
        span, keys.TOKENS_METHOD, keys.RESPONSE_FINISH_REASONS, keys.RESPONSE_MODEL
    )


def test_a_stream_that_counts_in_every_chunk(wire, spans: Spans, handler):
    """A server that repeats its counts in every chunk is believed in the last one, not in the sum of all."""
    wire.answer(Reply(frames=payload.counting_chunks("Forty", "-", "two", given=1200, cached=1024)))
    answer = chat(wire).stream("hi", config(handler), stream_usage=True)
    assert "Forty-two" == "".join(chunk.text for chunk in answer)

    assert {"input": 1200, "output": 3, "cached": 1024} == tokens(spans.attributes("llm.chat"))


def test_stream_without_usage(wire, spans: Spans, handler):
    """A stream that reports no usage gets an estimate that says so."""
    wire.answer(Reply(frames=payload.chunks("Hello there, ", "how are you today?")))
    list(chat(wire).stream("Tell me something nice, please.", config(handler)))
    span = spans.attributes("llm.chat")

    assert "estimated" == span[keys.TOKENS_METHOD]
    assert all(3 <= count <= 30 for count in tokens(span).values())
    assert {"input", "output"} == tokens(span).keys()


async def test_time_to_first_chunk(wire, spans: Spans, handler):
    """The first chunk is timed when it comes, content when it comes, and the span covers the whole stream."""
    wire.answer(Reply(frames=payload.chunks(*"abcdefgh"), gate=1))
    async for _ in chat(wire).astream("hi", config(handler)):
        wire.resume()
    span = spans.one("llm.chat")
    first, content = stream_moments(span)

    assert wire.sent[0] <= first <= wire.sent[1] <= content
    assert wire.sent[-1] <= -(-span.end_time // 1000)


@EVENT_STREAMS.needed
def test_protocol_events_stream(wire, spans: Spans, handler):
    """On stream_events(version="v3") the first chunk is timed and the usage counted once."""
    wire.answer(Reply(frames=payload.chunks("Hel", "lo", counts=payload.usage(9, 4)), gate=1))
    for _ in chat(wire).stream_events("hi", config(handler), version="v3", stream_usage=True):
        wire.resume()
    span = spans.one("llm.chat")
    first, content = stream_moments(span)

    assert {"input": 9, "output": 4} == tokens(spans.attributes("llm.chat"))
    assert wire.sent[0] <= first <= wire.sent[1] <= content


def test_a_stream_that_breaks(wire, spans: Spans, handler):
    """A connection lost in the middle is one failed span that keeps what was timed and claims no reported usage."""
    wire.answer(Reply(frames=payload.chunks("half an ans", done=False), cut=True))
    with pytest.raises(Exception, match=r"(?i)connection|peer") as error:
        list(chat(wire).stream("hi", config(handler)))
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert "failure" == span[keys.OUTCOME]
    assert type(error.value).__name__ == span[keys.ERROR_TYPE].rpartition(".")[2]
    assert span[keys.TIME_TO_FIRST_CHUNK] > 0
    assert span.get(keys.TOKENS_METHOD) in {None, "estimated"}


# --- failures --------------------------------------------------------------------------------------------------------


def test_too_many_requests_then_success(wire, spans: Spans, handler):
    """The SDK's own retry stays inside the one span, which succeeds."""
    busy = Reply(payload.error("Rate limit reached", "requests", "rate_limit_exceeded"), status=429)
    wire.answer(busy, Reply(payload.completion(counts=payload.usage(9, 4))))
    chat(wire, max_retries=1).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")

    assert 2 == len(wire.received)
    assert ["llm.chat"] == spans.names()
    assert ["success", None] == picked(span, keys.OUTCOME, keys.ERROR_TYPE)
    assert {"input": 9, "output": 4} == tokens(span)


def test_server_error(wire, spans: Spans, handler):
    """A 500 is one failed span with the error's type and no usage reported."""
    wire.answer(Reply(payload.error("The server had an error", "server_error"), status=500))
    with pytest.raises(Exception, match="The server had an error") as error:
        chat(wire).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert type(error.value).__name__ == span[keys.ERROR_TYPE].rpartition(".")[2]
    assert ["failure", "127.0.0.1"] == picked(span, keys.OUTCOME, keys.SERVER_ADDRESS)
    assert span.get(keys.TOKENS_METHOD) in {None, "estimated"}


def test_an_error_that_quotes_the_key(wire, spans: Spans, handler):
    """A provider that repeats the key in its error message does not get it exported."""
    wire.answer(Reply(payload.error(f"Incorrect API key provided: {KEY}.", "invalid_request_error"), status=401))
    with pytest.raises(Exception, match="Incorrect API key") as error:
        chat(wire).invoke("hi", config(handler))

    assert KEY in str(error.value)
    assert KEY[:20] not in spans.one("llm.chat").to_json()


# --- Responses API ---------------------------------------------------------------------------------------------------


def test_responses(wire, spans: Spans):
    """The Responses API: reasoning, text and a tool call, with id, model, reason and exact tokens."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content="all"))
    output = (
        payload.response_reasoning("Simple sum."),
        payload.response_text("Adding."),
        payload.response_call("call_9", "add", a=1, b=2),
    )
    wire.answer(Reply(payload.response(*output, counts=payload.response_usage(100, 20, 64, 8))))
    chat(wire, use_responses_api=True).bind_tools(TOOLS[:1]).invoke("hi", config(handler))
    span = spans.attributes("llm.chat")
    (message,) = json.loads(span[keys.OUTPUT_MESSAGES])

    assert "/v1/responses" == wire.received[0].path
    assert {"input": 100, "output": 20, "cached": 64, "reasoning": 8} == tokens(span)
    assert ["resp_wire1", payload.MODEL, ("tool_call",)] == picked(
        span, keys.RESPONSE_ID, keys.RESPONSE_MODEL, keys.RESPONSE_FINISH_REASONS
    )
    assert [
        {"type": "reasoning", "content": "Simple sum."},
        {"type": "text", "content": "Adding."},
        {"type": "tool_call", "name": "add", "arguments": {"a": 1, "b": 2}, "id": "call_9"},
    ] == message["parts"]


def test_responses_stream(wire, spans: Spans, handler):
    """A streamed response has its id, its model, and its usage once."""
    counts = payload.response_usage(100, 20, 64, 8)
    wire.answer(Reply(frames=payload.response_events("Hel", "lo", counts=counts), gate=4))
    for _ in chat(wire, use_responses_api=True).stream("hi", config(handler)):
        wire.resume()
    span = spans.attributes("llm.chat")

    assert {"input": 100, "output": 20, "cached": 64, "reasoning": 8} == tokens(span)
    assert ["resp_wire1", payload.MODEL, ("stop",)] == picked(
        span, keys.RESPONSE_ID, keys.RESPONSE_MODEL, keys.RESPONSE_FINISH_REASONS
    )
    first, content = stream_moments(spans.one("llm.chat"))
    assert wire.sent[0] <= first <= wire.sent[4] <= content


def test_responses_cut_short(wire, spans: Spans, handler):
    """A response that ran out of tokens ended because of its length."""
    details = {"reason": "max_output_tokens"}
    body = payload.response(
        payload.response_text("Once upon"),
        counts=payload.response_usage(9, 4),
        status="incomplete",
        incomplete_details=details,
    )
    wire.answer(Reply(body))
    chat(wire, use_responses_api=True, max_tokens=4).invoke("hi", config(handler))

    assert ("length",) == spans.attributes("llm.chat")[keys.RESPONSE_FINISH_REASONS]


# --- text completions ------------------------------------------------------------------------------------------------


def test_text_completion(wire, spans: Spans, handler):
    """A text completion is its own operation, with usage and reason."""
    wire.answer(Reply(payload.text_completion("yo", "length", payload.usage(5, 6))))
    client(OpenAI, wire, model="gpt-3.5-turbo-instruct", temperature=0.25).invoke("hi", config(handler))
    span = spans.attributes("llm.text_completion")

    assert {"input": 5, "output": 6} == tokens(span)
    assert ["text_completion", "gpt-3.5-turbo-instruct", 0.25, ("length",), "127.0.0.1"] == picked(
        span,
        keys.OPERATION_NAME,
        keys.REQUEST_MODEL,
        keys.REQUEST_TEMPERATURE,
        keys.RESPONSE_FINISH_REASONS,
        keys.SERVER_ADDRESS,
    )


# --- an agent --------------------------------------------------------------------------------------------------------


def test_agent_with_parallel_tools(wire, spans: Spans, handler):
    """A real agent on the real SDK: two steps, both tools under the step that asked, and sums that add up."""
    wire.answer(
        Reply(payload.completion(payload.choice(None, "tool_calls", TOOL_CALLS), counts=payload.usage(100, 20))),
        Reply(payload.completion(payload.choice("3 and 6"), counts=payload.usage(150, 5, 100))),
    )
    agent = create_agent(chat(wire), TOOLS, name="calculator")
    agent.invoke({"messages": [("user", "1 + 2, and 3 doubled?")]}, config(handler))
    run = spans.attributes("agent.run.calculator")
    lines = spans.tree().splitlines()

    assert ["agent.run.calculator", "  agent.step.1", "    llm.chat"] == lines[:3]
    assert ["    tool.add", "    tool.double"] == sorted(lines[3:5])
    assert ["  agent.step.2", "    llm.chat"] == lines[5:]
    assert [2, 250, 25] == picked(run, keys.RUN_MODEL_CALLS, keys.RUN_TOTAL_INPUT_TOKENS, keys.RUN_TOTAL_OUTPUT_TOKENS)
