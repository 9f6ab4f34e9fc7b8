"""What recording costs a run, measured: two reads of a clock a callback, none a token."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda

from agent_callbacks.recording import guard
from agent_callbacks.recording.meter import touched

if TYPE_CHECKING:
    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Spans

KEY = "agent_callbacks.run.handler_duration"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> itertools.count[int]:
    """Replace the meter's clock by one that moves on by a second whenever it is read."""
    clock = itertools.count()
    monkeypatch.setattr(guard, "perf_counter_ns", lambda: next(clock) * 10**9)
    return clock


def test_each_callback_is_measured(handler: AgentCallbackHandler, spans: Spans, reads: itertools.count[int]) -> None:
    """All but the one that ends the run, which says the sum; on its root alone."""
    chain = RunnableLambda(str.upper) | RunnableLambda(str.lower)
    chain.invoke("x", {"callbacks": [handler]})
    (root,) = spans.finished()
    assert {KEY: 5.0} == {key: value for key, value in (root.attributes or {}).items() if key == KEY}
    assert 2 * 6 == next(reads)


def test_a_token_is_not_measured(handler: AgentCallbackHandler, spans: Spans, reads: itertools.count[int]) -> None:
    """The clock is read at the start of the model and at its end, however many tokens come."""
    list(FakeListChatModel(responses=["a" * 50]).stream("x", {"callbacks": [handler]}))
    assert 1.0 == spans.attributes("llm.chat")[KEY]
    assert 50 <= spans.attributes("llm.chat")["agent_callbacks.llm.chunks"]
    assert 2 * 2 == next(reads)


def test_runs_are_measured_apart(handler: AgentCallbackHandler, spans: Spans, reads: itertools.count[int]) -> None:
    """What is recorded for one run while another is open counts for the one alone."""
    one, other, inner = uuid4(), uuid4(), uuid4()
    handler.on_chain_start({}, {}, run_id=one, name="one")
    handler.on_chain_start({}, {}, run_id=other, name="other")
    handler.on_tool_start({}, "", run_id=inner, parent_run_id=one, name="open")
    handler.on_chain_end({}, run_id=other)
    handler.on_tool_end("", run_id=inner)
    handler.on_chain_end({}, run_id=one)
    assert (3.0, 1.0) == tuple(spans.attributes(name)[KEY] for name in ("chain.one", "chain.other"))
    assert 2 * 6 == next(reads)


def test_what_is_for_no_run_is_not_counted(handler: AgentCallbackHandler, reads: itertools.count[int]) -> None:
    """An event that no run is known for leaves no meter behind for the next."""
    handler.on_chain_end({}, run_id=uuid4())
    assert touched.meter is None
    assert 1 == next(reads)


@pytest.mark.swallows
@pytest.mark.logs_expected
def test_a_failure_of_ours_is_measured(
    handler: AgentCallbackHandler, spans: Spans, reads: itertools.count[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the agent's time all the same."""

    def broken(*_: Any, **__: Any) -> None:
        raise KeyError

    run = uuid4()
    handler.on_chain_start({}, {}, run_id=run, name="one")
    with monkeypatch.context() as patch:
        patch.setattr(handler._recorder, "_happened", broken)
        handler.on_custom_event("progress", {}, run_id=run)
    handler.on_chain_end({}, run_id=run)
    assert 2.0 == spans.attributes("chain.one")[KEY]
    assert 2 * 3 == next(reads)
