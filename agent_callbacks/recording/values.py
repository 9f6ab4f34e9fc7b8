"""What happened, as frozen values: the one seam between an adapter and the recorder.

An adapter reads a framework's arguments once and builds one of these. Fields typed ``object`` carry content exactly as
the framework gave it; only the writer looks into them, through the sanitizer.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar, dataclass_transform

from agent_callbacks.metadata import EMPTY, Request

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """Make *cls* a slotted dataclass that nobody changes: the type checkers see to that, not the interpreter.

    A dataclass the interpreter keeps frozen takes five times as long to build, and a run builds hundreds.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


Key: TypeAlias = Hashable
Framework: TypeAlias = Literal["langchain", "llama_index", "manual"]
Outcome: TypeAlias = Literal["success", "failure", "interrupted", "cancelled", "abandoned"]


@frozen
class GraphNode:
    """Where in a graph something runs: the superstep, the branch (one execution of a node) and the node's name."""

    superstep: int
    branch: str
    name: str = field(repr=False)


@frozen
class AgentRun:
    """An agent, or a graph that may be one.

    ``names`` are the candidates for the agent's name, strongest first; one that only repeats the enclosing agent's
    candidate of the same rank was inherited and does not count.
    """

    names: tuple[str | None, ...] = field(default=(), repr=False)
    graph: bool = True
    node: GraphNode | None = None
    input: object = field(default=None, repr=False)
    resumed: bool = False
    framework: Framework = "langchain"
    request: Request = EMPTY


@frozen
class ChainRun:
    """A chain, workflow, graph node or inner runnable: visible as a root, hidden inside.

    A ``request`` of None says what the run around it says.
    """

    name: str = field(repr=False)
    node: GraphNode | None = None
    names: tuple[str | None, ...] = field(default=(), repr=False)
    input: object = field(default=None, repr=False)
    framework: Framework = "langchain"
    request: Request | None = EMPTY


@frozen
class ModelParameters:
    """What was asked of the model; None was not said."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = field(default=(), repr=False)
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    choice_count: int | None = None
    stream: bool | None = None


@frozen
class ModelCall:
    """One request to a model. ``tools`` are the tool definitions sent, as the framework sends them.

    ``tools_sent`` are they as JSON, by which the same ones are known again; None where they are objects.
    ``decision`` names the agent's decision the call belongs to, where the framework says so: calls with one name share
    a step. None leaves that to ``steps.py``.
    """

    operation: Literal["chat", "text_completion", "embeddings"] = "chat"
    provider: str | None = None
    model: str | None = field(default=None, repr=False)
    parameters: ModelParameters = field(default_factory=ModelParameters)
    messages: tuple[object, ...] = field(default=(), repr=False)
    tools: tuple[object, ...] = field(default=(), repr=False)
    tool_names: frozenset[str] = frozenset()
    tools_sent: bytes | None = field(default=None, repr=False)
    server_address: str | None = None
    server_port: int | None = None
    internal: bool = False
    attempt: int = 1
    decision: Hashable = None
    framework: Framework = "langchain"
    request: Request = EMPTY


@frozen
class Usage:
    """Tokens as the provider reports them; ``input`` includes the cached ones, ``output`` the reasoning ones.

    ``cache_write_1h`` is the part of ``cache_write`` that goes to Anthropic's longer-lived cache, which costs more.
    """

    input: int | None = field(default=None, repr=False)
    output: int | None = field(default=None, repr=False)
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    cache_write_1h: int | None = None


@frozen
class RequestedTool:
    """A tool the model asked for."""

    name: str = field(repr=False)
    call_id: str | None = field(repr=False)


@frozen
class ModelResult:
    """What the model answered; ``service_tier`` is the one that was used, in the provider's word.

    ``messages`` are its answers as the framework gives them, each with why the model stopped, None where unknown.
    ``from_cache`` says that the model was not asked: an earlier answer was given again, which uses and costs nothing.
    """

    model: str | None = field(default=None, repr=False)
    response_id: str | None = field(default=None, repr=False)
    finish_reasons: tuple[str, ...] = ()
    usage: Usage | None = None
    messages: tuple[tuple[object, str | None], ...] = field(default=(), repr=False)
    tool_calls: tuple[RequestedTool, ...] = field(default=(), repr=False)
    output_chars: int = 0
    service_tier: str | None = field(default=None, repr=False)
    from_cache: bool = False


@frozen
class Embedding:
    """One request to an embedding model."""

    provider: str | None = None
    model: str | None = field(default=None, repr=False)
    server_address: str | None = None
    server_port: int | None = None
    framework: Framework = "langchain"
    request: Request = EMPTY


@frozen
class EmbeddingResult:
    """What an embedding model made: how many vectors of how many dimensions, never the vectors."""

    count: int | None = None
    dimensions: int | None = None


@frozen
class ToolCall:
    """One execution of a tool. ``requested`` names a tool that does not exist."""

    name: str = field(repr=False)
    call_id: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    type: str = "function"
    arguments: object = field(default=None, repr=False)
    requested: str | None = field(default=None, repr=False)
    attempt: int = 1
    framework: Framework = "langchain"
    request: Request = EMPTY


@frozen
class ToolResult:
    """What a tool gave back. ``failed`` is set where the tool reports an error without raising."""

    output: object = field(default=None, repr=False)
    failed: bool = False


@frozen
class Retrieval:
    """One query to a retriever, or to a reranker, which retrieves out of what was retrieved."""

    source: str = field(repr=False)
    query: object = field(default=None, repr=False)
    top_k: int | None = None
    rerank: bool = False
    framework: Framework = "langchain"
    request: Request = EMPTY


@frozen
class Document:
    """One retrieved document."""

    id: str | None = field(repr=False)
    score: float | None
    content: object = field(default=None, repr=False)
    metadata: object = field(default=None, repr=False)


@frozen
class RetrievalResult:
    """What a retriever found."""

    documents: tuple[Document, ...] = field(default=(), repr=False)


@frozen
class RunResult:
    """How a chain or agent ended. ``outcome`` is set where it is not a plain success."""

    output: object = field(default=None, repr=False)
    outcome: Outcome = "success"


@frozen
class Happened:
    """Something the user's code said while an operation ran: a custom event."""

    name: str = field(repr=False)
    data: object = field(default=None, repr=False)


@frozen
class Interrupted:
    """The operation waits for a human."""


@frozen
class Resumed:
    """The operation goes on where it, or an earlier run, was interrupted."""


@frozen
class Retried:
    """The operation is being tried again; ``attempt`` counts from 1."""

    attempt: int


@frozen
class Asked:
    """An agent run's latest decision asked for tools; what a model's own answer says need not be noted."""

    tools: tuple[RequestedTool, ...] = field(repr=False)


@frozen
class Returned:
    """The call has returned and its answer is still to come, as a stream: the operation goes on without a body."""


Fact: TypeAlias = Happened | Interrupted | Resumed | Retried | Asked | Returned
Start: TypeAlias = AgentRun | ChainRun | ModelCall | Embedding | ToolCall | Retrieval
Result: TypeAlias = RunResult | ModelResult | EmbeddingResult | ToolResult | RetrievalResult
