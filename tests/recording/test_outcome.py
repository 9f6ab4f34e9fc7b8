"""How a run turned out: recorded long after, kept by the store, read back with the run and apart from its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agent_callbacks import Settings, record_outcome
from agent_callbacks.analysis import RunOutcome, load
from agent_callbacks.analysis.outcome import outcomes
from agent_callbacks.analysis.span import Event, Span
from agent_callbacks.recording import process
from agent_callbacks.recording.recorder import Recorder
from agent_callbacks.recording.values import ChainRun, RunResult
from agent_callbacks.store.read import Store
from agent_callbacks.store.write import StoreExporter

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Spans

TRACE = "0af7651916cd43dd8448eb211c80319c"


class NoReader:
    """Reads no messages."""

    def is_message(self, value: object) -> bool:
        """Say that nothing is one."""
        return False


def run(spans: Spans) -> Recorder:
    """Record one run and return what recorded it."""
    recorder = Recorder(NoReader(), spans.provider)  # type: ignore[arg-type]
    recorder.start("run", None, ChainRun("support"))
    recorder.end("run", RunResult())
    return recorder


def said(spans: Spans) -> list[tuple[Any, ...]]:
    """Return the outcomes of the only trace."""
    (trace,) = load(spans.finished())
    return [(one.name, one.score, one.label, one.explanation) for one in trace.outcomes]


def test_outcome_belongs_to_the_run(spans: Spans) -> None:
    """An outcome recorded after a run is below its root, in the same trace, and shown by the trace."""
    recorder = run(spans)
    record_outcome(str(recorder.last_trace_id), "resolved", 1, tracer_provider=spans.provider)
    (trace,) = load(spans.finished())
    assert [("resolved", 1.0)] == [(one.name, one.score) for one in trace.outcomes]
    assert [trace.root.span_id] == [span.parent_id for span in trace.evaluations]


def test_outcome_takes_no_time_of_the_run(spans: Spans) -> None:
    """A run does not get longer, nor its tree larger, because somebody judged it later."""
    recorder = run(spans)
    (before,) = load(spans.finished())
    record_outcome(str(recorder.last_trace_id), "resolved", 1, tracer_provider=spans.provider)
    (after,) = load(spans.finished())
    assert (before.tree(), before.duration) == (after.tree(), after.duration)


def test_outcome_of_another_process(spans: Spans) -> None:
    """A process that never saw the run puts the outcome into its trace all the same."""
    record_outcome(TRACE.upper(), "resolved", 0.5, label="partly", explanation="why", tracer_provider=spans.provider)
    (trace,) = load(spans.finished())
    assert TRACE == trace.trace_id
    assert [("resolved", 0.5, "partly", "why")] == said(spans)
    assert trace.root.parent_id == TRACE[16:]


def test_trace_id_that_ends_in_zeros_is_one(spans: Spans) -> None:
    """The id of a parent nobody knows is never the invalid one, which would start another trace."""
    trace_id = "1" + "0" * 31
    record_outcome(trace_id, "resolved", 1, tracer_provider=spans.provider)
    assert [trace_id] == [trace.trace_id for trace in load(spans.finished())]


def test_span_can_be_named(spans: Spans) -> None:
    """The span that was judged is the parent where the caller knows it."""
    record_outcome(TRACE, "grounded", 1, span_id="00f067aa0ba902b7", tracer_provider=spans.provider)
    (trace,) = load(spans.finished())
    assert trace.root.parent_id == "00f067aa0ba902b7"


def test_global_provider_is_the_default(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a provider the outcome goes where the application's spans go."""
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: spans.provider)
    record_outcome(TRACE, "resolved", 1)
    assert [("resolved", 1.0, None, None)] == said(spans)


def test_store_keeps_outcomes(spans: Spans, tmp_path: Path) -> None:
    """What was recorded minutes later is in the store with the run it belongs to."""
    exporter = StoreExporter(tmp_path / "traces.db")
    spans.provider.add_span_processor(SimpleSpanProcessor(exporter))
    recorder = run(spans)
    record_outcome(str(recorder.last_trace_id), "resolved", 1, label="yes", tracer_provider=spans.provider)
    exporter.force_flush()
    exporter.shutdown()
    (trace,) = load(tmp_path / "traces.db")
    assert [("resolved", 1.0, "yes")] == [(one.name, one.score, one.label) for one in trace.outcomes]
    assert trace.tree() == "chain.support"
    with Store(tmp_path / "traces.db") as store:
        (summary,) = store.traces()
    assert trace.end_ns == summary.end_ns


def test_text_is_sanitized(spans: Spans) -> None:
    """An explanation that quotes the customer leaves without the customer's address."""
    record_outcome(
        TRACE,
        "resolved",
        0,
        label="ann@example.com",
        explanation="ann@example.com wrote",
        tracer_provider=spans.provider,
    )
    assert [("resolved", 0.0, "[EMAIL", "[EMAIL")] == [
        (name, score, label[:6], why[:6]) for name, score, label, why in said(spans)
    ]


def test_disabled_records_nothing(spans: Spans) -> None:
    """Where the package is switched off, outcomes are too."""
    undo = process.use_settings(Settings(enabled=False))
    try:
        record_outcome(TRACE, "resolved", 1, tracer_provider=spans.provider)
    finally:
        undo()
    assert () == spans.finished()


@pytest.mark.swallows
@pytest.mark.logs_expected
def test_failure_does_not_reach_the_application(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong while writing is counted, not raised."""

    def fails(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("agent_callbacks.recording.writer.SpanWriter.evaluation", fails)
    record_outcome(TRACE, "resolved", 1, tracer_provider=spans.provider)
    assert () == spans.finished()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (("abc", "resolved", 1), {}, ValueError, "trace_id=.*3 characters.*32 hex digits"),
        (("0" * 32, "resolved", 1), {}, ValueError, "trace_id=.*not all zero"),
        ((TRACE + "0", "resolved", 1), {}, ValueError, "33 characters"),
        ((7, "resolved", 1), {}, TypeError, "trace_id=.*a int"),
        ((TRACE, "", 1), {}, ValueError, "name=.*1 to 128"),
        ((TRACE, "x" * 129, 1), {}, ValueError, "name=.*129"),
        ((TRACE, None, 1), {}, TypeError, "name=.*NoneType"),
        ((TRACE, "resolved", float("nan")), {}, ValueError, "score=.*finite"),
        ((TRACE, "resolved", 10**400), {}, ValueError, "score=.*finite"),
        ((TRACE, "resolved", "1"), {}, TypeError, "score=.*a str"),
        ((TRACE, "resolved"), {}, ValueError, "neither score nor label"),
        ((TRACE, "resolved"), {"label": 3}, TypeError, "label=.*a int"),
        ((TRACE, "resolved", 1), {"span_id": "xyz"}, ValueError, "span_id=.*16 hex digits"),
    ],
)
def test_bad_arguments_are_named(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A bad argument is refused with its name, the rule and the way out."""
    with pytest.raises(error, match=words):
        record_outcome(*arguments, **options)


def test_events_of_others_count() -> None:
    """An evaluator's event on any span is an outcome, in order of time; one without a name or a number says less."""

    def event(at: int, **said: Any) -> Event:
        return Event("gen_ai.evaluation.result", at, {f"gen_ai.evaluation.{key}": said[key] for key in said})

    events = (
        event(2, name="b", **{"score.value": 2}),
        event(1, name="a", **{"score.value": float("inf")}),
        event(3, explanation="no name"),
        Event("other", 1, {}),
    )
    span = Span(TRACE, "1" * 16, None, "llm.chat", "CLIENT", 1, 4, events=events)
    assert (RunOutcome("a", None, None, None, 1), RunOutcome("b", 2.0, None, None, 2)) == outcomes([span])
