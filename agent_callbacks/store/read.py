"""Reading the local trace store: read-only, also while other processes write.

The one thing that is ever written here is the layout of a file that an earlier release wrote.
"""

from __future__ import annotations

import contextlib
import difflib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, cast

import orjson

from agent_callbacks.store import file, layout, schema, summary, trust
from agent_callbacks.store.summary import EVERY, Filter, Order, Summary

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path
    from types import TracebackType

__all__ = ["Evaluation", "Filter", "Order", "Statistics", "Store", "StoredSpan", "Summary"]

_BUSY_SECONDS: Final = 2.0
_SUGGESTED_FROM: Final = 2000
_STORED: Final = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "start_ns", "end_ns", "status", "status_message", "scope",
    "attributes", "events", "links", "resource",
)  # fmt: skip
_ENDS: Final = """
    SELECT start_ns FROM (SELECT min(start_ns) AS start_ns FROM traces UNION SELECT max(start_ns) FROM traces)
    WHERE start_ns IS NOT NULL ORDER BY start_ns
"""
_EVALUATION: Final = ("trace_id", "name", "score", "label", "time_ns")
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
class Evaluation:
    """What ``record_outcome`` said of a run; ``time_ns`` is nanoseconds since the epoch."""

    trace_id: str
    name: str
    score: float | None
    label: str | None
    time_ns: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much a store holds: bytes in use and of the file, and when its first and last trace started (epoch ns)."""

    traces: int
    spans: int
    used_bytes: int
    file_bytes: int
    oldest_ns: int | None
    newest_ns: int | None


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
        self.path: Final = schema.place(path)
        _check(self.path)
        with self._reading():
            self._connection = self._connect("ro")
        try:
            with self._reading():
                trust.check_tables(self._connection, self.path)
            version = self._one("PRAGMA user_version")
            _check_version(version, self.path)
            if version < schema.VERSION:
                self._upgrade()
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
        return self.summaries(Filter(session=session, user=user, since_ns=since_ns), limit)

    def summaries(self, wanted: Filter = EVERY, limit: int = -1, order: Order = "start") -> list[Summary]:
        """Return summaries of the traces that are *wanted*, at most *limit* (-1: all) of them, in *order*."""
        return [Summary.of(row) for row in self.columns(summary.SHOWN, wanted, limit, order)]

    def columns(
        self, shown: Sequence[str], wanted: Filter = EVERY, limit: int = -1, order: Order | None = None
    ) -> list[tuple[Any, ...]]:
        """Return of each trace that is *wanted* the columns *shown*, of ``summary.SHOWN``: the fewer, the faster."""
        values = {name: getattr(wanted, name) for name in wanted.__slots__}
        return self._sound(shown, summary.query(wanted, order, shown), {**values, "limit": limit})

    def known(self, column: str, limit: int = _SUGGESTED_FROM) -> list[str]:
        """Return what stands in a *column* of text, of ``summary.SHOWN``, in the newest traces."""
        rows = self.columns((column,), EVERY, limit, "start")
        return list(dict.fromkeys(value for (value,) in rows if value is not None))

    def models(self) -> list[str]:
        """Return the models that the newest traces asked."""
        return list(dict.fromkeys(name for text in self.known("models") for name in orjson.loads(text)))

    def evaluations(self, since_ns: int = 0) -> list[Evaluation]:
        """Return what was said of runs, in the order it was said, from *since_ns* (epoch ns) on."""
        query = f"SELECT {', '.join(_EVALUATION)} FROM evaluations WHERE time_ns >= ? ORDER BY time_ns"  # noqa: S608 - constants
        return [Evaluation(*row) for row in self._sound(_EVALUATION, query, (since_ns,))]

    def written(self) -> int:
        """Return the number of the last write, as ``Summary.written`` has it; 0 where there was none."""
        return self._one("SELECT coalesce(max(written), 0) FROM traces")

    def last_trace_id(self, *, session: str | None = None, user: str | None = None) -> str | None:
        """Return the id of the trace started last, None when there is none."""
        found = self.traces(1, session=session, user=user)
        return found[0].trace_id if found else None

    def trace_ids(self, limit: int = -1) -> list[str]:
        """Return the ids of all traces, or of at most *limit*, newest start first."""
        query = "SELECT trace_id FROM traces ORDER BY start_ns DESC, trace_id LIMIT ?"
        return [row[0] for row in self._sound(("trace_id",), query, (limit,))]

    def matching(self, prefix: str) -> list[str]:
        """Return the ids that begin with *prefix*, in order."""
        query = "SELECT trace_id FROM traces WHERE trace_id >= ? AND trace_id < ? ORDER BY trace_id"
        return [row[0] for row in self._sound(("trace_id",), query, (prefix.lower(), prefix.lower() + "g"))]

    def nearest(self, text: str) -> list[str]:
        """Return up to three ids whose beginning looks like *text*, best first."""
        beginnings = {trace_id[: len(text)]: trace_id for trace_id in reversed(self.trace_ids(_SUGGESTED_FROM))}
        return [beginnings[match] for match in difflib.get_close_matches(text.lower(), beginnings, 3, 0.6)]

    def spans(self, trace_id: str) -> list[StoredSpan]:
        """Return the spans of the trace *trace_id*, in the order they started."""
        query = f"SELECT {', '.join(_STORED)} FROM spans WHERE trace_id = ? ORDER BY start_ns, span_id"  # noqa: S608 - constants
        return [self._stored(row) for row in self._sound(_STORED, query, (trace_id,))]

    def running(self, trace_id: str) -> bool:
        """Say whether the root of the trace *trace_id* is not stored yet."""
        return self._rows("SELECT NOT rooted FROM traces WHERE trace_id = ?", (trace_id,)) == [(1,)]

    def calls(self, trace_id: str) -> list[StoredSpan]:
        """Return the model calls of the trace *trace_id*, in the order they started."""
        query = (
            f"SELECT {', '.join(_STORED)} FROM spans WHERE trace_id = ? AND {summary.MODELS} ORDER BY start_ns, span_id"  # noqa: S608 - constants
        )
        return [self._stored(row) for row in self._sound(_STORED, query, (trace_id,))]

    def find_interrupted(self, thread_id: str) -> tuple[str, str] | None:
        """Return trace and span id (hex) of the outermost span of this conversation's newest interrupted run."""
        rows = self._sound(("trace_id", "span_id"), _INTERRUPTED, (thread_id,))
        return (rows[0][0], rows[0][1]) if rows else None

    def statistics(self) -> Statistics:
        """Return how much the store holds."""
        pages, page_bytes = self._one("PRAGMA page_count"), self._one("PRAGMA page_size")
        ends = self._sound(("start_ns",), _ENDS)
        return Statistics(
            traces=self._one("SELECT count(*) FROM traces"),
            spans=self._one("SELECT count(*) FROM spans"),
            used_bytes=(pages - self._one("PRAGMA freelist_count")) * page_bytes,
            file_bytes=pages * page_bytes,
            oldest_ns=ends[0][0] if ends else None,
            newest_ns=ends[-1][0] if ends else None,
        )

    def _connect(self, mode: str) -> sqlite3.Connection:
        address = f"{self.path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
        trust.harden(connection)
        return connection

    def _upgrade(self) -> None:
        with self._reading(), contextlib.closing(self._connect("rw")) as connection:
            layout.migrate(connection, self.path)

    def _one(self, query: str) -> int:
        return cast("int", self._rows(query)[0][0])

    def _rows(self, query: str, values: Mapping[str, object] | Sequence[object] = ()) -> list[Any]:
        with self._reading():
            return self._connection.execute(query, _bindable(values)).fetchall()

    def _sound(
        self, shown: Sequence[str], query: str, values: Mapping[str, object] | Sequence[object] = ()
    ) -> list[Any]:
        """Return the rows of *query*, which gives the columns *shown*, where they hold what they should."""
        rows = self._rows(query, values)
        if not trust.sound(rows, shown):
            raise self._damaged()
        return rows

    def _stored(self, row: Sequence[Any]) -> StoredSpan:
        try:
            span = StoredSpan(
                *(orjson.loads(value) if name in _JSON else value for name, value in zip(_STORED, row, strict=True))
            )
        except orjson.JSONDecodeError as error:
            raise self._damaged() from error
        if not (trust.sound_events(span.events) and trust.sound_links(span.links)):
            raise self._damaged()
        return span

    def _damaged(self) -> schema.StoreUnreadableError:
        return schema.StoreUnreadableError(
            f"{self.path} is damaged: it holds what no trace store does; delete the file, or name another"
        )

    @contextlib.contextmanager
    def _reading(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            way_out = "close what holds it" if file.busy(error) else "delete it if it is damaged"
            raise schema.StoreUnreadableError(
                f"{self.path} cannot be read ({error}): {way_out}, or name another path"
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
