"""Amounts as people say them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_callbacks.analysis.waterfall import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Unit: TypeAlias = Literal["seconds", "tokens", "dollars", "share"]

NONE: Final = "–"  # noqa: RUF001 - the dash that stands for nothing in a table
_MINUS: Final = "\u2212"
_UNBROKEN: Final = "\u00a0"  # a number and its unit stay on one line
_SMALLEST_DIGIT: Final = 8


def said(value: float | None, unit: Unit) -> str:
    """Return *value* in *unit*, a dash for none."""
    return NONE if value is None else _SAID[unit](value).replace(" ", _UNBROKEN)


def _dollars(value: float) -> str:
    """Return US dollars with two places, below a dollar with three digits that count."""
    size = abs(value)
    places = 2 if size >= 1 or not size else min(_SMALLEST_DIGIT, 2 - math.floor(math.log10(size)))
    return f"{_MINUS if value < 0 else ''}${size:,.{places}f}"


def _share(value: float) -> str:
    return f"{value * 100:.{1 if value < 0.0995 else 0}f} %"  # noqa: PLR2004 - what still rounds to below ten


_SAID: Final[Mapping[Unit, Callable[[float], str]]] = {
    "seconds": duration,
    "tokens": lambda value: f"{value:,.0f}",
    "dollars": _dollars,
    "share": _share,
}
