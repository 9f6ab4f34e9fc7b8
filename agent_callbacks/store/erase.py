"""Erasing traces on request: gone from the tables, from free pages and from the log, not only out of sight."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent_callbacks.store import file, retention, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

__all__ = ["Erased", "erase"]

_BUSY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Erased:
    """What went, or would go: counts, the start of the first and last trace of it (epoch ns), the file's bytes."""

    traces: int
    spans: int
    oldest_ns: int | None
    newest_ns: int | None
    bytes_before: int
    bytes_after: int


def erase(
    path: Path,
    *,
    user: str | None = None,
    older_than_seconds: float | None = None,
    limits: retention.Limits | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Erased:
    """Erase whole traces of the store at *path*, so that no byte of theirs stays in the file or in its log.

    Args:
        path: The store.
        user: The traces with a span of this user id, whoever else is in them.
        older_than_seconds: Those whose last span started (or which were imported) longer ago.
        limits: What is kept where neither of the two is given (default: ``Limits()``).
        dry_run: Erase nothing and tell what would go.
        progress: Called with the number of traces erased so far.

    Raises:
        schema.StoreError: There is no store, it cannot be written, or another process kept the traces' remains in use.
    """
    with _opened(path) as connection:
        before = _bytes(connection)
        connection.execute("PRAGMA secure_delete = ON").fetchall()
        chosen = _Choice(user, older_than_seconds, limits or retention.Limits())
        if dry_run:
            connection.execute("BEGIN IMMEDIATE")
            try:
                removed, span_of_time = _sweep(connection, chosen, progress, contextlib.nullcontext)
            finally:
                connection.execute("ROLLBACK")
            return Erased(removed.traces, removed.spans, *span_of_time, before, before)
        removed, span_of_time = _sweep(connection, chosen, progress, lambda: file.transaction(connection))
        _scrub(connection, path)
        return Erased(removed.traces, removed.spans, *span_of_time, before, _bytes(connection))


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which traces go."""

    user: str | None
    older_than_seconds: float | None
    limits: retention.Limits

    def next(self, connection: sqlite3.Connection, now_ns: int) -> str | None:
        """Return the next trace that goes."""
        if self.user is None and self.older_than_seconds is None:
            return retention.next_doomed(connection, self.limits)
        before = now_ns - int(self.older_than_seconds * 1e9) if self.older_than_seconds is not None else None
        row = connection.execute(
            _CHOSEN_OF_USER if self.user is not None else _CHOSEN, {"user": self.user, "before": before}
        ).fetchone()
        return None if row is None else str(row[0])


_CHOSEN: Final = "SELECT trace_id FROM traces WHERE aged_ns < :before ORDER BY aged_ns LIMIT 1"
_CHOSEN_OF_USER: Final = """
    SELECT trace_id FROM askers JOIN traces USING (trace_id)
    WHERE role = 'user' AND id = :user AND (:before IS NULL OR aged_ns < :before) LIMIT 1
"""
_STARTED: Final = "SELECT start_ns FROM traces WHERE trace_id = ?"


def _sweep(
    connection: sqlite3.Connection,
    chosen: _Choice,
    progress: Callable[[int], None],
    transaction: Callable[[], contextlib.AbstractContextManager[object]],
) -> tuple[retention.Removed, tuple[int | None, int | None]]:
    """Remove what is *chosen* in slices, each in a *transaction*; return how much, and its first and last start."""
    removed, starts = retention.Removed(), list[int]()
    now_ns = time.time_ns()
    doomed: str | None = ""
    while doomed is not None:
        with transaction():
            slice_end = removed.spans + retention.SLICE_SPANS
            while removed.spans < slice_end and (doomed := chosen.next(connection, now_ns)) is not None:
                starts.append(connection.execute(_STARTED, (doomed,)).fetchone()[0])
                removed += retention.remove(connection, [doomed])
        progress(removed.traces)
    return removed, (min(starts, default=None), max(starts, default=None))


def _scrub(connection: sqlite3.Connection, path: Path) -> None:
    """Rewrite the file and empty its log: pages that SQLite moved about hold copies that no delete reaches."""
    connection.execute("VACUUM")
    in_use, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if in_use:
        raise schema.StoreUnreadableError(
            f"the traces are deleted, but another process reads {path}, so remains stay in its log: run this again"
        )


@contextlib.contextmanager
def _opened(path: Path) -> Generator[sqlite3.Connection]:
    """Open the store for writing; what goes wrong in the body too becomes an error with a way out."""
    try:
        schema.check_ours(path)
        with contextlib.closing(file.open_for_writing(path, _BUSY_SECONDS)) as connection:
            yield connection
    except FileNotFoundError as error:
        raise schema.StoreMissingError(f"no trace store at {path}: there is nothing to erase") from error
    except (OSError, sqlite3.Error) as error:
        raise schema.StoreUnreadableError(
            f"{path} cannot be written ({error}): close what holds it, or change its permissions"
        ) from error


def _bytes(connection: sqlite3.Connection) -> int:
    pages, page_bytes = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages * page_bytes)
