"""What Anthropic's API sends, with fields no client knows yet."""

from __future__ import annotations

import json
from typing import Any

from tests.wire.server import frame

MODEL = "claude-wire-1-20260101"
UNKNOWN = {"field_of_next_year": {"nested": [1, None, {"deep": "x"}]}, "another": 7}
Payload = dict[str, Any]


def usage(fresh: int, output: int, read: int = 0, written: int = 0, thinking: int | None = None) -> Payload:
    """Return usage as Anthropic counts: *fresh* input tokens exclude those *read* from and *written* to the cache."""
    counts: Payload = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
        "future_tokens": 3,
    }
    if thinking is not None:
        counts["output_tokens_details"] = {"thinking_tokens": thinking}
    return counts


def message(*content: Payload, stop: str = "end_turn", counts: Payload | None = None) -> Payload:
    """Return a whole message."""
    return {
        "id": "msg_wire1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": counts or usage(10, 5),
        **UNKNOWN,
    }


def text(content: str) -> Payload:
    """Return a text block."""
    return {"type": "text", "text": content, "citations": None, **UNKNOWN}


def tool_use(call_id: str, name: str, **arguments: object) -> Payload:
    """Return a tool call block."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments, **UNKNOWN}


def error(message: str, kind: str) -> Payload:
    """Return an error body."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1", **UNKNOWN}


def event(kind: str, **payload: object) -> str:
    """Return one frame of a stream."""
    return frame({"type": kind, **payload, **UNKNOWN}, kind)


def start(counts: Payload) -> str:
    """Return the frame that opens a stream."""
    return event("message_start", message={**message(counts=counts), "stop_reason": None})


def finish(stop: str, counts: Payload) -> tuple[str, ...]:
    """Return the frames that close a stream."""
    delta = {"stop_reason": stop, "stop_sequence": None}
    return (event("message_delta", delta=delta, usage=counts), event("message_stop"))


def thinking_block(index: int, *parts: str) -> tuple[str, ...]:
    """Return the frames of a thinking block and its signature."""
    empty = {"type": "thinking", "thinking": "", "signature": ""}
    deltas = [{"type": "thinking_delta", "thinking": part} for part in parts]
    return _block(index, empty, *deltas, {"type": "signature_delta", "signature": "c2ln"})


def text_block(index: int, *parts: str) -> tuple[str, ...]:
    """Return the frames of a text block."""
    return _block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": part} for part in parts))


def tool_block(index: int, call_id: str, name: str, **arguments: object) -> tuple[str, ...]:
    """Return the frames of a tool call, its arguments in two pieces."""
    whole = json.dumps(arguments)
    pieces = ("", whole[:4], whole[4:])
    empty = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return _block(index, empty, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces))


def _block(index: int, empty: Payload, *deltas: Payload) -> tuple[str, ...]:
    return (
        event("content_block_start", index=index, content_block=empty),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    )
