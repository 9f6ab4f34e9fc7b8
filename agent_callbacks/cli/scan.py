"""``agent-callbacks scan``: what the sanitizer would replace in a file or a trace; where and what, never the value."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from agent_callbacks.analysis import TraceError, cells, otlp
from agent_callbacks.analysis.personal import personal_data
from agent_callbacks.analysis.trace import from_store
from agent_callbacks.cli import chosen, terminal
from agent_callbacks.privacy.findings import Finding, in_text
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.store import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA: Final = "agent_callbacks.findings/1"
FOUND: Final = 1
_BLOCK: Final = 256 * 1024  # bytes; what is read at once, up to the end of a line
_LONGEST_LINE: Final = 4 * 1024 * 1024
_PROBE: Final = 64 * 1024


@click.command(epilog="Example: agent-callbacks scan app.log --explain")
@click.argument("file", required=False, metavar="[FILE|-]")
@click.option("--trace", "trace", metavar="ID", help="Scan a stored trace: 'last', or the beginning of its id.")
@click.option("--explain", is_flag=True, help="Say which rule found it.")
@terminal.store_option
@terminal.json_option
def scan(*, file: str | None, trace: str | None, explain: bool, store: str | None, as_json: bool) -> None:
    """Show what the sanitizer would replace: types and positions, never the values.

    FILE is any text, OTLP-JSON or a trace store; - is standard input. Exit status: 0 nothing found, 1 something found,
    2 it could not be read.
    """
    if (file is None) == (trace is None):
        raise click.UsageError("name a FILE (- for standard input) or a --trace, one of the two")
    counts: Counter[str] = Counter()
    shown: list[dict[str, Any]] = []
    try:
        for finding in _in_trace(trace, store) if trace is not None else _in_file(file or "-"):
            counts[finding.kind] += 1
            if as_json:
                shown.append(_document(finding, explain=explain))
            else:
                terminal.echo(_line(finding, explain=explain))
    except (OSError, schema.StoreError, TraceError) as error:
        reason = f"{file} cannot be read ({type(error).__name__})" if isinstance(error, OSError) else str(error)
        terminal.stop(reason, terminal.USAGE_ERROR)
    if as_json:
        terminal.echo(json.dumps({"schema": SCHEMA, "counts": dict(counts), "findings": shown}, indent=2))
    else:
        named = ", ".join(f"{kind} {number}" for kind, number in counts.most_common())
        terminal.echo(f"{counts.total()} found{': ' + named if named else ''}")
    if counts:
        raise click.exceptions.Exit(FOUND)


def _line(finding: Finding, *, explain: bool) -> str:
    why = f"  ({finding.rule})" if explain else ""
    return f"{cells.printable(finding.place)}:{finding.start}-{finding.end}  {finding.kind}{why}"


def _document(finding: Finding, *, explain: bool) -> dict[str, Any]:
    told = {"type": finding.kind, "place": finding.place, "start": finding.start, "end": finding.end}
    return {**told, "rule": finding.rule} if explain else told


# --- where it is looked for ------------------------------------------------------------------------------------------
def _in_trace(trace: str, store: str | None) -> Iterator[Finding]:
    sanitizer = Sanitizer()
    with terminal.opened(store) as opened:
        trace_id = chosen.resolved(opened, trace)
        for span in from_store(opened, trace_id).spans:
            yield from personal_data(span, sanitizer)


def _in_file(name: str) -> Iterator[Finding]:
    sanitizer = Sanitizer()
    if name == "-":
        yield from _in_lines(sys.stdin.buffer, sanitizer, "standard input")
        return
    path = Path(name)
    with path.open("rb") as file:
        start = file.read(_PROBE)
        if schema.is_sqlite(path):
            yield from _in_store(path, sanitizer)
        elif b'"resourceSpans"' in start:
            for span in otlp.spans(path):
                yield from personal_data(span, sanitizer)
        else:
            file.seek(0)
            yield from _in_lines(file, sanitizer, str(path))


def _in_store(path: Path, sanitizer: Sanitizer) -> Iterator[Finding]:
    with terminal.opened(str(path)) as opened:
        for trace_id in opened.trace_ids():
            for span in from_store(opened, trace_id).spans:
                yield from personal_data(span, sanitizer)


def _in_lines(file: IO[bytes], sanitizer: Sanitizer, name: str) -> Iterator[Finding]:
    """Yield what stands in a text of any length; places are lines, counted from 1."""
    line = 1
    for block in _blocks(file, name):
        text = block.decode("utf-8", "replace")
        for finding in in_text(text, sanitizer):
            before = text.count("\n", 0, finding.start)
            start = finding.start - (text.rfind("\n", 0, finding.start) + 1)
            yield finding._replace(place=f"line {line + before}", start=start, end=start + finding.end - finding.start)
        line += text.count("\n")


def _blocks(file: IO[bytes], name: str) -> Iterable[bytes]:
    while block := file.read(_BLOCK):
        if b"\0" in block:
            raise TraceError(f"{name} is no text; expected a text, OTLP-JSON or a trace store")
        yield block + file.readline(_LONGEST_LINE)
