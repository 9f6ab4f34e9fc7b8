"""What recording costs the run that is recorded: the time inside our callbacks, summed by run.

Two reads of the clock around a callback and one addition. Which run a callback was for is known only inside it, so
the operation it touches leaves its run's meter where the guard around the callback finds it: a slot of the thread's,
because a callback begins and ends on one thread, and several may be inside one at once.
"""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["Meter", "touched"]


class Meter:
    """Nanoseconds spent for one run: the root and all that is recorded below it."""

    __slots__ = ("spent_ns",)

    def __init__(self) -> None:
        """Begin with nothing."""
        self.spent_ns = 0


class _Touched(threading.local):
    """The meter of the run that the callback on this thread is for."""

    meter: Meter | None = None


touched: Final = _Touched()
