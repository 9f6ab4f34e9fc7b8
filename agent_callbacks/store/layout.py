"""The tables of the trace store, and how the file of an earlier release becomes one of this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from agent_callbacks.convention import keys
from agent_callbacks.store import schema, summary

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

__all__ = ["COLUMNS", "MIGRATIONS", "migrate"]

COLUMNS: Final = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "start_ns", "end_ns", "status", "status_message",
    "operation", "outcome", "step_index", "input_tokens", "output_tokens", "cost", "model", "agent", "error_type",
    "experiment", "variant", "variants", "session_id", "user_id", "conversation_id", "scope", "attributes", "events",
    "links", "resource",
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


def _in(json: str, path: str) -> str:
    """Return what reads *path* out of a text that may be *json*."""
    return f"iif(json_valid({json}), json_extract({json}, '$.{path}'), NULL)"


def _said(key: str, json: str = "attributes") -> str:
    return _in(json, f'"{key}"')


_EVALUATION_SCORE: Final = _in("event.value", f'attributes."{keys.EVALUATION_SCORE}"')
# What a trace comes to stands in its row, written with its root: a list, a filter and a comparison of many runs read no
# span. `written` grows with every write, so that what is new is found by walking an index.
_THIRD: Final = (
    """
    CREATE TABLE spans_anew (
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
        cost REAL,
        model TEXT,
        agent TEXT,
        error_type TEXT,
        experiment TEXT,
        variant TEXT,
        variants TEXT,
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
    f"""
    INSERT INTO spans_anew SELECT
        trace_id, span_id, parent_span_id, name, kind, start_ns, end_ns, status, status_message, operation, outcome,
        step_index, input_tokens, output_tokens, {_said(keys.LLM_COST)},
        coalesce({_said(keys.REQUEST_MODEL)}, {_said(keys.RESPONSE_MODEL)}),
        coalesce({_said(keys.AGENT_NAME)}, {_said(keys.STEP_AGENT)}), {_said(keys.ERROR_TYPE)},
        {_said(keys.FEATURE_FLAG_KEY)}, {_said(keys.FEATURE_FLAG_VARIANT)},
        {_in(_said(keys.METADATA), "variants")}, session_id, user_id, conversation_id,
        scope, attributes, events, links, resource
    FROM spans
    """,  # noqa: S608 - constants
    "DROP TABLE spans",
    "ALTER TABLE spans_anew RENAME TO spans",
    "CREATE INDEX interrupted ON spans (conversation_id, start_ns) WHERE outcome = 'interrupted'",
    """
    CREATE TABLE evaluations (
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        place INTEGER NOT NULL,
        name TEXT NOT NULL,
        score REAL,
        label TEXT,
        time_ns INTEGER NOT NULL,
        PRIMARY KEY (trace_id, span_id, place)
    ) WITHOUT ROWID
    """,
    f"""
    INSERT INTO evaluations SELECT * FROM (
        SELECT trace_id, span_id, event.key, {_in("event.value", f'attributes."{keys.EVALUATION_NAME}"')} AS said,
            iif(typeof({_EVALUATION_SCORE}) IN ('integer', 'real'), {_EVALUATION_SCORE}, NULL),
            {_in("event.value", f'attributes."{keys.EVALUATION_LABEL}"')}, {_in("event.value", "time_ns")}
        FROM spans, json_each(iif(json_valid(events), events, '[]')) AS event
        WHERE instr(events, '{keys.EVALUATION_EVENT}') AND {_in("event.value", "name")} = '{keys.EVALUATION_EVENT}'
    ) WHERE typeof(said) = 'text' AND said <> ''
    """,  # noqa: S608 - constants
    *(f"ALTER TABLE traces ADD COLUMN {column}" for column in (
        "written INTEGER NOT NULL DEFAULT 0", *map(" ".join, summary.COLUMNS.items()),
    )),
    "CREATE INDEX traces_by_writing ON traces (written)",
    "CREATE INDEX traces_going_on ON traces (start_ns DESC, trace_id) WHERE NOT rooted",
    summary.FILL,
)  # fmt: skip
MIGRATIONS: Final = (_FIRST, _SECOND, _THIRD)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file behind *connection* to ``schema.VERSION``, in one transaction.

    Raises:
        schema.StoreForeignError: A newer release wrote the file.
    """
    if _version(connection, path) == schema.VERSION:
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
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = cast("int", connection.execute("PRAGMA user_version").fetchone()[0])
    schema.check_version(version, path)
    return version
