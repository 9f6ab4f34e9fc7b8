"""LlamaIndex's messages as the GenAI conventions' parts, without the bytes of images, sound and files.

Blocks are told apart by their ``block_type``: one table, one small function a kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import orjson

from agent_callbacks.reading.definition import tool_definition
from agent_callbacks.reading.shape import is_text, mapping, member, sequence, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Reader", "message_chars", "message_parts", "requested_tools"]

Part: TypeAlias = dict[str, object]

_ROLES: Final[Mapping[str, str]] = {
    "developer": "system", "function": "tool", "chatbot": "assistant", "model": "assistant",
}  # fmt: skip
_ASSISTANT: Final = "assistant"
_TOOL: Final = "tool"


class Reader:
    """What the recorder asks about LlamaIndex's messages."""

    def parts(self, message: object) -> Part:
        """Return an input message in the conventions' shape, not cleaned."""
        return message_parts(message)

    def output(self, said: object) -> Part:
        """Return a completion's text in the conventions' shape, not cleaned."""
        return {"role": _ASSISTANT, "parts": [{"type": "text", "content": said}]}

    def answer(self, said: object) -> object:
        """Return an answer's message, None where it is a completion's text."""
        return None if is_text(said) else said

    def chars(self, message: object) -> int:
        """Return the length of the message's text."""
        return message_chars(message)

    def definition(self, tool: object) -> Part:
        """Return a tool's definition in the conventions' shape, not cleaned."""
        return tool_definition(tool)

    def is_message(self, value: object) -> bool:
        """Say whether *value* is one of LlamaIndex's message objects."""
        return type(value).__name__ == "ChatMessage" and member(value, "blocks") is not None

    def content(self, message: object) -> object:
        """Return what the message holds: another object when the message is changed in place."""
        blocks = sequence(member(message, "blocks"))
        return member(blocks[0], "text") if len(blocks) == 1 else member(message, "blocks")


def message_parts(message: object) -> Part:
    """Return *message* as the conventions' message: role and parts.

    Args:
        message: A ``ChatMessage`` or a prompt.

    Returns:
        Raw content, not yet sanitized; a blob's content is empty and ``bytes`` says how large it was.
    """
    if is_text(message):
        return {"role": "user", "parts": [{"type": "text", "content": message}]}
    role = _role(message)
    blocks = sequence(member(message, "blocks"))
    extra = mapping(member(message, "additional_kwargs"))
    if role == _TOOL:
        answer: Part = {"type": "tool_call_response", "response": _spoken(blocks)}
        return {"role": role, "parts": [_identified(answer, text(extra.get("tool_call_id")))]}
    parts = [part for block in blocks if (part := _part(block)) is not None]
    if not any(part["type"] == "tool_call" for part in parts):
        parts += [_call(call) for call in sequence(extra.get("tool_calls"))]
    return {"role": role, "parts": parts}


def message_chars(message: object) -> int:
    """Return the number of characters of text in *message*; reasoning, tool calls and media do not count."""
    if is_text(message):
        return len(message)
    texts = [member(block, "text") for block in sequence(member(message, "blocks"))]
    return sum([len(found) for found in texts if is_text(found)])


def requested_tools(message: object) -> list[tuple[str, str | None]]:
    """Return name and call id of each tool a message asks for."""
    blocks = [block for block in sequence(member(message, "blocks")) if member(block, "block_type") == "tool_call"]
    calls = blocks or sequence(mapping(member(message, "additional_kwargs")).get("tool_calls"))
    found = [_name_and_id(call) for call in calls]
    return [(name, call_id) for name, call_id in found if name]


def _role(message: object) -> str:
    said = member(message, "role")
    said = text(member(said, "value")) or text(said) or "user"
    return _ROLES.get(said, said)


def _spoken(blocks: object) -> object:
    """Return a tool's answer: its text where that is all, parts where it is more."""
    found = [part for block in sequence(blocks) if (part := _part(block)) is not None]
    if all(part["type"] == "text" for part in found):
        return "\n".join(str(part["content"]) for part in found)
    return found


def _part(block: object) -> Part | None:
    kind = text(member(block, "block_type")) or "text"
    reader = _READERS.get(kind)
    return {"type": kind} if reader is None else reader(block)


def _text(block: object) -> Part | None:
    spoken = text(member(block, "text"))
    return {"type": "text", "content": spoken} if spoken else None


def _thinking(block: object) -> Part:
    return {"type": "reasoning", "content": text(member(block, "content")) or ""}


def _call(call: object) -> Part:
    """Return a tool call: LlamaIndex's block, OpenAI's object or dictionary, or a ``ToolSelection``."""
    name, call_id = _name_and_id(call)
    part: Part = {"type": "tool_call", "name": name or ""}
    held = ((call, "tool_kwargs"), (member(call, "function"), "arguments"), (call, "arguments"), (call, "input"))
    for holder, key in held:
        if (arguments := member(holder, key)) is not None:
            part["arguments"] = _decoded(arguments)
            break
    return _identified(part, call_id)


def _decoded(arguments: object) -> object:
    """Return arguments as an object where the provider gives them as JSON; of a broken stream it may be half of one."""
    if is_text(arguments):
        try:
            return orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return arguments
    return arguments


def _name_and_id(call: object) -> tuple[str | None, str | None]:
    function = member(call, "function")
    name = text(member(call, "tool_name")) or text(member(function, "name")) or text(member(call, "name"))
    ids = (member(call, key) for key in ("tool_call_id", "tool_id", "call_id", "id"))
    return name, next(filter(None, map(text, ids)), None)


def _identified(part: Part, call_id: str | None) -> Part:
    if call_id:
        part["id"] = call_id
    return part


def _media(modality: str, *data_keys: str) -> Callable[[object], Part]:
    """Return the reader of one modality's blocks: where the medium is, or how large, never what it holds."""

    def read(block: object) -> Part:
        mime = text(member(block, f"{modality}_mimetype"))
        url = member(block, "url")
        where = None if url is None else str(url)
        if where is not None and not where.startswith("data:"):
            found: Part = {"type": "uri", "modality": modality, "uri": where}
        else:
            size = max([_size(member(block, key)) for key in data_keys] + [_size(where)])
            found = {"type": "blob", "modality": modality, "content": "", "bytes": size}
        if mime:
            found["mime_type"] = mime
        return found

    return read


def _size(data: object) -> int:
    """Return the number of bytes *data* stands for; LlamaIndex keeps media as base64, four characters for three."""
    return len(data) * 3 // 4 if isinstance(data, (bytes, str)) else 0


def _cited(block: object) -> Part:
    content = member(block, "content") or member(block, "cited_content")
    inner = sequence(content) or (content,)
    spoken = "\n".join(filter(None, (text(member(one, "text")) for one in inner)))
    return {"type": "text", "content": spoken}


def _no_part(block: object) -> None:
    """Return nothing for what marks a place in the provider's cache."""
    del block


_READERS: Final[Mapping[str, Callable[[object], Part | None]]] = {
    "text": _text,
    "thinking": _thinking,
    "tool_call": _call,
    "image": _media("image", "image"),
    "audio": _media("audio", "audio"),
    "video": _media("video", "video"),
    "document": _media("document", "data"),
    "citable": _cited,
    "citation": _cited,
    "cache": _no_part,
}
