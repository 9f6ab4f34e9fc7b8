"""The statistics of distributions and comparisons: pure, exact where they can be, repeatable where they draw.

Sources: order-statistic intervals of quantiles, Hahn and Meeker, Statistical Intervals (1991), section 5.2; percentile
bootstrap, Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; difference of proportions,
Newcombe, Statistics in Medicine 17 (1998), method 10; sample size, Cohen, Statistical Power Analysis (1988).
"""

from __future__ import annotations

import functools
import math
import random
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Interval", "bootstrap", "median", "needed", "needed_equal", "newcombe", "quantile", "quantile_interval",
    "quantile_ranks",
]  # fmt: skip

RESAMPLES: Final = 2000
_SMALL: Final = 500
_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; None is an end that so few values do not bound."""

    low: float | None
    high: float | None
    confidence: float


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the quantile of *ordered*, interpolated between neighbours (Hyndman and Fan's type 7, as numpy's)."""
    place = (len(ordered) - 1) * share
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values: Sequence[float]) -> float:
    """Return the median of *values*, which need no order."""
    return quantile(sorted(values), 0.5)


@functools.lru_cache(512)
def quantile_ranks(count: int, share: float, confidence: float) -> tuple[int, int]:
    """Return the ranks, from 1, of the order statistics around a quantile of *count* values.

    How many values are below the true quantile is binomial, whatever the distribution: each end is missed with at most
    half of what *confidence* leaves. A rank of 0 or *count* + 1 is an end there is no value for.
    """
    each = (1 - confidence) / 2
    low, high, below = 0, count + 1, 0.0
    # What is nine standard deviations below the mean adds less than a float can tell.
    begin = max(0, math.floor(count * share - 9 * math.sqrt(count * share * (1 - share))))
    for rank in range(begin, count):
        below += math.exp(_log_binomial(count, rank, share))  # P(at most rank values are below)
        if below <= each:
            low = rank + 1
        if below >= 1 - each:
            high = rank + 1
            break
    return min(low, count), high


def _log_binomial(count: int, hits: int, share: float) -> float:
    ways = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
    return ways + hits * math.log(share) + (count - hits) * math.log1p(-share)


def quantile_interval(ordered: Sequence[float], share: float, confidence: float, independent: int) -> Interval:
    """Return an interval of the quantile of *ordered*.

    Args:
        ordered: The values.
        share: Which quantile, above 0 and below 1.
        confidence: How often such intervals hold the true quantile, at least.
        independent: How many of the values are independent, at most all. Those of one run are alike: with fewer runs
            than values the interval is as wide as if each run had given one.
    """
    low, high = quantile_ranks(independent, share, confidence)
    scale = len(ordered) / independent
    return Interval(
        None if low < 1 else ordered[math.ceil((low - 1) * scale)],
        None if high > independent else ordered[math.ceil(high * scale) - 1],
        confidence,
    )


def bootstrap(
    one: Sequence[float], two: Sequence[float], statistic: str, confidence: float, seed: str
) -> tuple[Interval, Interval | None]:
    """Return percentile bootstrap intervals of the difference *two* - *one* and of the ratio *two* / *one*.

    Args:
        one: Values of one side, at least one.
        two: Values of the other.
        statistic: ``"mean"`` or ``"median"``.
        confidence: Of each interval.
        seed: Makes the draws repeatable.

    Returns:
        Both; no ratio where the first side's statistic may be 0 or below.
    """
    source = random.Random(seed)  # noqa: S311 - statistics, not secrets
    draw = _median_draw if statistic == "median" else _mean_draw
    first, second = draw(one, source), draw(two, source)
    pairs = [(first(), second()) for _ in range(RESAMPLES)]
    difference = _percentiles([b - a for a, b in pairs], confidence)
    positive = all(a > 0 for a, _ in pairs)
    return difference, _percentiles([b / a for a, b in pairs], confidence) if positive else None


def _percentiles(drawn: list[float], confidence: float) -> Interval:
    drawn.sort()
    each = (1 - confidence) / 2
    return Interval(quantile(drawn, each), quantile(drawn, 1 - each), confidence)


def _mean_draw(values: Sequence[float], source: random.Random) -> Callable[[], float]:
    """Return what draws the mean of a resample.

    Above 500 values from its Edgeworth expansion (mean, spread and skewness), which is then as good and costs nothing.
    """
    count = len(values)
    if count <= _SMALL:
        return lambda: fmean(source.choices(values, k=count))
    mean = fmean(values)
    spread = math.sqrt(fmean([(value - mean) ** 2 for value in values]))
    error = spread / math.sqrt(count)
    skewness = fmean([((value - mean) / spread) ** 3 for value in values]) if spread else 0.0

    def drawn() -> float:
        z = source.gauss(0, 1)
        return mean + error * (z + skewness / (6 * math.sqrt(count)) * (z * z - 1))

    return drawn


def _median_draw(values: Sequence[float], source: random.Random) -> Callable[[], float]:
    """Return what draws the median of a resample, exactly: the ranks it falls on are order statistics of uniforms."""
    ordered = sorted(values)
    count = len(ordered)
    middle = (count + 1) // 2

    def drawn() -> float:
        low = source.betavariate(middle, count - middle + 1)
        first = ordered[min(int(low * count), count - 1)]
        if count % 2:
            return first
        high = low + (1 - low) * (1 - (1 - source.random()) ** (1 / (count - middle)))
        return (first + ordered[min(int(high * count), count - 1)]) / 2

    return drawn


def newcombe(hits: float, count: int, more_hits: float, more_count: int, confidence: float) -> Interval:
    """Return an interval of the difference of two shares, the second minus the first.

    Unlike the bootstrap's it has a width where every run succeeded.
    """
    p, low, high = _wilson(hits, count, confidence)
    q, more_low, more_high = _wilson(more_hits, more_count, confidence)
    return Interval(q - p - math.hypot(q - more_low, high - p), q - p + math.hypot(more_high - q, p - low), confidence)


def _wilson(hits: float, count: int, confidence: float) -> tuple[float, float, float]:
    z = _NORMAL.inv_cdf((1 + confidence) / 2)
    share = hits / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return share, (middle - half) / scale, (middle + half) / scale


def needed(one: Sequence[float], two: Sequence[float], difference: float, *, confidence: float, power: float) -> int:
    """Return how many values a side would show a *difference* of means, from how much these spread.

    The usual normal approximation; a spread estimated from few values is itself uncertain.
    """
    spread = _variance(one) + _variance(two)
    z = _NORMAL.inv_cdf((1 + confidence) / 2) + _NORMAL.inv_cdf(power)
    return math.ceil(z * z * spread / difference**2) if difference > 0 else 0


def needed_equal(one: Sequence[float], two: Sequence[float], bound: float, *, confidence: float, power: float) -> int:
    """Return how many values a side would show means to be within *bound*, were they equal.

    For two one-sided tests (Chow, Shao and Wang, Sample Size Calculations, 2008, section 3.2). Where every value is 0
    or 1, also as many as Wilson's interval needs to be that narrow when none fails.
    """
    level = 1 - (1 - confidence) * 2
    z = _NORMAL.inv_cdf((1 + level) / 2)
    perfect = math.ceil(z * z * (1 / bound - 1)) if {*one, *two} <= {0.0, 1.0} and bound < 1 else 0
    return max(perfect, needed(one, two, bound, confidence=level, power=(1 + power) / 2))


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:  # noqa: PLR2004 - one value does not spread
        return 0.0
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
