"""The exporter that writes finished spans into the local trace store, and keeps the file small.

Everything here runs where the span processor runs exporters, never in a callback of the agent. Whatever goes wrong with
the file costs spans, which are counted, and one warning; it never reaches the agent.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import orjson
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import format_span_id, format_trace_id

from agent_callbacks.convention import keys
from agent_callbacks.store import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

__all__ = ["StoreExporter"]

logger = logging.getLogger("agent_callbacks")

MAX_BYTES: Final = 256 * 1024 * 1024
MAX_AGE_SECONDS: Final = 14 * 24 * 3600.0
_BUSY_SECONDS: Final = 2.0
_BATCHES_BETWEEN_PRUNES: Final = 64
_PRUNE_TO: Final = 0.9
_WAL_BYTES: Final = 8 * 1024 * 1024

_INSERT: Final = (
    f"INSERT OR REPLACE INTO spans ({', '.join(schema.COLUMNS)}) VALUES ({', '.join('?' * len(schema.COLUMNS))})"  # noqa: S608 - constants
)

# SQLite's primary result codes (https://www.sqlite.org/rescode.html) -> what is wrong, and the way out.
_FAULTS: Final[Mapping[int, tuple[str, str]]] = {
    sqlite3.SQLITE_BUSY: ("another process keeps it locked", "close what holds it open"),
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space, or set AGENT_CALLBACKS_STORE to another disk"),
    sqlite3.SQLITE_READONLY: ("it cannot be written", "set AGENT_CALLBACKS_STORE to a writable path"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "set AGENT_CALLBACKS_STORE to a writable path"),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", "delete it, or set AGENT_CALLBACKS_STORE to another path"),
    sqlite3.SQLITE_NOTADB: ("the file is no database", "set AGENT_CALLBACKS_STORE to another path"),
}
_UNKNOWN_FAULT: Final = ("SQLite refused the write", "set AGENT_CALLBACKS_STORE to another path")

_CLOSED: Final = schema.StoreError("shut down")

# Connections a fork has copied into this process. Closing or even collecting one here could release the parent's
# locks (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_), so they are kept.
_inherited: list[_Writer] = []


class StoreExporter(SpanExporter):
    """Write finished spans to the trace store; never raise and never block longer than two seconds on a lock.

    Args:
        path: The store's file (default: ``default_path()``); created with its directory, 0600 and 0700.
        max_bytes: The oldest traces go when the file has grown beyond this, in bytes.
        max_age_seconds: Traces older than this go, in seconds.

    Attributes:
        dropped: Spans that could not be written.
        last_error: The type of the last failure, None while all is well.
    """

    def __init__(
        self, path: Path | str | None = None, *, max_bytes: int = MAX_BYTES, max_age_seconds: float = MAX_AGE_SECONDS
    ) -> None:
        self.path: Final = schema.default_path() if path is None else Path(path).expanduser()
        self.dropped = 0
        self.last_error: str | None = None
        self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds
        self._writer = _Writer(self.path)
        self._reported: set[str] = set()
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write *spans* in one transaction; on any fault of the file count them as dropped and warn once."""
        writer = self._current()
        error = (
            _CLOSED if self._closed else writer.attempt(functools.partial(writer.write, [_row(span) for span in spans]))
        )
        if error is not None:
            with writer.lock:
                self.dropped += len(spans)
            self._report(error, "spans are dropped and counted, the agent runs on")
            return SpanExportResult.FAILURE
        if writer.batches % _BATCHES_BETWEEN_PRUNES == 0:
            self._prune(writer)
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: ``export`` has written everything it was given, or has counted it as dropped."""
        del timeout_millis
        return True

    def shutdown(self) -> None:
        """Prune, if this process has written anything, and close the file."""
        if self._closed:
            return
        self._closed = True
        writer = self._current()
        if writer.batches:
            self._prune(writer)
        writer.attempt(writer.discard)

    def _current(self) -> _Writer:
        """Return this process's writer: a forked child never touches its parent's connection or lock."""
        writer = self._writer
        if writer.pid != os.getpid():
            _inherited.append(writer)
            writer = self._writer = _Writer(self.path)
        return writer

    def _prune(self, writer: _Writer) -> None:
        error = writer.attempt(functools.partial(writer.prune, self._max_bytes, self._max_age_seconds))
        if error is not None:
            self._report(error, "old traces stay for now, no span is lost")

    def _report(self, error: Exception, consequence: str) -> None:
        self.last_error = type(error).__name__
        what, way_out = _fault(error)
        if what not in self._reported:
            self._reported.add(what)
            logger.warning("trace store (%s): %s; %s; %s", _place(self.path), what, consequence, way_out)


def _place(path: Path) -> str:
    """Say where the path comes from; the path itself may carry a person's name."""
    if path != schema.default_path():
        return "the path it was given"
    return f"${schema.STORE_VARIABLE}" if os.environ.get(schema.STORE_VARIABLE) else "the default path"


def _fault(error: Exception) -> tuple[str, str]:
    if error is _CLOSED:
        return "the exporter has been shut down", "end the agent before its tracer provider"
    if isinstance(error, schema.StoreForeignError):
        return (
            "the file is no store of this release of agent-callbacks and is left alone",
            "set AGENT_CALLBACKS_STORE to another path",
        )
    if isinstance(error, OSError):
        return (
            f"its file or directory cannot be created or read ({type(error).__name__})",
            "set AGENT_CALLBACKS_STORE to a writable path",
        )
    code = getattr(error, "sqlite_errorcode", 0)
    return _FAULTS.get(code & 0xFF, _UNKNOWN_FAULT)


@dataclass(slots=True)
class _Writer:
    """One process's connection to the store, opened at the first batch."""

    path: Path
    pid: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    batches: int = 0
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

    def write(self, rows: Sequence[tuple[object, ...]]) -> None:
        with _transaction(self._open()) as connection:
            connection.executemany(_INSERT, rows)
        self.batches += 1

    def prune(self, max_bytes: int, max_age_seconds: float) -> None:
        """Delete whole traces, oldest first, until the store is within its limits; give the space back."""
        connection = self._open()
        pruned = False
        while doomed := _doomed(connection, max_bytes, max_age_seconds):
            pruned = True
            with _transaction(connection):
                connection.executemany("DELETE FROM spans WHERE trace_id = ?", doomed)
        if pruned:
            # Each step of the statement frees one page; on Python 3.11 only a script is stepped to its end.
            connection.executescript("PRAGMA incremental_vacuum")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def discard(self) -> None:
        """Close the connection, so that the next batch starts afresh."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # the fault that led here has been reported
                connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._inode == _inode(self.path):
            return self._connection
        self.discard()  # a file deleted or replaced meanwhile would swallow every further span
        _create(self.path)
        schema.check_ours(self.path)
        self._connection = connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._inode = _inode(self.path)
        schema.migrate(connection, self.path)
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}").fetchall()
        return connection


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield connection


def _create(path: Path) -> None:
    """Create the store's file (0600) and its directory (0700) where missing; SQLite's own would follow the umask."""
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL, so that readers never wait; SQLite's busy timeout does not cover this switch."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _doomed(connection: sqlite3.Connection, max_bytes: int, max_age_seconds: float) -> list[tuple[str]]:
    """Return the traces to delete: those too old, then the oldest until the rest should fit.

    A trace is as old as the start of its last span. How many spans must go is an estimate by their mean size; the
    caller asks again.
    """
    pages, free, page_bytes = (_pragma(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    used = (pages - free) * page_bytes
    spans = connection.execute("SELECT count(*) FROM spans").fetchone()[0]
    surplus = spans * (1 - _PRUNE_TO * max_bytes / used) if used > max_bytes else 0
    too_old = time.time_ns() - int(max_age_seconds * 1e9)
    doomed: list[tuple[str]] = []
    for trace_id, last, count in connection.execute(
        "SELECT trace_id, max(start_ns) AS last, count(*) FROM spans GROUP BY trace_id ORDER BY last"
    ):
        if last >= too_old and surplus <= 0:
            break
        doomed.append((trace_id,))
        surplus -= count
    return doomed


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _row(span: ReadableSpan) -> tuple[object, ...]:
    """Return *span* as the columns of ``schema.COLUMNS``."""
    context, attributes, scope = cast("SpanContext", span.context), span.attributes or {}, span.instrumentation_scope
    return (
        format_trace_id(context.trace_id),
        format_span_id(context.span_id),
        format_span_id(span.parent.span_id) if span.parent else None,
        schema.text(span.name),
        span.kind.name,
        span.start_time or 0,
        span.end_time or span.start_time or 0,
        span.status.status_code.name,
        None if span.status.description is None else schema.text(span.status.description),
        *_columns(attributes),
        schema.text(scope.name) if scope else "",
        _json(attributes),
        _json([
            {"name": event.name, "time_ns": event.timestamp, "attributes": dict(event.attributes or {})}
            for event in span.events
        ]),
        _json([
            {
                "trace_id": format_trace_id(link.context.trace_id),
                "span_id": format_span_id(link.context.span_id),
                "attributes": dict(link.attributes or {}),
            }
            for link in span.links
        ]),
        _json(span.resource.attributes),
    )  # fmt: skip


def _columns(attributes: Mapping[str, object]) -> Iterator[object]:
    """Yield what listing and filtering need without reading the attributes."""
    yield _text(attributes.get(keys.OPERATION_NAME))
    yield _text(attributes.get(keys.OUTCOME))
    for key in (keys.STEP_INDEX, keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS):
        value = schema.plain(attributes.get(key))
        yield value if isinstance(value, int) else None
    for key in (keys.SESSION_ID, keys.USER_ID, keys.CONVERSATION_ID):
        yield _text(attributes.get(key))


def _text(value: object) -> str | None:
    return None if value is None else schema.text(str(value))


def _json(value: object) -> str:
    return orjson.dumps(schema.plain(value)).decode()
