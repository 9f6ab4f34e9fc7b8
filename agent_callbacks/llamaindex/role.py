"""What a LlamaIndex span is about, told by the class that owns the method and the method's name: two tables.

Spans carry no type. Their ids start with a class name, but that is any subclass's, so the bases decide. Nothing of
LlamaIndex is imported: bases are known by name, which is also how a canary test notices that one was renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AGENTS", "Role", "bases", "role_of"]

Role: TypeAlias = Literal[
    "run",  # a workflow, an agent or not
    "step",  # one step of a workflow
    "model", "embedding", "retriever", "reranker", "tool",
    "chain",  # what groups others: shown where it is the root
    "writer",  # copies a chat engine's stream into its memory
    "inner",  # never shown, unless inner spans are
    "function",  # a function somebody has decorated
    "unknown",  # nothing of the above: a release of LlamaIndex brought it
]  # fmt: skip

AGENTS: Final = frozenset({"AgentWorkflow", "BaseWorkflowAgent"})
_RERANKING: Final = "rerank"

# A base class -> the role of its public methods; methods with an underscore are inner ones.
_FAMILIES: Final[Mapping[str, Role]] = {
    "Workflow": "run",
    "StructuredLLM": "inner",  # asks the model it wraps, which has a span of its own
    "BaseLLM": "inner", "MultiModalLLM": "inner", "BaseLLMPredictor": "inner",
    "BaseEmbedding": "embedding", "BaseSparseEmbedding": "embedding",
    "BaseRetriever": "retriever", "BaseImageRetriever": "retriever",
    "BaseNodePostprocessor": "inner",
    "BaseTool": "tool",
    "BaseQueryEngine": "chain", "BaseChatEngine": "chain", "IngestionPipeline": "chain", "BaseSynthesizer": "chain",
    "BaseQuestionGenerator": "inner", "BaseSelector": "inner", "BaseQueryTransform": "inner",
    "BaseOutputParser": "inner", "BasePydanticProgram": "inner", "BaseSQLParser": "inner",
    "NodeParser": "inner", "BaseExtractor": "chain", "TransformComponent": "inner",
    "StreamingAgentChatResponse": "writer",
}  # fmt: skip
_MODEL_METHODS: Final = frozenset({
    "chat", "achat", "stream_chat", "astream_chat", "complete", "acomplete", "stream_complete", "astream_complete",
})  # fmt: skip
# What is not as its family says.
_METHODS: Final[Mapping[tuple[str, str], Role]] = {
    **{(family, method): "model" for family in ("BaseLLM", "MultiModalLLM") for method in _MODEL_METHODS},
    ("BaseLLM", "predict_and_call"): "chain",
    ("BaseLLM", "apredict_and_call"): "chain",
    ("BaseTool", "__call__"): "tool",
    ("BaseExtractor", "__call__"): "chain",
    ("BaseEmbedding", "__call__"): "inner",
    ("BaseEmbedding", "acall"): "inner",
    ("BaseSynthesizer", "get_response"): "inner",
    ("BaseSynthesizer", "aget_response"): "inner",
}

_known: dict[tuple[type, str], Role] = {}
_MAX_KNOWN: Final = 4096


def role_of(kind: type, method: str) -> Role:
    """Return what a span of *method* on an instance of *kind* is about."""
    found = _known.get((kind, method))
    if found is None:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        found = _known[kind, method] = _role(kind, method)
    return found


def bases(kind: type) -> frozenset[str]:
    """Return the names of *kind* and all its bases."""
    return frozenset(base.__name__ for base in kind.__mro__)


def _role(kind: type, method: str) -> Role:
    for base in kind.__mro__:
        family = base.__name__
        if family not in _FAMILIES:
            continue
        if family == "BaseNodePostprocessor":
            return "reranker" if _reranks(kind) else "inner"
        if (said := _METHODS.get((family, method))) is not None:
            return said
        return "inner" if method.startswith("_") else _FAMILIES[family]
    return "unknown"


def _reranks(kind: type) -> bool:
    """Say whether a postprocessor puts nodes into a new order, rather than filtering or changing them."""
    fields: object = getattr(kind, "model_fields", None)
    return _RERANKING in kind.__name__.lower() or (isinstance(fields, dict) and "top_n" in fields)
