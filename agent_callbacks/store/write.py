"""The exporter that writes finished spans into the local trace store, and keeps the file small.

Everything here runs where the span processor runs exporters, never in a callback of the agent. Whatever goes wrong with
the file costs spans, which are counted, and one warning; it never reaches the agent.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agent_callbacks.store import file, layout, retention, row, schema, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["StoreExporter"]

logger = logging.getLogger("agent_callbacks")

_BUSY_SECONDS: Final = 5.0
# At its end a process leaves the store within its limits, unless another left it far beyond: that takes more than one.
_SLICES_AT_THE_END: Final = 64

_INSERT: Final = (
    f"INSERT OR REPLACE INTO spans ({', '.join(layout.COLUMNS)}) VALUES ({', '.join('?' * len(layout.COLUMNS))})"  # noqa: S608 - constants
)

_UPSERT: Final = """
    INSERT INTO traces (trace_id, start_ns, aged_ns, rooted, written) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (trace_id) DO UPDATE SET
    start_ns = min(start_ns, excluded.start_ns), aged_ns = max(aged_ns, excluded.aged_ns),
    rooted = max(rooted, excluded.rooted), written = excluded.written
"""
# The clock, so that a number is not given twice where the newest trace was removed.
_WRITTEN: Final = "SELECT max(?, coalesce((SELECT max(written) FROM traces), 0) + 1)"
_EVALUATED: Final = "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?)"
_ASKED: Final = "INSERT OR IGNORE INTO askers (role, id, trace_id) VALUES (?, ?, ?)"

_CLOSED: Final = schema.StoreError("shut down")

# What is wrong, in a word or two for counts; in a sentence; the way out.
_Fault: TypeAlias = tuple[str, str, str]
_FULL: Final[_Fault] = (
    "disk full", "the disk is full", "free some space, or set AGENT_CALLBACKS_STORE to another disk",
)  # fmt: skip
_ELSEWHERE: Final = "set AGENT_CALLBACKS_STORE to another path"
_WRITABLE: Final = "set AGENT_CALLBACKS_STORE to a writable path"
# By SQLite's result code, extended or primary (https://www.sqlite.org/rescode.html).
_FAULTS: Final[Mapping[int, _Fault]] = {
    sqlite3.SQLITE_BUSY: ("locked", "another process keeps it locked", "close what holds it open"),
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,  # no room for the index of the write-ahead log
    sqlite3.SQLITE_READONLY: ("not writable", "it cannot be written", _WRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "it cannot be opened", _WRITABLE),
    sqlite3.SQLITE_CORRUPT: ("damaged", "the file is damaged", f"delete it, or {_ELSEWHERE}"),
    sqlite3.SQLITE_NOTADB: ("no database", "the file is no database", _ELSEWHERE),
}
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

# Connections a fork has copied into this process. Closing or even collecting one here could release the parent's
# locks (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_), so they are kept.
_inherited: list[_Writer] = []


class StoreExporter(SpanExporter):
    """Write finished spans to the trace store; never raise and never block longer than five seconds on a lock.

    Args:
        path: The store's file (default: ``default_path()``); created with its directory, 0600 and 0700.
        max_bytes: The oldest traces go when the store has grown beyond this, in bytes.
        max_age_seconds: Traces older than this go, in seconds.
        not_older_than_ns: What is written counts as no older than this, in nanoseconds since the epoch.

    Attributes:
        dropped: Spans that could not be written.
        last_fault: What was wrong the last time, in a word or two; None while all is well.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        *,
        max_bytes: int = retention.MAX_BYTES,
        max_age_seconds: float = retention.MAX_AGE_SECONDS,
        not_older_than_ns: int = 0,
    ) -> None:
        self.path: Final = schema.place(path)
        self.dropped = 0
        self.last_fault: str | None = None
        self._limits = retention.Limits(max_bytes, max_age_seconds)
        self._not_older_than_ns = not_older_than_ns
        self._writer = _Writer(self.path)
        self._reported: set[str] = set()
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write *spans* in one transaction; on any fault of the file count them as dropped and warn once."""
        writer = self._current()
        error = (
            _CLOSED
            if self._closed
            else writer.attempt(functools.partial(writer.write, row.batch(spans, self._not_older_than_ns)))
        )
        if error is not None:
            with writer.lock:
                self.dropped += len(spans)
            self._report(error, "spans are dropped and counted, the agent runs on")
            return SpanExportResult.FAILURE
        self._trim(writer, 1)
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: ``export`` has written everything it was given, or has counted it as dropped."""
        del timeout_millis
        return True

    def shutdown(self) -> None:
        """Keep the store within its limits, if this process has written anything, and close the file."""
        if self._closed:
            return
        self._closed = True
        writer = self._current()
        if writer.has_written:
            self._trim(writer, _SLICES_AT_THE_END)
        writer.attempt(writer.discard)

    def _current(self) -> _Writer:
        """Return this process's writer: a forked child never touches its parent's connection or lock."""
        writer = self._writer
        if writer.pid != os.getpid():
            _inherited.append(writer)
            writer = self._writer = _Writer(self.path)
        return writer

    def _trim(self, writer: _Writer, slices: int) -> None:
        error = writer.attempt(functools.partial(writer.trim, self._limits, slices))
        if error is not None:
            self._report(error, "old traces stay for now, no span is lost")

    def _report(self, error: Exception, consequence: str) -> None:
        self.last_fault, what, way_out = _fault(error)
        if self.last_fault not in self._reported:
            self._reported.add(self.last_fault)
            logger.warning("trace store (%s): %s; %s; %s", _place(self.path), what, consequence, way_out)


def _place(path: Path) -> str:
    """Say where the path comes from; the path itself may carry a person's name."""
    if path != schema.default_path():
        return "the path it was given"
    return f"${schema.STORE_VARIABLE}" if os.environ.get(schema.STORE_VARIABLE) else "the default path"


def _fault(error: Exception) -> _Fault:
    if error is _CLOSED:
        return "shut down", "the exporter has been shut down", "end the agent before its tracer provider"
    if isinstance(error, schema.StoreForeignError):
        return "not ours", "the file is no store of this release of agent-callbacks and is left alone", _ELSEWHERE
    kind = type(error).__name__
    if isinstance(error, OSError):
        return (
            _FULL
            if error.errno in _NO_ROOM
            else (kind, f"its file or directory cannot be created or read ({kind})", _WRITABLE)
        )
    code = getattr(error, "sqlite_errorcode", 0)
    return _FAULTS.get(code) or _FAULTS.get(code & 0xFF) or (kind, "SQLite refused the write", _ELSEWHERE)


@dataclass(slots=True)
class _Writer:
    """One process's connection to the store, opened at the first batch."""

    path: Path
    pid: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    has_written: bool = False
    _connection: sqlite3.Connection | None = None
    _inode: tuple[int, int] | None = None

    def attempt(self, action: Callable[[], None]) -> Exception | None:
        """Run *action* alone; on a fault of the file close the connection and return what went wrong."""
        with self.lock:
            try:
                action()
            except (sqlite3.Error, OSError, schema.StoreError) as error:
                self.discard()
                return error
        return None

    def write(self, batch: row.Batch) -> None:
        with file.transaction(self._open()) as connection:
            connection.executemany(_INSERT, batch.spans)
            (written,) = connection.execute(_WRITTEN, (time.time_ns(),)).fetchone()
            connection.executemany(_UPSERT, [(*each, written) for each in batch.traces])
            connection.executemany(_ASKED, batch.askers)
            connection.executemany(_EVALUATED, batch.evaluations)
            connection.executemany(summary.UPDATE, [(trace_id,) for trace_id, *_ in batch.traces])
        self.has_written = True

    def trim(self, limits: retention.Limits, slices: int) -> None:
        """Remove up to *slices* slices of what is beyond *limits*; at the end give all free space back."""
        connection = self._open()
        for _ in range(slices):
            if not retention.trim(connection, limits).traces:
                break
        if slices > 1:
            retention.give_back(connection, 0)

    def discard(self) -> None:
        """Close the connection, so that the next batch starts afresh."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # the fault that led here has been reported
                connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._inode == file.identity(self.path):
            return self._connection
        self.discard()  # a file deleted or replaced meanwhile would swallow every further span
        self._connection = file.open_for_writing(self.path, _BUSY_SECONDS)
        self._inode = file.identity(self.path)
        return self._connection
