"""What could be faster, and what cannot be seen: each finding with its evidence, each blind spot with its spans."""

from __future__ import annotations

import pytest

from agent_callbacks.analysis import Event, Span, latency_report
from agent_callbacks.analysis.kinds import kind_of
from agent_callbacks.analysis.trace import traces
from tests.analysis.simulated import NS, START, Run
from tests.analysis.test_latency import codes, found, seconds

AGENT = {"gen_ai__operation__name": "invoke_agent"}
TOOL = {"gen_ai__operation__name": "execute_tool"}


def made(
    name: str, start: float, end: float, parent: str | None = "root", kind: str = "INTERNAL", **more: object
) -> Span:
    """Make a span by its times in seconds; its id is its name, or ``id`` if given."""
    identifier = str(more.pop("id", name))
    attributes = {key.replace("__", "."): value for key, value in more.items()}
    return Span(
        "t", identifier, parent, name, kind, START + round(start * NS), START + round(end * NS) if end else 0,
        attributes=attributes,  # type: ignore[arg-type]
    )  # fmt: skip


# --- calls that could run in parallel --------------------------------------------------------------------------------
def test_different_tools_of_one_answer() -> None:
    """They are named in their order; beyond three, by number."""
    run = Run()
    with run.span("agent.run", **AGENT), run.step(1):
        run.model(0.1)
        for name in ("a", "b", "c", "d", "e"):
            run.tool(name, 1.0)
    (finding,) = found(latency_report(run.trace), "sequential_calls")
    assert finding.text.startswith(
        "5.0 of 5.1 s in 5 sequential calls of tool.a, tool.b, tool.c and 2 more; up to 4.0 s"
    )


def test_what_runs_in_parallel_already_is_no_finding() -> None:
    """Only the longest is on the critical path: nothing is left to save; and it shows as work beside the path."""
    spans = [
        made("agent.run", 0, 10, None, id="root"),
        made("agent.step.1", 0, 10, id="step"),
        made("llm.chat", 0, 1, "step", "CLIENT"),
        *[made("tool.x", 1 + at / 1000, 10 - at / 10, "step", id=f"x{at}") for at in range(5)],
    ]
    report = latency_report(traces(spans)[0])
    assert [] == found(report, "sequential_calls")
    (marshaling,) = [one for one in report.components if one.component == "tool_marshaling"]
    assert marshaling.work_ns > 4 * marshaling.time_ns


def test_a_retry_is_no_sequence() -> None:
    """A call that is made again because it failed cannot run beside the first."""
    run = Run()
    with run.span("agent.run", **AGENT), run.step(1):
        run.model(0.1)
        run.tool("x", 1.0)
        run.tool("x", 1.0, agent_callbacks__retry__attempt=2)
    assert [] == found(latency_report(run.trace), "sequential_calls")


def test_calls_without_steps() -> None:
    """A chain that retrieves twice before it asks the model: code decided that; what comes after is less sure."""
    run = Run()
    with run.span("chain.rag", gen_ai__operation__name="invoke_workflow"):
        for _ in range(2):
            with run.span("retriever.docs", "CLIENT", gen_ai__operation__name="retrieval"):
                run.wait(1.0)
        run.model(0.5)
        with run.span("retriever.docs", "CLIENT", gen_ai__operation__name="retrieval"):
            run.wait(1.0)
    report = latency_report(run.trace)
    assert [("unknown_dependency", 3), ("no_model_between", 2)] == [
        (finding.evidence, len(finding.span_ids)) for finding in found(report, "sequential_calls")
    ]


def test_a_query_in_a_loop() -> None:
    """Requests to one peer in one tool: the trace does not show whether they need each other."""
    run = Run()
    with run.span("tool.report", **TOOL):
        for _ in range(3):
            with run.span("SELECT", "CLIENT", db__system="postgresql", db__name="orders"):
                run.wait(1.0)
    (finding,) = found(latency_report(run.trace), "sequential_calls")
    assert ("unknown_dependency", 2 * NS) == (finding.evidence, finding.saving_ns)
    assert "3 sequential calls of SELECT" in finding.text


ARGUMENTS, RESULT = "gen_ai__tool__call__arguments", "gen_ai__tool__call__result"


@pytest.mark.parametrize(
    ("expected", "first", "second"),
    [
        ("unrelated_arguments", {ARGUMENTS: '{"city":"Rome"}', RESULT: "sunny, 24"}, {ARGUMENTS: '{"city":"Oslo"}'}),
        ("unknown_dependency", {ARGUMENTS: '{"city":"Rome"}', RESULT: "as in Oslo"}, {ARGUMENTS: '{"city":"Oslo"}'}),
        ("unknown_dependency", {ARGUMENTS: '{"city":"Rome"}'}, {ARGUMENTS: '{"city":"Oslo"}'}),
        ("unknown_dependency", {RESULT: "sunny"}, {}),
    ],
)
def test_recorded_content_tells_dependence(expected: str, first: dict[str, str], second: dict[str, str]) -> None:
    """An argument that occurs in an earlier result may come from there; without content nothing is known."""
    run = Run()
    with run.span("agent.run", **AGENT):
        for number, content in ((1, first), (2, second)):
            with run.step(number):
                run.model(0.1)
                run.tool("weather", 1.0, **content)
    (finding,) = found(latency_report(run.trace), "sequential_calls")
    assert expected == finding.evidence


def test_what_one_answer_shows_is_not_told_again_over_steps() -> None:
    """Two searches in each of two steps: the weaker claim is made only for what it adds."""
    run = Run()
    with run.span("agent.run", **AGENT):
        for number in (1, 2):
            with run.step(number):
                run.model(0.1)
                run.tool("search", 2.0)
                run.tool("search", 0.1 if number == 2 else 2.0)
    evidence = [finding.evidence for finding in found(latency_report(run.trace), "sequential_calls")]
    assert ["unknown_dependency", "one_answer"] == evidence


# --- what is slow ----------------------------------------------------------------------------------------------------
def test_peers_are_added_up_over_tools() -> None:
    """With the longest call; short waits are not worth a word."""
    run = Run()
    with run.span("agent.run", **AGENT), run.step(1):
        run.model(1.0)
        run.tool("a", 0.0, 2.0, "crm")
        run.tool("b", 0.0, 3.0, "crm")
        run.tool("c", 0.0, 0.1, "cache")
    (finding,) = found(latency_report(run.trace), "slow_peer")
    assert "5.0 of 6.1 s waiting for crm in 2 calls of tool.a, tool.b, the longest 3.0 in tool.b" == finding.text


def test_blocks_that_no_span_shows() -> None:
    """What ``downstream()`` recorded is waiting, and named; when it was is not known, and said."""
    run = Run()
    more = {
        "agent_callbacks__tool__downstream_duration": 3.0,
        "agent_callbacks__tool__downstream_peers": ("disk", "openai"),
        "agent_callbacks__tool__downstream_peer_durations": (3.0, 1.0),
        "agent_callbacks__tool__downstream_method": "blocks",
    }
    with run.span("agent.run", **AGENT), run.step(1), run.span("tool.read", **TOOL, **more):
        run.model(1.0)
        run.wait(4.0)
    report = latency_report(run.trace)
    assert {"model_answer": 1.0, "tool_downstream": 2.0, "tool_marshaling": 2.0} == seconds(report)
    assert [False, False] == [segment.exact for segment in report.segments if segment.component.startswith("tool")]
    assert {"blocks_only", "placed"} <= set(codes(report))
    assert ["3.0 of 5.0 s waiting for disk in 1 call of tool.read"] == [
        finding.text for finding in found(report, "slow_peer") if "disk" in finding.text
    ]


def test_what_is_not_a_peer_is_passed_over() -> None:
    """Lists that somebody else wrote under our keys say nothing."""
    run = Run()
    more = {
        "agent_callbacks__tool__downstream_peers": ("disk", 7),
        "agent_callbacks__tool__downstream_peer_durations": ("long", 2.0),
    }
    with run.span("tool.read", **TOOL, **more):
        run.wait(2.0)
    assert () == latency_report(run.trace).findings


def test_blocks_without_names() -> None:
    """A recorder that says only how long: something outside."""
    run = Run()
    with run.span("tool.read", **TOOL, agent_callbacks__tool__downstream_duration=2.0):
        run.wait(2.0)
    report = latency_report(run.trace)
    assert {"tool_downstream": 2.0} == seconds(report)
    assert [True] == [segment.exact for segment in report.segments]
    assert ["2.0 of 2.0 s waiting for something outside in 1 call of tool.read"] == [
        finding.text for finding in report.findings
    ]


def test_nested_tools_count_a_block_once() -> None:
    """The outer tool's sum holds the inner one's: it is the inner one's time."""
    run = Run()
    more = {"agent_callbacks__tool__downstream_duration": 2.0}
    with run.span("tool.outer", **TOOL, **more):
        run.wait(1.0)
        with run.span("tool.inner", **TOOL, **more):
            run.wait(2.0)
    assert {"tool_downstream": 2.0, "tool_marshaling": 1.0} == seconds(latency_report(run.trace))


def test_queues_first_tokens_and_framework() -> None:
    """Each is told where it is a large part of the run."""
    run = Run()
    with run.span("agent.run", **AGENT):
        run.wait(0.15)
        run.wait(0.15)
        with run.step(1):
            run.model(0.6, 0.05)
            run.wait(0.1)
            run.tool("x", 0.1, agent_callbacks__tool__queue_duration=0.1)
    report = latency_report(run.trace)
    assert {
        "0.6 of 1.2 s until the first token of 1 model call",
        "0.1 of 1.2 s between asking for a tool and its start",
        "0.3 of 1.2 s in the framework and code between calls",
    } == {finding.text for finding in report.findings}


def test_short_runs_are_told_in_milliseconds() -> None:
    """A run below a second would read as 0.3 of 0.4."""
    run = Run()
    with run.span("llm.chat", "CLIENT", gen_ai__response__time_to_first_chunk=0.3):
        run.wait(0.4)
    assert ["300 of 400 ms until the first token of 1 model call"] == [
        finding.text for finding in latency_report(run.trace).findings
    ]


def grown(inputs: tuple[int, ...], *, streamed: bool) -> Run:
    """Make an agent whose model calls have the *inputs*."""
    run = Run()
    with run.span("agent.run", **AGENT):
        for number, tokens in enumerate(inputs, 1):
            with run.step(number), run.span("llm.chat", "CLIENT", gen_ai__usage__input_tokens=tokens) as attributes:
                run.wait(number * 0.1)
                if streamed:
                    attributes["gen_ai.response.time_to_first_chunk"] = number * 0.1
                run.wait(1.0)
    return run


def test_growing_context() -> None:
    """With what it did to the wait for the first token, where that is known."""
    inputs = (1000, 2000, 3000, 4000, 5000, 6000)
    (finding,) = found(latency_report(grown(inputs, streamed=True).trace), "growing_context")
    assert (
        "input grew from 1,000 to 6,000 tokens over 6 model calls; the first token took 100 ms first, 600 ms at the end"
        == finding.text
    )
    (finding,) = found(latency_report(grown(inputs, streamed=False).trace), "growing_context")
    assert "input grew from 1,000 to 6,000 tokens over 6 model calls" == finding.text


@pytest.mark.parametrize("inputs", [(1000, 9000, 9000), (2000, 2100, 2200, 2300), (10, 100, 500, 900)])
def test_context_that_does_not_grow_much(inputs: tuple[int, ...]) -> None:
    """Few calls, little growth and small inputs are no finding."""
    assert [] == found(latency_report(grown(inputs, streamed=True).trace), "growing_context")


# --- components ------------------------------------------------------------------------------------------------------
def test_between_steps_and_agents() -> None:
    """Steps that show where the prompt is built leave coordination between them; so does the way to another agent."""
    run = Run()
    with run.span("agent.run", **AGENT):
        with run.span("agent.run.writer", **AGENT):
            run.wait(0.01)
            with run.step(1):
                run.model(1.0)
                run.tool("x", 1.0)
            run.wait(0.1)
            with run.step(2):
                run.wait(0.2)
                run.model(1.0)
            run.wait(0.3)
            with run.step(3):
                run.model(1.0)
        run.wait(0.4)
        with run.span("agent.run.critic", **AGENT):
            run.wait(0.05)
            with run.step(1):
                run.model(1.0)
    assert {
        "model_answer": 4.0, "tool_marshaling": 1.0, "context_injection": 0.2, "coordination": 0.1 + 0.3 + 0.4,
        "framework_overhead": 0.06,
    } == pytest.approx(seconds(latency_report(run.trace)))  # fmt: skip


def test_what_is_unknown_is_unattributed() -> None:
    """Nothing is guessed about spans of which it is not known what they are; a client outside a tool is framework."""
    run = Run()
    with run.span("POST /chat", "SERVER"):
        run.wait(0.5)
        with run.span("agent.run", **AGENT), run.step(1):
            run.model(1.0)
            with run.span("INSERT", "CLIENT", db__system="sqlite"):
                run.wait(0.25)
            with run.span("my_code"):
                run.wait(0.125)
    report = latency_report(run.trace)
    assert {"unattributed": 0.625, "model_answer": 1.0, "framework_overhead": 0.25} == seconds(report)
    assert 2 == codes(report)["unknown"]


def test_an_embedding_is_an_answer_and_in_a_retriever_a_wait() -> None:
    """By where it is."""
    run = Run()
    with run.span("chain.rag"):
        with run.span("llm.embeddings", "CLIENT", gen_ai__operation__name="embeddings"):
            run.wait(1.0)
        with run.span("retriever.docs", "CLIENT"):
            with run.span("llm.embeddings", "CLIENT", gen_ai__operation__name="embeddings"):
                run.wait(2.0)
            with run.span("tool.remote"):
                run.wait(1.0)
    assert {"model_answer": 1.0, "tool_downstream": 3.0} == seconds(latency_report(run.trace))


def test_first_tokens_of_other_instrumentations() -> None:
    """An event at the first token; and a duration that makes no sense is none."""
    call = made("ChatOpenAI", 0, 4, None, "CLIENT", openinference__span__kind="LLM", id="root")
    event = Event("First Token Stream Event", START + NS)
    broken = {"gen_ai.response.time_to_first_chunk": -1.0, "gen_ai.usage.output_tokens": True}
    streamed = Span(
        "t", "root", None, call.name, "CLIENT", call.start_ns, call.end_ns,
        attributes={**call.attributes, **broken}, events=(event,),
    )  # fmt: skip
    assert {"time_to_first_token": 1.0, "output_tokens": 3.0} == seconds(latency_report(traces([streamed])[0]))


@pytest.mark.parametrize(
    ("expected", "name", "kind", "attributes"),
    [
        ("run", "x", "INTERNAL", {"gen_ai__operation__name": "invoke_agent"}),
        ("step", "x", "INTERNAL", {"agent_callbacks__step__index": 1, "openinference__span__kind": "CHAIN"}),
        ("node", "x", "INTERNAL", {"agent_callbacks__node__name": "plan"}),
        ("tool", "x", "INTERNAL", {"openinference__span__kind": "TOOL"}),
        ("chain", "x", "INTERNAL", {"traceloop__span__kind": "workflow"}),
        ("model", "openai.chat", "CLIENT", {"gen_ai__request__model": "gpt-5"}),
        ("embedding", "llm.embeddings", "CLIENT", {}),
        ("other", "toolbox", "INTERNAL", {}),
    ],
)
def test_kinds(expected: str, name: str, kind: str, attributes: dict[str, object]) -> None:
    """Our attributes, the standard's, those of others, then the name."""
    assert expected == kind_of(made(name, 0, 1, None, kind, **attributes))


# --- damaged traces --------------------------------------------------------------------------------------------------
def test_damage_is_told() -> None:
    """Missing parents, missing ends, spans that reach outside: all are placed, and all are named."""
    spans = [
        made("agent.run", 1, 10, None, id="root"),
        made("tool.x", 2, 4, "gone"),
        made("tool.y", 4, 0),
        made("GET", 4, 6, "tool.y", "CLIENT"),
        made("tool.z", 8, 12),
        made("POST", 7, 9, "tool.z", "CLIENT"),
    ]
    report = latency_report(traces(spans)[0])
    assert {"tool_marshaling": 3.0, "tool_downstream": 3.0, "framework_overhead": 3.0} == seconds(report)
    assert {"orphans": 1, "unended": 1, "outside": 1, "clipped": 1, "downstream": 1} == codes(report)


def test_a_root_without_an_end() -> None:
    """It lasts as long as what is in it."""
    report = latency_report(traces([made("agent.run", 0, 0, None, id="root"), made("tool.x", 1, 3)])[0])
    assert 3 * NS == report.duration_ns


def test_our_own_time_is_shown() -> None:
    """As measured on the root; None where nobody did."""
    run = Run()
    with run.span("agent.run", **AGENT, agent_callbacks__run__handler_duration=0.002):
        run.wait(1.0)
    assert 2_000_000 == latency_report(run.trace).handler_ns
    assert latency_report(traces([made("agent.run", 0, 1, None)])[0]).handler_ns is None
