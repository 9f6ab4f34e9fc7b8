"""Traces as Chrome trace events, for Perfetto."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from agent_callbacks.analysis.span import Event, Span
from agent_callbacks.analysis.trace import traces
from agent_callbacks.convention import keys
from tests.report import scenes

US = 1000


def trace_of(*spans):
    """Give a trace of spans (id, parent, begin, end) in microseconds, named by their ids."""
    return traces(
        [Span("t", name, parent, name, "INTERNAL", begin * US, end * US) for name, parent, begin, end in spans]
    )[0]


def slices(document):
    """Give the slices of a document: name -> (track, from, to)."""
    return {
        each["name"]: (each["tid"], each["ts"], each["ts"] + each["dur"])
        for each in document["traceEvents"] if each["ph"] == "X"
    }  # fmt: skip


@st.composite
def forests(draw):
    """Give spans whose parents may be shorter than they are, missing, or later."""
    count = draw(st.integers(1, 14))
    return [
        (f"s{place}", draw(st.sampled_from([None, "gone", *(f"s{other}" for other in range(place))])),
         begin := draw(st.integers(0, 30)), begin + draw(st.integers(0, 20)))
        for place in range(count)
    ]  # fmt: skip


class TestDocument:
    """``Trace.to_chrome``."""

    def test_whole(self):
        """A run is slices in microseconds from its start, on one named track of one named process."""
        document = scenes.agent_run(1).to_chrome()
        kinds = [(each["ph"], each["name"], each["tid"], each.get("cat")) for each in document["traceEvents"]]
        assert [
            ("M", "process_name", 0, None), ("M", "thread_name", 1, None),
            ("X", "agent.run.support", 1, "agent"), ("X", "agent.step.1", 1, "step"), ("X", "llm.chat", 1, "model"),
            ("X", "tool.lookup_order", 1, "tool"), ("X", "GET", 1, "other"),
        ] == kinds  # fmt: skip
        model = document["traceEvents"][4]
        assert (0.0, 900_000.0, 8712) == (model["ts"], model["dur"], model["args"][keys.USAGE_INPUT_TOKENS])

    def test_beside(self):
        """What runs beside its sibling gets a track of its own; what comes after it does not."""
        found = slices(
            trace_of(("a", None, 0, 100), ("b", "a", 10, 50), ("c", "a", 20, 60), ("d", "a", 70, 90)).to_chrome()
        )
        assert [1, 1, 2, 1] == [found[name][0] for name in "abcd"]

    def test_child_of_a_track_aside(self):
        """What is below a span that moved aside is below it there."""
        found = slices(
            trace_of(("a", None, 0, 99), ("b", "a", 0, 50), ("c", "a", 9, 60), ("d", "c", 20, 30)).to_chrome()
        )
        assert [1, 1, 2, 2] == [found[name][0] for name in "abcd"]

    @given(forests())
    @settings(max_examples=300, deadline=None)
    def test_slices_nest(self, spans):
        """On each track two slices lie within each other or do not touch, and within another only its children do."""
        trace = trace_of(*spans)
        parents = {span.span_id: span.parent_id for span in trace.spans}
        found = slices(trace.to_chrome())
        assert len(spans) == len(found)
        for one, (track, begin, end) in found.items():
            for other, (track2, begin2, end2) in found.items():
                if one == other or track != track2 or end <= begin2 or end2 <= begin or begin == end or begin2 == end2:
                    continue
                within = (begin <= begin2 and end2 <= end) or (begin2 <= begin and end <= end2)
                line = set()
                for name in (one, other):
                    at, seen = parents[name], set()
                    while at in parents and at not in seen:
                        seen.add(at)
                        at = parents[at]
                    line |= {(name, above) for above in seen}
                assert within
                assert {(one, other), (other, one)} & line

    def test_unfinished_and_events(self):
        """A span that never ended has no length and says so; what happened during a span is an instant."""
        span = Span("t", "a", None, "a", "INTERNAL", 5000, 0, events=(Event("boom", 7000, {"x": 1}),))
        piece, instant = traces([span])[0].to_chrome()["traceEvents"][2:]
        assert (0.0, True, "i", 2.0, {"x": 1}) == (
            piece["dur"], piece["args"]["unfinished"], instant["ph"], instant["ts"], instant["args"],
        )  # fmt: skip

    def test_is_strict_json(self):
        """Whatever a span carries, the document is JSON as the standard has it."""
        text = json.dumps(scenes.hostile().to_chrome(), allow_nan=False)
        assert "</script>" in text
