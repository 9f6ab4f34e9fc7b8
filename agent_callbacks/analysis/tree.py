"""The lines of a tree drawn with text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["branch"]

_THROUGH: Final = ("│  ", "   ")
"""What stands beside the spans below one: the line to its siblings, or nothing below the last."""


def branch(path: Sequence[bool]) -> str:
    """Return the lines drawn before a span's name; *path* is as ``Trace.walk`` yields it."""
    if not path:
        return ""
    return "".join(map(_THROUGH.__getitem__, path[:-1])) + ("└─ " if path[-1] else "├─ ")
