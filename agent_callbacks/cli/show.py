"""``agent-callbacks show``: one trace as a waterfall, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

import click

from agent_callbacks.analysis.trace import from_store
from agent_callbacks.cli import terminal

if TYPE_CHECKING:
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.store.read import Store

SCHEMA: Final = "agent_callbacks.trace/1"
_LAST: Final = "last"
_SHORTEST_PREFIX: Final = 4
_LISTED: Final = 5


@click.command(epilog="Example: agent-callbacks show last --session s-9")
@click.argument("trace", default=_LAST, metavar="[last|TRACE_ID]")
@terminal.who_options
@terminal.store_option
@terminal.json_option
def show(*, trace: str, session: str | None, user: str | None, store: str | None, as_json: bool) -> None:
    """Show one trace: the last, or the one whose id begins with TRACE_ID (four characters or more)."""
    if trace != _LAST and (session is not None or user is not None):
        raise click.UsageError("--session and --user choose the last trace of somebody; leave them out with a TRACE_ID")
    with terminal.opened(store) as opened:
        found = from_store(opened, resolved(opened, trace, session=session, user=user))
    if as_json:
        terminal.echo(json.dumps(document(found), indent=2))  # ASCII: no text of a span can steer the terminal
    else:
        terminal.echo_trace(found, opened.path)


def document(trace: Trace) -> dict[str, Any]:
    """Return *trace* as one JSON object: ``schema``, ``trace_id``, ``spans`` with the fields of ``analysis.Span``."""
    return {
        "schema": SCHEMA,
        "trace_id": trace.trace_id,
        "spans": [dataclasses.asdict(span) for span in trace.spans],
    }


def resolved(store: Store, prefix: str, *, session: str | None = None, user: str | None = None) -> str:
    """Return the id of the trace that begins with *prefix*, or of the ``last`` one; leave with a message otherwise."""
    if prefix == _LAST:
        return terminal.last_trace_id(store, session, user)
    if len(prefix) < _SHORTEST_PREFIX:
        raise click.UsageError(f"{prefix!r} is too short for a trace id; give at least {_SHORTEST_PREFIX} characters")
    matching = store.matching(prefix)
    if len(matching) == 1:
        return matching[0]
    newest = store.trace_ids()[:_LISTED] or terminal.nothing(store, None, None)
    if matching:
        message = f"{len(matching)} traces begin with {prefix!r}: {_listing(matching)}"
    elif nearest := store.nearest(prefix):
        message = f"no trace {prefix!r}; did you mean {_listing(nearest)}?"
    else:
        message = f"no trace {prefix!r}; the newest: {_listing(newest)}"
    return terminal.stop(message, terminal.USAGE_ERROR)


def _listing(ids: list[str]) -> str:
    return ", ".join(ids[:_LISTED]) + (", …" if len(ids) > _LISTED else "")
