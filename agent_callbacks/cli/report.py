"""``agent-callbacks report``: one or several traces as one page, a file that needs no network."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.cost import PricesError
from agent_callbacks.analysis.figure import counted
from agent_callbacks.analysis.report import ReportError, page, render
from agent_callbacks.analysis.report.render import document
from agent_callbacks.analysis.trace import from_store
from agent_callbacks.cli import terminal
from agent_callbacks.cli.chosen import LAST, from_file, is_file, resolved
from agent_callbacks.cli.progress import watched

if TYPE_CHECKING:
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.store.read import Store

_STDOUT: Final = "-"
_MOST: Final = 1000
_KILO: Final = 1000


@click.command(epilog="Example: agent-callbacks report --last 20 -o report.html")
@click.argument("trace", required=False, metavar="[last|TRACE_ID|FILE]")
@click.option("--last", "count", type=click.IntRange(1, _MOST), metavar="N", help="The last N traces, on one page.")
@click.option("-o", "--output", default="report.html", show_default=True, metavar="PATH", help="Where to; - prints it.")
@terminal.who_options
@terminal.since_option
@terminal.store_option
@terminal.json_option
def report(
    *,
    trace: str | None,
    count: int | None,
    output: str,
    session: str | None,
    user: str | None,
    since: int,
    store: str | None,
    as_json: bool,
) -> None:
    """Write one self-contained page: the last trace, one by its id, all of a session, or what a trace FILE holds.

    What a FILE holds is sanitized first; the store's traces were when they were written.
    """
    several = count is not None or session is not None or user is not None or bool(since)
    if trace is not None and several:
        raise click.UsageError(
            "--last, --session, --user and --since choose several traces; leave them out with a TRACE"
        )
    if trace is not None and is_file(trace):
        found = from_file(trace)
    else:
        with terminal.opened(store) as opened:
            if several:
                found = _several(opened, count or _MOST, session, user, since)
            else:
                found = [from_store(opened, resolved(opened, trace or LAST))]
    try:
        made = page(found, time.time_ns(), watch=lambda each: watched(each, "reading traces"))
        if as_json:
            terminal.echo(json.dumps(document(made), indent=2))  # ASCII: no text of a span can steer the terminal
        else:
            _write(render(made), output, len(found))
    except (PricesError, ReportError) as error:
        terminal.stop(str(error), terminal.USAGE_ERROR)


def _several(store: Store, count: int, session: str | None, user: str | None, since: int) -> list[Trace]:
    chosen = store.traces(
        count, session=terminal.stored_id(session), user=terminal.stored_id(user), since_ns=since
    ) or terminal.nothing(store, session, user)
    return [from_store(store, each.trace_id) for each in reversed(chosen)]


def _write(text: str, output: str, runs: int) -> None:
    encoded = text.encode()
    if output == _STDOUT:
        sys.stdout.buffer.write(encoded)
        return
    try:
        Path(output).write_bytes(encoded)
    except OSError as error:
        terminal.stop(f"{output}: {error.strerror}", terminal.USAGE_ERROR)
    size = f"{len(encoded) / _KILO:,.0f} KB"
    terminal.echo(f"{cells.printable(output)}: {counted(runs, 'run')}, {size}; open it in a browser")
