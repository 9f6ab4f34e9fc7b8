"""What growing history costs: marginal tokens, context multiple and growth, cached share, projection. Pure.

All of it is worked out from the input tokens of a run's steps, in order; used while a run goes on and when it is read
back, so that the two cannot disagree.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Marginal", "cached_share", "context_growth", "context_multiple", "growth_kind", "is_rising", "marginal",
    "projected", "slope",
]  # fmt: skip

ALERT_TOKENS: Final = 2000
"""Steps with fewer input tokens raise no alert: doubling next to nothing costs next to nothing."""
COMPOUNDING: Final = 1.5
"""The growth from which a large multiple comes from steps that grow, not from many steps."""


@dataclass(frozen=True, slots=True)
class Marginal:
    """What a step sends more than the one before: ``tokens``, and ``ratio``, that over what the one before sent.

    The ratio is None where the step before sent nothing.
    """

    tokens: int
    ratio: float | None


def marginal(before: int | None, now: int) -> Marginal | None:
    """Return what a step of *now* input tokens adds to the step of *before*; None for a run's first step."""
    if before is None:
        return None
    return Marginal(now - before, (now - before) / before if before else None)


def is_rising(inputs: Sequence[int], threshold: float) -> bool:
    """Say whether the last two steps both sent at least 2,000 tokens and more than *threshold* above the one before.

    Args:
        inputs: The input tokens of the steps so far, in order; the last three count.
        threshold: The marginal ratio above which a step counts, e.g. 0.2.
    """
    last = inputs[-3:]
    if len(last) < 3 or min(last[1:]) < ALERT_TOKENS:  # noqa: PLR2004 - two differences need three steps
        return False
    return all(before > 0 and (now - before) / before > threshold for before, now in itertools.pairwise(last))


def context_multiple(inputs: Sequence[int], first: int | None = None) -> float | None:
    """Return how many times the input of the first call the run has sent; None where that is nothing.

    Args:
        inputs: The input tokens of the run's steps, in order.
        first: The input tokens of the first call, where the first step made several.
    """
    base = first or (inputs[0] if inputs else 0)
    return sum(inputs) / base if base else None


def context_growth(inputs: Sequence[int], first: int | None = None) -> float | None:
    """Return the mean input of the last third of the steps (at least one) over that of the first call.

    Args:
        inputs: The input tokens of the run's steps, in order.
        first: The input tokens of the first call, where the first step made several.
    """
    base = first or (inputs[0] if inputs else 0)
    if not base:
        return None
    third = max(1, len(inputs) // 3)
    return sum(inputs[-third:]) / third / base


def growth_kind(growth: float) -> str:
    """Return why a run has sent many times its first input: ``"many steps"``, or ``"compounding"`` where they grow."""
    return "many steps" if growth < COMPOUNDING else "compounding"


def cached_share(cache_read: int | None, given: int) -> float | None:
    """Return the share of the *given* input tokens read from a cache, 0 to 1; None where none is reported."""
    return None if cache_read is None or given <= 0 else min(1.0, cache_read / given)


def slope(inputs: Sequence[int]) -> float:
    """Return how many tokens a step adds on average; 0 for a single step, which says nothing about growth."""
    return (inputs[-1] - inputs[0]) / (len(inputs) - 1) if len(inputs) > 1 else 0.0


def projected(inputs: Sequence[int], steps: int) -> tuple[int, ...]:
    """Return the input tokens of each of *steps* more steps, were they to grow as the run has so far (a line).

    Args:
        inputs: The input tokens of the run's steps, in order; of none, nothing is known: all 0.
        steps: How many more.

    Raises:
        ValueError: *steps* is negative.
    """
    if steps < 0:
        raise ValueError(f"steps must be 0 or more, not {steps}")
    last, rise = (inputs[-1] if inputs else 0), slope(inputs)
    return tuple(max(0, round(last + rise * more)) for more in range(1, steps + 1))
