"""What the page says, before it is drawn: the answers, the steps, the bill, several runs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from agent_callbacks.analysis import load
from agent_callbacks.analysis.call import CallCost
from agent_callbacks.analysis.cost import CostReport
from agent_callbacks.analysis.report import page
from agent_callbacks.analysis.report.amount import NONE, said
from agent_callbacks.analysis.report.bill import charges_of
from agent_callbacks.analysis.report.model import Charge
from agent_callbacks.analysis.row import rows
from agent_callbacks.analysis.trace import Trace
from agent_callbacks.convention import keys
from tests.report import scenes
from tests.store.story import support

START = scenes.START


def plain(text):
    """Give a text with every space a plain one."""
    return text.replace("\u00a0", " ")


def answers(*given):
    """Give the answers of a page: question -> text."""
    return {answer.question: plain(answer.text) for answer in page(given, START).answers}


def only(*given):
    """Give the one run of a page."""
    return page(given, START).runs[0]


class TestAnswers:
    """A reader's questions about one run."""

    def test_of_a_growing_run(self):
        """Each question is answered in a sentence that names what it is about and how much of how much."""
        assert {
            "Which step cost most?": "Step 10 of support: $0.0618 of $0.420 (15 %), for 28,512 tokens in, 600 out.",
            "What grew?": "The input of support, from 8,712 tokens in step 1 to 28,512 in step 10 (3.3 times): "
            "tool outputs +10,800, history +9,000.",
            "Which tool waited on what?": "tool.vector_search waited 1.80 s of 2.40 s in 6 calls on crm.internal; "
            "tool.lookup_order waited 1.50 s of 2.00 s in 5 calls on crm.internal.",
            "Where did the time go?": "Output tokens 6.00 s (35 %), tools waiting for others 6.00 s (35 %), "
            "time to first token 3.00 s (17 %).",
        } == {
            question: text
            for question, text in answers(scenes.agent_run(10, tools=2)).items()
            if question != "What could run in parallel?"
        }

    def test_parallel(self):
        """What could run in parallel is the finding that saves most, and the answer leads to its first call."""
        found = next(
            each for each in page([scenes.agent_run(10, tools=2)], START).answers if "parallel" in each.question
        )
        run = only(scenes.agent_run(10, tools=2))
        best = max(run.findings, key=lambda finding: finding.saving or 0)
        assert (best.text[:-1], best.spans[0]) == (found.text[: len(best.text) - 1], found.span)

    def test_peers_below(self):
        """Where a tool does not say for whom it waited, the client spans below it do; other spans below are its own."""
        scene = scenes.Scene()
        tool = scene.add(
            None, "tool.t", 0, 500, {keys.OPERATION_NAME: "execute_tool", keys.TOOL_DOWNSTREAM_DURATION: 0.3}
        )
        scene.add(tool, "parse", 0, 100, {})
        scene.add(tool, "GET", 100, 400, {keys.SERVER_ADDRESS: "crm.internal"}, kind="CLIENT")
        assert "tool.t waited 300 ms of 500 ms on crm.internal." == answers(scene.trace())["Which tool waited on what?"]

    def test_nothing_grew(self):
        """Steps that stay as they are did not grow, and one step alone cannot."""
        flat = scenes.agent_run(1)
        steps = scenes.Scene(2)
        run = steps.add(None, "agent.run.a", 0, 20, {keys.OPERATION_NAME: "invoke_agent", keys.RUN_STEPS: 2})
        for place in (1, 2):
            steps.add(
                run,
                f"agent.step.{place}",
                place * 5,
                place * 5 + 5,
                {keys.STEP_INDEX: place, keys.STEP_INPUT_TOKENS: 50},
            )
        assert ("One step only: nothing could grow.", "Nothing: later steps read as much as first ones.") == (
            answers(flat)["What grew?"], answers(steps.trace())["What grew?"],
        )  # fmt: skip

    def test_growth_of_input_that_nobody_split(self):
        """Where the input is not split, how much it grew is said, and not of what."""
        scene = scenes.Scene()
        run = scene.add(None, "agent.run.a", 0, 20, {keys.OPERATION_NAME: "invoke_agent", keys.RUN_STEPS: 2})
        for place in (1, 2):
            about = {keys.STEP_INDEX: place, keys.STEP_INPUT_TOKENS: 50 * place}
            scene.add(run, f"agent.step.{place}", place * 5, place * 5 + 5, about)
        told = "The input of agent.run.a, from 50 tokens in step 1 to 100 in step 2 (2.0 times)."
        assert told == answers(scene.trace())["What grew?"]

    def test_no_prices(self):
        """Where no price is known, the step with most tokens is named, and that prices are not known."""
        run = only(load(support())[0])
        text = plain(run.answers[0].text)
        assert (
            "Step 2 of support: 1,920 tokens in, 98 out, 61 % of all tokens. Prices are not known.",
            None,
        ) == (text, run.cost)

    def test_failures(self):
        """A failure is named where it happened, not in the spans above that failed with it; more are counted."""
        scene = scenes.Scene()
        run = scene.add(None, "agent.run.a", 0, 50, {keys.OPERATION_NAME: "invoke_agent"}, status="ERROR")
        for place in range(4):
            scene.add(
                run,
                f"tool.t{place}",
                place,
                place + 1,
                {keys.OPERATION_NAME: "execute_tool", keys.ERROR_TYPE: "E"},
                status="ERROR",
            )
        found = only(scene.trace())
        assert ("tool.t0 (E), tool.t1 (E) and 2 more.", 4) == (found.answers[-1].text, found.failures)

    def test_tools_that_say_nothing(self):
        """Tools that do not say what they waited for are said not to; a run without tools is not asked."""
        scene = scenes.Scene()
        scene.add(None, "tool.t", 0, 50, {keys.OPERATION_NAME: "execute_tool"})
        alone = scenes.Scene()
        alone.add(None, "chain.c", 0, 50, {keys.OPERATION_NAME: "invoke_workflow"})
        question = "Which tool waited on what?"
        assert ("No tool says that it waited for anything outside.", False) == (
            answers(scene.trace())[question], question in answers(alone.trace()),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("peers", "seconds", "said_"),
        [
            (("crm",), (0.3,), "tool.t waited 300 ms of 500 ms on crm."),
            (
                ("crm", "db", "web"),
                (0.1, 0.15, 0.05),
                "tool.t waited 300 ms of 500 ms on db 150 ms, crm 100 ms and 1 more.",
            ),
            ((), (), "tool.t waited 300 ms of 500 ms."),
            (("crm",), ("soon",), "tool.t waited 300 ms of 500 ms."),
        ],
    )
    def test_peers(self, peers, seconds, said_):
        """For whom a tool waited is what its span says, the longest wait first."""
        scene = scenes.Scene()
        scene.add(None, "tool.t", 0, 500, {
            keys.OPERATION_NAME: "execute_tool", keys.TOOL_DOWNSTREAM_DURATION: 0.3,
            keys.TOOL_DOWNSTREAM_PEERS: peers, keys.TOOL_DOWNSTREAM_PEER_DURATIONS: seconds,
        })  # fmt: skip
        assert said_ == answers(scene.trace())["Which tool waited on what?"]


class TestRun:
    """One run."""

    def test_no_trace(self):
        """A page of nothing is refused."""
        with pytest.raises(ValueError, match="at least one trace"):
            page([], START)

    def test_steps(self):
        """A step says what it read by bucket, what it cost, and what it added; the buckets are the input exactly."""
        first, second = only(scenes.agent_run(2)).steps
        assert (8712, 10_312, None, 1600, None) == (
            sum(first.buckets.values()), sum(second.buckets.values()), first.marginal_tokens, second.marginal_tokens,
            first.marginal_cost,
        )  # fmt: skip
        assert second.cost - first.cost == pytest.approx(second.marginal_cost)

    def test_input_that_nobody_split(self):
        """Where a trace does not split its input, the whole stands there, and why is said."""
        run = only(load(support())[0])
        assert ([{"unsplit": 1200}, {"unsplit": 1920}], True) == (
            [step.buckets for step in run.steps], "not split" in run.missing["buckets"][0],
        )  # fmt: skip

    def test_trace_without_steps(self):
        """Of a trace of another instrumentation the model calls stand for the steps."""
        scene = scenes.Scene()
        root = scene.add(None, "workflow", 0, 100, {})
        for place in range(2):
            scene.add(root, "chat gpt-4.1", place * 50, place * 50 + 40, {
                keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: "gpt-4.1", keys.USAGE_INPUT_TOKENS: 100 + place,
                keys.USAGE_OUTPUT_TOKENS: 5, keys.USAGE_CACHE_READ: 7,
            })  # fmt: skip
        run = only(scene.trace())
        assert [("call 1", "gpt-4.1", "", {"unsplit": 100}, 7), ("call 2", "gpt-4.1", "", {"unsplit": 101}, 7)] == [
            (step.label, step.agent, step.run, step.buckets, step.cached_tokens) for step in run.steps
        ]

    def test_critical_path(self):
        """The pieces of the critical path lie in their spans and add up to the run."""
        run = only(scenes.agent_run(4, tools=2))
        pieces = [
            (row, row.critical[at], row.critical[at + 1]) for row in run.spans for at in range(0, len(row.critical), 2)
        ]
        assert run.duration == pytest.approx(sum(end - begin for _, begin, end in pieces))
        assert all(row.begin <= begin <= end <= row.end + 1e-9 for row, begin, end in pieces)

    def test_costs_of_rows(self):
        """Calls, steps and the run say what they cost, and a run is the sum of its calls."""
        run = only(scenes.agent_run(3))
        by_kind = {kind: sum(row.cost for row in run.spans if row.kind == kind) for kind in "ASM"}
        assert {"A": pytest.approx(run.cost), "S": pytest.approx(run.cost), "M": pytest.approx(run.cost)} == by_kind

    def test_failures_roll_up(self):
        """Every span knows how many below it failed."""
        run = only(load(support())[0])
        assert {"agent.run.support": 1, "agent.step.1": 1} == {
            row.name: row.failed_below for row in run.spans if row.failed_below
        }

    def test_own_time(self):
        """What this package itself took of a run is said where the trace says it."""
        scene = scenes.Scene()
        scene.add(None, "agent.run.a", 0, 50, {keys.OPERATION_NAME: "invoke_agent", keys.RUN_HANDLER_DURATION: 0.0021})
        told = "agent-callbacks itself took 2.1 ms of the run, inside the components above"
        assert told in only(scene.trace()).missing["latency"]

    def test_open_span(self):
        """A span that never ended has no end."""
        scene = scenes.Scene()
        scene.add(None, "chain.a", 0, None, {})
        assert (None, 0.0) == (only(scene.trace()).spans[0].end, only(scene.trace()).spans[0].begin)


class TestBill:
    """What the run is billed for."""

    def test_lines(self):
        """A model's calls are one line, the tool schemas another that is part of it."""
        charges = only(scenes.agent_run(2)).charges
        assert [("gpt-4.1", 2, 19_024, None), ("tool schemas", None, 8400, "part of the above")] == [
            (charge.title, charge.calls, charge.input_tokens, charge.note) for charge in charges
        ]

    def test_unknown_price_and_saving(self):
        """A model of unknown price is named without a cost, and what caching saved is a line of its own."""
        calls = (
            CallCost("a", "llm.chat", None, "known", internal=False, usage=None, cost=Decimal("0.5")),
            CallCost("b", "llm.chat", None, "unknown", internal=False, usage=None, cost=None),
        )
        report = CostReport("t", (), calls, Decimal("0.5"), Decimal("0.1"), ("unknown",))
        assert (
            Charge("known", 1, 0, 0, 0.5),
            Charge("unknown", 1, 0, 0, None, "no price is known for 1 of the calls"),
            Charge("saved by caching", None, None, None, 0.1, "not spent"),
        ) == charges_of(report)


@pytest.fixture(scope="module")
def many():
    """Give a page of eighty runs, of which variant b makes half as many steps."""
    given = [scenes.agent_run(4 - 2 * (place % 2), number=place + 1, variant="ab"[place % 2]) for place in range(80)]
    return page(given, START)


class TestSeveral:
    """Several runs together."""

    def test_cheaper_variant(self, many):
        """Which variant is cheaper is the first answer, with the means."""
        answer = many.answers[0]
        assert ("Which variant is cheaper?", True, True) == (
            answer.question,
            answer.text.startswith("Mean cost of a run: a $0.108, b $0.0476. b against a: cheaper"),
            "success" in answer.text,
        )  # fmt: skip

    def test_variants(self, many):
        """Each variant says how many runs it has, how many succeeded, and their means."""
        assert [("a", 40, 40, 44_448.0), ("b", 40, 40, 19_024.0)] == [
            (each.name, each.runs, each.succeeded, each.input_tokens) for each in many.variants
        ]

    def test_percentiles(self, many):
        """Times, costs and tokens of runs, steps and tools are there, of runs by variant too; p99 needs 100 runs."""
        titles = [line.title for line in many.percentiles]
        assert {"time of a run", "cost of a run", "a: time of a run", "cost of a step", "crm_lookup: time of a call",
                "gpt-4.1: time to first chunk"} <= set(titles)  # fmt: skip
        assert (None, ("p99 is left out: 80 runs; p99 needs 100.",)) == (
            many.percentiles[0].p99,
            many.missing["percentiles"],
        )

    def test_worst_run(self, many):
        """What is asked of a run is answered for the dearest one, and leads there."""
        dearest = next(answer for answer in many.answers if answer.question == "Which run cost most?")
        step = next(answer for answer in many.answers if answer.question == "Which step cost most?")
        assert (0, 0, "In run 1 (agent.run.support, a): ") == (dearest.run, step.run, step.text[:33])

    def test_most_to_save(self):
        """What could run in parallel is answered for the run in which that saves most, dear or not."""
        found = answers(scenes.agent_run(4), scenes.agent_run(3, number=2, tools=4, pace=2.0))
        cheap = answers(scenes.agent_run(3, number=2, tools=4, pace=2.0), scenes.agent_run(9))
        question = "What could run in parallel?"
        assert ("In run 2 ", "In run 1 ") == (found[question][:9], cheap[question][:9])

    def test_without_variants(self):
        """Runs that name no variant are not compared, and that is said."""
        found = page([scenes.agent_run(1), scenes.agent_run(1, number=2)], START)
        assert ((), "The runs name fewer than two variants, so there is nothing to compare.") == (
            found.variants,
            found.answers[0].text,
        )

    def test_failed_runs(self):
        """How many runs failed is said, with the first of them."""
        found = answers(*[trace for each in ("ab" * 16, "cd" * 16) for trace in load(support(each, START, "failure"))])
        assert "2 of 2; the first is run 1 (agent.run.support, prompt-b)." == found["How many runs failed?"]


class TestAmounts:
    """Amounts as people say them."""

    @pytest.mark.parametrize(
        ("value", "unit", "expected"),
        [
            (None, "seconds", NONE), (0.5, "seconds", "500 ms"), (1234567, "tokens", "1,234,567"),
            (0.0, "dollars", "$0.00"),
            (12.3456, "dollars", "$12.35"), (0.0123456, "dollars", "$0.0123"),
            (1.2e-09, "dollars", "<$0.00000001"),
            (-0.5, "dollars", "\u2212$0.500"), (0.0712, "share", "7.1 %"), (0.712, "share", "71 %"),
        ],
    )  # fmt: skip
    def test_said(self, value, unit, expected):
        """Money has two places, below a dollar three digits that count; nothing is a dash."""
        assert expected == plain(said(value, unit))


EVERY_KEY = sorted(
    {key for name, found in vars(keys).items() if name.isupper()
     for key in (found if isinstance(found, tuple) else (found,)) if isinstance(key, str)}
)  # fmt: skip


class TestAttributesOfOthers:
    """What somebody else wrote under our keys."""

    @pytest.mark.parametrize(
        "value", ["abc", "", True, -1, 2**62, 1e300, ("a", 1), {"a": 1}, None], ids=lambda value: type(value).__name__
    )
    def test_of_any_type(self, value):
        """Whatever type a value has, the run is shown, on the page and in the terminal, with all its spans."""
        given = scenes.agent_run(1)
        for key in EVERY_KEY:
            changed = Trace(
                given.trace_id, tuple(replace(span, attributes={**span.attributes, key: value}) for span in given.spans)
            )
            assert len(given.spans) == len(only(changed).spans) == len(rows(changed))
