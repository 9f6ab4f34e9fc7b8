"""US dollars as people say them."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["dollars"]

_MINUS: Final = "\u2212"
_SMALLEST_DIGIT: Final = 8


def dollars(value: float) -> str:
    """Return *value* with two places, below a dollar with three digits that count."""
    size = abs(value)
    places = 2 if size >= 1 or not size else min(_SMALLEST_DIGIT, 2 - math.floor(math.log10(size)))
    return f"{_MINUS if value < 0 else ''}${size:,.{places}f}"
