"""One chat with OpenAI, as either framework has it: what is sent, and what its span has to say."""

from __future__ import annotations

from typing import Any, Final

from agent_callbacks.convention import keys
from tests.wire import openai_payload as payload

__all__ = ["KEY", "TOOL_CALLS", "add", "double", "told_of_chat"]

KEY: Final = "sk-proj-Wr1T3nF0rTh3T3stsAndN3v3rIssu3dByAnyb0dyAtA11xQ7"
TOOL_CALLS: Final = [payload.tool_call("call_1", "add", a=1, b=2), payload.tool_call("call_2", "double", a=3)]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def double(a: int) -> int:
    """Double a number."""
    return 2 * a


def told_of_chat(port: int) -> dict[str, Any]:
    """Return what is said of a chat of 9 and 4 tokens with the server at *port*, asked for with every parameter."""
    return {
        keys.OPERATION_NAME: "chat",
        keys.PROVIDER_NAME: "openai",
        keys.REQUEST_MODEL: "gpt-4o-mini",
        keys.REQUEST_TEMPERATURE: 0.5,
        keys.REQUEST_MAX_TOKENS: 100,
        keys.REQUEST_STOP_SEQUENCES: ("X",),
        keys.REQUEST_SEED: 7,
        keys.SERVER_ADDRESS: "127.0.0.1",
        keys.SERVER_PORT: port,
        keys.RESPONSE_MODEL: payload.MODEL,
        keys.RESPONSE_ID: "chatcmpl-wire1",
        keys.RESPONSE_FINISH_REASONS: ("stop",),
        keys.TOKENS_METHOD: "reconciled",
        keys.USAGE_INPUT_TOKENS: 9,
        keys.USAGE_OUTPUT_TOKENS: 4,
        keys.OUTCOME: "success",
    }
