"""``agent-callbacks import``: traces of other SDKs and other machines into the local store."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click
from opentelemetry.sdk.trace.export import SpanExportResult

from agent_callbacks.analysis import TraceError, cells, otlp
from agent_callbacks.analysis.figure import counted
from agent_callbacks.analysis.sdk import readable
from agent_callbacks.cli import terminal
from agent_callbacks.cli.progress import working
from agent_callbacks.delivery.fence import SanitizingSpanExporter
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.store.write import StoreExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from agent_callbacks.analysis import Span

SCHEMA: Final = "agent_callbacks.imported/1"
SKIPPED: Final = 1
_BATCH: Final = 2048  # spans
_NAMED: Final = 20
_STDIN: Final = "-"


@click.command(name="import", epilog="Example: agent-callbacks import traces.jsonl")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--unsanitized", is_flag=True, help="Store the spans as they are, personal data included.")
@terminal.store_option
@terminal.json_option
def import_(*, files: Sequence[str], unsanitized: bool, store: str | None, as_json: bool) -> None:
    """Read OTLP-JSON lines (- is standard input) into the store, sanitized; a span that is there already is replaced.

    Exit status: 0 all read, 1 some lines were skipped, 2 a file cannot be read or the store cannot be written.
    """
    # What was recorded long ago is kept from now on for as long as what is recorded today.
    target = StoreExporter(store, not_older_than_ns=time.time_ns())
    sanitizer = Sanitizer.disabled(reason="asked for on the command line") if unsanitized else Sanitizer()
    with working("importing", "spans") as tell:
        intake = _Intake(target, SanitizingSpanExporter(target, sanitizer, trust_own=False), tell)
        for name in files:
            try:
                with _opened(name) as file:
                    intake.take(name, file)
            except OSError as error:
                terminal.stop(f"{name}: {error.strerror}", terminal.USAGE_ERROR)
        target.shutdown()
    _tell(intake, target, as_json=as_json)


@dataclass(slots=True)
class _Intake:
    """What has been read so far."""

    store: StoreExporter
    exporter: SanitizingSpanExporter
    tell: Callable[[int], None]
    spans: int = 0
    traces: set[str] = field(default_factory=set[str])
    skipped: list[str] = field(default_factory=list[str])
    _waiting: list[Span] = field(default_factory=list["Span"])

    def take(self, name: str, file: IO[bytes]) -> None:
        for each in otlp.lines(Path("standard input" if name == _STDIN else name), file):
            if isinstance(each, TraceError):
                self.skipped.append(str(each))
                continue
            self._waiting += each
            if len(self._waiting) >= _BATCH:
                self._store()
        self._store()

    def _store(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        if self.exporter.export([readable(span) for span in waiting]) is not SpanExportResult.SUCCESS:
            terminal.stop(
                f"{self.store.path} cannot be written ({self.store.last_fault}): name another with --store; "
                f"spans stored: {self.spans:,}",
                terminal.USAGE_ERROR,
            )
        self.spans += len(waiting)
        self.tell(self.spans)
        self.traces.update(span.trace_id for span in waiting)


def _tell(intake: _Intake, target: StoreExporter, *, as_json: bool) -> None:
    if as_json:
        counts = {"traces": len(intake.traces), "spans": intake.spans, "skipped": intake.skipped}
        terminal.echo(json.dumps({"schema": SCHEMA, "store": str(target.path), **counts}, indent=2))
    else:
        terminal.echo(f"{counted(len(intake.traces), 'trace')} imported, {counted(intake.spans, 'span')}")
        more = len(intake.skipped) - _NAMED
        lines = [*intake.skipped[:_NAMED], *([f"and {more:,} more"] if more > 0 else [])]
        if lines:
            lines.append(f"{counted(len(intake.skipped), 'line')} skipped")
            click.echo("\n".join(map(cells.printable, lines)), err=True)
    if intake.skipped:
        raise click.exceptions.Exit(SKIPPED)


@contextlib.contextmanager
def _opened(name: str) -> Generator[IO[bytes]]:
    if name == _STDIN:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file
