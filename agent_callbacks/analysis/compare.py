"""Groups of runs against each other: what differs, how sure that is, and the answer in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from operator import attrgetter
from statistics import fmean
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_callbacks.analysis.observation import observed
from agent_callbacks.analysis.sample import BY, NO_GROUP, UNITS, chosen
from agent_callbacks.analysis.statistic import Interval, bootstrap, median, needed, needed_equal, newcombe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from agent_callbacks.analysis.observation import Observation
    from agent_callbacks.analysis.sample import By, Value
    from agent_callbacks.analysis.trace import Trace

__all__ = ["Comparison", "Effect", "compare", "compared"]

Verdict: TypeAlias = Literal["lower", "higher", "no difference shown", "not enough", "not recorded"]

_CONFIDENCE: Final = 0.95
_POWER: Final = 0.8
_RELATIVE: Final = 0.2
_FEWEST: Final = 30
_STATISTICS: Final[Mapping[Value, str]] = {"cost": "mean", "duration": "median", "tokens": "mean"}
"""What is compared: of costs and tokens the mean, which is what is paid for, of durations what is usual."""
_COMPLETED: Final = "completed"
_WORDS: Final[Mapping[str, str]] = {
    "cost": "cost", "duration": "latency", "tokens": "tokens", _COMPLETED: "share without failure",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Effect:
    """How one value differs between the baseline and the other side.

    ``statistic`` (``"mean"`` or ``"median"``) says what ``difference`` (other - baseline), ``ratio`` (other / baseline)
    and the intervals are of; both sides' means and medians are given. ``n`` and ``missing`` are (baseline, other).
    Intervals are None below 30 values a side, where the verdict is ``"not enough"``; ``needed`` is then how many a side
    would be: 30, or more where that would not show a difference of 20 % (of the equivalence bound, for an outcome).
    """

    value: str
    unit: str
    statistic: str
    n: tuple[int, int]
    missing: tuple[int, int]
    means: tuple[float, float] | None
    medians: tuple[float, float] | None
    difference: float | None
    ratio: float | None
    difference_interval: Interval | None
    ratio_interval: Interval | None
    verdict: Verdict
    needed: int
    text: str

    @property
    def lacking(self) -> int:
        """How many more runs the smaller side needs; 0 where it has enough."""
        return max(0, self.needed - min(self.n))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One group against the baseline.

    ``completed`` is the effect on the share of runs that ended without failure, ``outcome`` on what ``record_outcome``
    said, None where it said nothing. ``answer`` is one sentence, ``notes`` are what a reader must know to believe it.
    """

    by: str
    baseline: str
    other: str
    cost: Effect
    latency: Effect
    tokens: Effect
    completed: Effect
    outcome: Effect | None
    answer: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sides:
    """The values of two groups; None where a run does not say."""

    value: str
    unit: str
    statistic: str
    one: Sequence[float | None]
    two: Sequence[float | None]
    names: tuple[str, str]

    def known(self) -> tuple[list[float], list[float]]:
        return [one for one in self.one if one is not None], [two for two in self.two if two is not None]


def compare(
    traces: Iterable[Trace],
    by: By = "variant",
    *,
    baseline: str | None = None,
    outcome: str | None = None,
    experiment: str | None = None,
    equal_within: float = 0.1,
    prices: str | Path | None = None,
) -> tuple[Comparison, ...]:
    """Compare the groups of runs with the baseline, each on its own, in the order of their names.

    Intervals are of 95 %, by percentile bootstrap of 2,000 draws with a fixed seed; for outcomes of 0 and 1 Newcombe's.
    With several groups each interval is wider by Bonferroni's rule, so that all of one value hold together at 95 %.
    Success is called equal where the 90 % interval of its difference lies within *equal_within* (two one-sided tests at
    5 %, Schuirmann 1987): that no difference was found is not enough.

    Args:
        traces: The runs. Those without a group are left out.
        by: What groups them: ``"variant"``, ``"experiment"``, ``"user"``, ``"session"``, ``"agent"``, ``"model"`` (all
            that were asked) or ``"hour"``.
        baseline: The group others are compared with; the one with most runs unless given.
        outcome: The outcome that is success, as ``record_outcome`` names it; the one most runs have unless given.
        experiment: Which experiment's variants, where runs take part in several.
        equal_within: How far apart success may be and still be called equal, in points of the score.
        prices: For costs, a file of prices as ``cost_report`` takes it.

    Raises:
        ValueError: *by* or *baseline* is not known, or *equal_within* is not above 0.
    """
    chosen("by", by, BY)
    runs = observed(traces, by, experiment, prices)
    return compared(runs, by, baseline=baseline, outcome=outcome, equal_within=equal_within)


def compared(
    runs: Iterable[Observation],
    by: By = "variant",
    *,
    baseline: str | None = None,
    outcome: str | None = None,
    equal_within: float = 0.1,
    most_groups: int | None = None,
) -> tuple[Comparison, ...]:
    """Compare the groups of *runs* that are observed already, as ``compare`` does; its arguments mean the same here.

    Args:
        runs: The runs, each with its group.
        by: What groups them, for words only.
        baseline: The group others are compared with.
        outcome: The outcome that is success.
        equal_within: How far apart success may be and still be called equal.
        most_groups: How many groups are compared, those with most runs first and the baseline in any case.

    Raises:
        ValueError: *baseline* is not known, or *equal_within* is not above 0.
    """
    if not equal_within > 0:
        message = f"equal_within={equal_within} must be above 0: points of the score, like 0.1"
        raise ValueError(message)
    groups: defaultdict[str, list[Observation]] = defaultdict(list)
    for run in runs:
        groups[run.group].append(run)
    unknown = len(groups.pop(NO_GROUP, ()))
    if baseline is not None:
        chosen("baseline", baseline, sorted(groups) or (f"nothing: no run has a {by}",))
    elif groups:
        baseline = min(groups, key=lambda group: (-len(groups[group]), group))
    if baseline is None:
        return ()
    kept = sorted(groups, key=lambda group: (group != baseline, -len(groups[group]), group))[:most_groups]
    name = outcome or _commonest(groups)
    setting = _Setting(by, baseline, name, equal_within, len(kept) - 1, unknown, len(groups) - len(kept))
    return tuple(_compared(setting, groups[baseline], other, groups[other]) for other in sorted(kept[1:]))


@dataclass(frozen=True, slots=True)
class _Setting:
    by: str
    baseline: str
    outcome: str | None
    equal_within: float
    pairs: int
    unknown: int
    left_out: int

    @property
    def confidence(self) -> float:
        return 1 - (1 - _CONFIDENCE) / self.pairs


def _commonest(groups: Mapping[str, Sequence[Observation]]) -> str | None:
    counts = Counter(name for runs in groups.values() for run in runs for name in run.scores)
    return min(counts, key=lambda name: (-counts[name], name), default=None)


def _compared(setting: _Setting, one: Sequence[Observation], other: str, two: Sequence[Observation]) -> Comparison:
    names = (setting.baseline, other)
    effects: dict[str, Effect] = {}
    for value, statistic in _STATISTICS.items():
        first, second = (list(map(attrgetter(value), runs)) for runs in (one, two))
        sides = _Sides(value, UNITS[value], statistic, first, second, names)
        effects[value] = _effect(sides, setting.confidence, None)
    well = ([run.completed for run in one], [run.completed for run in two])
    shares = _Sides(_COMPLETED, "score", "mean", well[0], well[1], names)
    completed = _effect(shares, setting.confidence, setting.equal_within)
    success, equal = None, None
    if (name := setting.outcome) is not None:
        first, second = ([run.scores.get(name) for run in runs] for runs in (one, two))
        scores = _Sides(name, "score", "mean", first, second, names)
        success = _effect(scores, setting.confidence, setting.equal_within)
        if success.difference_interval is not None:
            equal = _interval(scores, *scores.known(), 1 - 2 * (1 - setting.confidence))[0]
    answer = _answer(effects["cost"], success, equal, setting)
    return Comparison(
        setting.by, setting.baseline, other, effects["cost"], effects["duration"], effects["tokens"], completed,
        success, answer, _notes(setting, 4 if success is None else 5),
    )  # fmt: skip


def _effect(sides: _Sides, confidence: float, bound: float | None) -> Effect:
    one, two = sides.known()
    n = (len(one), len(two))
    missing = (len(sides.one) - n[0], len(sides.two) - n[1])
    if not one or not two:
        text = f"{_word(sides.value)} not recorded on both sides ({n[0]} and {n[1]} runs)"
        return Effect(
            sides.value, sides.unit, sides.statistic, n, missing, None, None, None, None, None, None, "not recorded",
            _FEWEST, text,
        )  # fmt: skip
    means, medians = (fmean(one), fmean(two)), (median(one), median(two))
    before, after = means if sides.statistic == "mean" else medians
    wanted = abs(means[0]) * _RELATIVE if bound is None else bound
    if bound is None:
        enough = max(_FEWEST, needed(one, two, wanted, confidence=confidence, power=_POWER))
    else:
        enough = max(_FEWEST, needed_equal(one, two, bound, confidence=confidence, power=_POWER))
    difference, ratio = after - before, after / before if before > 0 else None
    interval, ratios = None, None
    verdict: Verdict = "not enough"
    if min(n) >= _FEWEST:
        interval, ratios = _interval(sides, one, two, confidence)
        verdict = _verdict(interval)
    text = _said(sides, n, (before, after), interval, verdict, enough, wanted)
    return Effect(
        sides.value, sides.unit, sides.statistic, n, missing, means, medians, difference, ratio, interval, ratios,
        verdict, enough, text,
    )  # fmt: skip


def _interval(
    sides: _Sides, one: Sequence[float], two: Sequence[float], confidence: float
) -> tuple[Interval, Interval | None]:
    if sides.unit == "score" and {*one, *two} <= {0.0, 1.0}:
        return newcombe(sum(one), len(one), sum(two), len(two), confidence), None
    return bootstrap(one, two, sides.statistic, confidence, "\n".join((sides.value, *sides.names)))


def _verdict(interval: Interval) -> Verdict:
    if interval.high is not None and interval.high < 0:
        return "lower"
    if interval.low is not None and interval.low > 0:
        return "higher"
    return "no difference shown"


# --- in words --------------------------------------------------------------------------------------------------------
def _word(value: str) -> str:
    return _WORDS.get(value, f"outcome {value!r}")


def _amount(number: float, unit: str) -> str:
    return {"USD": f"${number:.4g}", "s": f"{number:.3g} s", "tokens": f"{number:,.0f}"}.get(unit, f"{number:.3g}")


def _said(
    sides: _Sides, n: tuple[int, int], values: tuple[float, float], interval: Interval | None, verdict: Verdict,
    enough: int, wanted: float,
) -> str:  # fmt: skip
    unit = sides.unit
    start = (
        f"{sides.statistic} {_word(sides.value)} {_amount(values[0], unit)} for {sides.names[0]} (n={n[0]}), "
        f"{_amount(values[1], unit)} for {sides.names[1]} (n={n[1]})"
    )
    if interval is None or interval.low is None or interval.high is None:
        return (
            f"{start}: not enough runs to say more; about {enough} a side are needed (at least {_FEWEST}, and enough "
            f"to show a difference of {_amount(wanted, unit)} at this spread)"
        )
    low, high = _amount(interval.low, unit), _amount(interval.high, unit)
    change = f" ({values[1] / values[0] - 1:+.0%})" if values[0] > 0 else ""
    said = f"{start}: {verdict}{change}, difference {low} to {high} at {interval.confidence:.4g}"
    return f"{said}; about {enough} a side would show {_amount(wanted, unit)}" if _open(verdict, n, enough) else said


def _open(verdict: Verdict, n: tuple[int, int], enough: int) -> bool:
    return verdict == "no difference shown" and min(n) < enough


def _answer(cost: Effect, success: Effect | None, equal: Interval | None, setting: _Setting) -> str:
    """Return the conclusion: is it cheaper, and did it succeed as often?"""
    money = {
        "lower": "cheaper", "higher": "more expensive", "no difference shown": "no difference in cost shown",
        "not enough": f"not enough runs to compare cost (about {cost.needed} a side are needed)",
        "not recorded": "cost not recorded",
    }[cost.verdict]  # fmt: skip
    return f"{money}{_at_success(success, equal, setting)}"


def _at_success(success: Effect | None, equal: Interval | None, setting: _Setting) -> str:
    if success is None or success.verdict == "not recorded":
        return "; success not recorded"
    if equal is None or equal.low is None or equal.high is None:
        return f"; not enough runs to compare success (about {success.needed} a side are needed)"
    differs = {"lower": ", with less success", "higher": ", with more success"}.get(success.verdict)
    return differs or _as_good(success, equal.low, equal.high, setting.equal_within)


def _as_good(success: Effect, low: float, high: float, bound: float) -> str:
    if -bound < low and high < bound:
        return f" at equal success (within {bound:g})"
    if -bound < low:
        return f" at success that is not worse (by {bound:g} or more)"
    more = f" (about {success.needed} a side are needed)" if min(success.n) < success.needed else ""
    return f"; that success is equal (within {bound:g}) is not shown{more}"


def _notes(setting: _Setting, values: int) -> tuple[str, ...]:
    notes = [f"{values} values are compared: of 20 intervals at 95 %, one misses by chance"]
    if setting.pairs > 1:
        notes.append(
            f"{setting.pairs} groups are compared with {setting.baseline}: intervals are at "
            f"{setting.confidence:.4g} each, so that all of one value hold at {_CONFIDENCE:g} (Bonferroni)"
        )
    if setting.unknown:
        notes.append(f"{setting.unknown} runs say no {setting.by} and are left out")
    if setting.left_out:
        notes.append(f"{setting.left_out} groups with fewer runs are left out")
    return tuple(notes)
