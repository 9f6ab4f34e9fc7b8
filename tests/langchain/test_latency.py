"""Where the seconds of real LangGraph runs went, on a clock that only the model and the tools move."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.trace import SpanKind

from agent_callbacks import downstream
from agent_callbacks.analysis import LatencyReport, latency_report, load
from agent_callbacks.store.write import StoreExporter
from tests.langchain.models import ScriptedChat, calls, says

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Spans

NS = 10**9


class Clock:
    """Stands still unless somebody waits."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * NS

    def __call__(self) -> int:
        """Return the time in nanoseconds."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += round(seconds * NS)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock that spans are timed by, ours and those of instrumentations."""
    made = Clock()
    monkeypatch.setattr(time, "time_ns", made)
    monkeypatch.setattr(sdk_trace, "time_ns", made)
    return made


class Timed(ScriptedChat):
    """A model that takes 0.25 s to build a request, and 1 s to answer it; streamed, 0.5 s to each chunk after."""

    clock: Any
    spans: Any

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.clock.wait(0.25)
        with self.spans.provider.get_tracer("http").start_as_current_span("POST", kind=SpanKind.CLIENT):
            self.clock.wait(1)
        return super()._generate(messages)

    def _stream(self, messages: list[BaseMessage], *args: Any, **given: Any) -> Iterator[ChatGenerationChunk]:
        with self.spans.provider.get_tracer("http").start_as_current_span("POST", kind=SpanKind.CLIENT):
            self.clock.wait(1)
            for chunk in super()._stream(messages, *args, **given):
                yield chunk
                self.clock.wait(0.5)


def seconds(report: LatencyReport) -> dict[str, float]:
    """Return the components that took any time, in seconds."""
    return {one.component.value: one.time_ns / NS for one in report.components if one.time_ns}


def search(clock: Clock, spans: Spans) -> Any:
    """Make a tool that works for 0.5 s, waits 1.5 s for an instrumented host and 0.5 s for its disk."""

    @tool
    def search_web(query: str) -> str:
        """Search."""
        clock.wait(0.5)
        tracer = spans.provider.get_tracer("http")
        attributes = {"server.address": "search.example.com"}
        with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=attributes):
            clock.wait(1.5)
        with downstream("disk"):
            clock.wait(0.5)
        return query

    return search_web


ASKED = [("search_web", {"query": query}) for query in ("one", "two", "three")]


def test_sequential_tools_of_one_answer(
    handler: AgentCallbackHandler, spans: Spans, clock: Clock, tmp_path: Path
) -> None:
    """One at a time by configuration: the report says so, from memory as from the store."""
    model = Timed(script=[calls(*ASKED), says("done")], clock=clock, spans=spans)
    agent = create_agent(model, [search(clock, spans)], name="support")
    agent.invoke({"messages": [("user", "x")]}, {"callbacks": [handler], "max_concurrency": 1})
    (trace,) = load(spans.finished())
    report = latency_report(trace)
    assert {
        "request_serialization": 0.5, "model_answer": 2.0, "tool_marshaling": 1.5, "tool_downstream": 6.0,
    } == seconds(report)  # fmt: skip
    (finding,) = [finding for finding in report.findings if finding.kind == "sequential_calls"]
    assert finding.text.startswith(
        "7.5 of 10.0 s in 3 sequential calls of tool.search_web; up to 5.0 s could be saved by running them in parallel"
    )
    assert "one_answer" == finding.evidence
    assert ["4.5 of 10.0 s waiting for search.example.com"] == [
        finding.text.partition(" in ")[0] for finding in report.findings if finding.kind == "slow_peer"
    ]
    assert report.handler_ns is not None
    exporter = StoreExporter(tmp_path / "traces.db", max_age_seconds=1e12)
    exporter.export(spans.finished())
    exporter.shutdown()
    assert report == latency_report(load(tmp_path / "traces.db")[0])


def test_tools_over_steps(handler: AgentCallbackHandler, spans: Spans, clock: Clock) -> None:
    """The model looks at each result before it asks again: whether it had to is not known."""
    model = Timed(script=[*[calls(one) for one in ASKED], says("done")], clock=clock, spans=spans)
    agent = create_agent(model, [search(clock, spans)], name="support")
    agent.invoke({"messages": [("user", "x")]}, {"callbacks": [handler]})
    report = latency_report(load(spans.finished())[0])
    assert 12.5 * NS == report.duration_ns
    assert ["unknown_dependency"] == [one.evidence for one in report.findings if one.kind == "sequential_calls"]


def test_a_streamed_answer(handler: AgentCallbackHandler, spans: Spans, clock: Clock) -> None:
    """First token and output tokens are told apart; the framework's own last, empty chunk ends the stream."""
    model = Timed(script=[says("ab" * 12, input_tokens=10, output_tokens=4)], clock=clock, spans=spans)
    agent = create_agent(model, [], name="support")
    list(agent.stream({"messages": [("user", "x")]}, {"callbacks": [handler]}, stream_mode="messages"))
    report = latency_report(load(spans.finished())[0])
    assert {"time_to_first_token": 1.0, "output_tokens": 2.0} == seconds(report)
    assert [1.5] == [model.tokens_per_second for model in report.models]


def test_a_sub_agent_in_a_tool(handler: AgentCallbackHandler, spans: Spans, clock: Clock) -> None:
    """Its model is model time of the run; for the tool it is waiting, because the tool waits for it."""
    inner = create_agent(Timed(script=[says("inner")], clock=clock, spans=spans, provider="acme"), [], name="helper")

    @tool
    def ask_helper(query: str) -> str:
        """Ask."""
        clock.wait(0.5)
        return str(inner.invoke({"messages": [("user", query)]})["messages"][-1].content)

    model = Timed(script=[calls(("ask_helper", {"query": "x"})), says("done")], clock=clock, spans=spans)
    agent = create_agent(model, [ask_helper], name="support")
    agent.invoke({"messages": [("user", "x")]}, {"callbacks": [handler]})
    assert {"request_serialization": 0.75, "model_answer": 3.0, "tool_marshaling": 0.5} == seconds(
        latency_report(load(spans.finished())[0])
    )
    found = spans.attributes("tool.ask_helper")
    assert (1.25, 0.5) == tuple(found[f"agent_callbacks.tool.{kind}_duration"] for kind in ("downstream", "marshaling"))
    assert ("acme", "POST") == found["agent_callbacks.tool.downstream_peers"]
