"""Readable, sanitized OpenTelemetry traces of LangChain, LangGraph and LlamaIndex agents.

Every public name is loaded on first use, so importing the package loads neither framework nor exporter.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.convention.names import NamingConvention
    from agent_callbacks.delivery.configure import configure
    from agent_callbacks.delivery.fence import SanitizingSpanExporter
    from agent_callbacks.langchain import AgentCallbackHandler
    from agent_callbacks.llamaindex import AgentEventHandler
    from agent_callbacks.metadata import request_metadata
    from agent_callbacks.privacy.sanitizer import Sanitizer
    from agent_callbacks.recording.manual import downstream, span
    from agent_callbacks.recording.outcome import record_outcome
    from agent_callbacks.settings import Settings

__all__ = [
    "AgentCallbackHandler",
    "AgentEventHandler",
    "NamingConvention",
    "Sanitizer",
    "SanitizingSpanExporter",
    "Settings",
    "configure",
    "downstream",
    "record_outcome",
    "request_metadata",
    "span",
]

_HOMES: Final[Mapping[str, str]] = {
    "AgentCallbackHandler": "agent_callbacks.langchain",
    "AgentEventHandler": "agent_callbacks.llamaindex",
    "NamingConvention": "agent_callbacks.convention.names",
    "Sanitizer": "agent_callbacks.privacy.sanitizer",
    "SanitizingSpanExporter": "agent_callbacks.delivery.fence",
    "Settings": "agent_callbacks.settings",
    "configure": "agent_callbacks.delivery.configure",
    "downstream": "agent_callbacks.recording.manual",
    "record_outcome": "agent_callbacks.recording.outcome",
    "request_metadata": "agent_callbacks.metadata",
    "span": "agent_callbacks.recording.manual",
}
_EXTRAS: Final[Mapping[str, tuple[str, str]]] = {
    "AgentCallbackHandler": ("langchain_core", "langchain"),
    "AgentEventHandler": ("llama_index_instrumentation", "llamaindex"),
}


def _load(name: str) -> object:
    """Load the public name *name* from its module, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=None)
    framework, extra = _EXTRAS.get(name, ("", ""))
    try:
        module = importlib.import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        if not framework or (error.name or "").partition(".")[0] != framework:
            raise
        raise ImportError(
            f'{name} needs {framework}, which is not installed: pip install "agent-callbacks[{extra}]"', name=framework
        ) from error
    value = getattr(module, name)
    globals()[name] = value
    return value


if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for a public one
    __getattr__ = _load


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return sorted({*globals(), *__all__})
