"""What a detector answers: where, of which type, and how sure compared with others."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Match"]


class Match(NamedTuple):
    """Where something was found, its type, and its rank: where matches overlap, the highest rank names the whole."""

    start: int
    end: int
    kind: str
    rank: int = 50
