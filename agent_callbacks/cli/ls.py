"""``agent-callbacks ls``: the stored traces as a table, as JSON or as CSV."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from agent_callbacks.analysis import cells, sheet
from agent_callbacks.analysis.drawing.ink import paint as ink
from agent_callbacks.analysis.drawing.prose import wrapped
from agent_callbacks.analysis.figure import dollars
from agent_callbacks.analysis.trace import RUNNING
from agent_callbacks.analysis.waterfall import clamped, duration, utc
from agent_callbacks.cli import terminal
from agent_callbacks.cli.wanted import filter_options, nothing, wanted
from agent_callbacks.store.summary import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent_callbacks.analysis.drawing.ink import Paint
    from agent_callbacks.store.read import Summary

SCHEMA: Final = "agent_callbacks.traces/1"
_SHORT_ID: Final = 8
_ORDERS: Final = tuple(name for name in get_args(Order) if name != "written")


@click.command(epilog="Example: agent-callbacks ls --since 1h --min-cost 0.05 --sort cost")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@click.option(
    "--sort", "order", default="start", show_default=True, type=click.Choice(_ORDERS),
    help="Newest, longest, dearest or largest first.",
)  # fmt: skip
@filter_options
@terminal.store_option
@terminal.json_option
@terminal.csv_option
def ls(*, limit: int, order: Order, store: str | None, as_json: bool, as_csv: bool, **given: Any) -> None:
    """List the stored traces, newest first; times are UTC.

    Costs are those that were recorded with the calls; * says that some calls have none. In CSV a text that a
    spreadsheet would take for a formula has an apostrophe before it.
    """
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")
    with terminal.opened(store) as opened:
        found = opened.summaries(wanted(given), limit, order)
        if not found and not as_json:
            nothing(opened, given)
    if as_json:
        terminal.echo_json({"schema": SCHEMA, "traces": list(map(document, found))})
        if not found:
            raise click.exceptions.Exit(terminal.NOTHING_FOUND)
    elif as_csv:
        rows = list(map(_flat, found))
        terminal.echo(sheet.written(list(rows[0]), [list(row.values()) for row in rows]))
    else:
        terminal.page(table(found, terminal.width(), ink(color=terminal.color())))


def document(summary: Summary) -> dict[str, Any]:
    """Return *summary* as one JSON object: ``schemas/ls.json`` says what is in it."""
    found = {**dataclasses.asdict(summary), "duration": summary.seconds}
    del found["written"]  # of no use outside the store
    return found


def _flat(summary: Summary) -> dict[str, sheet.Cell]:
    return {**document(summary), "models": " + ".join(summary.models), "variants": _joined(summary.variants)}


def _joined(variants: Mapping[str, str]) -> str:
    return " + ".join(f"{experiment}: {variant}" for experiment, variant in variants.items())


# --- the table -------------------------------------------------------------------------------------------------------
def outcome_of(summary: Summary) -> str:
    """Return how a run ended, or that it goes on."""
    return RUNNING if summary.running else cells.printable(summary.outcome or "")


def cost_of(summary: Summary) -> str:
    """Return what a run cost; a star says that some of its calls have no recorded cost."""
    if summary.cost is None:
        return ""
    return dollars(summary.cost) + ("*" if summary.unpriced else "")


_COLUMNS: Final[Mapping[str, Callable[[Summary], str]]] = {
    "trace": lambda one: one.trace_id[:_SHORT_ID],
    "start": lambda one: utc(one.start_ns),
    "root": lambda one: cells.printable(one.name) or "(no name)",
    "time": lambda one: duration(one.seconds),
    "steps": lambda one: str(one.steps),
    "in": lambda one: _count(one.input_tokens),
    "out": lambda one: _count(one.output_tokens),
    "cost": cost_of,
    "outcome": outcome_of,
    "variant": lambda one: cells.printable(one.variant or ""),
    "user": lambda one: cells.printable(one.user_id or ""),
    "session": lambda one: cells.printable(one.session_id or ""),
    "first error": lambda one: cells.printable(one.error or ""),
}
_TO_THE_RIGHT: Final = frozenset({"time", "steps", "in", "out", "cost"})
# What goes, one after the other, where the terminal is narrow.
_DISPENSABLE: Final = (
    "first error", "session", "user", "out", "steps", "variant", "in", "start", "cost", "outcome",
)  # fmt: skip
_LONGEST: Final[Mapping[str, int]] = {"root": 40, "variant": 16, "user": 24, "session": 24, "first error": 48}
_SHORTEST_LAST: Final = 8
STYLES: Final[Mapping[str, str]] = {
    "failure": "failed", "error": "failed", "interrupted": "marked", "cancelled": "marked", "abandoned": "marked",
    RUNNING: "bold",
}  # fmt: skip
"""How an outcome is painted."""


def table(summaries: Sequence[Summary], width: int, paint: Paint) -> str:
    """Return *summaries* as a table at most *width* cells wide; columns that do not fit are left out, and said.

    A column that is empty is not shown either.
    """
    width = clamped(width)
    columns = {title: [said(one) for one in summaries] for title, said in _COLUMNS.items()}
    widths = {
        title: min(_LONGEST.get(title, width), max(map(cells.width, (title, *column))))
        for title, column in columns.items()
        if any(column)
    }
    left_out = _leave_out(widths, width)
    lines = ["  ".join(paint(_aligned(title, title, widths), "faint") for title in widths)]
    for row in range(len(summaries)):
        texts = {title: _aligned(title, columns[title][row], widths) for title in widths}
        if (style := STYLES.get(columns["outcome"][row])) and "outcome" in texts:
            texts["outcome"] = paint(texts["outcome"], style)
        lines.append("  ".join(texts.values()))
    if left_out:
        said = wrapped(f"left out for width: {', '.join(left_out)}", width)
        lines += ["", *(paint(line, "faint") for line in said)]
    return "\n".join(line.rstrip() for line in lines)


def _leave_out(widths: dict[str, int], width: int) -> list[str]:
    """Remove columns from *widths* until the rest fits; return their titles."""
    left_out: list[str] = []
    for title in _DISPENSABLE:
        if _whole(widths) <= width:
            break
        if widths.pop(title, None) is not None:
            left_out.append(title)
    widths["root"] = max(_SHORTEST_LAST, min(widths["root"], widths["root"] + width - _whole(widths)))
    return left_out


def _whole(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _aligned(title: str, text: str, widths: Mapping[str, int]) -> str:
    return (cells.right if title in _TO_THE_RIGHT else cells.left)(text, widths[title])


def _count(tokens: int | None) -> str:
    return "" if tokens is None else f"{tokens:,}"
