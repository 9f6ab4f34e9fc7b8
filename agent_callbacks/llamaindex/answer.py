"""What a model answered, from LlamaIndex's responses and the provider's own object that they carry as ``raw``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, cast

from agent_callbacks.llamaindex.message import message_chars, requested_tools
from agent_callbacks.reading.finish import finish_reason
from agent_callbacks.reading.shape import Loose, is_text, mapping, member, sequence, text
from agent_callbacks.reading.usage import usage
from agent_callbacks.recording.values import ModelResult, RequestedTool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent_callbacks.recording.values import Usage

__all__ = ["first_chunk_kind", "model_result"]

_USAGE_KEYS: Final = ("usage", "usage_metadata", "usageMetadata", "token_usage", "meta")
_FINISH_KEYS: Final = ("finish_reason", "stop_reason", "stopReason", "finishReason", "done_reason", "completion_reason")
_CHOICE_KEYS: Final = ("choices", "candidates", "generations", "results", "output")
_MODEL_KEYS: Final = ("model", "model_version", "modelVersion", "modelId", "model_id")
_ID_KEYS: Final = ("id", "response_id", "responseId", "generation_id")
_DETAIL_ENDINGS: Final = ("_details", "tokens", "units", "cache_creation")
_TIER_KEYS: Final = ("service_tier",)
# Bedrock's InvokeModel counts in the headers of its answer.
_HEADERS: Final[Mapping[str, str]] = {
    "x-amzn-bedrock-input-token-count": "inputTokens", "x-amzn-bedrock-output-token-count": "outputTokens",
}  # fmt: skip


def model_result(response: object, before: object = None) -> ModelResult:
    """Return what a model answered.

    Args:
        response: A ``ChatResponse`` or ``CompletionResponse``; of a stream the last one, which has it all.
        before: Of a stream the one before the last: why the model stopped is said before what it used.
    """
    message = member(response, "message")
    spoken = text(member(response, "text")) or ""
    raw, earlier = _raw(response), _raw(before)
    calls = () if message is None else tuple(RequestedTool(*call) for call in requested_tools(message))
    stopped = (
        _finish(raw)
        or _finish(earlier)
        or _finish(mapping(member(response, "additional_kwargs")))
        or _status(raw, asks=bool(calls))
    )
    chars = len(spoken) if message is None else message_chars(message)
    said = message if message is not None else spoken
    return ModelResult(
        _first(raw, _MODEL_KEYS) or _first(earlier, _MODEL_KEYS),
        _first(raw, _ID_KEYS) or _first(earlier, _ID_KEYS),
        () if stopped is None else (stopped,),
        _believable(usage(_reports(response, raw, earlier)), spoken=bool(chars or calls)),
        ((said, stopped),) if response is not None else (),
        calls,
        chars,
        _first(raw, _TIER_KEYS) or _first(earlier, _TIER_KEYS),
    )


def first_chunk_kind(chunk: object) -> Literal["content", "other"]:
    """Return whether a streamed response carries text or a tool call, or only reasoning, ids, counts or nothing."""
    if text(member(chunk, "delta")):
        return "content"
    message = member(chunk, "message")
    return "content" if message is not None and requested_tools(message) else "other"


def _raw(response: object) -> Loose:
    """Return the provider's own object; a stream of the Responses API ends with an event that holds it."""
    raw = _loose(member(response, "raw"))
    held = _loose(raw.get("response"))
    return held if held.get("object") == "response" else raw


def _loose(value: object) -> Loose:
    """Return the fields of a provider's object: a dictionary as it is, a model's own and its extra ones."""
    if isinstance(value, dict):
        return mapping(cast("object", value))
    fields = mapping(getattr(value, "__dict__", None))
    extra = mapping(getattr(value, "__pydantic_extra__", None))
    return {**fields, **extra} if extra else fields


def _reports(response: object, raw: Loose, earlier: Loose) -> Iterator[object]:
    """Yield everything that may count tokens, the provider's own word first."""
    for holder in (raw, earlier):
        for key in _USAGE_KEYS:
            if (found := holder.get(key)) is not None:
                yield _flat(found)
        if (groq := _loose(holder.get("x_groq"))) and (found := groq.get("usage")) is not None:
            yield _flat(found)
        yield holder  # Ollama's counts stand among the rest
        yield _in_headers(holder)
    yield mapping(member(response, "additional_kwargs"))


def _flat(found: object) -> Loose:
    """Return a report of tokens as plain dictionaries, the details in it too."""
    report = _loose(found)
    details = {key: _loose(value) for key, value in report.items() if key.endswith(_DETAIL_ENDINGS)
               and not isinstance(value, (int, float)) and value is not None}  # fmt: skip
    flat = {**report, **details} if details else report
    # Cohere counts one level further down.
    return {**flat, **details["tokens"]} if "tokens" in details else flat


def _in_headers(raw: Loose) -> Loose:
    headers = mapping(mapping(raw.get("ResponseMetadata")).get("HTTPHeaders")) or mapping(raw.get("headers"))
    said = {name: headers.get(header) for header, name in _HEADERS.items()}
    return {name: int(value) for name, value in said.items() if is_text(value) and value.isdecimal()}


def _believable(found: Usage | None, *, spoken: bool) -> Usage | None:
    """Return *found* without an output of zero that the answer itself disproves."""
    if found is None or found.output or not spoken:
        return found
    return None if found.input is None else replace(found, output=None)


def _finish(raw: Loose) -> str | None:
    if not raw:
        return None
    for holder in (raw, *(_loose(choice) for key in _CHOICE_KEYS for choice in sequence(raw.get(key))[:1])):
        for key in _FINISH_KEYS:
            found = holder.get(key)
            if said := text(found) or text(member(found, "value")) or text(member(found, "name")):
                return finish_reason(said)
    return None


def _status(raw: Loose, *, asks: bool) -> str | None:
    """Return why an answer of the Responses API is over, which has a status but no finish reason."""
    status = text(raw.get("status")) if raw.get("object") == "response" else None
    if status is None:
        return None
    if asks and status == "completed":
        return "tool_call"
    return finish_reason(text(member(raw.get("incomplete_details"), "reason")) or status)


def _first(raw: Loose, names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := text(raw.get(name))) is not None), None)
