"""Where the seconds of a run went: worked examples whose answer is known, and rules that hold for any trace."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_callbacks.analysis import Component, Finding, LatencyReport, Span, Trace, latency_report
from agent_callbacks.analysis.trace import traces
from tests.analysis.simulated import NS, START, Run

C = Component


def seconds(report: LatencyReport) -> dict[str, float]:
    """Return the components that took any time, in seconds."""
    return {one.component.value: one.time_ns / NS for one in report.components if one.time_ns}


def found(report: LatencyReport, kind: str) -> list[Finding]:
    """Return the findings of *kind*."""
    return [finding for finding in report.findings if finding.kind == kind]


def codes(report: LatencyReport) -> dict[str, int]:
    """Return the blind spots with the number of spans each is about."""
    return {spot.code: len(spot.span_ids) for spot in report.blind_spots}


# --- worked examples -------------------------------------------------------------------------------------------------
def searches(*, over_steps: bool, **more: str) -> Run:
    """Make a run of 47 s: 4 s of model, 8 sequential vector searches of 4.25 s, 9 s of everything else."""
    run = Run()
    with run.span("agent.run.research", gen_ai__operation__name="invoke_agent"):
        run.wait(4.5)
        if over_steps:
            for number in range(1, 9):
                with run.step(number):
                    run.model(0.5)
                    run.tool("vector_search", 0.25, 4.0, "vectors.example.com", **more)
        else:
            with run.step(1):
                run.model(4.0)
                for _ in range(8):
                    run.tool("vector_search", 0.25, 4.0, "vectors.example.com", **more)
        run.wait(4.5)
    return run


def test_sequential_searches_of_one_answer() -> None:
    """The model asked for all of them at once: none can need another's result."""
    report = latency_report(searches(over_steps=False).trace)
    (finding,) = found(report, "sequential_calls")
    assert (
        "34.0 of 47.0 s in 8 sequential calls of tool.vector_search; up to 29.8 s could be saved by running them in "
        "parallel (one answer of the model asked for all of them)" == finding.text
    )
    assert ("one_answer", 34 * NS, 29_750_000_000, 8) == (
        finding.evidence, finding.time_ns, finding.saving_ns, len(finding.span_ids),
    )  # fmt: skip
    assert {"model_answer": 4.0, "tool_downstream": 32.0, "tool_marshaling": 2.0, "framework_overhead": 9.0} == seconds(
        report
    )
    assert (4 * NS, 34 * NS, 47 * NS) == (report.model_ns, report.tool_ns, report.duration_ns)


def test_sequential_searches_over_steps() -> None:
    """The same bound, but whether a search needed the one before cannot be told."""
    report = latency_report(searches(over_steps=True).trace)
    (finding,) = found(report, "sequential_calls")
    assert finding.text.startswith("34.0 of 47.0 s in 8 sequential calls of tool.vector_search; up to 29.8 s could be")
    assert ("unknown_dependency", 29_750_000_000) == (finding.evidence, finding.saving_ns)
    assert "the trace does not show" in finding.text


def test_one_slow_peer() -> None:
    """A run of 8.2 s, of which one tool waits 4.8 s for the CRM."""
    run = Run()
    with run.span("agent.run.support", gen_ai__operation__name="invoke_agent"):
        run.wait(0.4)
        with run.step(1):
            run.model(0.6, 0.4, serialization=0.3)
            run.tool("lookup_customer", 0.0, 4.8, "crm.example.com")
        with run.step(2):
            run.model(0.7, 0.4, serialization=0.3)
        run.wait(0.3)
    report = latency_report(run.trace)
    assert {
        "request_serialization": 0.6, "time_to_first_token": 1.3, "output_tokens": 0.8, "tool_downstream": 4.8,
        "framework_overhead": 0.7,
    } == pytest.approx(seconds(report))  # fmt: skip
    assert 2.1 == pytest.approx(report.model_ns / NS)
    (finding,) = found(report, "slow_peer")
    assert "4.8 of 8.2 s waiting for crm.example.com in 1 call of tool.lookup_customer" == finding.text
    assert [] == found(report, "sequential_calls")


def test_first_token_and_pace() -> None:
    """A prompt of 500 tokens at 300 ms, then 200 tokens at 40 a second, is 5.3 s."""
    run = Run()
    with run.span(
        "llm.chat", "CLIENT", gen_ai__usage__input_tokens=500, gen_ai__usage__output_tokens=200
    ) as attributes:
        run.wait(0.3)
        run.wait(5.0)
        attributes["gen_ai.response.time_to_first_chunk"] = 0.3
        attributes["agent_callbacks.llm.generation_duration"] = 5.0
        attributes["gen_ai.request.model"] = "gpt-5"
    report = latency_report(run.trace)
    assert {"time_to_first_token": 0.3, "output_tokens": 5.0} == pytest.approx(seconds(report))
    (model,) = report.models
    assert ("gpt-5", 5.3, 0.3, 5.0) == (
        model.model, model.duration_ns / NS, (model.first_token_ns or 0) / NS, (model.output_ns or 0) / NS,
    )  # fmt: skip
    assert 40 == pytest.approx(model.tokens_per_second, rel=0.01)
    assert {"serialization": 1} == codes(report)
    assert "inside time to first token" in report.blind_spots[0].text


@pytest.mark.parametrize(("reasoning", "first", "output"), [(None, 0.3, 0.7), (0, 0.3, 0.7), (40, 0.1, 0.9)])
def test_a_chunk_that_held_nothing_is_no_token(reasoning: int | None, first: float, output: float) -> None:
    """A server may send the role long before the model has begun; what a model that reasons sends first is a token."""
    run = Run()
    with run.span("llm.chat", "CLIENT") as attributes:
        run.wait(1.0)
        attributes["gen_ai.response.time_to_first_chunk"] = 0.1
        attributes["agent_callbacks.llm.time_to_first_content"] = 0.3
        attributes["agent_callbacks.llm.generation_duration"] = 0.9
        if reasoning is not None:
            attributes["gen_ai.usage.reasoning.output_tokens"] = reasoning
    assert {"time_to_first_token": first, "output_tokens": output} == pytest.approx(seconds(latency_report(run.trace)))


@pytest.mark.parametrize("seed", range(40))
def test_random_runs_are_told_as_they_were(seed: int) -> None:
    """Every component of a simulated run is found within a hundredth of the run, and nothing is left unattributed."""
    dice = random.Random(seed)  # noqa: S311 - a seeded run is what is wanted
    truth: dict[str, float] = {}
    run = Run()

    def part(component: str, most: float) -> float:
        length = dice.randrange(1, round(most * 1000)) / 1000
        truth[component] = truth.get(component, 0.0) + length
        return length

    def agent(name: str, depth: int) -> None:
        with run.span(f"agent.run.{name}", gen_ai__operation__name="invoke_agent"):
            run.wait(part("framework_overhead", 0.2))
            steps = dice.randint(1, 4)
            for number in range(1, steps + 1):
                with run.step(number):
                    run.model(
                        part("time_to_first_token", 1),
                        part("output_tokens", 2),
                        serialization=part("request_serialization", 0.1),
                    )
                    if number == steps:
                        continue
                    for _ in range(dice.randint(1, 3)):
                        queued = part("tool_queue", 0.2)
                        run.wait(queued)
                        run.tool(
                            dice.choice(["search", "lookup"]),
                            part("tool_marshaling", 0.3),
                            part("tool_downstream", 3),
                            agent_callbacks__tool__queue_duration=queued,
                        )
                    if depth and dice.random() < 0.5:
                        with run.span("tool.delegate", gen_ai__operation__name="execute_tool"):
                            run.wait(part("tool_marshaling", 0.2))
                            agent("helper", depth - 1)
                            run.wait(part("tool_marshaling", 0.2))
                run.wait(part("context_injection", 0.2) if number < steps else 0)
            run.wait(part("framework_overhead", 0.2))

    agent("main", 2)
    report = latency_report(run.trace)
    got = seconds(report)
    # Before the first of several tools the framework queues them; between two it has not begun the next.
    assert set(truth) == set(got)
    for component, expected in truth.items():
        assert expected == pytest.approx(got[component], abs=0.01 * report.duration_ns / NS), component
    assert 0 == report.time(C.UNATTRIBUTED)
    assert {one.component: one.time_ns for one in report.components} == {
        one.component: one.work_ns
        if one.component not in {C.FRAMEWORK_OVERHEAD, C.CONTEXT_INJECTION, C.COORDINATION}
        else one.time_ns
        for one in report.components
    }


# --- any trace -------------------------------------------------------------------------------------------------------
NAMES = (
    "agent.run.a", "agent.step.1", "agent.step.2", "llm.chat", "llm.embeddings", "tool.x", "tool.y", "retriever.docs",
    "chain.c", "node.n", "POST", "work",
)  # fmt: skip
ATTRIBUTES = (
    "gen_ai.response.time_to_first_chunk", "agent_callbacks.llm.time_to_first_content",
    "agent_callbacks.llm.generation_duration", "agent_callbacks.tool.downstream_duration",
    "agent_callbacks.tool.queue_duration",
)  # fmt: skip


@st.composite
def any_trace(draw: st.DrawFn) -> Trace:
    """Give a trace of spans that overlap, overflow their parents, last no time, never end, and lack their parents."""
    count = draw(st.integers(1, 14))
    spans: list[Span] = []
    for number in range(count):
        start = draw(st.integers(0, 30))
        parent = draw(st.integers(-1, number - 1)) if number else -1
        spans.append(
            Span(
                "t", str(number), str(parent) if parent >= 0 else draw(st.sampled_from([None, "gone"])),
                draw(st.sampled_from(NAMES)), draw(st.sampled_from(["INTERNAL", "CLIENT"])), START + start,
                draw(st.sampled_from([0, START, START + start])) if draw(st.booleans()) and draw(st.booleans())
                else START + start + draw(st.integers(0, 30)),
                attributes={
                    key: draw(st.integers(0, 40)) / NS for key in ATTRIBUTES if draw(st.booleans())
                },
            )
        )  # fmt: skip
    return traces(spans)[0]


@given(any_trace())
def test_segments_tile_the_root_exactly(trace: Trace) -> None:
    """From the root's start to its end, without gap or overlap, none empty; and the components add up to it."""
    report = latency_report(trace)
    reached = report.start_ns
    for segment in report.segments:
        assert reached == segment.start_ns < segment.end_ns
        reached = segment.end_ns
    assert report.start_ns + report.duration_ns == reached
    assert report.duration_ns == sum(one.time_ns for one in report.components)
    assert {segment.span_id for segment in report.segments} <= set(report.critical_path)
    assert all(one.work_ns >= 0 for one in report.components)


@given(any_trace())
def test_no_span_is_charged_for_more_than_it_lasted(trace: Trace) -> None:
    """A segment lies inside its span; only one that never ended has no end to lie inside of."""
    known = {span.span_id: span for span in trace.spans}
    for segment in latency_report(trace).segments:
        span = known[segment.span_id]
        assert span.start_ns <= segment.start_ns
        assert span.end_ns == 0 or segment.end_ns <= span.end_ns


def test_a_root_of_no_length() -> None:
    """Nothing to divide, and nothing divides by it."""
    span = Span("t", "a", None, "agent.run", "INTERNAL", START, START)
    report = latency_report(Trace("t", (span,)))
    assert ((), 0, {0.0}) == (report.segments, report.duration_ns, {one.share for one in report.components})


def test_thousands_of_nested_spans() -> None:
    """Neither the stack nor patience runs out."""
    depth = 3000
    spans = [
        Span("t", str(at), str(at - 1) if at else None, "work", "INTERNAL", START + at, START + 3 * depth - at)
        for at in range(depth)
    ]
    assert 2 * depth - 1 == len(latency_report(traces(spans)[0]).segments)


def test_a_reader_can_move_a_trace() -> None:
    """The report depends on nothing but the trace: another origin of time gives the same report."""
    trace = searches(over_steps=True).trace
    moved = Trace(
        trace.trace_id,
        tuple(replace(span, start_ns=span.start_ns + 7, end_ns=span.end_ns + 7) for span in trace.spans),
    )
    one, other = latency_report(trace), latency_report(moved)
    assert (one.components, one.findings, one.critical_path) == (other.components, other.findings, other.critical_path)
