"""The store's file, opened for writing: private, ours or new, in write-ahead mode."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from agent_callbacks.store import layout, schema

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["busy", "identity", "open_for_writing", "transaction"]

_WAL_BYTES: Final = 8 * 1024 * 1024


def open_for_writing(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open the store at *path*, made anew or brought up to date where needed; wait *busy_seconds* for a lock.

    Raises:
        schema.StoreForeignError: The file is something else, or a newer release wrote it.
        OSError: The file or its directory cannot be created or read.
        sqlite3.Error: SQLite cannot open it.
    """
    _create(path)
    schema.check_ours(path)
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        layout.migrate(connection, path)
        _write_ahead(connection, busy_seconds)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}").fetchall()
    except (sqlite3.Error, schema.StoreError):
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """Hold the write lock for the body; all of it is written, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield connection


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another that later stands at *path*; None while there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def busy(error: sqlite3.Error) -> bool:
    """Return whether *error* says that somebody else holds the lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _create(path: Path) -> None:
    """Create the store's file (0600) and its directory (0700) where missing; SQLite's own would follow the umask."""
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _write_ahead(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch to WAL, so that readers never wait; SQLite's busy timeout does not cover this switch."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if not busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
