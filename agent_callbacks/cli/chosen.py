"""Which trace a command is about: the last, one by the beginning of its id, or what a file holds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.sdk import readable
from agent_callbacks.analysis.trace import TraceError, from_store, load, parsed, traces
from agent_callbacks.cli import terminal
from agent_callbacks.cli.progress import watched
from agent_callbacks.delivery.fence import SanitizingSpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.store.read import Store

__all__ = ["LAST", "Chosen", "choose", "from_file", "is_file", "resolved", "trace_options"]

_Command = TypeVar("_Command", bound="Callable[..., Any]")

LAST: Final = "last"
STDIN: Final = "-"
_SHORTEST_PREFIX: Final = 4
_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class Chosen:
    """One trace, and where it is from: ``source`` is a sentence for people, safe to print."""

    trace: Trace
    source: str


def trace_options(command: _Command) -> _Command:
    """Add what says which trace: the argument, ``--trace``, ``--session``, ``--user`` and ``--store``."""
    command = terminal.store_option(command)
    command = terminal.who_options(command)
    described = "Which of the traces in a FILE: 'last' (the default), or the beginning of its id."
    command = click.option("--trace", "within", metavar="ID", help=described)(command)
    return click.argument("trace", default=LAST, metavar="[last|TRACE_ID|FILE|-]")(command)


def choose(trace: str, *, within: str | None, session: str | None, user: str | None, store: str | None) -> Chosen:
    """Return the trace that the options of ``trace_options`` ask for; leave with a message where there is none.

    What a file holds may come from anyone, so it is sanitized; the store's traces were when they were written.
    """
    in_file = trace == STDIN or is_file(trace)
    if trace != LAST and (session is not None or user is not None):
        raise click.UsageError(
            "--session and --user choose the last trace of somebody; leave them out with a TRACE_ID or a FILE"
        )
    if in_file:
        return _of_file(trace, within)
    if within is not None:
        raise click.UsageError(f"--trace chooses a trace in a FILE; {trace!r} is none")
    with terminal.opened(store) as opened:
        found = from_store(opened, resolved(opened, trace, session=session, user=user))
        return Chosen(found, f"stored in {cells.printable(str(opened.path))}")


# --- the store -------------------------------------------------------------------------------------------------------


def resolved(store: Store, prefix: str, *, session: str | None = None, user: str | None = None) -> str:
    """Return the id of the trace that begins with *prefix*, or of the ``last`` one; leave with a message otherwise."""
    if prefix == LAST:
        return terminal.last_trace_id(store, session, user)
    if len(prefix) < _SHORTEST_PREFIX:
        raise click.UsageError(f"{prefix!r} is too short for a trace id; give at least {_SHORTEST_PREFIX} characters")
    matching = store.matching(prefix)
    if len(matching) == 1:
        return matching[0]
    newest = store.trace_ids()[:_LISTED] or terminal.nothing(store, None, None)
    if matching:
        message = _ambiguous(prefix, matching)
    elif nearest := store.nearest(prefix):
        message = f"no trace {prefix!r}; did you mean {_listing(nearest)}?"
    else:
        message = f"no trace {prefix!r}; the newest: {_listing(newest)}"
    return terminal.stop(message, terminal.USAGE_ERROR)


def _ambiguous(prefix: str, matching: Sequence[str]) -> str:
    return f"{len(matching)} traces begin with {prefix!r}: {_listing(matching)}; give more of it"


def _listing(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_LISTED]) + (", …" if len(ids) > _LISTED else "")


# --- files -----------------------------------------------------------------------------------------------------------


def is_file(name: str) -> bool:
    """Say whether *name* is that of a file; leave with a message where it can be nothing else, and is not there."""
    if name != LAST and Path(name).is_file():
        return True
    if any(mark in name for mark in "./\\"):
        terminal.stop(f"no file {name!r}", terminal.USAGE_ERROR)
    return False


def from_file(name: str) -> list[Trace]:
    """Return the traces in the file *name* (``-`` is standard input), sanitized; leave with a message for none."""
    try:
        found = load(name) if name != STDIN else traces(parsed(Path("standard input"), sys.stdin.buffer.read()))
    except TraceError as error:
        terminal.stop(str(error), terminal.USAGE_ERROR)
    return _sanitized(found) or terminal.stop(f"{_named(name)} holds no span", terminal.NOTHING_FOUND)


def _of_file(name: str, within: str | None) -> Chosen:
    found = from_file(name)
    source = f"read from {cells.printable(_named(name))}"
    if within is not None and within != LAST:
        return Chosen(_matching(found, within, name), source)
    if len(found) > 1:
        source += f", the last of {len(found):,} traces: --trace ID shows another, agent-callbacks report all"
    return Chosen(found[-1], source)


def _named(name: str) -> str:
    return "standard input" if name == STDIN else name


def _matching(found: Sequence[Trace], prefix: str, name: str) -> Trace:
    matching = [each for each in found if each.trace_id.startswith(prefix.lower())]
    if len(matching) == 1:
        return matching[0]
    ids = [each.trace_id for each in reversed(found)]
    if matching:
        message = _ambiguous(prefix, [each.trace_id for each in matching])
    else:
        message = f"no trace {prefix!r} in {_named(name)}; it holds {_listing(ids)}"
    return terminal.stop(message, terminal.USAGE_ERROR)


def _sanitized(found: Iterable[Trace]) -> list[Trace]:
    """Return *found* without personal data."""
    kept = InMemorySpanExporter()
    fence = SanitizingSpanExporter(kept, trust_own=False)
    spans = [span for trace in found for span in (*trace.spans, *trace.evaluations)]
    for span in watched(spans, "sanitizing"):
        fence.export([readable(span)])
    return load(kept.get_finished_spans())
