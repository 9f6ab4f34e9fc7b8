"""Recording every run of the process: one hook, which LangChain never gives back."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

import pytest
from langchain_core.runnables import RunnableLambda

from agent_callbacks import AgentCallbackHandler

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


@pytest.mark.measures_processes
def test_without_langgraph_it_is_a_handler_of_langchain() -> None:
    """LangGraph's class of handlers is used where there is one, and not missed where there is none."""
    code = (
        "import sys\nsys.modules['langgraph'] = None\nfrom agent_callbacks import AgentCallbackHandler\n"
        "from langchain_core.callbacks import BaseCallbackHandler\nprint(AgentCallbackHandler.__mro__[2].__name__)"
    )
    shown = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert ("BaseCallbackHandler\n", "") == (shown.stdout, shown.stderr)
