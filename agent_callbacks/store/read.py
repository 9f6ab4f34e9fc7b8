"""Reading the local trace store: always read-only, also while other processes write."""

from __future__ import annotations

import contextlib
import difflib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, cast

import orjson

from agent_callbacks.convention import keys
from agent_callbacks.store import schema

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import TracebackType

__all__ = ["Store", "StoredSpan", "Summary"]

_BUSY_SECONDS: Final = 2.0
_SUGGESTED_FROM: Final = 2000
_STORED: Final = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "start_ns", "end_ns", "status", "status_message", "scope",
    "attributes", "events", "links", "resource",
)  # fmt: skip
_JSON: Final = frozenset({"attributes", "events", "links", "resource"})

Json: TypeAlias = Any  # what JSON can hold; analysis.trace gives it types


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """One row of the store, its JSON decoded; ids are lower-case hex, times are nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    status_message: str | None
    scope: str
    attributes: Mapping[str, Json]
    events: Sequence[Mapping[str, Json]]
    links: Sequence[Mapping[str, Json]]
    resource: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of traces shows of one.

    ``start_ns`` and ``end_ns`` are nanoseconds since the epoch, from the first start to the last end; tokens are those
    of the model calls, None when none reported any; ``outcome`` is the first span's that has one, ``"error"`` where
    only the status says so.
    """

    trace_id: str
    name: str
    start_ns: int
    end_ns: int
    spans: int
    steps: int
    input_tokens: int | None
    output_tokens: int | None
    outcome: str | None
    user_id: str | None
    session_id: str | None


# A trace's root is its first span without a parent, or without one in the store.
_ROOT: Final = """
    SELECT {column} FROM spans AS root WHERE root.trace_id = trace.trace_id AND NOT EXISTS (
        SELECT 1 FROM spans AS parent
        WHERE parent.trace_id = root.trace_id AND parent.span_id = root.parent_span_id
    ) ORDER BY root.parent_span_id IS NOT NULL, root.start_ns, root.span_id LIMIT 1
"""
_FIRST_KNOWN: Final = """
    SELECT {column} FROM spans AS known WHERE known.trace_id = trace.trace_id AND known.{column} IS NOT NULL
    ORDER BY known.start_ns, known.span_id LIMIT 1
"""
_MODELS: Final = f"operation IN ({', '.join(map(repr, schema.MODEL_OPERATIONS))})"
# An outcome is recorded when the run is long over: it is none of the run's time.
_OF_RUN: Final = f"name <> '{keys.EVALUATION_SPAN}'"
_SUMMARIES: Final = f"""
    WITH trace AS (
        SELECT trace_id, min(start_ns) AS start_ns FROM spans WHERE {{chosen}}
        GROUP BY trace_id HAVING min(start_ns) >= :since ORDER BY min(start_ns) DESC, trace_id LIMIT :limit
    )
    SELECT
        trace.trace_id,
        coalesce(({_ROOT.format(column="name")}), min(name)),
        trace.start_ns,
        coalesce(max(end_ns) FILTER (WHERE {_OF_RUN}), max(end_ns)),
        count(*),
        count(step_index) FILTER (WHERE operation IS NULL),
        sum(input_tokens) FILTER (WHERE {_MODELS}),
        sum(output_tokens) FILTER (WHERE {_MODELS}),
        coalesce(({_FIRST_KNOWN.format(column="outcome")}), iif(max(status = 'ERROR'), 'error', NULL)),
        ({_FIRST_KNOWN.format(column="user_id")}),
        ({_FIRST_KNOWN.format(column="session_id")})
    FROM trace JOIN spans ON spans.trace_id = trace.trace_id
    GROUP BY trace.trace_id ORDER BY trace.start_ns DESC, trace.trace_id
"""  # noqa: S608 - constants; values are bound
_CHOSEN_BY: Final = "trace_id IN (SELECT trace_id FROM spans WHERE {column} = :{column})"

# The outermost interrupted span of the newest interrupted trace: its parent was not itself interrupted.
_INTERRUPTED: Final = """
    SELECT trace_id, span_id FROM spans AS root
    WHERE outcome = 'interrupted' AND conversation_id = ? AND NOT EXISTS (
        SELECT 1 FROM spans AS parent WHERE parent.trace_id = root.trace_id AND parent.span_id = root.parent_span_id
        AND parent.outcome = 'interrupted'
    ) ORDER BY start_ns DESC, span_id LIMIT 1
"""


class Store:
    """The trace store at *path* (default: ``default_path()``), opened read-only; a context manager.

    Raises:
        StoreMissingError: There is no file at *path*.
        StoreForeignError: The file is something else, or a newer release wrote it.
        StoreUnreadableError: The file cannot be opened. Every method may raise it too.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path: Final = schema.default_path() if path is None else Path(path).expanduser()
        _check(self.path)
        with self._reading():
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
            )
        try:
            _check_version(self._one("PRAGMA user_version"), self.path)
        except schema.StoreError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def traces(
        self, limit: int = 20, *, session: str | None = None, user: str | None = None, since_ns: int = 0
    ) -> list[Summary]:
        """Return summaries of at most *limit* traces, newest start first.

        Args:
            limit: How many at most.
            session: Only traces with a span of this session id.
            user: Only traces with a span of this user id.
            since_ns: Only traces started then or later, in nanoseconds since the epoch.
        """
        wanted = {"session_id": session, "user_id": user}
        chosen = [_CHOSEN_BY.format(column=column) for column, value in wanted.items() if value is not None]
        query = _SUMMARIES.format(chosen=" AND ".join(chosen) or "TRUE")
        return [Summary(*row) for row in self._rows(query, {**wanted, "since": since_ns, "limit": limit})]

    def last_trace_id(self, *, session: str | None = None, user: str | None = None) -> str | None:
        """Return the id of the trace started last, None when there is none."""
        found = self.traces(1, session=session, user=user)
        return found[0].trace_id if found else None

    def trace_ids(self) -> list[str]:
        """Return the ids of all traces, newest start first."""
        return [
            row[0] for row in self._rows("SELECT trace_id FROM spans GROUP BY trace_id ORDER BY min(start_ns) DESC")
        ]

    def matching(self, prefix: str) -> list[str]:
        """Return the ids that begin with *prefix*, in order."""
        query = "SELECT DISTINCT trace_id FROM spans WHERE trace_id >= ? AND trace_id < ? ORDER BY trace_id"
        return [row[0] for row in self._rows(query, (prefix.lower(), prefix.lower() + "g"))]

    def nearest(self, text: str) -> list[str]:
        """Return up to three ids whose beginning looks like *text*, best first."""
        beginnings = {trace_id[: len(text)]: trace_id for trace_id in reversed(self.trace_ids()[:_SUGGESTED_FROM])}
        return [beginnings[match] for match in difflib.get_close_matches(text.lower(), beginnings, 3, 0.6)]

    def spans(self, trace_id: str) -> list[StoredSpan]:
        """Return the spans of the trace *trace_id*, in the order they started."""
        query = f"SELECT {', '.join(_STORED)} FROM spans WHERE trace_id = ? ORDER BY start_ns, span_id"  # noqa: S608 - constants
        return [_stored(row, self.path) for row in self._rows(query, (trace_id,))]

    def find_interrupted(self, thread_id: str) -> tuple[str, str] | None:
        """Return trace and span id (hex) of the outermost span of this conversation's newest interrupted run."""
        rows = self._rows(_INTERRUPTED, (thread_id,))
        return (rows[0][0], rows[0][1]) if rows else None

    def _one(self, query: str) -> int:
        return cast("int", self._rows(query)[0][0])

    def _rows(self, query: str, values: Mapping[str, object] | Sequence[object] = ()) -> list[Any]:
        with self._reading():
            return self._connection.execute(query, _bindable(values)).fetchall()

    @contextlib.contextmanager
    def _reading(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise schema.StoreUnreadableError(
                f"{self.path} cannot be read ({error}): close what holds it, or name another path"
            ) from error


def _bindable(values: Mapping[str, object] | Sequence[object]) -> Mapping[str, object] | Sequence[object]:
    """Return *values* as they are stored: text from a command line may hold surrogates, which SQLite refuses."""
    if isinstance(values, Mapping):
        return {name: schema.plain(value) for name, value in values.items()}
    return [schema.plain(value) for value in values]


def _check(path: Path) -> None:
    try:
        schema.check_ours(path)
    except FileNotFoundError as error:
        raise schema.StoreMissingError(
            f"no trace store at {path}; agent_callbacks.configure() writes one, ${schema.STORE_VARIABLE} names another"
        ) from error
    except OSError as error:
        raise schema.StoreUnreadableError(
            f"{path} cannot be read ({type(error).__name__}): name another path, or change its permissions"
        ) from error


def _check_version(version: int, path: Path) -> None:
    """Refuse what this release does not read: a newer store, or a file that is still empty."""
    if version == 0:
        raise schema.StoreMissingError(f"the trace store at {path} is empty; agent_callbacks.configure() fills it")
    schema.check_version(version, path)


def _stored(row: Sequence[Any], path: Path) -> StoredSpan:
    try:
        return StoredSpan(
            *(orjson.loads(value) if name in _JSON else value for name, value in zip(_STORED, row, strict=True))
        )
    except orjson.JSONDecodeError as error:
        raise schema.StoreUnreadableError(f"{path} holds a damaged span: delete the file, or name another") from error
