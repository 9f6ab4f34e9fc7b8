"""The lines of a tree drawn with text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["branch"]


def branch(path: Sequence[bool]) -> str:
    """Return the lines drawn before a span's name; *path* is as ``Trace.walk`` yields it."""
    if not path:
        return ""
    return "".join("   " if last else "│  " for last in path[:-1]) + ("└─ " if path[-1] else "├─ ")
