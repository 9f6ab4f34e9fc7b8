"""Figures as people say them."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["counted", "dollars", "percent", "signed"]

MINUS: Final = "\u2212"
_SMALLEST_SHARE: Final = 0.0005


def dollars(value: float, places: int = 8) -> str:
    """Return US dollars with two places, below a dollar with three digits that count, in at most *places* places."""
    size = abs(value)
    if 0 < size < 0.5 * 10**-places:
        return f"<${10**-places:.{places}f}"
    places = 2 if size >= 1 or not size else min(places, 2 - math.floor(math.log10(size)))
    return f"{MINUS if value < 0 else ''}${size:,.{places}f}"


def counted(count: int, thing: str) -> str:
    """Return how many of a thing there are."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share of one in percent, below ten with one place; what is not nothing never reads as nothing."""
    if not share:
        return "0 %"
    if 0 < share < _SMALLEST_SHARE:
        return "< 0.1 %"
    return f"{share * 100:.{1 if abs(share) < 0.0995 else 0}f} %"  # noqa: PLR2004 - what still rounds to below ten


def signed(count: int) -> str:
    """Return a change with its sign."""
    return f"+{count:,}" if count > 0 else f"{count:,}".replace("-", MINUS)
