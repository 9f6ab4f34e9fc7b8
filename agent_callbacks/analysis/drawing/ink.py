"""Colours by what they stand for; each style also works where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Paint", "paint"]

Paint: TypeAlias = "Callable[[str, str], str]"
"""Takes a text and a style, or several with blanks between, and returns the text in that style; "" is none."""

# SGR parameters (ECMA-48, 8.3.117), of the sixteen colours only: those the user has chosen for this terminal.
_STYLES: Final[Mapping[str, str]] = {
    "A": "36", "S": "34", "M": "35", "E": "35", "T": "32", "R": "33", "C": "36", "N": "37", "·": "37",
    "failed": "31", "marked": "33", "good": "32", "faint": "2", "bold": "1",
    "system_prompt": "34", "tool_schemas": "36", "history": "35", "tool_outputs": "32", "other": "33",
    "unsplit": "34", "model": "35", "waiting": "32", "own": "36", "framework": "33", "cost": "33",
}  # fmt: skip


def paint(*, color: bool) -> Paint:
    """Return what colours texts, or leaves them alone."""
    return _ansi if color else _plain


def _plain(text: str, style: str) -> str:
    del style
    return text


def _ansi(text: str, style: str) -> str:
    codes = ";".join(_STYLES[each] for each in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text.strip() else text
