"""The union of intervals of time: no nanosecond counts twice, whoever spent it."""

from __future__ import annotations

import sys
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_PARTS", "Union", "covered"]

MAX_PARTS: Final = 256
"""How many disjoint intervals are kept apart: memory is bounded."""


def covered(intervals: Iterable[tuple[int, int]]) -> int:
    """Return the length of the union of *intervals*, exactly: in order, folding loses nothing."""
    union = Union()
    for begin, end in sorted(intervals):
        union.add(begin, end)
    return union.length()


class Union:
    """The union of intervals, added in any order.

    When there are more than ``MAX_PARTS`` disjoint ones, the older half is kept as its length alone. What is added
    later and begins before them all replaces that; what begins among them counts from their end on, so the total is
    never too long.
    """

    __slots__ = ("_begins", "_ends", "_folded_begin", "_folded_end", "_folded_ns")

    def __init__(self) -> None:
        """Begin empty."""
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._folded_begin = self._folded_end = self._folded_ns = 0

    @property
    def parts(self) -> int:
        """How many disjoint intervals are kept."""
        return len(self._begins)

    def length(self, until: int = sys.maxsize) -> int:
        """Return the nanoseconds in the union before *until*, which nothing folded is after."""
        return self._folded_ns + sum(
            min(end, until) - min(begin, until) for begin, end in zip(self._begins, self._ends, strict=True)
        )

    def add(self, begin: int, end: int) -> None:
        """Add the time from *begin* to *end*, in nanoseconds of Unix time."""
        if self._folded_ns and begin < self._folded_end:
            if begin <= self._folded_begin and end >= self._folded_end:
                self._folded_ns = 0
            else:
                begin = self._folded_end
        if end <= begin:
            return
        first = bisect_left(self._ends, begin)
        last = bisect_left(self._begins, end + 1, first)
        if first < last:
            begin, end = min(begin, self._begins[first]), max(end, self._ends[last - 1])
        self._begins[first:last] = [begin]
        self._ends[first:last] = [end]
        if len(self._begins) > MAX_PARTS:
            self._fold()

    def _fold(self) -> None:
        half = MAX_PARTS // 2
        if not self._folded_ns:
            self._folded_begin = self._begins[0]
        self._folded_ns += sum(self._ends[:half]) - sum(self._begins[:half])
        self._folded_end = self._ends[half - 1]
        del self._begins[:half], self._ends[:half]
