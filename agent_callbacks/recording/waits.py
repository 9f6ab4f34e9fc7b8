"""What a tool waited for: intervals of time, whose union counts, as a whole and by peer.

Spans and blocks may overlap, lie in each other, come from several threads and outlast the tool; no nanosecond counts
twice, and nothing outside the tool counts. Memory is bounded: at most ``MAX_PEERS`` peers are kept apart.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention.peers import OTHER
from agent_callbacks.interval import Union

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_OPEN", "MAX_PEERS", "Waits"]

MAX_PEERS: Final = 32
MAX_OPEN: Final = 256


class Waits:
    """What one tool waits and waited for; safe to be told by several threads at once."""

    __slots__ = ("_lock", "_open", "_over", "_peers", "_start_ns", "_whole")

    def __init__(self, start_ns: int) -> None:
        """Begin with a tool that starts at *start_ns*, Unix time in nanoseconds."""
        self._start_ns = start_ns
        self._whole = Union()
        self._peers: dict[str, Union] = {}
        self._open: dict[object, tuple[int, Callable[[], str]]] = {}
        self._over = False
        self._lock = threading.Lock()

    def begin(self, wait: object, start_ns: int, peer: Callable[[], str]) -> None:
        """Note that *wait* has begun; should the tool end before it, *peer* is asked for whom it waits."""
        with self._lock:
            if not self._over and len(self._open) < MAX_OPEN:
                self._open[wait] = (start_ns, peer)

    def end(self, wait: object, start_ns: int, end_ns: int, peer: str) -> None:
        """Note that *wait*, for *peer*, lasted from *start_ns* to *end_ns*; too late when the tool has ended."""
        with self._lock:
            self._open.pop(wait, None)
            if not self._over:
                self._add(start_ns, end_ns, peer)

    def close(self, end_ns: int) -> tuple[int, dict[str, int]]:
        """Return for how long the tool, which ends at *end_ns*, waited: in all, and by peer, in nanoseconds.

        What is still open counts until then. Peers may have been waited for at once: theirs may sum to more.
        """
        with self._lock:
            self._over = True
            waiting, self._open = self._open, {}
        for start_ns, peer in waiting.values():
            self._add(start_ns, end_ns, peer())
        return self._whole.length(end_ns), {peer: union.length(end_ns) for peer, union in self._peers.items()}

    def _add(self, start_ns: int, end_ns: int, peer: str) -> None:
        start_ns = max(start_ns, self._start_ns)
        if end_ns <= start_ns:
            return
        self._whole.add(start_ns, end_ns)
        union = self._peers.get(peer)
        if union is None:
            name = peer if len(self._peers) < MAX_PEERS else OTHER
            union = self._peers.setdefault(name, Union())
        union.add(start_ns, end_ns)
