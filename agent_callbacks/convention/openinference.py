"""The same facts in OpenInference's keys, for ``attributes="openinference"`` and, in part, as a bridge.

Values in, attributes out, all of them clean already or passed through the ``Cleaner``. Key names follow
OpenInference's semantic conventions: flattened lists with an index in the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from agent_callbacks.convention import keys
from agent_callbacks.recording.values import ModelCall, ToolCall

if TYPE_CHECKING:
    from agent_callbacks.convention.attributes import Attributes, Cleaner
    from agent_callbacks.recording.values import RetrievalResult, Usage

# What Phoenix and MLflow cannot tell from the standard's own keys.
BRIDGED: Final = frozenset({"CHAIN", "RERANKER", "RETRIEVER"})
_MAX_FLATTENED: Final = 64


def start(opening: object, clean: Cleaner) -> Attributes:
    """Return what OpenInference says of an operation that starts."""
    match opening:
        case ModelCall():
            found: Attributes = {}
            if opening.model:
                found["llm.model_name"] = clean.text(opening.model)
            if opening.provider:
                found["llm.provider"] = clean.text(opening.provider)
            parameters = {
                name: value
                for name in ("temperature", "top_p", "top_k", "max_tokens", "seed")
                if (value := getattr(opening.parameters, name)) is not None
            }
            if parameters:
                found["llm.invocation_parameters"] = orjson.dumps(parameters).decode()
            return found
        case ToolCall():
            found = {"tool.name": clean.text(opening.name)}
            if opening.description:
                found["tool.description"] = clean.text(opening.description)
            return found
        case _:
            return {}


def usage(value: Usage) -> Attributes:
    """Return token counts."""
    pairs = (
        ("llm.token_count.prompt", value.input),
        ("llm.token_count.completion", value.output),
        ("llm.token_count.prompt_details.cache_read", value.cache_read),
        ("llm.token_count.prompt_details.cache_write", value.cache_write),
        ("llm.token_count.completion_details.reasoning", value.reasoning),
    )
    found: Attributes = {key: count for key, count in pairs if count is not None}
    if value.input is not None and value.output is not None:
        found["llm.token_count.total"] = value.input + value.output
    return found


def input_messages(cleaned_json: str) -> Attributes:
    """Return input messages, flattened, from their cleaned JSON."""
    return {**_messages("llm.input_messages", cleaned_json), keys.INPUT_VALUE: cleaned_json}


def output_messages(cleaned_json: str) -> Attributes:
    """Return output messages, flattened, from their cleaned JSON."""
    return {**_messages("llm.output_messages", cleaned_json), keys.OUTPUT_VALUE: cleaned_json}


def _messages(prefix: str, cleaned_json: str) -> Attributes:
    """Flatten the newest messages: each key counts against the SDK's limit of attributes per span."""
    messages = cast("list[dict[str, Any]]", orjson.loads(cleaned_json))
    found: Attributes = {}
    offset = max(0, len(messages) - _MAX_FLATTENED // 2)
    for index, message in enumerate(messages[offset:]):
        place = f"{prefix}.{index}.message"
        found[f"{place}.role"] = str(message.get("role", ""))
        parts = cast("list[dict[str, Any]]", message.get("parts", []))
        texts = [str(part.get("content", "")) for part in parts if part.get("type") == "text"]
        if texts:
            found[f"{place}.content"] = "\n".join(texts)
        calls = [part for part in parts if part.get("type") == "tool_call"]
        for number, call in enumerate(calls):
            base = f"{place}.tool_calls.{number}.tool_call"
            found[f"{base}.function.name"] = str(call.get("name", ""))
            found[f"{base}.function.arguments"] = orjson.dumps(call.get("arguments")).decode()
            if call.get("id"):
                found[f"{base}.id"] = str(call["id"])
    return found


def documents(value: RetrievalResult, clean: Cleaner) -> Attributes:
    """Return retrieved documents, flattened."""
    found: Attributes = {}
    for index, document in enumerate(value.documents[: _MAX_FLATTENED // 2]):
        place = f"retrieval.documents.{index}.document"
        found[f"{place}.content"] = (
            clean.text(document.content) if isinstance(document.content, str) else clean.json(document.content)
        )
        if document.id is not None:
            found[f"{place}.id"] = clean.identity(document.id)
        if document.score is not None:
            found[f"{place}.score"] = document.score
        if document.metadata:
            found[f"{place}.metadata"] = clean.json(document.metadata)
    return found
