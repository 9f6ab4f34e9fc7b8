"""How durations, costs and tokens are spread over runs, steps, tools, models and providers: never without the n."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from operator import attrgetter
from statistics import fmean
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.figure import counted
from agent_callbacks.analysis.sample import BY, OF, UNITS, Measurement, chosen, samples
from agent_callbacks.analysis.statistic import Interval, quantile, quantile_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from agent_callbacks.analysis.observation import Observation
    from agent_callbacks.analysis.sample import By, Of, Value
    from agent_callbacks.analysis.trace import Trace

__all__ = ["OTHER", "Distribution", "Quantile", "distributions", "spreads"]

OTHER: Final = "(other)"
"""The group of what is beyond the groups that were asked for."""
_CONFIDENCE: Final = 0.95
_FEWEST_FOR_P99: Final = 100
_SHARES: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Quantile:
    """One quantile; ``value`` is None where it is withheld, and ``withheld`` says why.

    ``interval`` has an end of None where so few runs do not bound it at 95 %.
    """

    share: float
    value: float | None
    interval: Interval | None
    withheld: str | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """How one value is spread in one group.

    ``n`` counts the values, ``runs`` the traces they are from, ``missing`` what does not say its value in full: that is
    not in the figures. ``unit`` is ``"s"``, ``"USD"`` or ``"tokens"``; ``mean`` is None where ``n`` is 0.
    """

    of: str
    name: str
    group: str
    value: str
    unit: str
    n: int
    runs: int
    missing: int
    mean: float | None
    p50: Quantile
    p95: Quantile
    p99: Quantile


def distributions(
    traces: Iterable[Trace],
    of: Of = "run",
    by: By | None = None,
    value: Value = "duration",
    *,
    most_groups: int = 50,
    prices: str | Path | None = None,
) -> tuple[Distribution, ...]:
    """Return how a value is spread, one distribution for each name and group, those with most values first.

    Quantiles interpolate between neighbours (type 7); their intervals are order-statistic intervals of 95 %, which hold
    for any distribution. Several values of one run count as one for the interval. p99 is withheld below 100 runs, where
    it would be little else than the largest value.

    Args:
        traces: The traces.
        of: What is measured: ``"run"``, ``"step"``, ``"tool"``, ``"model"`` or ``"provider"``; the last two measure
            each model call. A tool's or model's name tells distributions apart.
        by: What groups the runs: ``"variant"``, ``"experiment"``, ``"user"``, ``"session"``, ``"agent"``, ``"model"``
            (all that were asked) or ``"hour"`` (of the start, UTC).
        value: ``"duration"``; ``"cost"``, ``"tokens"``, ``"input_tokens"``, ``"output_tokens"`` of all model calls in
            it; of a model call ``"time_to_first_chunk"`` and ``"time_per_output_token"``; of a tool ``"downstream"``,
            ``"marshaling"`` and ``"queue"``.
        most_groups: How many groups are told apart; the runs of smaller ones are ``"(other)"``.
        prices: For costs, a file of prices as ``cost_report`` takes it.

    Raises:
        ValueError: A word is not one of those above, or *most_groups* is below 1.
    """
    chosen("of", of, OF)
    chosen("value", value, UNITS)
    if by is not None:
        chosen("by", by, BY)
    if most_groups < 1:
        message = f"most_groups={most_groups} is too few; use 1 or more"
        raise ValueError(message)
    found = list(samples(traces, of, value, by, prices=prices))
    kept = _largest(found, most_groups)
    sorted_out: defaultdict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for one in found:
        sorted_out[one.name, one.group if one.group in kept else OTHER].append(one)
    made = [_distribution(of, value, name, group, members) for (name, group), members in sorted_out.items()]
    return tuple(sorted(made, key=lambda one: (-one.n, one.name, one.group)))


def spreads(runs: Iterable[Observation], value: Value) -> Mapping[str, Distribution]:
    """Return how the *value* of runs that are observed already is spread, by their groups."""
    read = attrgetter(value)
    groups: defaultdict[str, list[Measurement]] = defaultdict(list)
    for run in runs:
        groups[run.group].append(Measurement(run.trace_id, "run", run.group, read(run)))
    return {group: _distribution("run", value, "run", group, members) for group, members in groups.items()}


def _largest(found: Iterable[Measurement], most: int) -> frozenset[str]:
    counts: defaultdict[str, int] = defaultdict(int)
    for one in found:
        counts[one.group] += 1
    return frozenset(sorted(counts, key=lambda group: (-counts[group], group))[:most])


def _distribution(of: str, value: str, name: str, group: str, members: Sequence[Measurement]) -> Distribution:
    known = [(one.value, one.trace_id) for one in members if one.value is not None]
    ordered = sorted(number for number, _ in known)
    runs = len({trace_id for _, trace_id in known})
    p50, p95, p99 = (_quantile(ordered, runs, share) for share in _SHARES)
    mean = fmean(ordered) if ordered else None
    n = len(ordered)
    return Distribution(of, name, group, value, UNITS[value], n, runs, len(members) - n, mean, p50, p95, p99)


def _quantile(ordered: Sequence[float], runs: int, share: float) -> Quantile:
    if not ordered:
        return Quantile(share, None, None, "nothing was measured")
    if share >= max(_SHARES) and runs < _FEWEST_FOR_P99:
        return Quantile(share, None, None, f"{counted(runs, 'run')}; p99 needs {_FEWEST_FOR_P99}")
    return Quantile(share, quantile(ordered, share), quantile_interval(ordered, share, _CONFIDENCE, runs))
