"""``agent-callbacks ls``: the stored traces as a table, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.waterfall import MAX_WIDTH, MIN_WIDTH, duration, utc
from agent_callbacks.cli import terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_callbacks.store.read import Summary

SCHEMA: Final = "agent_callbacks.traces/1"
_SHORT_ID: Final = 8


@click.command(epilog="Example: agent-callbacks ls --since 1h --user u-17")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@terminal.who_options
@terminal.since_option
@terminal.store_option
@terminal.json_option
def ls(*, limit: int, session: str | None, user: str | None, since: int, store: str | None, as_json: bool) -> None:
    """List the stored traces, newest first; times are UTC."""
    with terminal.opened(store) as opened:
        found = opened.traces(limit, session=terminal.stored_id(session), user=terminal.stored_id(user), since_ns=since)
        if not found and not as_json:
            terminal.nothing(opened, session, user)
    if as_json:
        terminal.echo(json.dumps({"schema": SCHEMA, "traces": list(map(dataclasses.asdict, found))}, indent=2))
        if not found:
            raise click.exceptions.Exit(terminal.NOTHING_FOUND)
    else:
        terminal.echo(table(found, terminal.width()))


_TITLES: Final = ("trace", "start", "root", "time", "steps", "in", "out", "outcome", "user", "session")
_TO_THE_RIGHT: Final = frozenset({"time", "steps", "in", "out"})
# What goes, one after the other, where the terminal is narrow.
_DISPENSABLE: Final = ("session", "user", "steps", "in", "out", "start", "outcome")
_LONGEST: Final[Mapping[str, int]] = {"root": 40, "user": 24, "session": 24}
_SHORTEST_LAST: Final = 8


def table(summaries: Sequence[Summary], width: int) -> str:
    """Return *summaries* as a table at most *width* cells wide; columns that do not fit are left out, and said."""
    width = max(MIN_WIDTH, min(MAX_WIDTH, width))
    cells_by_title: dict[str, tuple[str, ...]] = dict(
        zip(_TITLES, zip(*map(_line, summaries), strict=True), strict=True)
    )
    widths = {
        title: min(_LONGEST.get(title, width), max(map(cells.width, (title, *column))))
        for title, column in cells_by_title.items()
    }
    left_out = _leave_out(widths, width)
    shown = [
        {title: title for title in widths},
        *({title: cells_by_title[title][row] for title in widths} for row in range(len(summaries))),
    ]
    lines = ["  ".join(_aligned(title, text, widths) for title, text in line.items()) for line in shown]
    if left_out:
        lines += ["", cells.cut(f"left out for width: {', '.join(left_out)}", width)]
    return "\n".join(line.rstrip() for line in lines)


def _leave_out(widths: dict[str, int], width: int) -> list[str]:
    """Remove columns from *widths* until the rest fits; return their titles."""
    left_out: list[str] = []
    for title in _DISPENSABLE:
        if _whole(widths) <= width:
            break
        del widths[title]
        left_out.append(title)
    widths["root"] = max(_SHORTEST_LAST, min(widths["root"], widths["root"] + width - _whole(widths)))
    return left_out


def _whole(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _aligned(title: str, text: str, widths: Mapping[str, int]) -> str:
    return (cells.right if title in _TO_THE_RIGHT else cells.left)(text, widths[title])


def _line(summary: Summary) -> tuple[str, ...]:
    return (
        summary.trace_id[:_SHORT_ID],
        utc(summary.start_ns),
        cells.printable(summary.name),
        duration(max(0, summary.end_ns - summary.start_ns) / 1e9),
        str(summary.steps),
        _count(summary.input_tokens),
        _count(summary.output_tokens),
        cells.printable(summary.outcome or ""),
        cells.printable(summary.user_id or ""),
        cells.printable(summary.session_id or ""),
    )


def _count(tokens: int | None) -> str:
    return "" if tokens is None else f"{tokens:,}"
