"""What a tool call and a retrieval are, from LangChain's arguments."""

from __future__ import annotations

from typing import Final

from agent_callbacks.langchain.extract import attempt
from agent_callbacks.reading.asker import request
from agent_callbacks.reading.shape import Loose, count, first_text, mapping, sequence, text
from agent_callbacks.recording.values import Retrieval, ToolCall

__all__ = ["retrieval", "tool_call"]

# AgentExecutor runs this tool in place of one that does not exist.
_INVALID_TOOL: Final = "invalid_tool"
_REQUESTED: Final = "requested_tool_name"
_SOURCE_KEYS: Final = ("data_source_id", "retriever_source")
_STORE_KEYS: Final = ("ls_vector_store_provider", "ls_retriever_name")
_TOP_K_KEYS: Final = ("top_k", "k")


def tool_call(
    serialized: object,
    name: object,
    inputs: object,
    input_text: object,
    call_id: object,
    metadata: object,
    tags: object,
) -> ToolCall:
    """Return what ``on_tool_start`` tells of.

    Args:
        serialized: The tool's name and description.
        name: The run's name, which wins over the tool's.
        inputs: The arguments as a mapping, without what was injected.
        input_text: The arguments as text, for tools that take no mapping.
        call_id: The model's id of this call.
        metadata: The run's metadata.
        tags: The run's tags; a retry's attempt is one.
    """
    about = mapping(serialized)
    called = text(name) or text(about.get("name")) or "tool"
    requested = text(mapping(inputs).get(_REQUESTED)) if called == _INVALID_TOOL else None
    return ToolCall(
        "unknown" if requested is not None else called,
        call_id=text(call_id),
        description=text(about.get("description")),
        arguments=input_text if inputs is None else inputs,
        requested=requested,
        attempt=attempt(tags),
        request=request(metadata, tags),
    )


def retrieval(serialized: object, name: object, query: object, metadata: object, tags: object) -> Retrieval:
    """Return what ``on_retriever_start`` tells of; the source is who was named, else what kind of store it is.

    Args:
        serialized: The retriever as LangChain serializes it.
        name: The run's name: the class's, unless the user gave one.
        query: What was asked.
        metadata: The run's metadata, LangChain's ``ls_*`` among it.
        tags: The run's tags.
    """
    facts, about = mapping(metadata), mapping(serialized)
    called = text(name)
    given = called if called is not None and called != _class_name(about) else None
    kind = first_text(facts, _STORE_KEYS) or called or _class_name(about) or "retriever"
    source = first_text(facts, _SOURCE_KEYS) or given or kind
    sizes = (count(facts.get(key)) for key in _TOP_K_KEYS)
    return Retrieval(source, query, next((size for size in sizes if size), None), request=request(metadata, tags))


def _class_name(about: Loose) -> str | None:
    path = sequence(about.get("id"))
    return text(path[-1]) if path else text(about.get("name"))
