"""Where the trace store lives, what its tables hold, and what can be wrong with the file."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, cast

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = [
    "StoreError",
    "StoreForeignError",
    "StoreMissingError",
    "StoreUnreadableError",
    "default_path",
    "plain",
]

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

STORE_VARIABLE: Final = "AGENT_CALLBACKS_STORE"
APPLICATION_ID: Final = 0x41434254
"""``PRAGMA application_id`` of our files ("ACBT"): how a foreign SQLite file is told apart."""
VERSION: Final = 2
"""``PRAGMA user_version``: how many of ``MIGRATIONS`` the file has seen."""
MODEL_OPERATIONS: Final = ("chat", "text_completion", "generate_content", "embeddings")
"""``gen_ai.operation.name`` of a model call: the spans whose tokens a trace's totals add up."""

COLUMNS: Final = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "start_ns", "end_ns", "status", "status_message",
    "operation", "outcome", "step_index", "input_tokens", "output_tokens", "session_id", "user_id", "conversation_id",
    "scope", "attributes", "events", "links", "resource",
)  # fmt: skip

# The short columns come first: SQLite reads a row from the left and leaves the overflow pages of long content alone.
# A partial index holds only the rows that have something to find.
_FIRST: Final = (
    """
    CREATE TABLE spans (
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        parent_span_id TEXT,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        start_ns INTEGER NOT NULL,
        end_ns INTEGER NOT NULL,
        status TEXT NOT NULL,
        status_message TEXT,
        operation TEXT,
        outcome TEXT,
        step_index INTEGER,
        input_tokens INTEGER,
        output_tokens INTEGER,
        session_id TEXT,
        user_id TEXT,
        conversation_id TEXT,
        scope TEXT NOT NULL,
        attributes TEXT NOT NULL,
        events TEXT NOT NULL,
        links TEXT NOT NULL,
        resource TEXT NOT NULL,
        PRIMARY KEY (trace_id, span_id)
    )
    """,
    "CREATE INDEX trace_times ON spans (trace_id, start_ns)",
    "CREATE INDEX sessions ON spans (session_id, trace_id) WHERE session_id IS NOT NULL",
    "CREATE INDEX users ON spans (user_id, trace_id) WHERE user_id IS NOT NULL",
    "CREATE INDEX interrupted ON spans (conversation_id, start_ns) WHERE outcome = 'interrupted'",
)
# One row a trace, and one for each user and session in it: a list, a filter and the choice of what goes walk an index
# of these, and a span costs no more than its own row and key.
_SECOND: Final = (
    "DROP INDEX trace_times",
    "DROP INDEX sessions",
    "DROP INDEX users",
    """
    CREATE TABLE traces (
        trace_id TEXT NOT NULL PRIMARY KEY,
        start_ns INTEGER NOT NULL,
        aged_ns INTEGER NOT NULL,
        rooted INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX traces_by_start ON traces (start_ns DESC, trace_id)",
    "CREATE INDEX traces_by_age ON traces (aged_ns, rooted)",
    """
    CREATE TABLE askers (
        role TEXT NOT NULL,
        id TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        PRIMARY KEY (role, id, trace_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX askers_by_trace ON askers (trace_id)",
    """
    INSERT INTO traces SELECT trace_id, min(start_ns), max(start_ns), max(parent_span_id IS NULL)
    FROM spans GROUP BY trace_id
    """,
    "INSERT INTO askers SELECT DISTINCT 'user', user_id, trace_id FROM spans WHERE user_id IS NOT NULL",
    "INSERT INTO askers SELECT DISTINCT 'session', session_id, trace_id FROM spans WHERE session_id IS NOT NULL",
)
MIGRATIONS: Final = (_FIRST, _SECOND)
USER, SESSION = "user", "session"
"""Who is in ``askers``: the roles of an id."""

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100
_APPLICATION_ID_AT: Final = slice(68, 72)  # https://www.sqlite.org/fileformat.html#the_database_header
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class StoreError(Exception):
    """Something is wrong with the trace store; the message names the path and the way out."""


class StoreMissingError(StoreError):
    """There is no store at this path yet."""


class StoreForeignError(StoreError):
    """The file at this path is not a trace store of ours; it is never written to."""


class StoreUnreadableError(StoreError):
    """The store is there and cannot be read."""


def default_path() -> Path:
    """Return where traces are stored unless a path is given.

    ``$AGENT_CALLBACKS_STORE``, else ``$XDG_STATE_HOME/agent-callbacks/traces.db``, else the same below
    ``~/.local/state`` (XDG Base Directory Specification 0.8: a relative ``XDG_STATE_HOME`` is ignored).
    """
    if chosen := os.environ.get(STORE_VARIABLE):
        return Path(chosen).expanduser()
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = Path("~/.local/state").expanduser()
    return state / "agent-callbacks" / "traces.db"


def is_sqlite(path: Path) -> bool:
    """Return whether the file at *path* begins like a SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check_ours(path: Path) -> None:
    """Make sure that the file at *path* is a store of ours or empty, by its header alone.

    SQLite is not asked: opening a foreign database may already write to it (a hot journal, a WAL to recover).

    Raises:
        StoreForeignError: It is something else.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    ours = header.startswith(_MAGIC) and int.from_bytes(header[_APPLICATION_ID_AT]) == APPLICATION_ID
    if header and not ours:
        raise StoreForeignError(f"{path} is not a trace store of agent-callbacks; it is left alone: name another path")


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file behind *connection* to ``VERSION``, in one transaction.

    Raises:
        StoreForeignError: A newer release wrote the file.
    """
    if _version(connection, path) == VERSION:
        return
    # Not BEGIN IMMEDIATE, which would fix the layout of an empty file before the pragma, nor the pragma on its own,
    # which would commit a first page without our application id: a reader would take the file for a foreign one.
    connection.execute("BEGIN")
    with connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        # Another process may have been first: the version is read again under the lock.
        for statements in MIGRATIONS[_version(connection, path) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def check_version(version: int, path: Path) -> None:
    """Refuse a store written by a newer release.

    Raises:
        StoreForeignError: This release does not know *version*.
    """
    if version > VERSION:
        raise StoreForeignError(
            f"{path} was written by a newer agent-callbacks (store version {version}, this release knows {VERSION}): "
            "upgrade, or name another path"
        )


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = cast("int", connection.execute("PRAGMA user_version").fetchone()[0])
    check_version(version, path)
    return version


def plain(value: object, depth: int = 0) -> Plain:
    """Return *value* as JSON can hold it: what it cannot (bytes, NaN, 70-bit integers, lone surrogates) as text."""
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if _SMALLEST <= value <= _LARGEST else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _NOT_FINITE[str(value)]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return _plain_tree(value, depth + 1)


# As OTLP/JSON writes them: https://protobuf.dev/programming-guides/json/
_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_DEEPEST: Final = 100  # JSON writers and Python's own stack give up soon after


def _plain_tree(value: object, depth: int) -> Plain:
    if depth <= _DEEPEST and isinstance(value, (list, tuple)):
        return [plain(item, depth) for item in cast("Sequence[object]", value)]
    if depth <= _DEEPEST and isinstance(value, Mapping):
        return {text(str(key)): plain(item, depth) for key, item in cast("Mapping[object, object]", value).items()}
    return f"<{type(value).__name__}>"


def text(value: str) -> str:
    """Return *value* with lone surrogates, which UTF-8 cannot carry, replaced."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value
