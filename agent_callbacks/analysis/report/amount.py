"""Amounts as people say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_callbacks.analysis.figure import dollars, percent
from agent_callbacks.analysis.waterfall import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Unit: TypeAlias = Literal["seconds", "tokens", "dollars", "share"]

NONE: Final = "–"  # noqa: RUF001 - the dash that stands for nothing in a table
_UNBROKEN: Final = "\u00a0"  # a number and its unit stay on one line


def said(value: float | None, unit: Unit) -> str:
    """Return *value* in *unit*, a dash for none."""
    return NONE if value is None else _SAID[unit](value).replace(" ", _UNBROKEN)


_SAID: Final[Mapping[Unit, Callable[[float], str]]] = {
    "seconds": duration,
    "tokens": lambda value: f"{value:,.0f}",
    "dollars": dollars,
    "share": percent,
}
