"""What LangChain's callbacks pass, read once and turned into the frozen values of the recorder.

Every quirk of a framework version or a provider lives here and in the files behind it: ``answer`` (results, chunks),
``content`` (messages), ``usage`` (token counts), ``finish`` (why a model stopped). All functions are total: what has
not the expected shape counts as not said.
"""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from agent_callbacks.langchain.answer import first_chunk_kind, model_result, output_message
from agent_callbacks.langchain.content import message_chars, message_parts, plain_content
from agent_callbacks.langchain.shape import Loose, count, first_text, fraction, is_text, mapping, member, sequence, text
from agent_callbacks.metadata import EMPTY, Request, identity, variants
from agent_callbacks.recording.values import (
    Document,
    ModelCall,
    ModelParameters,
    RetrievalResult,
    ToolResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = [
    "attempt",
    "first_chunk_kind",
    "message_chars",
    "message_parts",
    "model_call",
    "model_result",
    "output_message",
    "request",
    "retrieval_result",
    "tool_definition",
    "tool_result",
]

_T = TypeVar("_T")
Operation: TypeAlias = Literal["chat", "text_completion", "embeddings"]

# --- model call: who is asked ----------------------------------------------------------------------------------------

# LangSmith's provider name, a class name or an LLM type (without "chat") -> the conventions' value.
_PROVIDERS: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai", "azure_openai": "azure.ai.openai", "azureopenai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference", "azure_inference": "azure.ai.inference",
    "azureaicompletionsmodel": "azure.ai.inference",
    "amazon_bedrock": "aws.bedrock", "bedrock": "aws.bedrock", "bedrock_converse": "aws.bedrock",
    "bedrockconverse": "aws.bedrock", "aws": "aws.bedrock", "anthropic_bedrock": "aws.bedrock",
    "google_genai": "gcp.gemini", "google_generative_ai": "gcp.gemini", "googlegenerativeai": "gcp.gemini",
    "google": "gcp.gen_ai", "google_vertexai": "gcp.vertex_ai", "vertexai": "gcp.vertex_ai",
    "google_anthropic_vertex": "gcp.vertex_ai", "anthropicvertex": "gcp.vertex_ai",
    "mistral": "mistral_ai", "mistralai": "mistral_ai",
    "xai": "x_ai",
    "ibm": "ibm.watsonx.ai", "watsonx": "ibm.watsonx.ai",
    "moonshot": "moonshot_ai", "moonshotai": "moonshot_ai",
}  # fmt: skip
_MODEL_KEYS: Final = (
    "model", "model_name", "model_id", "modelId", "deployment_name", "azure_deployment", "deployment", "engine",
)  # fmt: skip
_URL_KEYS: Final = (
    "base_url", "openai_api_base", "anthropic_api_url", "azure_endpoint", "endpoint_url", "api_base", "groq_api_base",
    "xai_api_base", "endpoint", "server_url", "api_url",
)  # fmt: skip
# Where a client goes when it was told nothing, and the variables its SDK reads: only what the clients document.
_DEFAULT_ENDPOINTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "ChatOpenAI": ("https://api.openai.com", ("OPENAI_API_BASE", "OPENAI_BASE_URL")),
    "OpenAI": ("https://api.openai.com", ("OPENAI_API_BASE", "OPENAI_BASE_URL")),
    "ChatAnthropic": ("https://api.anthropic.com", ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL")),
}
_PORTS: Final[Mapping[str, int]] = {"https": 443, "http": 80}
_WORD: Final = re.compile(r"[a-z][a-z_.]{0,39}[0-9]{0,3}")
_ATTEMPT_TAG: Final = re.compile(r"retry:attempt:(\d{1,9})")


def model_call(
    operation: Operation,
    serialized: object,
    messages: object,
    invocation_params: object,
    options: object,
    metadata: object,
    tags: object,
    request: Request,
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
        request: Who asked.
    """
    about, params, extra = mapping(serialized), mapping(invocation_params), mapping(options)
    facts, built = mapping(metadata), mapping(about.get("kwargs"))
    tools = _tools(params) or _tools(extra)
    address, port = _server(about, built, params)
    return ModelCall(
        operation=operation,
        provider=_provider(facts, params, about),
        model=text(facts.get("ls_model_name")) or first_text(params, _MODEL_KEYS) or first_text(built, _MODEL_KEYS),
        parameters=_parameters(params, extra, built, facts),
        messages=_flat(messages),
        tools=tools,
        tool_names=_offered(tools),
        server_address=address,
        server_port=port,
        internal=bool(facts.get("lc_internal_call") or facts.get("lc_source")),
        attempt=attempt(tags),
        request=request,
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
            return _provider_name(found)
    return None


@functools.lru_cache(maxsize=256)
def _provider_name(hint: str) -> str:
    name = hint.lower().replace("-", "_")
    name = name.replace("chat", "").strip("_") or name
    # What is no plain word is handed on as it came: in another spelling the sanitizer might not know a key again.
    return _PROVIDERS.get(name) or (name if _WORD.fullmatch(name) else hint)


def _class_name(about: Loose) -> str | None:
    path = sequence(about.get("id"))
    return text(about.get("name")) or (text(path[-1]) if path else None)


def _server(about: Loose, built: Loose, params: Loose) -> tuple[str | None, int | None]:
    for place in (built, params):
        if any(map(place.__contains__, _URL_KEYS)) and (url := first_text(place, _URL_KEYS)):
            return _endpoint(url)
    return _default_endpoint(_class_name(about) or "")


@functools.lru_cache(maxsize=256)
def _endpoint(url: str) -> tuple[str | None, int | None]:
    """Return host and port of *url*; user, password, path and query never leave this function."""
    try:
        parts = urlsplit(url if "//" in url else f"https://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, a bracket that is not closed
        return None, None
    return (host, port or _PORTS.get(parts.scheme)) if host else (None, None)


@functools.lru_cache(maxsize=256)
def _default_endpoint(client: str) -> tuple[str | None, int | None]:
    """Return where *client* goes by default; the environment is read once for each kind of client."""
    if client not in _DEFAULT_ENDPOINTS:
        return None, None
    url, variables = _DEFAULT_ENDPOINTS[client]
    return _endpoint(next(filter(None, map(os.environ.get, variables)), url))


def _flat(messages: object) -> tuple[object, ...]:
    found = sequence(messages)
    first = found[0] if len(found) == 1 else None
    return tuple(found if first.__class__ is not list else sequence(first))


# --- model call: how it is asked -------------------------------------------------------------------------------------


def _words(value: object) -> tuple[str, ...] | None:
    found = (value,) if is_text(value) else tuple(word for word in sequence(value) if is_text(word))
    return found or None


_TOP_P: Final = ("top_p", "topP")
_TOP_K: Final = ("top_k", "topK")
_MAX_TOKENS: Final = (
    "max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens", "maxOutputTokens", "max_new_tokens",
    "max_tokens_to_sample", "num_predict",
)  # fmt: skip
_STOP: Final = ("stop", "stop_sequences", "stopSequences")
_CHOICES: Final = ("n", "candidate_count")
_NESTED: Final = ("model_kwargs", "generation_config", "inferenceConfig", "inference_config", "options")
_ASKED: Final = frozenset({
    "temperature", *_TOP_P, *_TOP_K, *_MAX_TOKENS, *_STOP, "frequency_penalty", "presence_penalty", "seed", *_CHOICES,
    "stream", "streaming",
})  # fmt: skip
# LangChain's own reading of the parameters; the rest of the metadata is the user's and means something else.
_LANGSMITH: Final = (("temperature", "ls_temperature"), ("max_tokens", "ls_max_tokens"), ("stop", "ls_stop"))


def _parameters(params: Loose, extra: Loose, built: Loose, facts: Loose) -> ModelParameters:
    """Return the parameters, what was said for this call over what the model was built with.

    ``ChatAnthropic(stop_sequences=...)`` is in neither parameters nor metadata, only in what the model was built with.
    """
    said = {name: facts.get(key) for name, key in _LANGSMITH}
    for place in (built, *(inner for key in _NESTED if (inner := mapping(params.get(key)))), extra, params):
        said.update([(name, value) for name, value in place.items() if name in _ASKED and value is not None])
    values = tuple(said.values())
    kinds = tuple(map(type, values))
    if _HASHED.issuperset(kinds):
        return _known_parameters(tuple(said), values, kinds)
    return _spelled_out(said)


# What is equal and has an equal hash whenever it means the same, given that the types are equal too.
_HASHED: Final = frozenset({str, int, float, bool, type(None)})


@functools.lru_cache(maxsize=256)
def _known_parameters(names: tuple[str, ...], values: tuple[object, ...], _kinds: tuple[type, ...]) -> ModelParameters:
    """Return the parameters of a call like an earlier one: a model is asked the same way each time."""
    return _spelled_out(dict(zip(names, values, strict=True)))


def _spelled_out(said: Loose) -> ModelParameters:
    streams = said.get("stream") is True or said.get("streaming") is True
    return ModelParameters(
        temperature=fraction(said.get("temperature")),
        top_p=_first(said, _TOP_P, fraction),
        top_k=_first(said, _TOP_K, count),
        max_tokens=_first(said, _MAX_TOKENS, count),
        stop_sequences=_first(said, _STOP, _words) or (),
        frequency_penalty=fraction(said.get("frequency_penalty")),
        presence_penalty=fraction(said.get("presence_penalty")),
        seed=count(said.get("seed")),
        choice_count=_first(said, _CHOICES, count),
        stream=True if streams else None,  # False is a client's default even while it streams
    )


def _first(said: Loose, names: Iterable[str], read: Callable[[object], _T | None]) -> _T | None:
    for name in names:
        if (value := said.get(name)) is not None and (found := read(value)) is not None:
            return found
    return None


# --- model call: the tools -------------------------------------------------------------------------------------------


def _tools(params: Loose) -> tuple[object, ...]:
    bedrock = mapping(params.get("toolConfig") or params.get("tool_config")).get("tools")
    for found in (params.get("tools"), params.get("functions"), bedrock):
        if tools := sequence(found):
            return tuple(tools)
    return ()


def _offered(tools: tuple[object, ...]) -> frozenset[str]:
    """Return the names of all *tools*; OpenAI's shape, which LangChain makes for most providers, is read directly."""
    names: set[str] = set()
    for tool in tools:
        shape = mapping(tool)
        name = None if "function_declarations" in shape else mapping(shape.get("function")).get("name")
        if name and is_text(name):
            names.add(name)
        else:
            names.update(_tool_names(tool))
    return frozenset(names)


def _tool_names(tool: object) -> Iterator[str]:
    """Yield the names under which the model may ask for *tool*; Google sends several functions as one tool."""
    declared = sequence(mapping(tool).get("function_declarations"))
    for one in declared or (tool,):
        if name := text(member(_tool_body(one), "name")):
            yield name


def _tool_body(tool: object) -> object:
    found = mapping(tool)
    return mapping(found.get("function")) or mapping(found.get("toolSpec")) or tool


def tool_definition(tool: object) -> dict[str, object]:
    """Return a tool as it was sent, as the conventions' definition: type, name, description, parameters.

    Args:
        tool: OpenAI's, Anthropic's, Bedrock's or a plain shape, or an object with a name.
    """
    body = _tool_body(tool)
    kind = text(mapping(tool).get("type"))
    # Anthropic's own tools and OpenAI's built-in ones carry their name in the type; "custom" is a user's function.
    definition: dict[str, object] = {"type": "function" if kind in {None, "custom"} else kind}
    definition["name"] = text(member(body, "name")) or kind or ""
    if description := text(member(body, "description")):
        definition["description"] = description
    found = mapping(body)
    for key in ("parameters", "input_schema", "inputSchema"):
        if schema := mapping(found.get(key)):
            definition["parameters"] = mapping(schema.get("json")) or schema
            break
    return definition


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


# --- who asked -------------------------------------------------------------------------------------------------------

_NAMED: Final = frozenset({"user_id", "session_id", "variant", "experiment", "experiment_variant"})
_FRAMEWORK_KEYS: Final = frozenset({"thread_id", "run_id", "agent_name", "agent_kind", "revision_id"})
_FRAMEWORK_KEY_STARTS: Final = ("langgraph_", "checkpoint", "ls_", "lc_", "__")
_FRAMEWORK_TAG_STARTS: Final = ("graph:step:", "seq:step:", "map:key:", "branch:", "condition:", "retry:", "langsmith:")


def request(metadata: object, tags: object) -> Request:
    """Return who asked, from a run's metadata and tags, without what the frameworks put there.

    A graph passes the same dozen keys to each of its nodes, so which are the user's is remembered by the set of keys,
    and the request by its values where they are plain strings.
    """
    if not metadata and not tags:
        return EMPTY
    given = mapping(metadata)
    labels = _own_tags(tuple(filter(is_text, sequence(tags)))) if tags else ()
    keys = _own_keys(tuple(given))
    thread = given.get("thread_id")
    if type(thread) is not str:
        thread = identity(thread)
    values = tuple([given[key] for key in keys])
    if all(type(value) is str for value in values):
        return _plain_request(keys, values, thread, labels)
    return _request(keys, values, thread, labels)


def _request(keys: tuple[str, ...], values: tuple[object, ...], thread: object, tags: tuple[str, ...]) -> Request:
    if not (keys or thread or tags):
        return EMPTY
    given = dict(zip(keys, values, strict=True))
    return Request(
        user_id=identity(given.get("user_id")),
        session_id=identity(given.get("session_id")),
        thread_id=identity(thread),
        variants=_variants(given),
        metadata=tuple((key, value) for key, value in given.items() if key not in _NAMED),
        tags=tags,
    )


_plain_request: Final = functools.lru_cache(maxsize=128)(_request)


@functools.lru_cache(maxsize=512)
def _own_keys(keys: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(
        key for key in keys if is_text(key) and key not in _FRAMEWORK_KEYS and not key.startswith(_FRAMEWORK_KEY_STARTS)
    )


@functools.lru_cache(maxsize=512)
def _own_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(tag for tag in tags if not tag.startswith(_FRAMEWORK_TAG_STARTS))


def _variants(given: Loose) -> tuple[tuple[str, str], ...]:
    found = given.get("variant")
    if found is None:
        found = given.get("experiment_variant")
    return variants(mapping(found) or found, given.get("experiment"))
