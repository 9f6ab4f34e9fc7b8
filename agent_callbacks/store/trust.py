"""What a reader believes of a file that anyone may have made: plain tables, and values of the type they should have.

Reading a database can run what its schema says (https://www.sqlite.org/security.html): a table may be a view or a
trigger may wait on it, and a column holds whatever was put there, since the type in its declaration is only advice.
"""

from __future__ import annotations

import math
import sqlite3
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from opentelemetry.trace import SpanKind, StatusCode

from agent_callbacks.store import schema, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["check_tables", "harden", "sound", "sound_events", "sound_links"]

_LONGEST_VALUE: Final = 64 * 1024 * 1024  # bytes; far more than any span of ours
_NOT_PLAIN: Final = """
    SELECT name FROM sqlite_master WHERE type = 'trigger' OR name IN ('spans', 'traces', 'askers', 'evaluations')
    AND (type <> 'table' OR sql LIKE 'CREATE VIRTUAL%') LIMIT 1
"""


def harden(connection: sqlite3.Connection) -> None:
    """Let the schema call nothing that has an effect, and no page or value take more than it should."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that what is read are tables, and that no write sets off a trigger.

    Raises:
        schema.StoreForeignError: Something else has the name of a table, or there is a trigger.
    """
    if connection.execute(_NOT_PLAIN).fetchone():
        raise schema.StoreForeignError(f"{path} holds a view or a trigger, which no trace store has: name another path")


# --- values ----------------------------------------------------------------------------------------------------------
_TYPES: Final[Mapping[str, frozenset[type]]] = {
    "TEXT": frozenset({str}), "INTEGER": frozenset({int}), "REAL": frozenset({int, float}),
}  # fmt: skip
_MAYBE: Final[Mapping[str, str]] = {
    **summary.COLUMNS, "parent_span_id": "TEXT", "status_message": "TEXT", "score": "REAL", "label": "TEXT",
}  # fmt: skip
_ALWAYS: Final[Mapping[str, str]] = {
    "trace_id": "TEXT", "name": "TEXT", "start_ns": "INTEGER", "end_ns": "INTEGER", "time_ns": "INTEGER",
    "spans": "INTEGER", "steps": "INTEGER", "unpriced": "INTEGER", "errors": "INTEGER", "running": "INTEGER",
    "written": "INTEGER", "span_id": "TEXT", "kind": "TEXT", "status": "TEXT", "scope": "TEXT", "attributes": "TEXT",
    "events": "TEXT", "links": "TEXT", "resource": "TEXT",
}  # fmt: skip
_HELD: Final[Mapping[str, frozenset[type]]] = {
    **{name: _TYPES[kind] | {type(None)} for name, kind in _MAYBE.items()},
    **{name: _TYPES[kind] for name, kind in _ALWAYS.items()},
}


def sound(rows: Sequence[Sequence[Any]], shown: Sequence[str]) -> bool:
    """Return whether the columns *shown* hold in *rows* what a store of ours holds in them."""
    return all(_sound(name, column) for name, column in zip(shown, zip(*rows, strict=True), strict=False))


def _sound(name: str, column: Sequence[Any]) -> bool:
    if not _HELD[name].issuperset(map(type, column)):
        return False
    judge = _JUDGES.get(name)
    return judge is None or all(judge(value) for value in set(column) if value is not None)


def sound_events(events: object) -> bool:
    """Return whether *events* are those of a span."""
    return _are(events, {"name": str, "time_ns": int})


def sound_links(links: object) -> bool:
    """Return whether *links* are those of a span."""
    return _are(links, {"trace_id": str, "span_id": str})


def _are(found: object, wanted: Mapping[str, type]) -> bool:
    return isinstance(found, list) and all(_is(each, wanted) for each in cast("list[object]", found))


def _is(found: object, wanted: Mapping[str, type]) -> bool:
    if not isinstance(found, dict):
        return False
    told = cast("dict[str, object]", found)
    return "attributes" in told and all(type(told.get(key)) is kind for key, kind in wanted.items())


def _names(text: str) -> bool:
    found = _parsed(text)
    return isinstance(found, list) and all(isinstance(each, str) for each in cast("list[object]", found))


def _table(text: str) -> bool:
    found = _parsed(text)
    return isinstance(found, dict) and all(isinstance(each, str) for each in cast("dict[str, object]", found).values())


def _parsed(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


_JUDGES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "models": _names, "variants": _table, "cost": math.isfinite, "score": math.isfinite,
    "kind": SpanKind.__members__.__contains__, "status": StatusCode.__members__.__contains__,
}  # fmt: skip
