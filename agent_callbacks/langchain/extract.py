"""What LangChain's callbacks pass, read once and turned into the frozen values of the recorder.

Every quirk of a framework version or a provider lives here and in the files behind it: ``answer`` (results, chunks),
``content`` (messages), ``usage`` (token counts), ``finish`` (why a model stopped). All functions are total: what has
not the expected shape counts as not said.
"""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_callbacks.langchain.answer import completion, first_chunk_kind, model_result
from agent_callbacks.langchain.content import message_chars, message_parts, plain_content
from agent_callbacks.reading.asker import request
from agent_callbacks.reading.definition import offered, tool_definition
from agent_callbacks.reading.parameters import ASKED, NESTED, parameters
from agent_callbacks.reading.provider import URL_KEYS, endpoint, provider_name
from agent_callbacks.reading.shape import Loose, first_text, fraction, is_text, mapping, member, sequence, text
from agent_callbacks.recording.values import Document, ModelCall, RetrievalResult, ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.recording.values import ModelParameters

__all__ = [
    "attempt",
    "completion",
    "first_chunk_kind",
    "message_chars",
    "message_parts",
    "model_call",
    "model_result",
    "request",
    "retrieval_result",
    "tool_definition",
    "tool_result",
]

Operation: TypeAlias = Literal["chat", "text_completion", "embeddings"]

# --- model call: who is asked ----------------------------------------------------------------------------------------

_MODEL_KEYS: Final = (
    "model", "model_name", "model_id", "modelId", "deployment_name", "azure_deployment", "deployment", "engine",
)  # fmt: skip
# Where a client goes when it was told nothing, and the variables its SDK reads: only what the clients document.
_DEFAULT_ENDPOINTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "ChatOpenAI": ("https://api.openai.com", ("OPENAI_API_BASE", "OPENAI_BASE_URL")),
    "OpenAI": ("https://api.openai.com", ("OPENAI_API_BASE", "OPENAI_BASE_URL")),
    "ChatAnthropic": ("https://api.anthropic.com", ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL")),
}
_SUMMARIZER: Final = "SummarizationMiddleware.before_model"  # LangChain before 1.2.4 marks its call not otherwise
_ATTEMPT_TAG: Final = re.compile(r"retry:attempt:(\d{1,9})")


def model_call(
    operation: Operation,
    serialized: object,
    messages: object,
    invocation_params: object,
    options: object,
    metadata: object,
    tags: object,
) -> ModelCall:
    """Return one request to a model as ``on_chat_model_start`` and ``on_llm_start`` tell it.

    Args:
        operation: The conventions' operation.
        serialized: The model as LangChain serializes it; may be None.
        messages: The messages or prompts of this call, also in the list of one list that the callback gets.
        invocation_params: What goes to the provider.
        options: What was given to this call alone.
        metadata: The run's metadata, LangChain's ``ls_*`` among it.
        tags: The run's tags; a retry's attempt is one.
    """
    about, params, extra = mapping(serialized), mapping(invocation_params), mapping(options)
    facts, built = mapping(metadata), mapping(about.get("kwargs"))
    tools = _tools(params) or _tools(extra)
    names, sent = offered(tools)
    address, port = _server(about, built, params)
    return ModelCall(
        operation=operation,
        provider=_provider(facts, params, about),
        model=text(facts.get("ls_model_name")) or first_text(params, _MODEL_KEYS) or first_text(built, _MODEL_KEYS),
        parameters=_parameters(params, extra, built, facts),
        messages=_flat(messages),
        tools=tools,
        tool_names=names,
        tools_sent=sent,
        server_address=address,
        server_port=port,
        internal=bool(
            facts.get("lc_internal_call") or facts.get("lc_source") or facts.get("langgraph_node") == _SUMMARIZER
        ),
        attempt=attempt(tags),
        request=request(metadata, tags),
    )


def attempt(tags: object) -> int:
    """Return which attempt a run is, from the tag that LangChain's ``RunnableRetry`` sets from the second one on."""
    for tag in sequence(tags):
        if is_text(tag) and (found := _ATTEMPT_TAG.fullmatch(tag)):
            return int(found[1])
    return 1


def _provider(facts: Loose, params: Loose, about: Loose) -> str | None:
    for hint in (facts.get("ls_provider"), params.get("_type"), _class_name(about)):
        if found := text(hint):
            return provider_name(found)
    return None


def _class_name(about: Loose) -> str | None:
    path = sequence(about.get("id"))
    return text(about.get("name")) or (text(path[-1]) if path else None)


def _server(about: Loose, built: Loose, params: Loose) -> tuple[str | None, int | None]:
    for place in (built, params):
        if not place.keys().isdisjoint(URL_KEYS) and (url := first_text(place, URL_KEYS)):
            return endpoint(url)
    return _default_endpoint(_class_name(about) or "")


@functools.lru_cache(maxsize=256)
def _default_endpoint(client: str) -> tuple[str | None, int | None]:
    """Return where *client* goes by default; the environment is read once for each kind of client."""
    if client not in _DEFAULT_ENDPOINTS:
        return None, None
    url, variables = _DEFAULT_ENDPOINTS[client]
    return endpoint(next(filter(None, map(os.environ.get, variables)), url))


def _flat(messages: object) -> tuple[object, ...]:
    found = sequence(messages)
    first = found[0] if len(found) == 1 else None
    return tuple(found if first.__class__ is not list else sequence(first))


# --- model call: how it is asked -------------------------------------------------------------------------------------


# LangChain's own reading of the parameters; the rest of the metadata is the user's and means something else.
_LANGSMITH: Final = (("temperature", "ls_temperature"), ("max_tokens", "ls_max_tokens"), ("stop", "ls_stop"))


def _parameters(params: Loose, extra: Loose, built: Loose, facts: Loose) -> ModelParameters:
    """Return the parameters, what was said for this call over what the model was built with.

    ``ChatAnthropic(stop_sequences=...)`` is in neither parameters nor metadata, only in what the model was built with.
    """
    said = {name: facts.get(key) for name, key in _LANGSMITH}
    nested = [] if params.keys().isdisjoint(NESTED) else [mapping(params.get(key)) for key in NESTED]
    for place in (built, *nested, extra, params):
        for name in ASKED.intersection(place):
            if (value := place[name]) is not None:
                said[name] = value
    return parameters(said)


# --- model call: the tools -------------------------------------------------------------------------------------------


def _tools(params: Loose) -> tuple[object, ...]:
    bedrock = mapping(params.get("toolConfig") or params.get("tool_config")).get("tools")
    for found in (params.get("tools"), params.get("functions"), bedrock):
        if tools := sequence(found):
            return tuple(tools)
    return ()


# --- tools and retrievers --------------------------------------------------------------------------------------------

_SCORE_KEYS: Final = ("score", "relevance_score", "similarity_score", "_score", "similarity")


def tool_result(output: object) -> ToolResult:
    """Return what a tool gave back: the content of its message, also where a ``Command`` carries the message.

    Args:
        output: What ``on_tool_end`` gets: any object, a ``ToolMessage``, a ``Command``, or a list of these.
    """
    messages = [message for one in (sequence(output) or (output,)) for message in _tool_messages(one)]
    if not messages:
        return ToolResult(output=member(output, "update") if _is_command(output) else output)
    contents = [plain_content(member(message, "content")) for message in messages]
    failed = any(member(message, "status") == "error" for message in messages)
    return ToolResult(output=contents[0] if len(contents) == 1 else contents, failed=failed)


def _tool_messages(output: object) -> list[object]:
    found = sequence(mapping(member(output, "update")).get("messages")) if _is_command(output) else (output,)
    return [one for one in found if not isinstance(one, dict) and member(one, "type") in _TOOL_TYPES]


_TOOL_TYPES: Final = ("tool", "ToolMessageChunk")


def _is_command(output: object) -> bool:
    """Tell LangGraph's ``Command`` by its fields: importing langgraph for a plain LangChain user would be slow."""
    return type(output).__name__ == "Command" and hasattr(output, "update") and hasattr(output, "goto")


def retrieval_result(documents: object) -> RetrievalResult:
    """Return what a retriever found; a score is where the retriever put it into the metadata, or beside a document."""
    return RetrievalResult(tuple(map(_document, sequence(documents))))


def _document(found: object) -> Document:
    pair = sequence(found)
    document = pair[0] if pair else found
    metadata = mapping(member(document, "metadata"))
    scores = (*pair[1:2], *(metadata.get(key) for key in _SCORE_KEYS))
    return Document(
        id=text(member(document, "id")),
        score=next((score for score in map(fraction, scores) if score is not None), None),
        content=member(document, "page_content"),
        metadata=metadata or None,
    )
