"""``agent-callbacks gc``: erase old traces, or all traces of one user."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.figure import counted
from agent_callbacks.analysis.waterfall import utc
from agent_callbacks.cli import terminal
from agent_callbacks.cli.progress import working
from agent_callbacks.store import schema
from agent_callbacks.store.erase import erase

if TYPE_CHECKING:
    from pathlib import Path

    from agent_callbacks.store.erase import Erased

SCHEMA: Final = "agent_callbacks.erased/1"
_MIB: Final = 1024 * 1024


@click.command(epilog="Example: agent-callbacks gc --user u-17 --dry-run")
@click.option("--user", metavar="ID", help="All traces with a span of this user.")
@terminal.age_option("--older-than", "Only traces whose last span is older: 12h, 7d.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and leave it.")
@terminal.store_option
@terminal.json_option
def gc(*, user: str | None, older_than: float | None, dry_run: bool, store: str | None, as_json: bool) -> None:
    """Erase whole traces: those of a user, those beyond an age, or else what is beyond the store's limits.

    What is erased is also gone from the file's free pages and its log. Writers of the same store wait meanwhile, some
    seconds for a big one.
    """
    path = schema.place(store)
    try:
        with working("counting" if dry_run else "erasing", "traces") as tell:
            found = erase(
                path, user=terminal.stored_id(user), older_than_seconds=older_than, dry_run=dry_run, progress=tell
            )
    except schema.StoreMissingError as error:
        terminal.stop(str(error), terminal.NOTHING_FOUND)
    except schema.StoreError as error:
        terminal.stop(str(error), terminal.USAGE_ERROR)
    if as_json:
        shown = {"schema": SCHEMA, "store": str(path), "dry_run": dry_run, **dataclasses.asdict(found)}
        terminal.echo(json.dumps(shown, indent=2))
    elif found.traces or user is None:
        terminal.echo(_told(found, path, dry_run=dry_run))
    else:
        terminal.no_such_user(user, path)
    if not found.traces and user is not None:
        raise click.exceptions.Exit(terminal.NOTHING_FOUND)


def _told(found: Erased, path: Path, *, dry_run: bool) -> str:
    what = "would be removed" if dry_run else "removed"
    lines = [f"{counted(found.traces, 'trace')} {what}, {counted(found.spans, 'span')}"]
    if found.oldest_ns is not None and found.newest_ns is not None:
        lines[0] += f", from {utc(found.oldest_ns)} to {utc(found.newest_ns)} UTC"
    place = cells.printable(str(path))
    if dry_run:
        lines.append(f"{place}: {found.bytes_before / _MIB:.1f} MiB")
    else:
        lines.append(f"{place}: {found.bytes_before / _MIB:.1f} MiB before, {found.bytes_after / _MIB:.1f} MiB now")
    return "\n".join(lines)
