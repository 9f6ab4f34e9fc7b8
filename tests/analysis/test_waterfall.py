"""The waterfall as text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_callbacks.analysis import Span, latency_report, load
from agent_callbacks.analysis.cells import cut, left, printable, right, width
from agent_callbacks.analysis.row import Totals, rows, totals
from agent_callbacks.analysis.trace import traces
from agent_callbacks.analysis.waterfall import duration, render, utc
from agent_callbacks.convention import keys
from tests.cli import story
from tests.report import scenes
from tests.store.story import START, support

# [what a careless terminal would do] title, clipboard, link, colour, cursor, C1 forms, bidi override, isolates, lines
HOSTILE = (
    "\x1b]0;owned\x07\x1b]52;c;ZXZpbA==\x1b\\\x1b]8;;http://evil\x1b\\x\x1b[31m\x1b[2J\x9b2J\x9dx\x9c"
    "\u202eevil\u2066\u200b\u2028\r\n\tA\x00\x08\ud800"
)

AT_100 = """\
agent.run.support · success · 3.42 s
trace 4bf92f3577b34da6a3ce929d0e0e4736
service support · user u-17 · session s-9 · variant prompt-b · 2025-11-24 16:00:00 UTC
2 steps · 2 model calls · 2 tool calls · 1 failure · 3,120 tokens in · 188 out

                                          time     in  out  on path  ▸ critical path
A agent.run.support (1 ✗)               3.42 s  3,120  188   3.42 s  ▸━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
S ├─ agent.step.1 (1 ✗)                 1.89 s  1,200   90   1.89 s  ▸━━━━━━━━━━━━━━━━╸
M │  ├─ llm.chat                        785 ms  1,200   90   785 ms  ▸───╼━━━
T │  ├─ tool.search_web                 1.09 s               1.09 s  ▸       ━━━━━━━━━╸
T │  └─ tool.lookup_order ✗ ValueError   15 ms                               ╸
S └─ agent.step.2                       1.50 s  1,920   98   1.50 s  ▸                ╺━━━━━━━━━━━━━
M    └─ llm.chat                        1.50 s  1,920   98   1.50 s  ▸                ╶────━━━━━━━━━"""
AT_40 = """\
agent.run.support · success · 3.42 s
trace 4bf92f3577b34da6a3ce929d0e0e4736
service support · user u-17
session s-9 · variant prompt-b
2025-11-24 16:00:00 UTC
2 steps · 2 model calls · 2 tool calls
1 failure · 3,120 tokens in · 188 out

                     time  ▸ critical p…
A agent.ru… (1 ✗)  3.42 s  ▸━━━━━━━━━━━━
S ├─ agent… (1 ✗)  1.89 s  ▸━━━━━━╸
M │  ├─ llm.chat   785 ms  ▸─╼━
T │  ├─ tool.sea…  1.09 s  ▸  ╺━━━╸
T │  └─ tool… ✗ …   15 ms     ╺
S └─ agent.step.2  1.50 s  ▸      ╺━━━━━
M    └─ llm.chat   1.50 s  ▸      ╶─╼━━━"""


@pytest.fixture
def trace():
    """Give the story of the picture."""
    return load(support())[0]


def one(**given):
    """Give a trace of one span."""
    attributes = given.pop("attributes", {})
    return traces([Span("t", "a", None, **{"name": "x", "kind": "INTERNAL", "start_ns": 0, "end_ns": 1000, **given},
                        attributes=attributes)])[0]  # fmt: skip


class TestRender:
    """The text."""

    def test_wide(self, trace):
        """Tree, time, tokens and bars; the wait for the first chunk is the thin head of a model's bar."""
        assert render(trace, 100, color=False) == AT_100

    def test_narrow(self, trace):
        """At forty cells the tokens give way to the bars, and an error keeps its mark."""
        assert render(trace, 40, color=False) == AT_40

    @pytest.mark.parametrize("cells", [1, 40, 41, 60, 79, 80, 133, 250, 1000])
    def test_fits(self, trace, cells):
        """No line is wider than asked for (40 to 250), none ends in blanks, and every span has one."""
        lines = render(trace, cells, color=False).split("\n")
        assert max(map(width, lines)) <= max(40, min(250, cells))
        assert [line.rstrip() for line in lines] == lines
        assert len(lines[lines.index("") + 2 :]) == len(trace.spans)

    def test_color(self, trace):
        """Colours only add to the text, and are always switched off again."""
        colored = render(trace, 100, color=True)
        assert "\x1b[31m ✗ ValueError\x1b[0m" in colored
        assert re.sub(r"\x1b\[[0-9;]+m", "", colored) == AT_100
        assert colored.count("\x1b[0m") * 2 == colored.count("\x1b[")

    @pytest.mark.parametrize(("outcome", "mark"), [("interrupted", "‖"), ("cancelled", "⊘"), ("abandoned", "?")])
    def test_other_ends(self, outcome, mark):
        """What did not end well and is no error says what became of it, whatever its status."""
        trace = one(attributes={keys.OUTCOME: outcome}, status="ERROR")
        assert f"x {mark} {outcome}" in render(trace, 100, color=False)
        assert not rows(trace)[0].failed

    def test_error_without_a_type(self):
        """A failed span that does not say of what is still marked."""
        assert "x ✗ error" in render(one(status="ERROR"), 100, color=False)

    def test_estimated(self):
        """Estimated tokens carry a tilde; numbers too long for their column are shortened."""
        attributes = {
            keys.OPERATION_NAME: "chat",
            keys.USAGE_INPUT_TOKENS: 123_456_789,
            keys.USAGE_OUTPUT_TOKENS: 12,
            keys.TOKENS_METHOD: "estimated",
        }
        assert re.search(r"~123M +~12 ", render(one(attributes=attributes), 100, color=False))
        beyond = {**attributes, keys.USAGE_INPUT_TOKENS: 2**62}
        assert re.search(r"~many +~12 ", render(one(attributes=beyond), 100, color=False))

    def test_failures_roll_up(self):
        """A failure deep down is counted on every span above it, also where it is folded away."""
        told = story.told()
        lines = render(told, 120, color=False).splitlines()
        rolled = [line for line in lines if "(1 ✗)" in line]
        names = ["agent.run.support", "agent.step.2", "tool.ask_returns_desk", "agent.run.returns_desk", "agent.step.1"]
        assert names == [re.split(r"[ │├└─]+", line)[1] for line in rolled]
        assert [line for line in lines if "tool.open_return ✗ TimeoutError" in line]
        folded = render(told, 120, color=False, depth=1).splitlines()
        assert [line for line in folded if "agent.step.2 +6 (1 ✗)" in line]
        assert not [line for line in folded if "llm.chat" in line]

    @pytest.mark.parametrize(
        ("cells", "titles"),
        [
            (60, "time in ▸ critical path"), (80, "time in cost ▸ critical path"),
            (100, "time in out cost ▸ critical path"), (200, "time in out cost on path ▸ critical path"),
        ],
    )  # fmt: skip
    def test_columns_give_way(self, cells, titles):
        """Where it is narrow, the time on the critical path goes first, then output, cost and input."""
        lines = render(story.told(), cells, color=False).splitlines()
        assert titles.split() == next(line for line in lines if "critical path" in line).split()

    def test_head(self):
        """The head says what it came to, what is not known of it, and the finding that saves most."""
        head = render(story.told(model="nobody-knows"), 200, color=False).split("\n\n")[0]
        assert "agent.run.support · success · 9.00 s · at least $0.00000080\n" in head
        assert "4 model calls · 4 tool calls · 1 embedding · 1 failure" in head
        assert "no price known for nobody-knows" in head
        assert "→ 1.2 of 9.0 s in 2 sequential calls of tool.search_web, tool.lookup_order" in head

    def test_estimated_rolls_up(self):
        """An estimate makes the sums above it estimates; a report whose parts are estimated is still a report."""
        scene = scenes.Scene(1)
        run = scene.add(None, "agent.run", 0, 9, {keys.OPERATION_NAME: "invoke_agent", keys.RUN_TOTAL_INPUT_TOKENS: 30})
        for guessed in (True, False):
            scene.add(run, "llm.chat", 0, 9, {
                keys.OPERATION_NAME: "chat", keys.USAGE_INPUT_TOKENS: 15, keys.TOKENS_METHOD: "estimated",
                keys.TOKENS_USAGE_ESTIMATED: guessed,
            })  # fmt: skip
        assert [True, True, False] == [row.estimated for row in rows(scene.trace())]

    def test_deep(self):
        """A tree deeper than its column keeps its end, and the names stay readable."""
        deep = traces(
            [Span("t", f"{n:03}", f"{n - 1:03}" if n else None, f"name{n}", "INTERNAL", n, 999) for n in range(60)]
        )[0]
        lines = render(deep, 60, color=False).split("\n")
        assert "…" in lines[-1]
        assert "name59" in lines[-1]
        assert max(map(width, lines)) <= 60

    def test_hostile(self):
        """Nothing a span carries can steer the terminal or break the lines."""
        trace = one(
            name=HOSTILE,
            status="ERROR",
            attributes={keys.ERROR_TYPE: HOSTILE, keys.USER_ID: HOSTILE, keys.SESSION_ID: HOSTILE,
                        keys.FEATURE_FLAG_KEY: HOSTILE, keys.FEATURE_FLAG_VARIANT: HOSTILE, keys.OUTCOME: HOSTILE},
            resource={"service.name": HOSTILE},
        )  # fmt: skip
        trace = replace(trace, trace_id=HOSTILE)
        lines = render(trace, 200, color=False).split("\n")
        assert lines[-1].startswith("· ")
        assert all(line.isprintable() for line in lines)
        assert "owned" not in "".join(lines)
        assert "ZXZpbA" not in "".join(lines)

    def test_wide_characters(self):
        """Characters of two cells are counted as two, so the columns stay straight."""
        trace = traces(
            [Span("t", "a", None, "工具" * 30, "INTERNAL", 0, 10), Span("t", "b", "a", "x", "INTERNAL", 0, 10)]
        )[0]
        first, second = render(trace, 80, color=False).split("\n")[-2:]
        assert width(first.partition("0.0 ms")[0]) == width(second.partition("0.0 ms")[0])


class TestValues:
    """What the text is made from."""

    def test_rows(self, trace):
        """Rows carry depth, times in seconds and fractions, and the tokens of runs, steps and model calls."""
        run, step, model, *_ = rows(trace)
        assert [(row.kind, row.depth) for row in (run, step, model)] == [("A", 0), ("S", 1), ("M", 2)]
        assert (run.begin, run.end, run.duration) == (0, 1, 3.42)
        assert (round(model.begin, 4), round(model.first_token, 4)) == (round(0.015 / 3.42, 4), round(0.415 / 3.42, 4))
        assert [(row.input_tokens, row.output_tokens) for row in (run, step, model)] == [
            (3120, 188),
            (1200, 90),
            (1200, 90),
        ]

    def test_kinds(self):
        """Every kind of span has its letter, by its attributes and not by its name."""
        attributes = [
            {keys.OPERATION_NAME: "embeddings"},
            {keys.OPERATION_NAME: "retrieval"},
            {keys.OPERATION_NAME: "invoke_workflow"},
            {keys.NODE_NAME: "n"},
            {},
        ]
        assert [rows(one(attributes=given))[0].kind for given in attributes] == ["E", "R", "C", "N", "·"]

    def test_totals(self, trace):
        """A trace adds up the tokens of its model calls alone; unknown is not zero."""
        assert totals(trace) == Totals(2, 2, 2, 3120, 188, failures=1)
        assert totals(one()) == Totals(0, 0, 0, None, None)

    def test_embeddings(self):
        """An embedding is no model call: it is counted by itself, and its tokens are not the models'."""
        embedding = one(attributes={keys.OPERATION_NAME: "embeddings", keys.USAGE_INPUT_TOKENS: 40})
        assert Totals(0, 0, 0, None, None, embeddings=1) == totals(embedding)
        assert "0 model calls · 0 tool calls · 1 embedding" in render(embedding, 100, color=False)

    def test_waited(self, trace):
        """Rows say for how long the run waited for them; what ran beside something longer has nothing to say."""
        found = {row.name: row.waited for row in rows(trace, latency=latency_report(trace))}
        assert (3.42, 1.09, None) == (
            found["agent.run.support"], round(found["tool.search_web"] or 0, 2), found["tool.lookup_order"],
        )  # fmt: skip
        assert {None} == {row.waited for row in rows(trace)}

    def test_costs(self, trace):
        """Rows carry the costs they are given, and none otherwise."""
        assert [0.5, None] == [row.cost for row in rows(trace, {trace.root.span_id: 0.5})[:2]]

    @pytest.mark.parametrize("wait", [float("nan"), float("inf")])
    def test_wait_that_is_no_number(self, wait):
        """A wait for the first chunk that is no number is none."""
        assert rows(one(attributes={keys.TIME_TO_FIRST_CHUNK: wait}))[0].first_token is None

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, 10**12), st.integers(-5, 10**12), st.floats(-1, 1e6)), min_size=1, max_size=20
        ),
        st.integers(0, 300),
    )
    def test_any_times(self, times, cells):
        """Whatever the clocks said, every row is drawn within the width, and its bar within the trace."""
        found = traces(
            Span("t", f"{at:03}", f"{at // 3:03}" if at else None, "llm.chat", "CLIENT", start, start + length,
                 attributes={keys.TIME_TO_FIRST_CHUNK: chunk, keys.OPERATION_NAME: "chat"})
            for at, (start, length, chunk) in enumerate(times)
        )[0]  # fmt: skip
        assert all(0 <= row.begin <= row.end <= 1 for row in rows(found))
        lines = render(found, cells, color=False).split("\n")
        assert max(map(width, lines)) <= max(40, min(250, cells))
        assert all(re.search("[━╸╺╾╼]", line) for line in lines[-len(times) :])

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            (0, "0.0 ms"), (0.0042, "4.2 ms"), (0.5, "500 ms"), (1.5, "1.50 s"), (59.999, "1m 00s"), (125, "2m 05s"),
            (3599.9, "1h 00m"), (7_500, "2h 05m"),
        ],
    )  # fmt: skip
    def test_duration(self, seconds, said):
        """Durations are said in the unit that fits."""
        assert said == duration(seconds)

    def test_utc(self):
        """Moments are UTC to the second; one beyond the calendar is a dash."""
        assert utc(START) == "2025-11-24 16:00:00"
        assert utc(2**63 * 1000) == "-"


class TestCells:
    """Text in terminal cells."""

    @given(st.text())
    def test_printable(self, text):
        """Whatever the text, what comes out is on one line, without control or format characters, and stays so."""
        clean = printable(text)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]", clean)
        assert printable(clean) == clean

    @given(st.text(), st.integers(0, 30))
    def test_exact(self, text, cells):
        """Padding gives exactly the cells asked for, on either side."""
        text = printable(text)
        assert width(left(text, cells)) == width(right(text, cells)) == cells
        assert width(cut(text, cells)) <= cells

    def test_unterminated(self):
        """A sequence that never ends takes linear time and leaves nothing behind that steers."""
        assert "\x1b" not in printable("\x1b]" * 200_000)
        assert printable("a\x1b[31") == "a"

    def test_combining(self):
        """A mark that combines with the letter before it takes no cell of its own, and stays with its letter."""
        assert width("e\u0301a") == 2
        assert cut("e\u0301abc", 2) == "e\u0301…"
