"""What users write, for mypy and pyright; checked, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

import agent_callbacks
from agent_callbacks import (
    AgentCallbackHandler,
    AgentEventHandler,
    NamingConvention,
    Sanitizer,
    SanitizingSpanExporter,
    Settings,
    configure,
    downstream,
    record_outcome,
    request_metadata,
    span,
)

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.runnables import RunnableConfig
    from llama_index.core.workflow import Workflow
    from llama_index_instrumentation.dispatcher import Dispatcher
    from llama_index_instrumentation.event_handlers import BaseEventHandler
    from llama_index_instrumentation.span_handlers import BaseSpanHandler
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter


def the_first_minute() -> RunnableConfig:
    """A handler goes into a LangChain config as it is."""
    configure(service_name="support")
    handler = AgentCallbackHandler()
    return {"callbacks": [handler], "metadata": {"user_id": "u-17", "session_id": "s-9", "variant": "prompt-b"}}


def a_handler_of_ones_own(traces: TracerProvider, metrics: MeterProvider) -> BaseCallbackHandler:
    """Providers and settings are keyword arguments, all optional."""
    handler = AgentCallbackHandler(tracer_provider=traces, meter_provider=metrics, settings=Settings(content="all"))
    assert_type(handler.open_runs, int)
    assert_type(handler.internal_errors, int)
    assert_type(handler.last_trace_id, str | None)
    handler.install()
    handler.uninstall()
    return handler


async def a_handler_for_llamaindex(traces: TracerProvider, agent: Workflow, dispatcher: Dispatcher) -> None:
    """A handler is installed once, or for a block; both bases are LlamaIndex's."""
    handler = AgentEventHandler(tracer_provider=traces, meter_provider=None, settings=Settings(inner_spans=True))
    _: tuple[BaseEventHandler, BaseSpanHandler[Any]] = (handler, handler)
    assert_type(handler.install(), AgentEventHandler)
    handler.install(dispatcher)
    handler.uninstall()
    with handler.install() as installed, request_metadata(user_id="u-17"):
        assert_type(installed, AgentEventHandler)
        await agent.run(user_msg="why?")
    assert_type(handler.open_runs, int)
    assert_type(handler.unclassified_spans, int)
    assert_type(handler.last_trace_id, str | None)


def settings_of_every_kind() -> tuple[Settings, Settings]:
    """Settings are built from values or from the environment."""
    built = Settings(
        naming=NamingConvention(mode="strict"),
        span_names="otel_genai",
        content="off",
        history="delta",
        sanitizer=Sanitizer.disabled(reason="no personal data in this service"),
        max_idle_seconds=60,
    )
    return built, Settings.load({"AGENT_CALLBACKS_CONTENT": "tools"}, count_tokens=False)


def a_clean_exporter(exporter: SpanExporter) -> SpanExporter:
    """The fence is an exporter around an exporter."""
    return SanitizingSpanExporter(exporter)


@request_metadata(user_id="u-17")
def decorated(question: str) -> int:
    """A decorated function keeps its signature."""
    return len(question)


@request_metadata(user_id="u-17", content="off")
async def decorated_async(question: str) -> int:
    """A decorated coroutine function keeps its signature."""
    return len(question)


async def who_asks() -> None:
    """Request metadata is a context manager, sync and async, and takes what else the caller knows."""
    with request_metadata(session_id="s-9", variant={"prompt": "b", "model": "a"}, tenant="acme"):
        assert_type(decorated("why?"), int)
    async with request_metadata(variant="b", experiment="prompt"):
        assert_type(await decorated_async("why?"), int)


def an_operation_of_ones_own() -> None:
    """A manual span, and the time it waited for something outside."""
    with span("tool.reindex"), downstream("crm.lookup"):
        decorated("why?")


def how_it_turned_out(handler: AgentCallbackHandler) -> None:
    """An outcome takes a score or a label, and a score is a number."""
    record_outcome(handler.last_trace_id or "", "resolved", 1, explanation="the customer said so")
    record_outcome(handler.last_trace_id or "", "resolved", "yes")  # type: ignore[arg-type]


def a_misspelt_name() -> None:
    """Names that do not exist are errors, although the public ones are loaded on first use."""
    agent_callbacks.Handler  # type: ignore[attr-defined]  # noqa: B018 - the error is the test
