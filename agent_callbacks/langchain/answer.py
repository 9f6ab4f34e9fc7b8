"""What a model answered, from LangChain's results and streamed chunks."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from agent_callbacks.langchain.content import content_chars, message_chars, tool_calls
from agent_callbacks.reading.finish import finish_reason
from agent_callbacks.reading.shape import Loose, first_text, mapping, member, sequence, text
from agent_callbacks.reading.usage import reported_usage, usage
from agent_callbacks.recording.values import ModelResult, RequestedTool, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["completion", "first_chunk_kind", "model_result"]

_FINISH_KEYS: Final = ("finish_reason", "stop_reason", "stopReason", "finishReason", "done_reason")
_ANSWERED_MODEL_KEYS: Final = ("model_name", "model", "model_version", "modelVersion", "model_id", "modelId")
_USAGE_KEYS: Final = (
    "token_usage", "usage", "usage_metadata", "usageMetadata", "token_count", "amazon-bedrock-invocationMetrics",
)  # fmt: skip
_OWN_IDS: Final = ("lc_", "run-")  # ids that LangChain invents
_SHORTEST_WORD: Final = 4


def model_result(response: object, latest: Sequence[object] = ()) -> ModelResult:
    """Return what a model answered as ``on_llm_end`` tells it, and as ``on_llm_error`` does for a broken stream.

    ``messages`` are LangChain's generations. Several answers to one request repeat one usage, which is counted once.

    Args:
        response: LangChain's ``LLMResult``.
        latest: The last chunks of a streamed answer, the latest first.
    """
    groups = sequence(member(response, "generations"))
    said = [_read(one) for group in groups for one in sequence(group)]
    # LangChain puts an HTTP error's body and headers into an empty message: that is no answer.
    answers = [one for one in said if one.chars or "status_code" not in one.metadata]
    about = mapping(member(response, "llm_output"))
    calls = tuple([
        RequestedTool(name, text(call.get("id")))
        for one in answers
        for call in one.calls
        if (name := text(call.get("name")))
    ])  # fmt: skip
    chars = sum([one.chars for one in answers])
    reasons = [_finish(one.message, one.info, one.metadata, about) for one in answers]
    cached = _from_cache(answers, about)
    used = _last_counted(usage(_usage_reports(answers, about)), latest)
    return ModelResult(
        _answered_model(answers, about),
        _response_id(answers, about),
        tuple(filter(None, reasons)),
        None if cached else _believable(used, spoken=bool(chars or calls)),
        tuple([(one.generation, reason) for one, reason in zip(answers, reasons, strict=True)]),
        calls,
        chars,
        _service_tier(answers, about),
        cached,
    )


def _from_cache(answers: list[_Answer], about: Loose) -> bool:
    """Return whether LangChain's cache answered (``set_llm_cache``), which puts a cost of 0 beside the old counts.

    Source: ``BaseChatModel._convert_cached_generations``. A cache that gives back bare generations leaves no trace.
    """
    if about or not answers:
        return False
    costs = [mapping(member(one.message, "usage_metadata")).get("total_cost") for one in answers]
    return all(type(cost) is int and not cost for cost in costs)


def _service_tier(answers: list[_Answer], about: Loose) -> str | None:
    for holder in [*[one.metadata for one in answers], about]:
        if (found := text(holder.get("service_tier"))) is not None:
            return found
    return None


def completion(generation: object) -> dict[str, object]:
    """Return a text model's ``Generation``, which has no message, as the conventions' message, not cleaned."""
    spoken = text(member(generation, "text"))
    return {"role": "assistant", "parts": [{"type": "text", "content": spoken}] if spoken else []}


@dataclass(slots=True)
class _Answer:
    """One generation, read once: every question below is about the same few of its fields."""

    generation: object
    message: object
    info: Loose
    metadata: Loose
    calls: list[Loose]
    chars: int

    @property
    def holders(self) -> tuple[Loose, Loose]:
        """Return what may say anything, the weaker word first."""
        return self.info, self.metadata


def _read(generation: object) -> _Answer:
    message = member(generation, "message")
    return _Answer(
        generation,
        message,
        _info(generation),
        _metadata(message),
        [] if message is None else tool_calls(message),
        content_chars(member(generation, "text")) if message is None else message_chars(message),
    )


def _usage_reports(answers: list[_Answer], about: Loose) -> Iterator[object]:
    """Yield everything that may count tokens, LangChain's own reading first."""
    for one in answers:
        yield member(one.message, "usage_metadata")
    for holder in (*(holder for one in answers for holder in one.holders), about):
        for key in _USAGE_KEYS:
            yield holder.get(key)
        yield holder  # Ollama's counts stand among the rest


def _last_counted(found: Usage | None, latest: Sequence[object]) -> Usage | None:
    """Return what the last chunk that counts says, where *found* is the sum of counts that each include those before.

    LangChain adds up what chunks count. A provider counts once, or what is new; a server asked for it (vLLM and SGLang:
    ``continuous_usage_stats``) counts all so far in every chunk. Only then is the input, which does not grow, in the
    sum several times.
    """
    for chunk in latest:
        last = reported_usage(mapping(member(member(chunk, "message"), "usage_metadata")))
        if last is not None:
            given, whole = last.input, None if found is None else found.input
            return last if given and whole and whole > given and not whole % given else found
    return found


def _believable(found: Usage | None, *, spoken: bool) -> Usage | None:
    """Return *found* without an output of zero that the answer itself disproves."""
    if found is None or found.output or not spoken:
        return found
    return None if found.input is None else replace(found, output=None)


def _answered_model(answers: list[_Answer], about: Loose) -> str | None:
    for one in answers:
        if found := first_text(one.metadata, _ANSWERED_MODEL_KEYS) or first_text(one.info, _ANSWERED_MODEL_KEYS):
            return _once(found)
    found = first_text(about, _ANSWERED_MODEL_KEYS)
    return None if found is None else _once(found)


def _response_id(answers: list[_Answer], about: Loose) -> str | None:
    for one in answers:
        for said in (one.metadata.get("id"), member(one.message, "id")):
            if (found := text(said)) is not None and not found.startswith(_OWN_IDS):
                return found
    return text(about.get("id"))


def _finish(message: object, info: Loose, metadata: Loose, about: Loose) -> str | None:
    for holder in (info, metadata, about):
        if holder and (raw := first_text(holder, _FINISH_KEYS)):
            return finish_reason(_once(raw))
    if reason := text(mapping(metadata.get("incomplete_details")).get("reason")):
        return finish_reason(reason)
    if status := text(metadata.get("status")):  # the Responses API has no finish reason
        return "tool_call" if status == "completed" and tool_calls(message) else finish_reason(status)
    return None


def _info(generation: object) -> Loose:
    return mapping(member(generation, "generation_info"))


def _metadata(message: object) -> Loose:
    return mapping(member(message, "response_metadata"))


@functools.lru_cache(maxsize=256)
def _once(said: str) -> str:
    """Return *said* once: merging chunks, LangChain appends strings that each chunk repeats (``stopstop``)."""
    period = (said + said).find(said, 1)
    return said[:period] if _SHORTEST_WORD <= period < len(said) else said


_CONTENT_DELTAS: Final[Mapping[str, str]] = {"text-delta": "text", "tool-call-delta": "args", "data-delta": "data"}
_CONTENT_FIELDS: Final = ("text", "args", "name", "base64")


def first_chunk_kind(chunk: object) -> Literal["content", "other"]:
    """Return whether a streamed chunk carries text or a tool call, or only reasoning, ids, counts or nothing.

    Args:
        chunk: The ``chunk`` of ``on_llm_new_token``, the event of ``on_stream_event``, or a bare token.
    """
    if text(chunk) or text(getattr(chunk, "text", None)) or _event_speaks(mapping(chunk)):
        return "content"
    calls = sequence(getattr(getattr(chunk, "message", chunk), "tool_call_chunks", None))
    return "content" if any(map(_speaks, map(mapping, calls))) else "other"


def _event_speaks(event: Loose) -> bool:
    if delta := mapping(event.get("delta")):
        kind = text(delta.get("type")) or ""
        if kind in _CONTENT_DELTAS:
            return bool(delta.get(_CONTENT_DELTAS[kind]))
        return _speaks(mapping(delta.get("fields")))
    return event.get("event") == "content-block-start" and _speaks(mapping(event.get("content")))


def _speaks(block: Loose) -> bool:
    return block.get("type") != "reasoning" and any(block.get(key) for key in _CONTENT_FIELDS)
