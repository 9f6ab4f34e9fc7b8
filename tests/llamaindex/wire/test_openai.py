"""llama-index-llms-openai against OpenAI's wire format: what ends up on the span of a model call."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool

pytest.importorskip("llama_index.llms.openai")

from llama_index.llms.openai import OpenAI, OpenAIResponses

from agent_callbacks import AgentEventHandler, Settings
from agent_callbacks.convention import keys
from tests.wire import openai_payload as payload
from tests.wire.openai_chat import KEY, TOOL_CALLS, add, double, told_of_chat
from tests.wire.server import Reply, frame
from tests.wire.span import picked, stream_moments, tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.conftest import Spans
    from tests.wire.server import WireServer

HI = [ChatMessage("hi")]

pytestmark = pytest.mark.usefixtures("events")


@pytest.fixture
async def llm(wire: WireServer) -> AsyncIterator[Callable[..., Any]]:
    """Give a function that makes an LLM of the local server, with connections that are closed after the test."""
    with httpx.Client() as client:
        async with httpx.AsyncClient() as async_client:
            clients = {"http_client": client, "async_http_client": async_client}
            where = {"api_base": f"{wire.url}/v1", "api_key": KEY, "max_retries": 0, "model": "gpt-4o-mini", **clients}
            yield lambda kind=OpenAI, **more: kind(**where | more)


TOOLS = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(double)]


def tool_frames() -> list[str]:
    """Return the frames of a streamed request for two tools, the arguments of the first in two pieces."""
    (first, second), (start, end) = TOOL_CALLS, ('{"a": 1,', ' "b": 2}')
    begun = {**first, "index": 0, "function": {"name": "add", "arguments": start}}
    deltas = (
        {"role": "assistant", "tool_calls": [begun]},
        {"tool_calls": [{"index": 0, "function": {"arguments": end}}]},
        {"tool_calls": [{**second, "index": 1}]},
    )
    return [payload.chunk(delta) for delta in deltas]


def closing(finish: str, counts: dict[str, Any] | None = None) -> list[str]:
    """Return the frames that end a stream."""
    last = [] if counts is None else [payload.chunk(None, counts=counts)]
    return [payload.chunk({}, finish), *last, "data: [DONE]\n\n"]


# --- chat ------------------------------------------------------------------------------------------------------------


def test_chat(wire, llm, spans: Spans):
    """A chat is one span that says who was asked, what was asked for, and what came back."""
    wire.answer(Reply(payload.completion(counts=payload.usage(9, 4))))
    llm(temperature=0.5, max_tokens=100, additional_kwargs={"seed": 7}).chat(HI, stop=["X"])
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert told_of_chat(wire.port).items() <= span.items()
    assert keys.ERROR_TYPE not in span


def test_unknown_fields_stay_out(wire, llm, spans: Spans):
    """Fields that a provider invents next year neither break the span nor reach it."""
    wire.answer(Reply(payload.completion(counts=payload.usage(9, 4))))
    llm().chat(HI)

    assert "field_of_next_year" in json.dumps(payload.completion())
    assert "field_of_next_year" not in spans.one("llm.chat").to_json()


async def test_parallel_tool_calls(wire, llm, spans: Spans):
    """Two requested tools, cached and reasoning tokens: exact numbers, the parts inside their wholes."""
    body = payload.completion(payload.choice(None, "tool_calls", TOOL_CALLS), counts=payload.usage(100, 20, 64, 8))
    wire.answer(Reply(body))
    model = llm()
    response = await model.achat_with_tools(TOOLS, "hi", allow_parallel_tool_calls=True)
    span = spans.attributes("llm.chat")

    assert ["add", "double"] == [call.tool_name for call in model.get_tool_calls_from_response(response)]
    assert {"input": 100, "output": 20, "cached": 64, "reasoning": 8} == tokens(span)
    assert ("tool_call",) == span[keys.RESPONSE_FINISH_REASONS]


def test_no_usage(wire, llm, spans: Spans):
    """An answer that reports no usage gets an estimate that says so."""
    wire.answer(Reply(payload.completion(payload.choice("I am fine, thank you."))))
    llm().chat([ChatMessage("How are you today?")])
    span = spans.attributes("llm.chat")

    assert "estimated" == span[keys.TOKENS_METHOD]
    assert {"input", "output"} == tokens(span).keys()


def test_messages_with_content_on(wire, llm, spans: Spans, events):
    """With content on, the answer is in the standard's shape: text and each tool call once."""
    events.uninstall()
    wire.answer(Reply(payload.completion(payload.choice("Adding.", "tool_calls", TOOL_CALLS[:1]))))
    with AgentEventHandler(tracer_provider=spans.provider, settings=Settings(content="all")).install():
        llm().chat_with_tools(TOOLS, "What is 1 + 2?")
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


# --- streams ---------------------------------------------------------------------------------------------------------


def test_stream_with_usage(wire, llm, spans: Spans):
    """The closing frame's usage is the call's, once, and why it stopped is kept from the frame before."""
    wire.answer(Reply(frames=payload.chunks("Hel", "lo", counts=payload.usage(100, 20, 64, 8))))
    said = [chunk.delta for chunk in llm().stream_chat(HI, stream_options={"include_usage": True})]
    span = spans.attributes("llm.chat")

    assert "Hello" == "".join(said)
    assert {"input": 100, "output": 20, "cached": 64, "reasoning": 8} == tokens(span)
    assert ["reconciled", ("stop",), payload.MODEL, "chatcmpl-wire1"] == picked(
        span, keys.TOKENS_METHOD, keys.RESPONSE_FINISH_REASONS, keys.RESPONSE_MODEL, keys.RESPONSE_ID
    )


def test_a_stream_that_counts_in_every_chunk(wire, llm, spans: Spans):
    """A server that repeats its counts in every chunk is believed in the last one, not in the sum of all."""
    wire.answer(Reply(frames=payload.counting_chunks("Forty", "-", "two", given=1200, cached=1024)))
    answer = llm().stream_chat(HI, stream_options={"include_usage": True})
    assert "Forty-two" == "".join(chunk.delta for chunk in answer)

    assert {"input": 1200, "output": 3, "cached": 1024} == tokens(spans.attributes("llm.chat"))


def test_stream_without_usage(wire, llm, spans: Spans):
    """A stream that reports no usage gets an estimate that says so, and keeps why it stopped."""
    wire.answer(Reply(frames=payload.chunks("Hello there, ", "how are you today?")))
    list(llm().stream_chat([ChatMessage("Tell me something nice, please.")]))
    span = spans.attributes("llm.chat")

    assert ["estimated", ("stop",)] == picked(span, keys.TOKENS_METHOD, keys.RESPONSE_FINISH_REASONS)
    assert all(3 <= count <= 30 for count in tokens(span).values())
    assert {"input", "output"} == tokens(span).keys()


async def test_stream_of_tool_calls(wire, llm, spans: Spans):
    """Tool calls that come in pieces are counted, and their first piece is content."""
    wire.answer(Reply(frames=(*tool_frames(), *closing("tool_calls", payload.usage(100, 20))), gate=1))
    model = llm()
    async for last in await model.astream_chat_with_tools(TOOLS, "hi"):
        wire.resume()
        response = last
    span = spans.one("llm.chat")

    assert [{"a": 1, "b": 2}, {"a": 3}] == [
        call.tool_kwargs for call in model.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    ]
    assert {"input": 100, "output": 20} == tokens(dict(span.attributes))
    assert ("tool_call",) == span.attributes[keys.RESPONSE_FINISH_REASONS]
    first, content = stream_moments(span)
    assert wire.sent[0] <= first == content <= wire.sent[1]


async def test_time_to_first_chunk(wire, llm, spans: Spans):
    """The first chunk is timed when it comes, content when it comes, and the span covers the whole stream."""
    wire.answer(Reply(frames=payload.chunks(*"abcdefgh"), gate=1))
    async for _ in await llm().astream_chat(HI):
        wire.resume()
    span = spans.one("llm.chat")
    first, content = stream_moments(span)

    assert wire.sent[0] <= first <= wire.sent[1] <= content
    assert wire.sent[-1] <= -(-span.end_time // 1000)


def test_a_stream_that_breaks(wire, llm, spans: Spans):
    """A connection lost in the middle is one failed span that keeps what was timed and claims no reported usage."""
    wire.answer(Reply(frames=payload.chunks("half an ans", done=False), cut=True))
    with pytest.raises(Exception, match=r"(?i)connection|peer") as error:
        list(llm().stream_chat(HI))
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert "failure" == span[keys.OUTCOME]
    assert type(error.value).__name__ == span[keys.ERROR_TYPE].rpartition(".")[2]
    assert span[keys.TIME_TO_FIRST_CHUNK] > 0
    assert span.get(keys.TOKENS_METHOD) in {None, "estimated"}


@pytest.mark.parametrize("iterated", [0, 2])
def test_a_stream_that_is_left(wire, llm, spans: Spans, iterated):
    """A stream that nobody reads to its end is over when it is dropped: abandoned, with no usage claimed."""
    if iterated:  # the request is made for the first chunk
        wire.answer(Reply(frames=payload.chunks("Hello ", "there", counts=payload.usage(9, 4))))
    else:
        wire.answer(Reply(payload.completion(counts=payload.usage(9, 4))))
    stream = llm().stream_chat(HI)
    for _ in range(iterated):
        next(stream)
    assert [] == spans.names()
    del stream
    gc.collect()

    span = spans.attributes("llm.chat")
    assert "abandoned" == span[keys.OUTCOME]
    assert span.get(keys.TOKENS_METHOD) in {None, "estimated"}
    if not iterated:
        llm().chat(HI)  # plays the script to its end


# --- failures --------------------------------------------------------------------------------------------------------


def test_too_many_requests_then_success(wire, llm, spans: Spans):
    """The SDK's own retry stays inside the one span, which succeeds."""
    busy = Reply(payload.error("Rate limit reached", "requests", "rate_limit_exceeded"), status=429)
    wire.answer(busy, Reply(payload.completion(counts=payload.usage(9, 4))))
    llm(max_retries=1).chat(HI)
    span = spans.attributes("llm.chat")

    assert 2 == len(wire.received)
    assert ["llm.chat"] == spans.names()
    assert ["success", None] == picked(span, keys.OUTCOME, keys.ERROR_TYPE)
    assert {"input": 9, "output": 4} == tokens(span)


@pytest.mark.parametrize(("status", "name"), [(429, "RateLimitError"), (500, "InternalServerError")])
@pytest.mark.parametrize("streamed", [False, True])
def test_server_error(wire, llm, spans: Spans, status, name, streamed):
    """An error is one failed span with its type and no usage reported, whether a stream was asked for or not."""
    wire.answer(Reply(payload.error("The server had an error", "server_error"), status=status))
    model = llm()
    with pytest.raises(Exception, match="The server had an error"):
        list(model.stream_chat(HI)) if streamed else model.chat(HI)
    span = spans.attributes("llm.chat")

    assert ["llm.chat"] == spans.names()
    assert name == span[keys.ERROR_TYPE].rpartition(".")[2]
    assert ["failure", "127.0.0.1"] == picked(span, keys.OUTCOME, keys.SERVER_ADDRESS)
    assert span.get(keys.TOKENS_METHOD) in {None, "estimated"}


def test_an_error_that_quotes_the_key(wire, llm, spans: Spans):
    """A provider that repeats the key in its error message does not get it exported."""
    wire.answer(Reply(payload.error(f"Incorrect API key provided: {KEY}.", "invalid_request_error"), status=401))
    with pytest.raises(Exception, match="Incorrect API key") as error:
        llm().chat(HI)

    assert KEY in str(error.value)
    assert KEY[:20] not in spans.one("llm.chat").to_json()


# --- text completions ------------------------------------------------------------------------------------------------


def test_text_completion(wire, llm, spans: Spans):
    """A text completion is its own operation, with usage and reason."""
    wire.answer(Reply(payload.text_completion("yo", "length", payload.usage(5, 6))))
    llm(model="gpt-3.5-turbo-instruct", temperature=0.25, max_tokens=6).complete("hi")
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


# --- Responses API ---------------------------------------------------------------------------------------------------


def test_responses(wire, llm, spans: Spans, events):
    """The Responses API: text and a tool call, with id, model, reason and exact tokens."""
    events.uninstall()
    output = (
        payload.response_reasoning("Simple sum."),
        payload.response_text("Adding."),
        payload.response_call("call_9", "add", a=1, b=2),
    )
    wire.answer(Reply(payload.response(*output, counts=payload.response_usage(100, 20, 64, 8))))
    with AgentEventHandler(tracer_provider=spans.provider, settings=Settings(content="all")).install():
        llm(OpenAIResponses).chat_with_tools(TOOLS, "hi")
    span = spans.attributes("llm.chat")
    (message,) = json.loads(span[keys.OUTPUT_MESSAGES])

    assert "/v1/responses" == wire.received[0].path
    assert {"input": 100, "output": 20, "cached": 64, "reasoning": 8} == tokens(span)
    assert ["resp_wire1", payload.MODEL, ("tool_call",)] == picked(
        span, keys.RESPONSE_ID, keys.RESPONSE_MODEL, keys.RESPONSE_FINISH_REASONS
    )
    said, call = [part for part in message["parts"] if part["type"] != "reasoning"]  # which newer integrations keep
    assert {"type": "text", "content": "Adding."} == said
    assert {"type": "tool_call", "name": "add", "arguments": {"a": 1, "b": 2}, "id": "call_9"} == call


def test_responses_stream(wire, llm, spans: Spans):
    """A streamed response has its id, its model, and its usage once."""
    counts = payload.response_usage(100, 20, 64, 8)
    wire.answer(Reply(frames=payload.response_events("Hel", "lo", counts=counts), gate=5))
    for _ in llm(OpenAIResponses).stream_chat(HI):
        wire.resume()
    span = spans.attributes("llm.chat")

    assert {"input": 100, "output": 20, "cached": 64, "reasoning": 8} == tokens(span)
    assert ["resp_wire1", payload.MODEL, ("stop",)] == picked(
        span, keys.RESPONSE_ID, keys.RESPONSE_MODEL, keys.RESPONSE_FINISH_REASONS
    )
    first, content = stream_moments(spans.one("llm.chat"))
    assert wire.sent[0] <= first <= wire.sent[5]
    assert wire.sent[4] <= content


async def test_responses_that_ask_for_a_tool(wire, llm, spans: Spans):
    """A streamed response that asks for a tool says so, and the agent's step knows which."""
    call = payload.response_call("call_9", "add", a=1, b=2)
    place = {"output_index": 0, "item_id": call["id"]}
    events = (
        {"type": "response.output_item.added", **place, "item": {**call, "arguments": "", "status": "in_progress"}},
        {"type": "response.function_call_arguments.done", **place, "name": "add", "arguments": call["arguments"]},
        {"type": "response.completed", "response": payload.response(call, counts=payload.response_usage(9, 4))},
    )
    wire.answer(
        Reply(frames=tuple(frame({**event, "sequence_number": at}) for at, event in enumerate(events))),
        Reply(frames=payload.response_events("3", counts=payload.response_usage(20, 1))),
    )
    await FunctionAgent(name="calculator", tools=TOOLS, llm=llm(OpenAIResponses)).run(user_msg="1 + 2?")
    first, second = spans.named("llm.chat")

    steps = ["  agent.step.1", "    llm.chat", "    tool.add", "  agent.step.2", "    llm.chat"]
    assert ["agent.run.calculator", *steps] == spans.tree().splitlines()
    assert [("tool_call",), ("stop",)] == [span.attributes[keys.RESPONSE_FINISH_REASONS] for span in (first, second)]
    assert "call_9" == spans.attributes("tool.add")[keys.TOOL_CALL_ID]


def test_responses_cut_short(wire, llm, spans: Spans):
    """A response that ran out of tokens ended because of its length."""
    body = payload.response(
        payload.response_text("Once upon"),
        counts=payload.response_usage(9, 4),
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    )
    wire.answer(Reply(body))
    llm(OpenAIResponses, max_output_tokens=4).chat(HI)

    assert ("length",) == spans.attributes("llm.chat")[keys.RESPONSE_FINISH_REASONS]


# --- an agent --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streaming(request) -> Iterator[bool]:
    """Say whether the agent asks for streams."""
    return request.param


async def test_agent_with_parallel_tools(wire, llm, spans: Spans, streaming):
    """A real agent on the real SDK: two steps, both tools under the step that asked, and sums that add up."""
    first, second = payload.usage(100, 20), payload.usage(150, 5, 100)
    if streaming:
        wire.answer(
            Reply(frames=(*tool_frames(), *closing("tool_calls", first))),
            Reply(frames=payload.chunks("3 and", " 6", counts=second)),
        )
    else:
        wire.answer(
            Reply(payload.completion(payload.choice(None, "tool_calls", TOOL_CALLS), counts=first)),
            Reply(payload.completion(payload.choice("3 and 6"), counts=second)),
        )
    agent = FunctionAgent(name="calculator", tools=TOOLS, llm=llm(), streaming=streaming)
    answer = await agent.run(user_msg="1 + 2, and 3 doubled?")
    run = spans.attributes("agent.run.calculator")
    lines = spans.tree().splitlines()
    # Some older agents that do not stream take the first of several requests only.
    called = sorted(f"    tool.{call.tool_name}" for call in answer.tool_calls)

    assert "3 and 6" == str(answer)
    assert ["agent.run.calculator", "  agent.step.1", "    llm.chat"] == lines[:3]
    assert ["    tool.add", "    tool.double"][: len(called)] == called == sorted(lines[3:-2])
    assert ["  agent.step.2", "    llm.chat"] == lines[-2:]
    assert [2, 250, 25] == picked(run, keys.RUN_MODEL_CALLS, keys.RUN_TOTAL_INPUT_TOKENS, keys.RUN_TOTAL_OUTPUT_TOKENS)


async def test_agents_of_two_users_at_once(wire, llm, spans: Spans):
    """Agents that run side by side have a trace each."""
    wire.answer(*[Reply(payload.completion(counts=payload.usage(9, 4)))] * 8)
    agents = [FunctionAgent(name="calculator", tools=TOOLS, llm=llm(), streaming=False) for _ in range(8)]
    await asyncio.gather(*(agent.run(user_msg="hi") for agent in agents))

    assert 8 == len({span.context.trace_id for span in spans.finished()})
    assert "\n".join(["agent.run.calculator\n  agent.step.1\n    llm.chat"] * 8) == spans.tree()


async def test_an_agent_whose_model_fails(wire, llm, spans: Spans, streaming):
    """The error is on the call and on all that it ended, and is told once."""
    wire.answer(Reply(payload.error("The server had an error", "server_error"), status=500))
    agent = FunctionAgent(name="calculator", tools=TOOLS, llm=llm(), streaming=streaming)
    with pytest.raises(Exception, match="The server had an error"):
        await agent.run(user_msg="hi")

    assert "agent.run.calculator\n  agent.step.1\n    llm.chat" == spans.tree()
    assert {"InternalServerError"} == {span.attributes[keys.ERROR_TYPE].rpartition(".")[2] for span in spans.finished()}
    told = [event for span in spans.finished() for event in span.events if event.name == "exception"]
    assert 1 == len(told)
