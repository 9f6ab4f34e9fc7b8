"""Metrics: what is measured, under which bounded attributes, sampled or not, and at no cost where nobody reads."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry import metrics as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN

from agent_callbacks import NamingConvention, Settings
from agent_callbacks.convention import keys
from agent_callbacks.convention.names import Namer
from agent_callbacks.metadata import Request
from agent_callbacks.recording import metrics
from agent_callbacks.recording.recorder import Recorder
from agent_callbacks.recording.values import (
    AgentRun,
    ModelCall,
    ModelResult,
    RequestedTool,
    RunResult,
    ToolCall,
    ToolResult,
    Usage,
)  # fmt: skip
from tests.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Spans

SECOND: Final = 10**9
START: Final = 1_700_000_000 * SECOND


class NoReader:
    """Reads no messages."""

    def is_message(self, value: object) -> bool:
        """Say that nothing is one."""
        return False


@pytest.fixture
def measured() -> Iterator[Measured]:
    """Give a meter provider of this test alone."""
    made = Measured()
    yield made
    made.provider.shutdown()


def run(recorder: Recorder, *, fails: bool = False) -> None:
    """Record a run of two seconds with one model call and one tool."""
    who = Request(user_id="u-17", session_id="s-9")
    recorder.start("run", None, AgentRun(("support",), request=who), START)
    call = ModelCall(provider="openai", model="gpt-4o", request=who)
    recorder.start("llm", "run", call, START)
    result = ModelResult("gpt-4o-1", usage=Usage(100, 20), tool_calls=(RequestedTool("search_web", "c1"),))
    recorder.end("llm", result, START + SECOND // 2)
    recorder.start("tool", "run", ToolCall("search_web", call_id="c1", request=who), START + SECOND // 2)
    if fails:
        recorder.fail("tool", TimeoutError(), START + SECOND)
    else:
        recorder.end("tool", ToolResult(), START + SECOND)
    recorder.end("run", RunResult(), START + 2 * SECOND)


def recorded(spans: Spans, measured: Measured, **options: Any) -> Measured:
    """Record a run on both providers and return the second."""
    run(Recorder(NoReader(), spans.provider, measured.provider), **options)  # type: ignore[arg-type]
    return measured


def test_durations_are_the_spans(spans: Spans, measured: Measured) -> None:
    """Each operation's duration is in the standard's metric, in seconds."""
    recorded(spans, measured)
    assert {"chat": 0.5} == measured.sums(keys.METRIC_OPERATION_DURATION, keys.OPERATION_NAME)
    assert {"search_web": 0.5} == measured.sums(keys.METRIC_TOOL_DURATION, keys.TOOL_NAME)
    assert {"support": 2.0} == measured.sums(keys.METRIC_AGENT_DURATION, keys.AGENT_NAME)
    assert {"search_web": 0.5} == measured.sums(keys.TOOL_MARSHALING_DURATION, keys.TOOL_NAME)
    assert {"search_web": 0.0} == measured.sums(keys.TOOL_DOWNSTREAM_DURATION, keys.TOOL_NAME)


def test_reported_tokens_are_measured(spans: Spans, measured: Measured) -> None:
    """Input and output tokens are told apart by the standard's attribute."""
    recorded(spans, measured)
    assert {"input": 100, "output": 20} == measured.sums(keys.METRIC_TOKEN_USAGE, keys.TOKEN_TYPE)


def test_nobody_is_named(spans: Spans, measured: Measured) -> None:
    """Neither user nor session is on any metric."""
    recorded(spans, measured)
    found = measured.points()
    said = {key for points in found.values() for point in points for key in point.attributes}
    assert keys.PROVIDER_NAME in said
    assert not {keys.USER_ID, keys.SESSION_ID, keys.CONVERSATION_ID, keys.METADATA} & said


def test_failure_is_told_apart(spans: Spans, measured: Measured) -> None:
    """A tool that raised is measured under the type of its error."""
    recorded(spans, measured, fails=True)
    assert {"TimeoutError": 0.5} == measured.sums(keys.METRIC_TOOL_DURATION, keys.ERROR_TYPE)


def test_exemplar_finds_the_span(spans: Spans, measured: Measured) -> None:
    """A point's exemplar names the span it came from, also where that is not current when it ends."""
    recorder = Recorder(NoReader(), spans.provider, measured.provider)  # type: ignore[arg-type]
    recorder.start("tool", None, ToolCall("search_web"), START)
    contextvars.Context().run(recorder.end, "tool", ToolResult(), START + SECOND)
    (point,) = measured.points()[keys.METRIC_TOOL_DURATION]
    assert [spans.one("tool.search_web").context.span_id] == [exemplar.span_id for exemplar in point.exemplars]


def test_unsampled_runs_count(measured: Measured) -> None:
    """A run that no trace is kept of is measured like any other."""
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    run(Recorder(NoReader(), provider, measured.provider))  # type: ignore[arg-type]
    assert {"chat": 0.5} == measured.sums(keys.METRIC_OPERATION_DURATION, keys.OPERATION_NAME)
    assert {"input": 100, "output": 20} == measured.sums(keys.METRIC_TOKEN_USAGE, keys.TOKEN_TYPE)


def test_boundaries_are_the_standards(spans: Spans, measured: Measured) -> None:
    """Buckets are those the conventions advise, so that dashboards of others fit."""
    recorded(spans, measured)
    (point,) = measured.points()[keys.METRIC_OPERATION_DURATION]
    assert (0.01, 0.02, 81.92, 14) == (*point.explicit_bounds[:2], point.explicit_bounds[-1], 14)
    assert 14 == len(point.explicit_bounds)


@pytest.fixture
def bound(measured: Measured) -> metrics.Metrics:
    """Give what records to *measured*."""
    found = metrics.bind(measured.provider, Namer(NamingConvention(), lambda text: text))
    assert found is not None
    return found


def test_step_tokens_by_bucket_and_cost(bound: metrics.Metrics, measured: Measured) -> None:
    """A step's tokens are measured by what they were, and its cost, for each agent."""
    given: dict[str, Any] = dict(zip(keys.STEP_TOKENS, (3500, 4200, 0, 800, 0), strict=True))
    bound.step(INVALID_SPAN, {keys.STEP_AGENT: "support", keys.STEP_INDEX: 3}, {**given, keys.STEP_COST: 0.02})
    assert {"system_prompt": 3500, "tool_schemas": 4200, "history": 0, "tool_outputs": 800, "other": 0} == (
        measured.sums(keys.METRIC_STEP_TOKENS, keys.TOKEN_BUCKET)
    )
    assert {"support": 0.02} == measured.sums(keys.STEP_COST, keys.AGENT_NAME)


def test_unknown_costs_are_not_measured(bound: metrics.Metrics, measured: Measured) -> None:
    """A step whose cost is not known is in no metric, least of all as 0."""
    bound.step(INVALID_SPAN, {keys.STEP_AGENT: "support"}, {keys.STEP_INPUT_TOKENS: 5})
    assert {} == measured.points()


def test_streaming_is_measured(bound: metrics.Metrics, measured: Measured) -> None:
    """The time to the first chunk and the time for each token are measured where an answer was streamed."""
    found: dict[str, Any] = {keys.TIME_TO_FIRST_CHUNK: 0.3, keys.TIME_PER_OUTPUT_TOKEN: 0.025}
    bound.operation(INVALID_SPAN, SECOND, {keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: "m"}, found)
    assert {"m": 0.3} == measured.sums(keys.METRIC_TIME_TO_FIRST_CHUNK, keys.REQUEST_MODEL)
    assert {"m": 0.025} == measured.sums(keys.TIME_PER_OUTPUT_TOKEN, keys.REQUEST_MODEL)


def test_estimates_are_no_usage(bound: metrics.Metrics, measured: Measured) -> None:
    """Tokens that were estimated are not among those providers report."""
    found: dict[str, Any] = {keys.TOKENS_USAGE_ESTIMATED: True, keys.USAGE_INPUT_TOKENS: 7}
    bound.operation(INVALID_SPAN, SECOND, {keys.OPERATION_NAME: "chat"}, found)
    assert keys.METRIC_TOKEN_USAGE not in measured.points()


def test_other_spans_are_not_measured(bound: metrics.Metrics, measured: Measured) -> None:
    """A span without an operation of the standard's, such as a graph's node, has no metric."""
    bound.operation(INVALID_SPAN, SECOND, {keys.NODE_NAME: "plan"}, {})
    assert {} == measured.points()


def test_names_follow_the_convention(bound: metrics.Metrics, measured: Measured) -> None:
    """Tools, agents, chains and sources have the names their spans have."""
    for operation, key, metric in (
        ("execute_tool", keys.TOOL_NAME, keys.METRIC_TOOL_DURATION),
        ("invoke_agent", keys.AGENT_NAME, keys.METRIC_AGENT_DURATION),
        ("invoke_workflow", keys.WORKFLOW_NAME, keys.METRIC_WORKFLOW_DURATION),
        ("retrieval", keys.DATA_SOURCE_ID, keys.METRIC_OPERATION_DURATION),
    ):
        bound.operation(INVALID_SPAN, SECOND, {keys.OPERATION_NAME: operation, key: "My Orders"}, {})
        assert {"my_orders": 1.0} == measured.sums(metric, key)


def test_values_are_bounded(bound: metrics.Metrics, measured: Measured) -> None:
    """However many models are asked, a backend sees a bounded number of them."""
    for number in range(metrics.MOST_VALUES + 50):
        bound.operation(INVALID_SPAN, SECOND, {keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: f"m-{number}"}, {})
    found = measured.sums(keys.METRIC_OPERATION_DURATION, keys.REQUEST_MODEL)
    assert metrics.MOST_VALUES + 1 == len(found)
    assert 50 == found[metrics.OTHER]


def test_instruments_are_made_once(measured: Measured, spans: Spans, nothing_logged: Any) -> None:
    """Many handlers share one meter provider's instruments: a second set would be warned of by the SDK."""
    for _ in range(3):
        recorded(spans, measured)
    assert 3 == sum(point.count for point in measured.points()[keys.METRIC_OPERATION_DURATION])
    assert [] == nothing_logged.kept


@pytest.mark.parametrize("provider", [api.NoOpMeterProvider(), api.get_meter_provider()], ids=["noop", "proxy"])
def test_nothing_is_bound_where_nothing_is_measured(provider: Any, spans: Spans) -> None:
    """Without a meter provider there is nothing to call, so a run pays for no metric."""
    assert Recorder(NoReader(), spans.provider, provider).metrics is None  # type: ignore[arg-type]


def test_nothing_is_bound_where_the_meter_is_none(monkeypatch: pytest.MonkeyPatch, measured: Measured) -> None:
    """A provider that is switched off hands out meters that do nothing: they are not called either."""
    monkeypatch.setattr(measured.provider, "get_meter", lambda *_: api.NoOpMeter("none"))
    assert metrics.bind(measured.provider, Namer(NamingConvention(), lambda text: text)) is None


def test_disabled_binds_nothing(spans: Spans, measured: Measured) -> None:
    """Where the package is switched off, metrics are too."""
    settings = Settings(enabled=False)
    assert Recorder(NoReader(), spans.provider, measured.provider, settings).metrics is None  # type: ignore[arg-type]


def test_global_provider_may_come_late(spans: Spans, measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter provider set after the handler was made counts from the next run on."""
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: spans.provider)
    recorder = Recorder(NoReader())  # type: ignore[arg-type]
    assert recorder.metrics is None
    monkeypatch.setattr("opentelemetry.metrics.get_meter_provider", lambda: measured.provider)
    run(recorder)
    assert {"chat": 0.5} == measured.sums(keys.METRIC_OPERATION_DURATION, keys.OPERATION_NAME)
