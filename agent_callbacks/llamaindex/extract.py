"""What LlamaIndex's spans pass, read once and turned into the frozen values of the recorder.

Only named fields are read, never a dump: models and embeddings keep their key as a plain field. All functions are
total: what has not the expected shape counts as not said.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from agent_callbacks.reading.definition import offered, tool_definition
from agent_callbacks.reading.parameters import ASKED, NESTED, parameters
from agent_callbacks.reading.provider import URL_KEYS, endpoint, provider_name
from agent_callbacks.reading.shape import count, first_text, fraction, is_text, mapping, member, sequence, text
from agent_callbacks.recording.values import (
    Document,
    Embedding,
    EmbeddingResult,
    ModelCall,
    Outcome,
    Retrieval,
    RetrievalResult,
    ToolCall,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.llamaindex.place import Call
    from agent_callbacks.reading.shape import Loose

__all__ = [
    "described", "documents", "embedding", "embedding_result", "model_call", "retrieval", "spoken",
    "stopped", "tool_call", "tool_name", "tool_output", "without_default",
]  # fmt: skip

# --- how it stopped --------------------------------------------------------------------------------------------------


def stopped(error: BaseException | None) -> Outcome | None:
    """Return how something stopped that did not fail, decided by the exception's type; None for a failure."""
    results = sys.modules.get("workflows.runtime.types.results")
    if isinstance(error, getattr(results, "WaitingForEvent", ())):
        return "interrupted"
    by_user = getattr(sys.modules.get("workflows.errors"), "WorkflowCancelledByUser", ())
    if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, SystemExit, by_user)):
        return "cancelled"
    if isinstance(error, GeneratorExit):
        return "abandoned"
    if isinstance(error, RuntimeError) and error.args == ("dispatcher shutdown",):
        return "abandoned"
    return None


def without_default(name: object, defaults: frozenset[str]) -> str | None:
    """Return *name* unless it is what the framework calls a thing nobody has named."""
    found = text(name)
    return None if found in defaults else found


# --- models ----------------------------------------------------------------------------------------------------------
_FIELDS: Final = (*sorted(ASKED), *NESTED)
_MODEL_FIELDS: Final = ("model", "model_name", "model_id", "deployment_name", "engine", "azure_deployment")
_INTEGRATIONS: Final = ("llama_index.llms.", "llama_index.multi_modal_llms.", "llama_index.embeddings.")
_COMPLETIONS: Final = frozenset({"complete", "acomplete", "stream_complete", "astream_complete"})


def model_call(call: Call, *, decision: object, attempt: int, internal: bool) -> ModelCall:
    """Return one request to a model, as the span of ``chat``, ``complete`` and their twins tells it.

    Args:
        call: The span.
        decision: Which decision of an agent this is part of; None outside one.
        attempt: Which try at the decision this is.
        internal: Whether the framework asks on its own account.
    """
    fields, given = _fields(call.instance), mapping(call.arguments.get("kwargs"))
    tools = tuple(sequence(given.get("tools")) or sequence(given.get("functions")))
    names, sent = offered(tools)
    address, port = _server(fields)
    return ModelCall(
        "text_completion" if call.method in _COMPLETIONS else "chat",
        _provider(_kind(call.instance)),
        _model(call.instance, fields),
        _parameters(fields, given),
        _messages(call.arguments),
        tools,
        names,
        sent,
        address,
        port,
        internal,
        attempt,
        cast("Any", decision),
        "llama_index",
        call.request,
    )


def described(tools: tuple[object, ...], name: str) -> str | None:
    """Return the description of the one among *tools* that is called *name*."""
    for tool in tools:
        found = tool_definition(tool)
        if found["name"] == name:
            return text(found.get("description"))
    return None


def _messages(arguments: Mapping[str, Any]) -> tuple[object, ...]:
    if "messages" in arguments:
        return tuple(sequence(arguments["messages"]))
    given = (arguments.get("prompt"), mapping(arguments.get("kwargs")).get("prompt"), *arguments.get("args", ()))
    return tuple(prompt for prompt in given[:3] if is_text(prompt))[:1]


def _fields(instance: object) -> Loose:
    return mapping(getattr(instance, "__dict__", None))


def _model(instance: object, fields: Loose) -> str | None:
    return first_text(fields, _MODEL_FIELDS) or text(member(member(instance, "metadata"), "model_name"))


def _parameters(fields: Loose, given: Loose) -> Any:
    said: Loose = {name: fields[name] for name in _FIELDS if fields.get(name) is not None}
    for place in (mapping(fields.get("additional_kwargs")), given):
        said.update([(name, value) for name, value in place.items() if name in ASKED and value is not None])
    for key in NESTED:
        if inner := mapping(said.pop(key, None)):
            said = {**{name: value for name, value in inner.items() if name in ASKED}, **said}
    return parameters(said)


def _kind(instance: object) -> Any:
    return type(instance)


@functools.lru_cache(maxsize=256)
def _provider(kind: type) -> str:
    """Return the provider of a model class: the integration package it is in, else its own name."""
    for base in kind.__mro__:
        for package in _INTEGRATIONS:
            if base.__module__.startswith(package):
                return provider_name(base.__module__.removeprefix(package).partition(".")[0])
    name = kind.__name__
    for ending in ("MultiModal", "Embedding", "LLM"):
        name = name.removesuffix(ending) or name
    return provider_name(name)


def _server(fields: Loose) -> tuple[str | None, int | None]:
    url = first_text(fields, URL_KEYS)
    return (None, None) if url is None else endpoint(url)


# --- embeddings ------------------------------------------------------------------------------------------------------


def embedding(call: Call) -> Embedding:
    """Return one request to an embedding model."""
    fields = _fields(call.instance)
    address, port = _server(fields)
    model = first_text(fields, ("model_name", *_MODEL_FIELDS))
    return Embedding(
        _provider(_kind(call.instance)),
        None if model == "unknown" else model,
        address,
        port,
        "llama_index",
        call.request,
    )


def embedding_result(result: object) -> EmbeddingResult:
    """Return how many vectors *result* holds, of how many dimensions; a sparse vector has none to count."""
    rows = sequence(result)
    first = rows[0] if rows else None
    if isinstance(result, dict):
        return EmbeddingResult(1)
    if isinstance(first, (int, float)):
        return EmbeddingResult(1, len(rows))
    return EmbeddingResult(len(rows), len(sequence(first)) or None)


# --- tools -----------------------------------------------------------------------------------------------------------


def tool_name(instance: object) -> str | None:
    """Return what a tool is called."""
    return text(member(member(instance, "metadata"), "name"))


def tool_call(call: Call) -> ToolCall:
    """Return one call of a tool by itself, outside of an agent's own calls."""
    metadata = member(call.instance, "metadata")
    given: Loose = {key: value for key, value in call.arguments.items() if key != "kwargs"}
    positional = sequence(given.pop("args", None))
    named = {**given, **mapping(call.arguments.get("kwargs"))}
    named.pop("ctx", None)
    return ToolCall(
        text(member(metadata, "name")) or "tool",
        description=text(member(metadata, "description")),
        arguments={**named, "args": list(positional)} if positional else named,
        framework="llama_index",
        request=call.request,
    )


def tool_output(result: object) -> object:
    """Return what a tool gave back: its text, anything else as it is."""
    blocks = sequence(member(result, "blocks"))
    texts = [found for block in blocks if (found := text(member(block, "text"))) is not None]
    return "\n".join(texts) if texts or blocks else member(result, "raw_output")


# --- retrievers and rerankers ----------------------------------------------------------------------------------------
_SOURCE_KEYS: Final = ("data_source_id", "retriever_source")
_TOP_K: Final[Mapping[str, tuple[str, ...]]] = {
    "retriever": ("_similarity_top_k", "similarity_top_k", "top_k", "_top_k", "k"),
    "reranker": ("top_n",),
}
_STORES: Final = ("_vector_store", "vector_store", "_graph_store")
_QUERIES: Final = ("str_or_query_bundle", "query_bundle", "query_str", "query", "message")


def retrieval(call: Call, role: Literal["retriever", "reranker"], tags: object) -> Retrieval:
    """Return one query to a retriever or reranker; the source is who was named, else what kind of store or class."""
    fields = _fields(call.instance)
    store = next((type(found).__name__ for key in _STORES if (found := fields.get(key)) is not None), None)
    named = first_text(mapping(tags), _SOURCE_KEYS)
    sizes = (count(fields.get(key)) for key in _TOP_K[role])
    return Retrieval(
        named or store or type(call.instance).__name__,
        query_text(call.arguments),
        next((size for size in sizes if size), None),
        role == "reranker",
        "llama_index",
        call.request,
    )


def query_text(arguments: Mapping[str, Any]) -> object:
    """Return what was asked, a string or the text of a query bundle."""
    for name in _QUERIES:
        if (found := arguments.get(name)) is not None:
            return found if is_text(found) else member(found, "query_str")
    return None


def documents(result: object) -> RetrievalResult:
    """Return what a retriever found: nodes with their scores."""
    return RetrievalResult(tuple(map(_document, sequence(result))))


def _document(found: object) -> Document:
    node = member(found, "node") or found
    return Document(
        id=text(member(node, "id_")) or text(member(node, "node_id")),
        score=fraction(member(found, "score")),
        content=member(node, "text"),
        metadata=mapping(member(node, "metadata")) or None,
    )


# --- runs ------------------------------------------------------------------------------------------------------------


def spoken(result: object) -> object:
    """Return what a run or a chain gave back, for a reader: a message, text, or the plain data it is."""
    for holder in (member(result, "result"), result):
        response = member(holder, "response")
        if member(response, "blocks") is not None:
            return {"messages": [response]}
        if is_text(response):
            return response
    said = member(result, "result")
    return said if type(said) in _PLAIN else None


_PLAIN: Final[frozenset[type]] = frozenset({str, int, float, bool, dict, list})
