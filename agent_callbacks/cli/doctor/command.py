"""The command: all findings, as text or as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.figure import counted
from agent_callbacks.analysis.waterfall import duration
from agent_callbacks.cli import terminal
from agent_callbacks.cli.doctor.environment import delivery, others, variables
from agent_callbacks.cli.doctor.finding import Finding
from agent_callbacks.cli.doctor.installed import encoder, installed
from agent_callbacks.cli.doctor.storage import storage
from agent_callbacks.delivery import otlp
from agent_callbacks.delivery.probe import probe
from agent_callbacks.store import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.cli.doctor.finding import Level

SCHEMA: Final = "agent_callbacks.doctor/1"
UNWELL: Final = 1
_CLOCKS_DIFFER: Final = 60  # seconds; less may be the way
_MARKS: Final[Mapping[Level, tuple[str, str]]] = {"ok": (" ", ""), "note": ("!", "yellow"), "fault": ("✗", "red")}


@click.command(epilog="Example: agent-callbacks doctor --no-probe")
@click.option("--probe/--no-probe", "send", default=True, help="Send one span to the OTLP endpoint (default: yes).")
@click.option(
    "--timeout", default=4.0, show_default=True, type=click.FloatRange(0.1, 60), help="Of the probe, seconds."
)
@terminal.store_option
@terminal.json_option
def doctor(*, send: bool, timeout: float, store: str | None, as_json: bool) -> None:
    """Say what is installed and set, where traces go, and whether a span arrives there.

    Exit status: 0 all is well, 1 something keeps traces from arriving.
    """
    path = schema.default_path() if store is None else Path(store).expanduser()
    found = [
        *installed(), *encoder(), *variables(), *delivery(), *others(), *storage(path),
        *(_probed(timeout) if send else ()),
    ]  # fmt: skip
    well = all(finding.level != "fault" for finding in found)
    if as_json:
        listed = [dataclasses.asdict(finding) for finding in found]
        terminal.echo(json.dumps({"schema": SCHEMA, "ok": well, "findings": listed}, indent=2))
    else:
        terminal.echo(_text(found, color=terminal.color()))
    if not well:
        raise click.exceptions.Exit(UNWELL)


def _probed(timeout: float) -> Iterator[Finding]:
    if not otlp.endpoint_is_set():
        return
    outcome = probe(timeout)
    told = outcome.explanation
    if outcome.endpoint:
        yield Finding("probe", "sent to", f"{outcome.endpoint} ({outcome.protocol})")
    yield Finding("probe", told.kind, told.what, "ok" if told.good else "fault", told.way_out)
    if abs(outcome.ahead) > _CLOCKS_DIFFER:
        side = "ahead of" if outcome.ahead > 0 else "behind"
        what = f"the receiver's is {duration(abs(outcome.ahead))} {side} ours: spans seem to be of another time"
        yield Finding("probe", "clock", what, "note", "set the clock of this machine, or the receiver's, by NTP")
    if outcome.answer:
        yield Finding("probe", "it said", outcome.answer)


def _text(found: Sequence[Finding], *, color: bool) -> str:
    lines: list[str] = []
    section = ""
    width = max(cells.width(finding.name) for finding in found)
    for finding in found:
        if finding.section != section:
            section = finding.section
            lines += ["", section] if lines else [section]
        mark, tint = _MARKS[finding.level]
        line = f"{mark} {cells.left(cells.printable(finding.name), width)}  {cells.printable(finding.value)}".rstrip()
        lines.append(click.style(line, fg=tint) if color and tint else line)
        if finding.way_out and finding.level != "ok":
            lines.append(f"  {' ' * width}  → {cells.printable(finding.way_out)}")
    return "\n".join([*lines, "", _sum(found)])


def _sum(found: Sequence[Finding]) -> str:
    faults, notes = (sum(finding.level == level for finding in found) for level in ("fault", "note"))
    if faults:
        return f"{counted(faults, 'fault')} found"
    return f"no fault; {counted(notes, 'thing')} worth knowing (!)" if notes else "all is well"
