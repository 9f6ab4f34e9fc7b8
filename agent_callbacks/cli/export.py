"""``agent-callbacks export``: stored traces in the form that other tools read."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, TYPE_CHECKING

import click

from agent_callbacks.analysis import cells, otlp_writing
from agent_callbacks.analysis.figure import counted
from agent_callbacks.analysis.trace import from_store
from agent_callbacks.cli import chosen, terminal

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from agent_callbacks.store.read import Store


@click.group()
def export() -> None:
    """Write stored traces in the form that other tools read."""


@export.command(epilog="Example: agent-callbacks export otlp --last 100 -o traces.jsonl")
@click.option("-o", "--output", metavar="FILE", help="Where to (default: standard output); readable by you only.")
@click.option("--trace", metavar="ID", help="One trace: 'last', or the beginning of its id.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="The newest N traces (default: all).")
@terminal.store_option
def otlp(*, output: str | None, trace: str | None, last: int | None, store: str | None) -> None:
    """Write traces as OTLP-JSON, one request of the protocol a line and a trace, oldest first."""
    if trace is not None and last is not None:
        raise click.UsageError("give --trace or --last, not both")
    with terminal.opened(store) as opened:
        ids = _chosen(opened, trace, last) or terminal.nothing(opened, None, None)
        try:
            with _target(output) as target:
                for trace_id in ids:
                    target.write(otlp_writing.line(from_store(opened, trace_id).spans))
        except OSError as error:
            if output is None:
                raise
            terminal.stop(f"{output}: {error.strerror}", terminal.USAGE_ERROR)
    if output is not None:
        click.echo(f"{counted(len(ids), 'trace')} written to {cells.printable(str(output))}", err=True)


def _chosen(store: Store, trace: str | None, last: int | None) -> Sequence[str]:
    if trace is not None:
        return [chosen.resolved(store, trace)]
    return store.trace_ids(-1 if last is None else last)[::-1]


@contextlib.contextmanager
def _target(output: str | None) -> Generator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield file
