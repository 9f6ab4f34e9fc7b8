"""Messages of any provider as the GenAI conventions' parts, without the bytes of images, sound and files.

The blocks of LangChain (v0, v1), OpenAI (both APIs), Anthropic, Bedrock and Google are told apart by their ``type``
alone: one table, one small function a kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from agent_callbacks.reading.shape import Loose, first_text, is_text, mapping, member, sequence, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["content_chars", "content_parts", "message_chars", "message_parts", "plain_content", "tool_calls"]

Part: TypeAlias = dict[str, object]

_ROLES: Final[Mapping[str, str]] = {
    "human": "user", "HumanMessageChunk": "user",
    "ai": "assistant", "AIMessageChunk": "assistant",
    "system": "system", "SystemMessageChunk": "system", "developer": "system",
    "tool": "tool", "ToolMessageChunk": "tool", "function": "tool", "FunctionMessageChunk": "tool",
}  # fmt: skip
_TOOL_ROLE: Final = "tool"
_ASKED: Final = frozenset({"user", "system", _TOOL_ROLE})  # whose messages ask for no tools


def message_parts(message: object) -> Part:
    """Return *message* as the conventions' message: role, parts, and name where it has one.

    Args:
        message: A LangChain message, a dict with role and content, or a prompt.

    Returns:
        Raw content, not yet sanitized; a blob's content is empty and ``bytes`` says how large it was.
    """
    if is_text(message):
        return {"role": "user", "parts": [_text_part(message)]}
    role = _role(message)
    # A field that a message has not takes longer to look for than all the others to read.
    parts = (
        [_answer(message)] if role == _TOOL_ROLE else _spoken(message, [] if role in _ASKED else tool_calls(message))
    )
    found: Part = {"role": role, "parts": parts}
    if name := text(member(message, "name")):
        found["name"] = name
    return found


def message_chars(message: object) -> int:
    """Return the number of characters of text in *message*; reasoning, tool calls and media do not count."""
    return content_chars(message if is_text(message) else member(message, "content"))


def content_chars(content: object) -> int:
    """Return the number of characters of text in a message's content, a string or blocks."""
    if is_text(content):
        return len(content)
    chars = 0
    for block in sequence(content):
        if is_text(block):
            chars += len(block)
        elif (found := mapping(block)) and (text(found.get("type")) or "text") in _TEXT:
            chars += len(first_text(found, _TEXT_KEYS) or "")
    return chars


def content_parts(content: object) -> list[Part]:
    """Return a message's content, a string or blocks, as parts."""
    if is_text(content):
        return [_text_part(content)] if content else []
    return [part for block in sequence(content) if (part := _part(block)) is not None]


def plain_content(content: object) -> object:
    """Return a tool's content: its text where that is all, parts where it is blocks, anything else as it is."""
    if text(mapping(content).get("type")) in _READERS:
        return _part(content)
    blocks = sequence(content)
    if not blocks or not all(isinstance(block, (str, dict)) for block in blocks):
        return content
    parts = content_parts(content)
    return parts[0]["content"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def tool_calls(message: object) -> list[Loose]:
    """Return the tools a message asks for, those with arguments that are no JSON included.

    Before there were tools, OpenAI's models called one function, which LangChain leaves beside the content.
    """
    calls = (*sequence(member(message, "tool_calls")), *sequence(member(message, "invalid_tool_calls")))
    if not calls and (extra := mapping(member(message, "additional_kwargs"))):
        calls = (extra.get("function_call"),)
    return [call for call in map(mapping, calls) if text(call.get("name"))]


def _role(message: object) -> str:
    kind = text(member(message, "type")) or ""
    if role := _ROLES.get(kind):
        return role
    said = text(member(message, "role"))
    return (_ROLES.get(said, said) if said else kind) or "user"


def _spoken(message: object, calls: list[Loose]) -> list[Part]:
    """Return what a person or the model said; *calls* once, though blocks and ``tool_calls`` both carry them."""
    content = member(message, "content")
    if calls and not is_text(content):
        content = [block for block in sequence(content) if text(mapping(block).get("type")) not in _CALLS]
    parts = content_parts(content)
    extra = mapping(member(message, "additional_kwargs"))
    if extra:
        parts = _beside(extra, parts) + parts
    return parts + [_call(call) for call in calls]


def _beside(extra: Loose, parts: list[Part]) -> list[Part]:
    """Return what a provider puts beside the content, where *parts* do not say it."""
    found: list[Part] = []
    # DeepSeek, Groq, xAI and vLLM put the reasoning there.
    thought = first_text(extra, ("reasoning_content", "reasoning"))
    if thought and not any(part["type"] == "reasoning" for part in parts):
        found.append({"type": "reasoning", "content": thought})
    # OpenAI leaves the content empty when the model refuses or speaks aloud.
    said = first_text(extra, ("refusal",)) or first_text(mapping(extra.get("audio")), ("transcript",))
    if said and not parts:
        found.append(_text_part(said))
    return found


def _answer(message: object) -> Part:
    return _identified(
        {"type": "tool_call_response", "response": plain_content(member(message, "content"))},
        member(message, "tool_call_id"),
    )


def _part(block: object) -> Part | None:
    if is_text(block):
        return _text_part(block) if block else None
    found = mapping(block)
    if not found:
        return None
    kind = text(found.get("type")) or (next(iter(found)) if len(found) == 1 else "text")
    if reader := _READERS.get(kind):
        return reader(found)
    if kind.endswith(("_tool_result", "_call_output")):
        return _server_answer(found)
    if kind.endswith("_call"):
        return _server_call(found)
    return {**_without_bytes(found), "type": kind}


def _text_part(content: str) -> Part:
    return {"type": "text", "content": content}


def _identified(part: Part, call_id: object) -> Part:
    if found := text(call_id):
        part["id"] = found
    return part


def _text(block: Loose) -> Part | None:
    content = first_text(block, _TEXT_KEYS)
    return _text_part(content) if content else None


def _reasoning(block: Loose) -> Part:
    """Return visible reasoning; what is redacted or signed is for the provider alone and stays out."""
    spoken = first_text(block, ("reasoning", "thinking", "text"))
    if spoken is None:
        pieces = (*sequence(block.get("summary")), *sequence(block.get("content")), block.get("reasoning_content"))
        spoken = "\n".join(filter(None, (first_text(mapping(piece), ("text",)) for piece in pieces)))
    return {"type": "reasoning", "content": spoken}


def _call(block: Loose) -> Part:
    """Return a tool call: LangChain says ``args``, OpenAI ``arguments`` and ``call_id``, Anthropic ``input``."""
    function = mapping(block.get("function"))
    part: Part = {"type": "tool_call", "name": first_text(block, ("name",)) or first_text(function, ("name",)) or ""}
    for source, key in ((block, "args"), (block, "arguments"), (block, "input"), (function, "arguments")):
        if key in source:
            part["arguments"] = source[key]
            break
    return _identified(part, first_text(block, ("call_id", "id")))


def _call_answer(block: Loose) -> Part:
    content = block.get("content", block.get("output"))
    part: Part = {"type": "tool_call_response", "response": plain_content(content)}
    return _identified(part, first_text(block, ("tool_use_id", "call_id", "tool_call_id")))


def _server_call(block: Loose) -> Part:
    """Return a call of a tool that the provider runs itself."""
    name = first_text(block, ("name",)) or (text(block.get("type")) or "").removesuffix("_call")
    detail = {key: value for key, value in _without_bytes(block).items() if key not in _ENVELOPE}
    part: Part = {"type": "server_tool_call", "name": name, "server_tool_call": {"type": name, **detail}}
    return _identified(part, block.get("id"))


def _server_answer(block: Loose) -> Part:
    kind = text(block.get("type")) or ""
    name = kind.removesuffix("_tool_result").removesuffix("_call_output")
    content = block.get("output", block.get("content"))
    detail: Part = {"type": name, "content": plain_content(content)}
    part: Part = {"type": "server_tool_call_response", "server_tool_call_response": detail}
    return _identified(part, first_text(block, ("tool_use_id", "tool_call_id", "call_id")))


def _non_standard(block: Loose) -> Part | None:
    inner = mapping(block.get("value"))
    if inner.get("type") == "non_standard":  # one level only: a value that holds itself has no end
        return {"type": "non_standard"}
    return _part(inner)


def _media(modality: str) -> Callable[[Loose], Part | None]:
    """Return the reader of one modality's blocks; where the data sits differs by provider and version."""

    def read(block: Loose) -> Part | None:
        for holder in (block, *(mapping(block.get(key)) for key in _HOLDERS)):
            if holder.get("type") == "text" and holder is not block:  # Anthropic: a document that is plain text
                return _text_part(first_text(holder, ("data", "text")) or "")
            if part := _medium(modality, holder):
                return part
        if url := text(block.get("image_url")):  # the Responses API's input_image
            return _uri(modality, url, None)
        return {"type": "blob", "modality": modality, "content": "", "bytes": 0}

    return read


def _medium(modality: str, holder: Loose) -> Part | None:
    mime = first_text(holder, ("mime_type", "media_type", "mimeType"))
    if mime is None and (form := text(holder.get("format"))):
        mime = f"{modality}/{form}"
    modality = _modality(mime) or modality
    for key in _DATA_KEYS:
        data = holder.get(key)
        if isinstance(data, (str, bytes, bytearray)) and data:
            if is_text(data) and data.startswith("data:"):
                return _uri(modality, data, mime)
            return _with_mime({"type": "blob", "modality": modality, "content": "", "bytes": _size(data)}, mime)
    if url := first_text(holder, _URL_KEYS):
        return _uri(modality, url, mime)
    file_id = first_text(holder, ("file_id", "fileId"))
    if file_id is None and holder.get("source_type") == "id":
        file_id = text(holder.get("id"))
    return None if file_id is None else _with_mime({"type": "file", "modality": modality, "file_id": file_id}, mime)


def _uri(modality: str, url: str, mime: str | None) -> Part:
    """Return where a medium is; a ``data:`` URL (RFC 2397) is the medium itself."""
    if not url.startswith("data:"):
        return _with_mime({"type": "uri", "modality": modality, "uri": url}, mime)
    head, _, data = url.partition(",")
    mime = head[5:].partition(";")[0] or mime
    part: Part = {"type": "blob", "modality": _modality(mime) or modality, "content": "", "bytes": _size(data)}
    return _with_mime(part, mime)


def _with_mime(part: Part, mime: str | None) -> Part:
    if mime:
        part["mime_type"] = mime
    return part


def _modality(mime: str | None) -> str | None:
    kind = (mime or "").partition("/")[0]
    return kind if kind in {"image", "audio", "video"} else None


def _size(data: str | bytes | bytearray) -> int:
    """Return the number of bytes that *data* stands for; four base64 characters are three bytes."""
    if not is_text(data):
        return len(data)
    return len(data) * 3 // 4 - data[-2:].count("=")


def _without_bytes(block: Loose) -> Part:
    return {key: value for key, value in block.items() if key not in _OPAQUE and not isinstance(value, bytes)}


_TEXT_KEYS: Final = ("text", "refusal", "content")
_HOLDERS: Final = ("source", "image_url", "input_audio", "file", "image", "audio", "video", "document", "video_url")
_DATA_KEYS: Final = ("base64", "data", "file_data", "bytes")
_URL_KEYS: Final = ("url", "file_uri", "uri", "file_url")
# Encrypted, signed or binary: of no use to a reader and too large for a span.
_OPAQUE: Final = frozenset({
    "base64", "data", "file_data", "result", "encrypted_content", "signature", "encrypted_index", "thoughtSignature",
})  # fmt: skip
_ENVELOPE: Final = frozenset({"type", "id", "name", "index"})

_TEXT: Final = frozenset({"text", "output_text", "input_text", "text-plain", "refusal"})
_REASONINGS: Final = frozenset({"reasoning", "thinking", "redacted_thinking", "reasoning_content"})
_CALLS: Final = frozenset({
    "tool_call", "tool_use", "function_call", "custom_tool_call", "invalid_tool_call", "tool_call_chunk",
    "input_json_delta",
})  # fmt: skip
_ANSWERS: Final = frozenset({"tool_result", "function_call_output", "custom_tool_call_output"})
_MODALITIES: Final[Mapping[str, Iterable[str]]] = {
    "image": ("image", "image_url", "input_image", "image_file", "computer_screenshot"),
    "audio": ("audio", "input_audio"),
    "video": ("video", "video_url"),
    "document": ("file", "input_file", "document", "media"),
}
_READERS: Final[Mapping[str, Callable[[Loose], Part | None]]] = {
    **dict.fromkeys(_TEXT, _text),
    **dict.fromkeys(_REASONINGS, _reasoning),
    **dict.fromkeys(_CALLS, _call),
    **dict.fromkeys(_ANSWERS, _call_answer),
    **{kind: _media(modality) for modality, kinds in _MODALITIES.items() for kind in kinds},
    "server_tool_call": _server_call,
    "server_tool_call_chunk": _server_call,
    "server_tool_use": _server_call,
    "server_tool_result": _server_answer,
    "non_standard": _non_standard,
}
