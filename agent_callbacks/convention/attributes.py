"""What a span says: values in, attributes out. Pure; content passes the ``Cleaner`` the writer hands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from agent_callbacks.metadata import Request
    from agent_callbacks.recording.values import (
        ChainRun,
        Embedding,
        EmbeddingResult,
        ModelCall,
        ModelResult,
        Retrieval,
        RetrievalResult,
        ToolCall,
        Usage,
    )  # fmt: skip

Scalar: TypeAlias = str | bool | int | float
Attributes: TypeAlias = dict[str, Scalar | tuple[str, ...] | tuple[float, ...]]


class Cleaner(Protocol):
    """What turns anything into something that may leave the process."""

    def text(self, text: str, limit: int | None = None) -> str:
        """Return *text* without personal data, then cut to *limit* bytes: cut first, half a number is no match."""
        ...

    def identity(self, text: str, limit: int = ...) -> str:
        """Return an id with only unmistakable personal data removed, then cut to *limit* bytes."""
        ...

    def json(self, value: object, limit: int | None = None) -> str:
        """Return *value* as cleaned JSON of at most *limit* bytes (None: the setting for attributes)."""
        ...


# gen_ai.operation.name by what was started.
INVOKE_AGENT: Final = "invoke_agent"
INVOKE_WORKFLOW: Final = "invoke_workflow"
EXECUTE_TOOL: Final = "execute_tool"
RETRIEVAL: Final = "retrieval"

# Who asked stands on every span of a run: its size is bounded apart from content's.
_MAX_LABEL: Final = 256
_MAX_LABELS: Final = 32
_MAX_METADATA: Final = 8192

_PARAMETERS: Final = (
    ("temperature", keys.REQUEST_TEMPERATURE),
    ("top_p", keys.REQUEST_TOP_P),
    ("top_k", keys.REQUEST_TOP_K),
    ("max_tokens", keys.REQUEST_MAX_TOKENS),
    ("frequency_penalty", keys.REQUEST_FREQUENCY_PENALTY),
    ("presence_penalty", keys.REQUEST_PRESENCE_PENALTY),
    ("seed", keys.REQUEST_SEED),
    ("stream", keys.REQUEST_STREAM),
)
_USAGE: Final = (
    ("input", (keys.USAGE_INPUT_TOKENS,)),
    ("output", (keys.USAGE_OUTPUT_TOKENS,)),
    ("cache_read", (keys.USAGE_CACHE_READ,)),
    # Both spellings until the rename of October 2026 has settled: Phoenix reads only the older one.
    ("cache_write", (keys.USAGE_CACHE_WRITE, keys.USAGE_CACHE_CREATION)),
    ("reasoning", (keys.USAGE_REASONING,)),
    ("cache_write_1h", (keys.USAGE_CACHE_WRITE_1H,)),
)


def request(value: Request, clean: Cleaner) -> Attributes:
    """Return who asked."""
    found: Attributes = {}
    if value.user_id is not None:
        found[keys.USER_ID] = clean.identity(value.user_id, _MAX_LABEL)
    if value.session_id is not None:
        found[keys.SESSION_ID] = clean.identity(value.session_id, _MAX_LABEL)
    if (conversation := value.thread_id or value.session_id) is not None:
        found[keys.CONVERSATION_ID] = clean.identity(conversation, _MAX_LABEL)
    if value.variants:
        # The registry's type is one string; of several experiments each stands in the metadata too.
        experiment, variant = value.variants[0]
        found[keys.FEATURE_FLAG_KEY] = clean.text(experiment, _MAX_LABEL)
        found[keys.FEATURE_FLAG_VARIANT] = clean.text(variant, _MAX_LABEL)
    more = dict(value.metadata)
    if len(value.variants) > 1:
        more["variants"] = dict(value.variants[:_MAX_LABELS])
    if more:
        found[keys.METADATA] = clean.json(more, _MAX_METADATA)
    if value.tags:
        found[keys.TAGS] = tuple(clean.text(tag, _MAX_LABEL) for tag in value.tags[:_MAX_LABELS])
    return found


def agent_run(name: str | None, clean: Cleaner) -> Attributes:
    """Return what identifies an agent run named *name*."""
    found: Attributes = {keys.OPERATION_NAME: INVOKE_AGENT}
    if name is not None:
        found[keys.AGENT_NAME] = clean.text(name)
    return found


def chain_run(value: ChainRun, clean: Cleaner) -> Attributes:
    """Return what identifies a chain."""
    return {keys.OPERATION_NAME: INVOKE_WORKFLOW, keys.WORKFLOW_NAME: clean.text(value.name)}


def node(name: str, clean: Cleaner) -> Attributes:
    """Return what identifies a graph node or inner chain shown with ``inner_spans``."""
    return {keys.NODE_NAME: clean.text(name)}


def step(index: int, agent: str | None, clean: Cleaner) -> Attributes:
    """Return what identifies a step."""
    found: Attributes = {keys.STEP_INDEX: index}
    if agent is not None:
        found[keys.STEP_AGENT] = clean.text(agent)
    return found


def model_call(value: ModelCall, clean: Cleaner) -> Attributes:
    """Return what was asked of a model, without messages and tool definitions."""
    found = _asked_of(value, value.operation, clean)
    parameters = value.parameters
    for field, key in _PARAMETERS:
        if (given := getattr(parameters, field)) is not None:
            found[key] = given
    if parameters.stop_sequences:
        found[keys.REQUEST_STOP_SEQUENCES] = tuple(clean.text(text) for text in parameters.stop_sequences)
    if parameters.choice_count is not None and parameters.choice_count != 1:
        found[keys.REQUEST_CHOICE_COUNT] = parameters.choice_count
    if value.internal:
        found[keys.INTERNAL_CALL] = True
    return found


def _asked_of(value: ModelCall | Embedding, operation: str, clean: Cleaner) -> Attributes:
    """Return what is asked, of which model of which provider, and where."""
    found: Attributes = {
        keys.OPERATION_NAME: operation,
        keys.PROVIDER_NAME: clean.text(value.provider or "unknown"),
    }
    if value.model:
        found[keys.REQUEST_MODEL] = clean.text(value.model)
    if value.server_address:
        found[keys.SERVER_ADDRESS] = clean.identity(value.server_address)
        if value.server_port is not None:
            found[keys.SERVER_PORT] = value.server_port
    return found


def model_result(value: ModelResult, clean: Cleaner) -> Attributes:
    """Return what a model answered, without messages and usage."""
    found: Attributes = {}
    if value.model:
        found[keys.RESPONSE_MODEL] = clean.text(value.model)
    if value.service_tier:
        found[keys.SERVICE_TIER] = clean.text(value.service_tier, _MAX_LABEL)
    if value.response_id:
        found[keys.RESPONSE_ID] = clean.identity(value.response_id)
    if value.from_cache:
        found[keys.CACHE_HIT] = True
    if value.finish_reasons:
        found[keys.RESPONSE_FINISH_REASONS] = tuple(clean.text(reason) for reason in value.finish_reasons)
    return found


def usage(value: Usage, method: str) -> Attributes:
    """Return token counts; *method* is ``reported``, ``reconciled`` or ``estimated``."""
    found: Attributes = {keys.TOKENS_METHOD: method}
    for field, names in _USAGE:
        if (count := getattr(value, field)) is not None:
            for name in names:
                found[name] = count
    return found


def embedding(value: Embedding, clean: Cleaner) -> Attributes:
    """Return what was asked of an embedding model, without the texts."""
    return _asked_of(value, "embeddings", clean)


def embedding_result(value: EmbeddingResult) -> Attributes:
    """Return how many vectors were made, of how many dimensions."""
    pairs = ((keys.EMBEDDINGS_COUNT, value.count), (keys.EMBEDDINGS_DIMENSION_COUNT, value.dimensions))
    return {key: count for key, count in pairs if count is not None}


def tool_call(value: ToolCall, clean: Cleaner) -> Attributes:
    """Return what identifies a tool call, without its arguments."""
    found: Attributes = {
        keys.OPERATION_NAME: EXECUTE_TOOL,
        keys.TOOL_NAME: clean.text(value.name),
        keys.TOOL_TYPE: value.type,
    }
    if value.requested is not None:
        found[keys.TOOL_REQUESTED_NAME] = clean.text(value.requested, 256)
    if value.call_id:
        found[keys.TOOL_CALL_ID] = clean.identity(value.call_id)
    if value.description:
        found[keys.TOOL_DESCRIPTION] = clean.text(value.description)
    return found


def retrieval(value: Retrieval, clean: Cleaner) -> Attributes:
    """Return what identifies a retrieval, without the query."""
    found: Attributes = {keys.OPERATION_NAME: RETRIEVAL, keys.DATA_SOURCE_ID: clean.text(value.source)}
    if value.top_k is not None:
        found[keys.RETRIEVAL_TOP_K] = value.top_k
    return found


def retrieval_result(value: RetrievalResult) -> Attributes:
    """Return how much a retriever found, without the text."""
    found: Attributes = {keys.RETRIEVER_DOCUMENT_COUNT: len(value.documents)}
    scores = tuple(document.score for document in value.documents if document.score is not None)
    if scores and len(scores) == len(value.documents):
        found[keys.RETRIEVER_SCORES] = scores
    return found
