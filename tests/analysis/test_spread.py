"""Distributions and comparisons: statistics against known answers, and the answer in words against made-up runs."""

from __future__ import annotations

import math
import random
import statistics
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_callbacks.analysis.compare import Comparison, compare
from agent_callbacks.analysis.percentiles import distributions
from agent_callbacks.analysis.sample import group_of
from agent_callbacks.analysis.span import Event, Span
from agent_callbacks.analysis.statistic import (
    bootstrap,
    median,
    needed,
    needed_equal,
    newcombe,
    quantile,
    quantile_interval,
    quantile_ranks,
)
from agent_callbacks.analysis.trace import Trace, traces
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

START: Final = 1_700_000_000 * 10**9  # 2023-11-14T22:13:20Z


def run(number: int, seconds: float, cost: float | None = None, **more: Any) -> Trace:
    """Return a run of one step with one model call and one tool."""
    trace_id = f"{number:032x}"
    end = START + round(seconds * 10**9)
    who = {key: more[name] for name, key in WHO.items() if name in more}
    model: dict[str, Any] = {
        keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: "gpt-x", keys.PROVIDER_NAME: "acme",
        keys.USAGE_INPUT_TOKENS: more.get("tokens", 100), keys.USAGE_OUTPUT_TOKENS: 10, keys.TIME_TO_FIRST_CHUNK: 0.25,
    }  # fmt: skip
    if cost is not None:
        model[keys.LLM_COST] = cost
    tool: dict[str, Any] = {keys.OPERATION_NAME: "execute_tool", keys.TOOL_NAME: "look"}
    events = tuple(
        Event(keys.EVALUATION_EVENT, end + at, {keys.EVALUATION_NAME: name, keys.EVALUATION_SCORE: score})
        for at, (name, score) in enumerate(more.get("outcomes", ()))
    )

    def span(place: int, parent: int | None, name: str, attributes: dict[str, Any]) -> Span:
        above = None if parent is None else f"{parent:016x}"
        return Span(trace_id, f"{place:016x}", above, name, "INTERNAL", START, end, attributes=attributes)

    root = Span(
        trace_id, f"{1:016x}", None, "agent.run.support", "INTERNAL", START, end,
        attributes={keys.OPERATION_NAME: "invoke_agent", **who}, events=events,
    )  # fmt: skip
    spans = [root, span(2, 1, "agent.step.1", {keys.STEP_INDEX: 1}), span(3, 2, "llm.chat", model)]
    (made,) = traces([*spans, span(4, 2, "tool.look", tool)])
    return made


WHO: Final = {
    "variant": keys.FEATURE_FLAG_VARIANT, "experiment": keys.FEATURE_FLAG_KEY, "user": keys.USER_ID,
    "session": keys.SESSION_ID, "metadata": keys.METADATA,
}  # fmt: skip


def variant(name: str, first: int, count: int, cost: float | None, successes: int | None) -> list[Trace]:
    """Return *count* runs of a variant spread around *cost* and one second, the first *successes* of them resolved."""
    made: list[Trace] = []
    for place in range(count):
        spread = math.exp(0.2 * statistics.NormalDist().inv_cdf((place + 0.5) / count))
        outcomes = () if successes is None else (("resolved", int(place < successes)),)
        price = None if cost is None else cost * spread
        made.append(run(first + place, spread, price, variant=name, outcomes=outcomes))
    return made


def only(found: Sequence[Comparison]) -> Comparison:
    """Return the one comparison there is."""
    (one,) = found
    return one


# --- statistics ------------------------------------------------------------------------------------------------------
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_quantiles_are_the_librarys(values: list[float]) -> None:
    """Quantiles agree with the standard library's inclusive method, and the median with its median."""
    expected = statistics.quantiles(values, n=100, method="inclusive")
    found = [quantile(sorted(values), share / 100) for share in range(1, 100)]
    assert found == pytest.approx(expected)
    assert median(values) == pytest.approx(statistics.median(values))


@pytest.mark.parametrize(
    ("count", "share", "ranks"),
    [
        (10, 0.5, (2, 9)),
        (20, 0.5, (6, 15)),
        (5, 0.5, (0, 6)),
        (71, 0.95, (63, 72)),
        (72, 0.95, (64, 72)),
        (367, 0.99, (359, 368)),
        (368, 0.99, (360, 368)),
        (1, 0.5, (0, 2)),
    ],
)
def test_ranks_of_tables(count: int, share: float, ranks: tuple[int, int]) -> None:
    """The ranks around a quantile are those of published tables; a rank beyond the values is an end without one."""
    assert ranks == quantile_ranks(count, share, 0.95)


@pytest.mark.parametrize(("count", "share"), [(40, 0.5), (200, 0.95)])
def test_intervals_of_quantiles_hold(count: int, share: float) -> None:
    """In made-up samples of a known distribution at least 95 % of the intervals hold the true quantile."""
    source = random.Random(7)  # noqa: S311 - made-up samples
    truth = statistics.NormalDist().inv_cdf(share)
    held = 0
    for _ in range(400):
        ordered = sorted(source.gauss(0, 1) for _ in range(count))
        found = quantile_interval(ordered, share, 0.95, count)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held >= 0.93 * 400


def test_values_of_one_run_count_once() -> None:
    """Ten equal values a run say no more than one: the interval is that of the runs."""
    runs = [float(number) for number in range(1, 41)]
    single = quantile_interval(runs, 0.5, 0.95, 40)
    repeated = quantile_interval(sorted(runs * 10), 0.5, 0.95, 40)
    assert single == repeated


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("count", [41, 40])
def test_bootstrap_intervals_hold(statistic: str, count: int) -> None:
    """In made-up samples the interval of a difference holds the true one about as often as it says."""
    source = random.Random(3)  # noqa: S311 - made-up samples
    held = 0
    for number in range(100):
        one = [source.gauss(10, 2) for _ in range(count)]
        two = [source.gauss(11, 2) for _ in range(count)]
        found, ratio = bootstrap(one, two, statistic, 0.95, str(number))
        assert ratio is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1 <= found.high
    assert held >= 88


def test_large_samples_agree_with_theory() -> None:
    """Above 500 values the interval of a mean is what the normal limit says, to a few percent."""
    source = random.Random(5)  # noqa: S311 - made-up samples
    one, two = ([source.gauss(mean, 2) for _ in range(10_000)] for mean in (10, 11))
    found, _ = bootstrap(one, two, "mean", 0.95, "seed")
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * (2 * 4 / 10_000) ** 0.5, rel=0.08)
    same = [1.0] * 600
    assert (0.0, 0.0) == (
        bootstrap(same, same, "mean", 0.95, "")[0].low,
        bootstrap(same, same, "mean", 0.95, "")[0].high,
    )


def test_draws_repeat() -> None:
    """The same runs give the same interval each time, and a side that may be 0 gives no ratio."""
    one, two = [0.0, 1.0, 2.0] * 12, [1.0, 2.0, 3.0] * 12
    assert bootstrap(one, two, "mean", 0.95, "s") == bootstrap(one, two, "mean", 0.95, "s")
    assert bootstrap([0.0] * 30, two, "mean", 0.95, "s")[1] is None


def test_newcombes_example() -> None:
    """The published example (56 of 70 against 48 of 80) gives the published interval, 0.0524 to 0.3339."""
    found = newcombe(48, 80, 56, 70, 0.95)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_needed_runs() -> None:
    """A difference of one standard deviation takes 16 a side at 80 % power; what cannot be measured takes none."""
    one = [-1.0, 1.0] * 5000
    assert 16 == needed(one, one, 1.0, confidence=0.95, power=0.8)
    assert 0 == needed(one, one, 0.0, confidence=0.95, power=0.8)
    assert 0 == needed([1.0], [1.0], 0.1, confidence=0.95, power=0.8)


def test_needed_runs_for_equality() -> None:
    """Where nobody failed, as many are needed as make Wilson's interval narrow enough; other scores by their spread."""
    perfect = [1.0] * 40
    assert 52 == needed_equal(perfect, perfect, 0.05, confidence=0.95, power=0.8)
    interval = newcombe(52, 52, 52, 52, 0.9)
    assert interval.low is not None
    assert interval.low > -0.05
    assert 0 == needed_equal([3.0] * 40, [3.0] * 40, 0.05, confidence=0.95, power=0.8)
    spread = [1.0, 3.0] * 5000
    assert 18 == needed_equal(spread, spread, 1.0, confidence=0.95, power=0.8)


# --- distributions ---------------------------------------------------------------------------------------------------
def test_known_percentiles() -> None:
    """Of 1, 2 ... 101 seconds p50, p95 and p99 are 51, 96 and 100, with n and what bounds them."""
    (found,) = distributions(run(number, number) for number in range(1, 102))
    assert (101, 101, 0, "s", 51.0) == (found.n, found.runs, found.missing, found.unit, found.mean)
    assert [51.0, 96.0, 100.0] == [one.value for one in (found.p50, found.p95, found.p99)]
    assert found.p50.interval is not None
    assert (41.0, 61.0) == (found.p50.interval.low, found.p50.interval.high)
    assert found.p99.interval is not None
    assert found.p99.interval.high is None


def test_p99_is_withheld_below_100_runs() -> None:
    """99 runs show no p99 but say why, whatever is measured in them; the other quantiles are there."""
    for of in ("run", "tool"):
        (found,) = distributions([run(number, number) for number in range(1, 100)], of)  # type: ignore[arg-type]
        assert (None, None, "99 runs; p99 needs 100") == (found.p99.value, found.p99.interval, found.p99.withheld)
        assert found.p95.value is not None


@pytest.mark.parametrize(
    ("of", "value", "name", "mean"),
    [
        ("run", "duration", "run", 2.0),
        ("step", "duration", "step", 2.0),
        ("tool", "duration", "look", 2.0),
        ("model", "time_to_first_chunk", "gpt-x", 0.25),
        ("provider", "tokens", "acme", 110.0),
        ("run", "input_tokens", "run", 100.0),
        ("step", "output_tokens", "step", 10.0),
        ("step", "cost", "step", 0.5),
    ],
)
def test_what_is_measured(of: Any, value: Any, name: str, mean: float) -> None:
    """Runs, steps, tools, models and providers each have their values, named by what they are of."""
    (found,) = distributions([run(1, 1, 0.25), run(2, 3, 0.75)], of, None, value)
    assert (of, name, "all", value, 2, mean) == (found.of, found.name, found.group, found.value, found.n, found.mean)


def test_what_is_not_known_is_missing() -> None:
    """A run without a price, or a tool without tokens, is counted as missing and never as 0."""
    (cost,) = distributions([run(1, 1, 0.25), run(2, 1)], value="cost")
    assert (1, 1, 0.25) == (cost.n, cost.missing, cost.mean)
    (tokens,) = distributions([run(1, 1)], "tool", value="tokens")
    assert (0, 1, None, "nothing was measured") == (tokens.n, tokens.missing, tokens.mean, tokens.p50.withheld)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("variant", ["a", "(none)"]),
        ("user", ["(none)", "u-1"]),
        ("session", ["(none)", "s" * 64]),
        ("hour", ["2023-11-14T22:00Z"]),
    ],
)
def test_groups(by: Any, groups: list[str]) -> None:
    """Runs are grouped by what they say, long names cut, and those that say nothing are a group of their own."""
    made = [run(1, 1, variant="a"), run(2, 1, variant="a"), run(3, 1, user="u-1", session="s" * 99)]
    assert groups == [one.group for one in distributions(made, by=by)]


def test_small_groups_are_taken_together() -> None:
    """However many users there are, as many groups as asked for are shown, and the rest as one."""
    made = [run(number, 1, user=f"u-{min(number, 3)}") for number in range(9)]
    found = distributions(made, by="user", most_groups=1)
    assert [("u-3", 6), ("(other)", 3)] == [(one.group, one.n) for one in found]


def test_experiment_can_be_named() -> None:
    """Of several experiments the one that is meant is read, from the flag or from the metadata."""
    both = run(1, 1, variant="a", experiment="prompt", metadata='{"variants": {"prompt": "a", "model": "big"}}')
    assert ["a", "a", "big", "(none)"] == [
        group_of(both, "variant", name) for name in (None, "prompt", "model", "colour")
    ]
    assert "(none)" == group_of(run(1, 1, metadata="{"), "variant", "model")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"of": "agent"}, "of='agent'.*run, step, tool"),
        ({"by": "colour"}, "by='colour'.*variant, experiment, user"),
        ({"value": "price"}, "value='price'.*duration, cost"),
        ({"most_groups": 0}, "most_groups=0"),
    ],
)
def test_unknown_words_are_refused(options: dict[str, Any], words: str) -> None:
    """A word that is not known is refused with those that are."""
    with pytest.raises(ValueError, match=words):
        distributions([], **options)


# --- comparisons -----------------------------------------------------------------------------------------------------
def test_cheaper_at_equal_success() -> None:
    """Two variants with equal success, one at half the cost: the answer says so, with the sizes of both."""
    found = only(compare([*variant("a", 0, 200, 0.02, 180), *variant("b", 1000, 190, 0.01, 171)]))
    assert "cheaper at equal success (within 0.1)" == found.answer
    assert ("a", "b", (200, 190)) == (found.baseline, found.other, found.cost.n)
    assert found.cost.ratio == pytest.approx(0.5, abs=0.05)
    assert ("lower", "no difference shown") == (found.cost.verdict, found.latency.verdict)
    assert "mean cost $0.0" in found.cost.text


@pytest.mark.parametrize(
    ("cost", "successes", "answer"),
    [
        (0.01, 20, "cheaper, with less success"),
        (0.04, 60, "more expensive, with more success"),
        (0.02, 48, "no difference in cost shown at success that is not worse (by 0.1 or more)"),
        (0.01, 39, "cheaper; that success is equal (within 0.1) is not shown (about "),
        (None, 39, "cost not recorded; that success is equal"),
        (0.01, None, "cheaper; success not recorded"),
    ],
)
def test_answers(cost: float | None, successes: int | None, answer: str) -> None:
    """Each way a comparison can turn out has its own words."""
    found = only(compare([*variant("a", 0, 61, 0.02, 42), *variant("b", 1000, 60, cost, successes)], baseline="a"))
    assert found.answer.startswith(answer)


def test_nobody_recorded_success() -> None:
    """Without any recorded outcome nothing is said of success but that."""
    found = only(compare([*variant("a", 0, 40, 0.02, None), *variant("b", 1000, 40, 0.01, None)]))
    assert ("cheaper; success not recorded", None) == (found.answer, found.outcome)


def test_few_runs_are_not_enough() -> None:
    """Below 30 runs a side there is no interval, and it is said how many are needed."""
    found = only(compare([*variant("a", 0, 40, 0.02, 40), *variant("b", 1000, 29, 0.01, 29)]))
    assert ("not enough", None) == (found.cost.verdict, found.cost.difference_interval)
    assert found.cost.needed >= 30
    assert "at least 30" in found.cost.text
    assert found.answer.startswith("not enough runs to compare cost (about 30 a side are needed); not enough runs to")


def test_needed_grows_with_the_spread() -> None:
    """Where costs vary widely, more than 30 runs are said to be needed, and more than there are."""
    source = random.Random(1)  # noqa: S311 - made-up samples
    made = [run(n, 1, source.lognormvariate(0, 2), variant="ab"[n % 2]) for n in range(80)]
    found = only(compare(made))
    assert found.cost.needed > 40
    assert f"about {found.cost.needed} a side would show" in found.cost.text


def test_several_groups_are_corrected_for() -> None:
    """Three variants are compared with the commonest, at intervals that are wider, and the notes say so."""
    made = [*variant("a", 0, 31, 1, 31), *variant("b", 100, 30, 1, 30), *variant("c", 200, 30, 1, 30), run(999, 1)]
    found = compare(made)
    assert [("a", "b"), ("a", "c")] == [(one.baseline, one.other) for one in found]
    interval = found[0].cost.difference_interval
    assert interval is not None
    assert interval.confidence == pytest.approx(0.975)
    assert any("Bonferroni" in note for note in found[0].notes)
    assert "1 runs say no variant and are left out" in found[0].notes


def test_last_word_on_an_outcome_counts() -> None:
    """Of two outcomes of one name the later one is the run's, and another outcome can be asked for."""
    said = (("resolved", 0), ("resolved", 1), ("polite", 0))
    made = [run(n, 1, 1, variant="ab"[n % 2], outcomes=said) for n in range(80)]
    found = only(compare(made)).outcome
    assert found is not None
    assert (("polite"), (0.0, 0.0)) == (found.value, found.means)
    named = only(compare(made, outcome="resolved")).outcome
    assert named is not None
    assert (1.0, 1.0) == named.means


def test_scores_between_0_and_1_are_compared() -> None:
    """Graded outcomes are compared by bootstrap, and found equal where they are."""
    made = [run(n, 1, 1, variant="ab"[n % 2], outcomes=(("quality", 0.8 + 0.01 * (n % 5)),)) for n in range(100)]
    assert only(compare(made)).answer.endswith("at equal success (within 0.1)")


def test_amounts_below_zero_have_no_ratio() -> None:
    """Scores may be negative: then there is a difference and no ratio."""
    made = [run(n, 1, 1, variant="ab"[n % 2], outcomes=(("mood", -1 - 0.1 * (n % 3)),)) for n in range(80)]
    found = only(compare(made)).outcome
    assert found is not None
    assert found.ratio is None


def test_nothing_to_compare() -> None:
    """Runs of no variant, or of one only, give no comparison."""
    assert () == compare([run(1, 1)])
    assert () == compare([run(1, 1, variant="a")])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "colour"}, "by='colour'"),
        ({"baseline": "c"}, "baseline='c'.*use one of a"),
        ({"equal_within": 0}, "equal_within=0"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    """A group that is not there, or a bound of nothing, is refused with what can be."""
    with pytest.raises(ValueError, match=words):
        compare([run(1, 1, variant="a")], **options)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.1, 100), min_size=30, max_size=60), st.floats(1.5, 3))
def test_intervals_scale_with_the_unit(values: list[float], factor: float) -> None:
    """The interval of a ratio holds the ratio that was put in, where one side is the other times it."""
    _, ratio = bootstrap(values, [value * factor for value in values], "mean", 0.99, "s")
    assert ratio is not None
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low <= factor * 1.001
    assert ratio.high >= factor * 0.999
