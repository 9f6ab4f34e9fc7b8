"""What goes from the store, and how: whole traces, oldest first, a slice at a time.

A slice is one short transaction, so that no other writer waits long and no batch of spans pays for more than its share:
``trim`` removes somewhat more than a batch brings, and is asked after every batch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent_callbacks.store.file import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

__all__ = ["MAX_AGE_SECONDS", "MAX_BYTES", "Limits", "Removed", "give_back", "next_doomed", "remove", "trim"]

MAX_BYTES: Final = 256 * 1024 * 1024
MAX_AGE_SECONDS: Final = 14 * 24 * 3600.0
SLICE_SPANS: Final = 1024
_SLICE_PAGES: Final = 1024
# A run without its root in the store is still going on, or was killed: for this long it is taken to be going on.
_RUNNING_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: bytes in use, and seconds since a trace's last span started (or since its import)."""

    max_bytes: int = MAX_BYTES
    max_age_seconds: float = MAX_AGE_SECONDS


@dataclass(frozen=True, slots=True)
class Removed:
    """How much went."""

    traces: int = 0
    spans: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.traces + other.traces, self.spans + other.spans)


_OLDEST: Final = "SELECT trace_id, aged_ns FROM traces ORDER BY aged_ns LIMIT 1"
_OLDEST_ENDED: Final = "SELECT trace_id FROM traces WHERE rooted OR aged_ns < ? ORDER BY aged_ns LIMIT 1"


def next_doomed(connection: sqlite3.Connection, limits: Limits) -> str | None:
    """Return the trace that is to go next under *limits*, None while all may stay.

    For its size the store gives up the oldest run that has ended, or else the oldest: what a run that goes on has
    written so far stays as long as there is another.
    """
    oldest = connection.execute(_OLDEST).fetchone()
    if oldest is None:
        return None
    trace_id, aged_ns = oldest
    now = time.time_ns()
    if aged_ns < now - int(limits.max_age_seconds * 1e9):
        return str(trace_id)
    pages, free, page_bytes = (_pragma(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    if (pages - free) * page_bytes <= limits.max_bytes:
        return None
    ended = connection.execute(_OLDEST_ENDED, (now - _RUNNING_SECONDS * 1_000_000_000,)).fetchone()
    return str(ended[0] if ended else trace_id)


def remove(connection: sqlite3.Connection, trace_ids: Iterable[str]) -> Removed:
    """Remove traces, whole; the caller holds the transaction."""
    traces = spans = 0
    for trace_id in trace_ids:
        spans += connection.execute("DELETE FROM spans WHERE trace_id = ?", (trace_id,)).rowcount
        traces += connection.execute("DELETE FROM traces WHERE trace_id = ?", (trace_id,)).rowcount
        for table in ("askers", "evaluations"):
            connection.execute(f"DELETE FROM {table} WHERE trace_id = ?", (trace_id,))  # noqa: S608 - constants
    return Removed(traces, spans)


def trim(connection: sqlite3.Connection, limits: Limits) -> Removed:
    """Remove a slice of what is beyond *limits*, and give a slice of the space back; cheap when there is nothing."""
    removed = Removed()
    if next_doomed(connection, limits) is not None:
        with transaction(connection):
            while removed.spans < SLICE_SPANS and (doomed := next_doomed(connection, limits)) is not None:
                removed += remove(connection, [doomed])
    pages, free, page_bytes = (_pragma(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    # Free pages are soon filled again, unless there are many; a file beyond its limit shrinks at once.
    too_many = max(pages - limits.max_bytes // page_bytes, free - pages // 4)
    if free and too_many > 0:
        give_back(connection, min(free, too_many, _SLICE_PAGES))
    return removed


def give_back(connection: sqlite3.Connection, pages: int) -> None:
    """Give up to *pages* free pages of the file back to the disk; 0: all of them."""
    # Each step of the statement frees one page; on Python 3.11 only a script is stepped to its end.
    connection.executescript(f"PRAGMA incremental_vacuum({pages})")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
