"""Short ways to say what a scripted model does, for the stories."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage

USER = {"user_id": "u-17", "session_id": "s-9", "variant": "prompt-b"}


def says(text: str, **usage: int) -> AIMessage:
    """Return an answer; *usage* as ``input`` and ``output`` tokens."""
    return AIMessage(text, usage_metadata=_usage(**usage))


def asks(*calls: tuple[str, dict[str, Any]], prefix: str = "call", **usage: int) -> AIMessage:
    """Return a message that asks for tools."""
    tool_calls = [
        {"name": name, "args": args, "id": f"{prefix}-{number}", "type": "tool_call"}
        for number, (name, args) in enumerate(calls, 1)
    ]
    return AIMessage("", tool_calls=tool_calls, usage_metadata=_usage(**usage))


def _usage(input: int = 100, output: int = 10) -> Any:  # noqa: A002 - the provider's own word
    return {"input_tokens": input, "output_tokens": output, "total_tokens": input + output}


def question(text: str = "What is the weather?") -> dict[str, Any]:
    """Return an agent's input."""
    return {"messages": [{"role": "user", "content": text}]}
