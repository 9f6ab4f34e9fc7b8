"""Operations without a body of their own, decisions an adapter names, and what tools were asked for when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from agent_callbacks.recording import live
from agent_callbacks.recording.recorder import Recorder
from agent_callbacks.recording.steps import StepState, place_decided
from agent_callbacks.recording.values import (
    AgentRun,
    Asked,
    ModelCall,
    ModelResult,
    RequestedTool,
    Returned,
    RunResult,
    ToolCall,
    ToolResult,
)

if TYPE_CHECKING:
    from tests.conftest import Spans


class NoMessages:
    """Reads no messages."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked")


@pytest.fixture
def recorder(spans: Spans) -> Recorder:
    """Give a recorder into *spans*."""
    made: Any = NoMessages()
    return Recorder(made, spans.provider)


def current() -> int:
    """Return the span id that is current here."""
    return trace.get_current_span().get_span_context().span_id


def test_a_call_that_returned_goes_on_without_a_body(recorder: Recorder, spans: Spans) -> None:
    """After Returned nothing is current, its children still hang on it, and a visit makes it current for a block."""
    recorder.start("model", None, ModelCall())
    inside = current()
    recorder.note("model", Returned())
    assert 0 == current()
    assert 1 == recorder.open_runs
    with recorder.visit("model"):
        assert inside == current()
    assert 0 == current()
    recorder.start("tool", "model", ToolCall("x"))
    recorder.end("tool", ToolResult())
    recorder.end("model", ModelResult(), outcome="abandoned")
    assert "llm.chat\n  tool.x" == spans.tree()
    assert spans.attributes("llm.chat")["agent_callbacks.outcome"] == "abandoned"


def test_a_visit_to_what_is_over_changes_nothing(recorder: Recorder) -> None:
    """Visiting an operation that has ended, or none, is allowed."""
    with recorder.visit("gone"), recorder.visit(None):
        assert 0 == current()


def test_a_body_that_is_over_stays_over(recorder: Recorder) -> None:
    """A call that ended before it returned has nothing to go on with."""
    recorder.start("model", None, ModelCall())
    (operation,) = recorder.open_operations()
    body = operation.body
    assert body is not None
    recorder.end("model", ModelResult())
    assert live.apart(body) is body


def test_what_has_no_body_is_ended_by_its_end_alone(recorder: Recorder, spans: Spans) -> None:
    """An operation that spans several calls is nobody's current span, and is not swept with its parent's body."""
    recorder.start("run", None, AgentRun((None,)))
    recorder.start("stay", "run", AgentRun((None, "writer")), alone=True)
    around = current()
    recorder.start("model", "stay", ModelCall(decision="first"))
    recorder.end("model", ModelResult())
    assert around == current()
    recorder.end("stay", RunResult())
    recorder.end("run", RunResult())
    assert "agent.run\n  agent.run.writer\n    agent.step.1\n      llm.chat" == spans.tree()


def test_calls_of_one_decision_share_a_step() -> None:
    """The same name is the same step, another name the next one; steps are contiguous."""
    state, first = place_decided(StepState(), "a", 1)
    state, again = place_decided(state, "a", 2)
    state, following = place_decided(state, "b", 1)
    assert [(1, 1), (1, 2), (2, 1)] == [(place.index, place.attempt) for place in (first, again, following)]
    assert 2 == state.last


def test_a_tool_says_how_long_it_queued(recorder: Recorder, spans: Spans) -> None:
    """Queuing runs from when it was asked for."""
    recorder.start("run", None, AgentRun((None,)))
    recorder.note("run", Asked((RequestedTool("early", "c0"),)))
    recorder.start("model", "run", ModelCall(decision="a"))
    recorder.end("model", ModelResult())
    recorder.note("run", Asked((RequestedTool("x", "c1"), RequestedTool("x", "c1"), RequestedTool("y", None))))
    for key in ("one", "two", "three"):
        recorder.start(key, "run", ToolCall("x", "c1"))
        recorder.end(key, ToolResult())
    recorder.end("run", RunResult())
    found = [dict(span.attributes or {}) for span in spans.named("tool.x")]
    assert [True, True, False] == ["agent_callbacks.tool.queue_duration" in attributes for attributes in found]
    assert all(attributes["agent_callbacks.tool.queue_duration"] >= 0 for attributes in found[:2])


def test_a_fact_about_something_else_is_counted(recorder: Recorder) -> None:
    """Tools that something asked for which is no agent."""
    recorder.start("model", None, ModelCall())
    recorder.note("model", Asked(()))
    recorder.end("model", ModelResult())
    assert 1 == recorder.unmatched
