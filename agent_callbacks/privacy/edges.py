"""Where a word may begin and end."""

from __future__ import annotations

from typing import Final

__all__ = ["ESCAPES", "closes", "opens"]

ESCAPES: Final = frozenset("nrtbf")


def opens(text: str, at: int) -> bool:
    """Tell whether a word may begin at *at*; the letter of an escaped line break belongs to no word."""
    if at == 0 or not text[at - 1].isalnum():
        return True
    return at > 1 and text[at - 2] == "\\" and text[at - 1] in ESCAPES


def closes(text: str, at: int) -> bool:
    """Tell whether a word may end at *at*."""
    return at >= len(text) or not text[at].isalnum()
