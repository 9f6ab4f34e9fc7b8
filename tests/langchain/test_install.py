"""Recording every run of the process: one hook, which LangChain never gives back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import pytest
from langchain_core.runnables import RunnableLambda

from agent_callbacks import AgentCallbackHandler
from tests.delivery.process import end, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Spans

GREETING: Final = RunnableLambda(str).with_config(run_name="greeting")


@pytest.fixture
def installed(handler: AgentCallbackHandler) -> Iterator[AgentCallbackHandler]:
    """Give a handler that hears of every run until the test ends."""
    assert handler is handler.install()
    yield handler
    handler.uninstall()


def test_every_run_is_recorded(installed: AgentCallbackHandler, spans: Spans) -> None:
    """Without ``callbacks=``, on any thread, until it is taken away."""
    GREETING.invoke("hi")
    thread = threading.Thread(target=GREETING.invoke, args=("hi",))
    thread.start()
    thread.join()
    assert ["chain.greeting"] * 2 == spans.names()
    installed.uninstall()
    GREETING.invoke("hi")
    assert ["chain.greeting"] * 2 == spans.names()


def test_a_run_it_is_given_to_anyway_is_recorded_once(installed: AgentCallbackHandler, spans: Spans) -> None:
    """Installed and in the configuration is still one handler."""
    installed.install()
    GREETING.invoke("hi", {"callbacks": [installed]})
    assert ["chain.greeting"] == spans.names()


def test_the_last_one_counts(installed: AgentCallbackHandler, spans: Spans) -> None:
    """Another takes the place of the first, which taking itself away again does not change."""
    other = AgentCallbackHandler(tracer_provider=spans.provider).install()
    installed.uninstall()
    GREETING.invoke("hi")
    other.uninstall()
    GREETING.invoke("hi")
    assert ["chain.greeting"] == spans.names()


ALONE = """
import sys
sys.modules["langgraph"] = None
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from agent_callbacks import AgentCallbackHandler
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
def fail(text):
    raise ValueError
try:
    RunnableLambda(fail).invoke("hi", {"callbacks": [AgentCallbackHandler(tracer_provider=provider)]})
except ValueError:
    (span,) = exporter.get_finished_spans()
    print(span.name, span.attributes["agent_callbacks.outcome"])
"""


@pytest.mark.measures_processes
def test_langchain_alone_is_enough() -> None:
    """Where LangGraph is not installed, nothing is taken for a graph, and its exceptions are not missed."""
    assert (0, "chain.fail failure\n", "") == end(start(ALONE))
