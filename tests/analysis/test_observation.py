"""Runs as a comparison sees them: from whole traces and from their rows in the store, which must agree."""

from __future__ import annotations

import pytest

from agent_callbacks.analysis import load
from agent_callbacks.analysis.compare import compare, compared
from agent_callbacks.analysis.observation import observed, stored
from agent_callbacks.analysis.percentiles import distributions, spreads
from agent_callbacks.analysis.sample import BY
from agent_callbacks.store.read import Store
from agent_callbacks.store.summary import Filter
from agent_callbacks.store.write import StoreExporter
from tests.store.story import START, Teller, support, told

SECOND = 10**9


@pytest.fixture
def path(tmp_path):
    """Give a store with runs of every sort: priced and not, judged and not, failed, of others, without a group."""
    exporter = StoreExporter(tmp_path / "traces.db", max_age_seconds=1e9)
    for number in range(1, 71):
        side = number % 2
        several = {"tone": "ab"[side], "length": "xy"[side]} if number % 4 else None
        for batch in told(
            number, variant="ab"[side], cost=None if number % 7 == 0 else number / 100, seconds=number / 10,
            resolved=number % 3 if number % 5 else None, failed=number % 6 == 0, model="gpt-4o" if side else "mine",
            user=f"u-{number % 4}", session=None if number % 9 == 0 else f"s-{number}", agent=f"agent_{number % 3}",
            experiment="tone", variants=several, start_ns=START + number * 400 * SECOND,
        ):  # fmt: skip
            exporter.export(batch)
    exporter.export(support())
    foreign = Teller(f"{99:032x}", START, {})
    foreign.tell("GET /", 0, 5, {})
    broken = Teller(f"{98:032x}", START, {})
    broken.tell("GET /", 0, 5, {}, failed=True)
    exporter.export([*foreign.spans(), *broken.spans()])
    exporter.shutdown()
    return tmp_path / "traces.db"


def by_id(observations):
    """Give observations by trace id."""
    return {each.trace_id: each for each in observations}


@pytest.mark.parametrize("experiment", [None, "length", "nobody's"])
@pytest.mark.parametrize("by", BY)
def test_the_store_says_what_the_traces_say(path, by, experiment):
    """Group, cost, duration, tokens, end and outcomes are the same from a row of the store and from all spans."""
    with Store(path) as store:
        rows = by_id(stored(store, Filter(), by, experiment=experiment))
    whole = by_id(observed(load(path), by, experiment))
    assert whole.keys() == rows.keys()
    for trace_id, expected in whole.items():
        found = rows[trace_id]
        assert (expected.group, expected.scores, expected.completed, expected.start_ns) == (
            found.group, found.scores, found.completed, found.start_ns,
        )  # fmt: skip
        assert (expected.cost, expected.duration, expected.tokens) == pytest.approx(
            (found.cost, found.duration, found.tokens)
        )


def test_comparisons_agree(path):
    """The same comparison and the same spreads come out of both."""
    with Store(path) as store:
        rows = sorted(stored(store, Filter(), "variant"), key=lambda each: (each.start_ns, each.trace_id))
    assert compare(load(path)) == compared(rows)
    for value in ("cost", "duration", "tokens"):
        expected = {each.group: each for each in distributions(load(path), "run", "variant", value)}
        assert expected == spreads(rows, value)


def test_spans_are_read_for_costs_only(path):
    """Spans are read of those runs alone whose cost is not recorded, and who waits can see how far that is."""
    watched = []

    def watch(ids):
        watched.extend(ids)
        return ids

    with Store(path) as store:
        stored(store, Filter(), "variant", watch=watch)
    assert [f"{number:032x}" for number in range(7, 71, 7)] == sorted(watched)[:10]
    assert 11 == len(watched)  # and the story, whose calls have no price


def test_runs_that_go_on_are_left_out(path):
    """A run without an end is not compared: what it will come to is not known."""
    exporter = StoreExporter(path, max_age_seconds=1e9)
    exporter.export(told(500, rooted=False)[0])
    exporter.shutdown()
    with Store(path) as store:
        assert f"{500:032x}" not in by_id(stored(store, Filter(), "variant"))
        newest = stored(store, Filter(), "variant", limit=2)
    assert [f"{70:032x}", f"{69:032x}"] == [each.trace_id for each in newest]


def test_groups_beyond_the_most_are_left_out(path):
    """The largest groups are compared, the baseline in any case, and a note says how many are left out."""
    with Store(path) as store:
        rows = stored(store, Filter(), "session")
    found = compared(rows, "session", baseline="s-70", most_groups=3)
    assert ("s-70", 2) == (found[0].baseline, len(found))
    assert "groups with fewer runs are left out" in found[0].notes[-1]


def test_how_many_are_lacking(path):
    """An effect says how many runs the smaller side lacks."""
    with Store(path) as store:
        rows = stored(store, Filter(session="s-1"), "variant") + stored(store, Filter(session="s-2"), "variant")
    (found,) = compared(rows)
    assert (found.cost.needed - 1, "not enough") == (found.cost.lacking, found.cost.verdict)
