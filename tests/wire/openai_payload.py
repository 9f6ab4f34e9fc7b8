"""What OpenAI's API sends, with fields no client knows yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.wire.server import frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MODEL = "gpt-4o-mini-2024-07-18"
UNKNOWN = {"field_of_next_year": {"nested": [1, None, {"deep": "x"}]}, "another": 7}
Payload = dict[str, Any]


def usage(prompt: int, completion: int, cached: int = 0, reasoning: int = 0) -> Payload:
    """Return Chat Completions usage; *prompt* includes *cached*, *completion* includes *reasoning*."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0, "future_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "accepted_prediction_tokens": 0},
        **UNKNOWN,
    }


def tool_call(call_id: str, name: str, **arguments: object) -> Payload:
    """Return one tool call as an assistant message carries it."""
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
        **UNKNOWN,
    }


def choice(
    content: str | None = "Hello there", finish: str = "stop", calls: Iterable[Payload] = (), index: int = 0
) -> Payload:
    """Return one choice of a chat completion."""
    message: Payload = {"role": "assistant", "content": content, "refusal": None, "annotations": [], **UNKNOWN}
    if tool_calls := list(calls):
        message["tool_calls"] = tool_calls
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish, **UNKNOWN}


def completion(*choices: Payload, counts: Payload | None = None) -> Payload:
    """Return a whole chat completion."""
    return {
        "id": "chatcmpl-wire1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": list(choices) or [choice()],
        "usage": counts,
        "service_tier": "default",
        "system_fingerprint": "fp_1",
        **UNKNOWN,
    }


def chunk(delta: Mapping[str, Any] | None, finish: str | None = None, counts: Payload | None = None) -> str:
    """Return one frame of a streamed chat completion; no *delta* means the closing frame that only counts."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return frame(
        {
            "id": "chatcmpl-wire1",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": MODEL,
            "choices": choices,
            "usage": counts,
            **UNKNOWN,
        }
    )


def chunks(*texts: str, finish: str = "stop", counts: Payload | None = None, done: bool = True) -> tuple[str, ...]:
    """Return the frames of a streamed answer, its usage frame last where *counts* is given."""
    frames = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in texts)]
    if done:
        frames.append(chunk({}, finish))
        if counts:
            frames.append(chunk(None, counts=counts))
        frames.append(frame("[DONE]"))
    return tuple(frames)


def counting_chunks(*texts: str, given: int, cached: int = 0) -> tuple[str, ...]:
    """Return the frames of an answer whose every frame counts so far, as vLLM's ``continuous_usage_stats`` has it."""
    said = [chunk({"content": text}, counts=usage(given, made, cached)) for made, text in enumerate(texts, 1)]
    return (
        chunk({"role": "assistant", "content": ""}, counts=usage(given, 0, cached)),
        *said,
        chunk({}, "stop", counts=usage(given, len(texts), cached)),
        chunk(None, counts=usage(given, len(texts), cached)),
        frame("[DONE]"),
    )


def text_completion(text: str, finish: str, counts: Payload | None) -> Payload:
    """Return a legacy text completion."""
    return {
        "id": "cmpl-wire1",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "gpt-3.5-turbo-instruct:20230824-v2",
        "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}],
        "usage": counts,
        **UNKNOWN,
    }


def error(message: str, kind: str, code: str | None = None) -> Payload:
    """Return an error body."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}, **UNKNOWN}


def response(*output: Payload, counts: Payload | None = None, status: str = "completed", **more: object) -> Payload:
    """Return a whole answer of the Responses API."""
    return {
        "id": "resp_wire1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": MODEL,
        "output": list(output),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": counts,
        **UNKNOWN,
        **more,
    }


def response_usage(given: int, output: int, cached: int = 0, reasoning: int = 0) -> Payload:
    """Return the Responses API's usage; *given* includes *cached*, *output* includes *reasoning*."""
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": given + output,
    }


def response_text(text: str) -> Payload:
    """Return a message item of the Responses API."""
    return {
        "type": "message",
        "id": "msg_wire1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


def response_reasoning(summary: str) -> Payload:
    """Return a reasoning item of the Responses API."""
    return {"type": "reasoning", "id": "rs_wire1", "summary": [{"type": "summary_text", "text": summary}]}


def response_call(call_id: str, name: str, **arguments: object) -> Payload:
    """Return a function call item of the Responses API."""
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": name,
        "arguments": json.dumps(arguments),
        "status": "completed",
    }


def response_events(*texts: str, counts: Payload) -> tuple[str, ...]:
    """Return the frames of a streamed Responses API answer."""
    whole = response_text("".join(texts))
    begun = {**whole, "status": "in_progress", "content": []}
    place = {"item_id": "msg_wire1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    payloads: list[Payload] = [
        {"type": "response.created", "response": response(status="in_progress")},
        {"type": "response.in_progress", "response": response(status="in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in texts),
        {"type": "response.output_text.done", **place, "text": "".join(texts), "logprobs": []},
        {"type": "response.content_part.done", **place, "part": {**part, "text": "".join(texts)}},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": response(whole, counts=counts)},
    ]
    numbered = ({**payload, "sequence_number": number} for number, payload in enumerate(payloads))
    return tuple(frame(payload, payload["type"]) for payload in numbered)
