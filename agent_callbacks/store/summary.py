"""What a trace comes to, worked out by SQLite from the short columns of its spans.

Of a trace whose root is stored the answer stands in its row of ``traces``; of one that goes on, or was killed, it is
worked out when asked for.
"""
# ruff: noqa: S608 - statements are put together from constants; values are bound

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import orjson

from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "COLUMNS",
    "EVERY",
    "FILL",
    "MODELS",
    "MODEL_OPERATIONS",
    "ORDERS",
    "UPDATE",
    "Filter",
    "Order",
    "Summary",
    "query",
]

MODEL_OPERATIONS: Final = ("chat", "text_completion", "generate_content", "embeddings")
"""``gen_ai.operation.name`` of a model call: the spans whose tokens a trace's totals add up."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of traces shows of one.

    ``start_ns`` and ``end_ns`` are nanoseconds since the epoch, from the first start to the last end; tokens and
    ``cost`` (USD) are those of the model calls, None when none said any; ``unpriced`` counts the calls without a
    recorded cost, which are not in it. ``outcome`` is the first span's that has one, ``"error"`` where only the status
    says so; ``errors`` counts the spans that failed, ``error`` names the one that did first, and its type. ``agent`` is
    the outermost agent, ``variant`` that of the first ``experiment``, ``variants`` has all where there are several.
    ``running`` says that the root is not stored yet: what is told is what is known so far.
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
    cost: float | None = None
    unpriced: int = 0
    errors: int = 0
    error: str | None = None
    agent: str | None = None
    models: tuple[str, ...] = ()
    experiment: str | None = None
    variant: str | None = None
    variants: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    running: bool = False
    written: int = field(default=0, compare=False)
    """Grows with every write to the store: what came after something else has a higher number."""

    @property
    def seconds(self) -> float:
        """How long it took, never negative."""
        return max(0, self.end_ns - self.start_ns) / 1e9

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Summary:
        """Return the summary in a *row* of ``query``."""
        made = cast("Callable[..., Summary]", cls)  # as many as there are fields
        before, between = row[:_MODELS_AT], row[_MODELS_AT + 1 : _VARIANTS_AT]
        *_, variants, running, written = row
        return made(*before, _list(row[_MODELS_AT]), *between, _table(variants), bool(running), written)


@functools.lru_cache(256)
def _list(text: str | None) -> tuple[str, ...]:
    return tuple(orjson.loads(text)) if text else ()


@functools.lru_cache(256)
def _table(text: str | None) -> dict[str, str]:
    return dict(orjson.loads(text)) if text else {}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which traces are wanted; None, False and 0 want all.

    ``seconds`` and ``cost`` (USD) are the least, ``failed`` wants those in which a span failed, ``variant`` is one of
    any experiment, ``model`` one that was asked in it, ``running`` False leaves out what has no root yet, and
    ``written_after`` is a number as ``Summary.written`` has it.
    """

    session: str | None = None
    user: str | None = None
    variant: str | None = None
    experiment: str | None = None
    agent: str | None = None
    model: str | None = None
    outcome: str | None = None
    since_ns: int = 0
    until_ns: int | None = None
    seconds: float | None = None
    cost: float | None = None
    failed: bool = False
    running: bool = True
    written_after: int = -1


EVERY: Final = Filter()
Order: TypeAlias = Literal["start", "duration", "cost", "tokens", "steps", "written"]
ORDERS: Final[Mapping[str, str]] = {
    "start": "start_ns DESC, trace_id",
    "duration": "end_ns - start_ns DESC, trace_id",
    "cost": "cost IS NULL, cost DESC, trace_id",
    "tokens": "coalesce(input_tokens, 0) + coalesce(output_tokens, 0) DESC, trace_id",
    "steps": "steps DESC, trace_id",
    "written": "written, trace_id",
}
"""How a list may be ordered: the newest, longest, dearest, largest first; ``written`` as it came into the store."""

COLUMNS: Final[Mapping[str, str]] = {
    "name": "TEXT", "end_ns": "INTEGER", "spans": "INTEGER", "steps": "INTEGER", "input_tokens": "INTEGER",
    "output_tokens": "INTEGER", "outcome": "TEXT", "user_id": "TEXT", "session_id": "TEXT", "cost": "REAL",
    "unpriced": "INTEGER", "errors": "INTEGER", "error": "TEXT", "agent": "TEXT", "models": "TEXT",
    "experiment": "TEXT", "variant": "TEXT", "variants": "TEXT",
}  # fmt: skip
"""Columns of ``traces``, in the order of ``Summary``, and their types."""

_BELOW: Final = "FROM spans AS one WHERE one.trace_id = trace.trace_id"
# A trace's root is its first span without a parent, or without one in the store.
_ROOT: Final = f"""(
    SELECT name {_BELOW} AND NOT EXISTS (
        SELECT 1 FROM spans AS parent WHERE parent.trace_id = one.trace_id AND parent.span_id = one.parent_span_id
    ) ORDER BY parent_span_id IS NOT NULL, start_ns, span_id LIMIT 1
)"""
MODELS: Final = f"operation IN ({', '.join(map(repr, MODEL_OPERATIONS))})"
# An outcome that is recorded when the run is long over is none of the run's time.
_OF_RUN: Final = f"NOT (name = '{keys.EVALUATION_SPAN}' AND scope = '{keys.SCOPE_NAME}')"
_FAILED: Final = "(status = 'ERROR' OR outcome = 'failure')"


# Most traces have one span without a parent, and it says what is asked for: no span is looked up again then.
_SOLE: Final = "FILTER (WHERE parent_span_id IS NULL)"
_ONE_ROOT: Final = f"count(*) {_SOLE} = 1"


def _first(column: str, where: str = "TRUE") -> str:
    """Return what the first span that says *column* says: the root, or of those that started together the outermost."""
    order = "parent_span_id IS NOT NULL, start_ns, rowid DESC"  # written as they end: the outer after the inner
    found = f"(SELECT {column} {_BELOW} AND {column} IS NOT NULL AND {where} ORDER BY {order} LIMIT 1)"
    return f"coalesce(iif({_ONE_ROOT}, max(iif({where}, {column}, NULL)) {_SOLE}, NULL), {found})"


# The cause fails before what it makes fail: of two that end together, the one that started later, or was written first.
_ERROR: Final = f"""iif(count(*) FILTER (WHERE {_FAILED}), (
    SELECT name || coalesce(': ' || error_type, '') {_BELOW} AND {_FAILED} ORDER BY end_ns, start_ns DESC, rowid LIMIT 1
), NULL)"""
_NAMED: Final = f"{MODELS} AND model <> ''"
_ASKED: Final = f"""iif(
    min(model) FILTER (WHERE {_NAMED}) IS max(model) FILTER (WHERE {_NAMED}),
    iif(count(model) FILTER (WHERE {_NAMED}), json_array(max(model) FILTER (WHERE {_NAMED})), '[]'),
    (SELECT json_group_array(model) FROM (SELECT DISTINCT model {_BELOW} AND {_NAMED} ORDER BY 1))
)"""
# In the order of COLUMNS; an aggregate over the spans of `trace`.
_WORKED_OUT: Final = f"""
    coalesce(iif({_ONE_ROOT}, max(name) {_SOLE}, NULL), {_ROOT}, min(name)),
    coalesce(max(end_ns) FILTER (WHERE {_OF_RUN}), max(end_ns)),
    count(*),
    count(step_index) FILTER (WHERE operation IS NULL),
    sum(input_tokens) FILTER (WHERE {MODELS}),
    sum(output_tokens) FILTER (WHERE {MODELS}),
    coalesce({_first("outcome")}, iif(max(status = 'ERROR'), 'error', NULL)),
    {_first("user_id")},
    {_first("session_id")},
    sum(cost) FILTER (WHERE {MODELS}),
    count(*) FILTER (WHERE {MODELS} AND cost IS NULL),
    count(*) FILTER (WHERE {_FAILED}),
    {_ERROR},
    {_first("agent")},
    {_ASKED},
    {_first("experiment", "variant IS NOT NULL")},
    {_first("variant")},
    iif(count(variants), {_first("variants")}, NULL)
"""
FILL: Final = f"""
    UPDATE traces AS trace SET ({", ".join(COLUMNS)}) = (
        SELECT {_WORKED_OUT} FROM spans WHERE spans.trace_id = trace.trace_id
    ) WHERE rooted
"""
UPDATE: Final = f"{FILL} AND trace_id = ?"

# Conditions on a trace's own columns, and on what it comes to: by the field of the filter that asks for them.
_BY_TRACE: Final[Mapping[str, str]] = {
    **{role: f"trace_id IN (SELECT trace_id FROM askers WHERE role = '{role}' AND id = :{role})"
       for role in ("session", "user")},
    "since_ns": "start_ns >= :since_ns",
    "until_ns": "start_ns < :until_ns",
    "written_after": "written > :written_after",
}  # fmt: skip
_BY_SUMMARY: Final[Mapping[str, str]] = {
    "variant": "(variant = :variant OR EXISTS (SELECT 1 FROM json_each(variants) WHERE value = :variant))",
    "experiment": "(experiment = :experiment OR EXISTS (SELECT 1 FROM json_each(variants) WHERE key = :experiment))",
    "agent": "agent = :agent",
    "model": "EXISTS (SELECT 1 FROM json_each(models) WHERE value = :model)",
    "outcome": "outcome = :outcome",
    "seconds": "end_ns - start_ns >= :seconds * 1e9",
    "cost": "cost >= :cost",
    "failed": "errors > 0",
}
SHOWN: Final = (
    "trace_id", "name", "start_ns", *(name for name in COLUMNS if name != "name"), "running", "written",
)  # fmt: skip
"""What is known of a trace, in the order of ``Summary``."""
_MODELS_AT, _VARIANTS_AT = map(SHOWN.index, ("models", "variants"))


def query(wanted: Filter, order: Order | None = "start", shown: Sequence[str] = SHOWN) -> str:
    """Return the statement that finds what is *wanted*; it is given the fields of the filter, and a ``limit``.

    Args:
        wanted: Which traces.
        order: Which come first; None where all are wanted, in any order.
        shown: The columns, of those of ``SHOWN``.
    """
    asked = [name for name in wanted.__slots__ if getattr(wanted, name) != getattr(EVERY, name)]
    of_trace = " AND ".join(_BY_TRACE[name] for name in asked if name in _BY_TRACE) or "TRUE"
    of_summary = " AND ".join(_BY_SUMMARY[name] for name in asked if name in _BY_SUMMARY) or "TRUE"
    ordered = f"ORDER BY {ORDERS[order]}" if order is not None else ""
    ended = (
        f"SELECT *, FALSE AS running FROM traces WHERE rooted AND {of_trace} AND {of_summary} {ordered} LIMIT :limit"
    )
    columns = ", ".join(shown)
    if not wanted.running:
        return f"SELECT {columns} FROM ({ended})"
    # What goes on is summed up before it can be judged by its sum; without such a condition the first ones do.
    few = of_summary == "TRUE" and order in {"start", "written"}
    first = f"{ordered} LIMIT :limit" if few else f"ORDER BY {ORDERS['start']} LIMIT -1"
    names = ", ".join(("trace_id", "start_ns", "running", "written", *COLUMNS))
    return f"""
        WITH ended AS ({ended}), going_on ({names}) AS (
            SELECT trace.trace_id, trace.start_ns, TRUE, trace.written, {_WORKED_OUT}
            FROM (SELECT trace_id, start_ns, written FROM traces WHERE NOT rooted AND {of_trace} {first}) AS trace
            JOIN spans ON spans.trace_id = trace.trace_id GROUP BY trace.trace_id
        )
        SELECT {columns} FROM (
            SELECT {", ".join(SHOWN)} FROM ended UNION ALL SELECT {", ".join(SHOWN)} FROM going_on WHERE {of_summary}
        ) {ordered} LIMIT :limit
    """
