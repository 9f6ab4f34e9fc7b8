"""What a span is, whoever made it: by our attributes, the standard's, those of other tools, then by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.analysis.span import Span

__all__ = ["CALLS", "CLIENTS", "PLUMBING", "Kind", "kind_of"]

Kind: TypeAlias = Literal["run", "step", "model", "embedding", "tool", "retriever", "chain", "node", "other"]

CALLS: Final = frozenset({"tool", "retriever"})
CLIENTS: Final = frozenset({"model", "embedding", "retriever"})
"""Kinds that wait for something outside, whatever their span's kind."""
PLUMBING: Final = frozenset({"run", "step", "chain", "node"})
"""Kinds whose own time is the framework's or the user's code between calls."""

_BY_OPERATION: Final[Mapping[object, Kind]] = {
    "invoke_agent": "run", "create_agent": "run", "invoke_workflow": "chain", "chat": "model",
    "text_completion": "model", "generate_content": "model", "embeddings": "embedding", "execute_tool": "tool",
    "retrieval": "retriever",
}  # fmt: skip
_BY_MARK: Final[Mapping[object, Kind]] = {
    "AGENT": "run", "CHAIN": "chain", "LLM": "model", "EMBEDDING": "embedding", "TOOL": "tool",
    "RETRIEVER": "retriever", "RERANKER": "retriever",
    "agent": "run", "workflow": "chain", "task": "node", "tool": "tool",
}  # fmt: skip
_MARKS: Final = (keys.OPENINFERENCE_KIND, "traceloop.span.kind")
_BY_NAME: Final[tuple[tuple[str, Kind], ...]] = (
    ("agent.run.", "run"), ("agent.step.", "step"), ("llm.embeddings.", "embedding"), ("llm.", "model"),
    ("tool.", "tool"), ("retriever.", "retriever"), ("chain.", "chain"), ("node.", "node"),
)  # fmt: skip


def kind_of(span: Span) -> Kind:
    """Return what *span* is."""
    attributes = span.attributes
    if kind := _BY_OPERATION.get(span.text(keys.OPERATION_NAME)):
        return kind
    if keys.STEP_INDEX in attributes:
        return "step"
    if keys.NODE_NAME in attributes:
        return "node"
    for mark in _MARKS:
        if kind := _BY_MARK.get(span.text(mark)):
            return kind
    if span.kind == "CLIENT" and keys.REQUEST_MODEL in attributes:
        return "model"
    return _by_name(f"{span.name}.")


def _by_name(name: str) -> Kind:
    for prefix, kind in _BY_NAME:
        if name.startswith(prefix):
            return kind
    return "other"
