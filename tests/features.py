"""What came into a framework after the oldest release we claim: where it is not there, its tests have nothing to test.

A feature is looked for, never derived from a version. ``tests/test_features.py`` holds each against the release that
brought it, so no test is skipped for it on that release or a later one.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Feature:
    """Something a release of *package* brought."""

    package: str
    since: str
    what: str
    look: Callable[[], bool]

    @cached_property
    def there(self) -> bool:
        """Whether what is installed has it."""
        return self.look()

    @property
    def reason(self) -> str:
        """Why a test is skipped where it is not there."""
        return f"{self.what}: {self.package} {self.since}"

    @property
    def needed(self) -> pytest.MarkDecorator:
        """The mark of a test that needs it."""
        return pytest.mark.skipif(not self.there, reason=self.reason)


# --- LangChain, LangGraph --------------------------------------------------------------------------------------------
def _event_streams() -> bool:
    from langchain_core.runnables import Runnable

    return hasattr(Runnable, "stream_events")


def _errors_with_an_unread_body() -> bool:
    from langchain_core.language_models import chat_models

    class Unread:
        """An answer whose body was streamed: reading it raises."""

        def json(self) -> Any:
            raise BufferError

        @property
        def text(self) -> Any:
            raise BufferError

    error: Any = ValueError()
    error.response = Unread()
    try:
        chat_models._generate_response_from_error(error)
    except BufferError:
        return False
    return True


def _metadata_without_configuration() -> bool:
    from langchain_core.runnables import ensure_config

    return "tenant" not in ensure_config({"configurable": {"tenant": "x"}})["metadata"]


def _retrying_middleware() -> bool:
    from langchain.agents import middleware

    return hasattr(middleware, "ModelRetryMiddleware")


def _one_injected_state() -> bool:
    from langchain import tools
    from langgraph import prebuilt

    return tools.InjectedState is prebuilt.InjectedState


def _thinking_tokens() -> bool:
    from langchain_anthropic import chat_models

    counts: Any = SimpleNamespace(
        input_tokens=1, output_tokens=2, output_tokens_details=SimpleNamespace(thinking_tokens=1)
    )
    return "output_token_details" in chat_models._create_usage_metadata(counts)


EVENT_STREAMS: Final = Feature("langchain-core", "1.4.0", 'stream_events(version="v3")', _event_streams)
ERRORS_OF_STREAMS: Final = Feature(
    "langchain-core", "1.0.5", "a provider's error in a stream is raised as it is", _errors_with_an_unread_body
)
PLAIN_METADATA: Final = Feature(
    "langchain-core", "1.3.0", "metadata repeats nothing of `configurable`", _metadata_without_configuration
)
MODEL_RETRIES: Final = Feature("langchain", "1.1.0", "ModelRetryMiddleware", _retrying_middleware)
INJECTED_STATE: Final = Feature(
    "langchain", "1.0.3", "create_agent injects what LangGraph's annotations ask for", _one_injected_state
)
THINKING_TOKENS: Final = Feature("langchain-anthropic", "1.5.5", "tokens of thinking are told", _thinking_tokens)


# --- LlamaIndex ------------------------------------------------------------------------------------------------------
def _thinking_blocks() -> bool:
    from llama_index.core.base.llms import types

    return hasattr(types, "ThinkingBlock")


def _tool_call_blocks() -> bool:
    from llama_index.core.base.llms import types

    return hasattr(types, "ToolCallBlock")


def _context_of_sync_tools() -> bool:
    from llama_index.core.tools.function_tool import sync_to_async

    probe: contextvars.ContextVar[bool] = contextvars.ContextVar("probe", default=False)

    async def ask() -> bool:
        probe.set(True)
        return bool(await sync_to_async(probe.get)())

    return asyncio.run(ask())


def _waiting_tools() -> bool:
    from llama_index.core.agent.workflow import base_agent

    return hasattr(base_agent, "_get_waiting_for_event_exception")


def _quiet_agents() -> bool:
    from llama_index.core.agent.workflow import FunctionAgent

    return "stepwise" not in inspect.signature(FunctionAgent.run).parameters


def _early_stopping() -> bool:
    from llama_index.core.agent.workflow import FunctionAgent

    return "early_stopping_method" in FunctionAgent.model_fields


TOOL_CALL_BLOCKS: Final = Feature("llama-index-core", "0.14.5", "ToolCallBlock", _tool_call_blocks)
THINKING_BLOCKS: Final = Feature("llama-index-core", "0.14.3", "ThinkingBlock", _thinking_blocks)
CONTEXT_OF_SYNC_TOOLS: Final = Feature(
    "llama-index-core", "0.14.22", "a sync tool of an agent runs in the context of its call", _context_of_sync_tools
)
WAITING_TOOLS: Final = Feature("llama-index-core", "0.14.7", "a tool of an agent can wait for a human", _waiting_tools)
QUIET_AGENTS: Final = Feature("llama-index-core", "0.14.2", "running an agent logs no warning", _quiet_agents)
EARLY_STOPPING: Final = Feature(
    "llama-index-core", "0.14.13", "an agent can answer after its last round", _early_stopping
)


# --- OpenTelemetry ---------------------------------------------------------------------------------------------------
def _grpc_details() -> bool:
    from opentelemetry.exporter.otlp.proto.grpc import exporter

    return "error.details()" in inspect.getsource(exporter.OTLPExporterMixin)


def _describing_anew() -> bool:
    from opentelemetry.sdk.trace import TracerProvider

    return hasattr(TracerProvider, "_update_resource")


def _mappings() -> bool:
    from opentelemetry.attributes import BoundedAttributes

    return "map" in BoundedAttributes(attributes={"map": {"k": 1}})


GRPC_DETAILS: Final = Feature(
    "opentelemetry-exporter-otlp-proto-grpc", "1.43.0", "the exporter logs a status's details", _grpc_details
)
DESCRIBING_ANEW: Final = Feature(
    "opentelemetry-sdk", "1.44.0", "a provider describes the tracers it has made anew", _describing_anew
)
MAPPINGS: Final = Feature("opentelemetry-api", "1.45.0", "an attribute's value may be a mapping", _mappings)

FEATURES: Final = tuple(value for value in globals().copy().values() if isinstance(value, Feature))
