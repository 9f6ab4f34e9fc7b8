"""What the recorder asks about LangChain's message objects."""

from __future__ import annotations

from langchain_core.messages import BaseMessage

from agent_callbacks.langchain.answer import completion
from agent_callbacks.langchain.content import message_chars, message_parts
from agent_callbacks.reading.definition import tool_definition
from agent_callbacks.reading.shape import member

__all__ = ["Reader"]


class Reader:
    """What the recorder asks about LangChain's messages."""

    def parts(self, message: object) -> dict[str, object]:
        """Return an input message in the conventions' shape, not cleaned."""
        return message_parts(message)

    def output(self, said: object) -> dict[str, object]:
        """Return a generation without a message in the conventions' shape, not cleaned."""
        return completion(said)

    def answer(self, said: object) -> object:
        """Return a generation's message, None where it has none."""
        return member(said, "message")

    def chars(self, message: object) -> int:
        """Return the length of the message's text."""
        return message_chars(message)

    def definition(self, tool: object) -> dict[str, object]:
        """Return a tool's definition in the conventions' shape, not cleaned."""
        return tool_definition(tool)

    def is_message(self, value: object) -> bool:
        """Say whether *value* is one of LangChain's message objects."""
        return isinstance(value, BaseMessage)

    def content(self, message: object) -> object:
        """Return what the message holds: another object when the message is changed in place."""
        return getattr(message, "content", None)
