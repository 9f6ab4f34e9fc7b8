"""``agent-callbacks names``: the names a project has, and the lock that keeps them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.analysis.figure import counted
from agent_callbacks.cli import terminal
from agent_callbacks.cli.inputs import configured, gather, linted
from agent_callbacks.lint import lock
from agent_callbacks.lint.formats import FORMATS
from agent_callbacks.lint.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.lint.source import SourceName

SCHEMA: Final = "agent_callbacks.names/1"
_FOUND: Final = 1


@click.command(epilog="Example: agent-callbacks names src --lock --check")
@click.argument("paths", nargs=-1, metavar="[PATHS]")
@click.option("--lock", "lock_path", is_flag=False, flag_value="", metavar="[FILE]", help="Compare with the lock file.")
@click.option("--check", is_flag=True, help="With --lock: exit 1 when a locked name is gone (default).")
@click.option("--update", is_flag=True, help="With --lock: write the names there are now.")
@terminal.json_option
def names(*, paths: tuple[str, ...], lock_path: str | None, check: bool, update: bool, as_json: bool) -> None:
    """List the span names that the source in PATHS gives, and where; or hold them to a lock file."""
    if (check or update) and lock_path is None:
        raise click.UsageError("--check and --update say what to do with the lock file; add --lock")
    if check and update:
        raise click.UsageError("--check compares, --update writes; choose one")
    wanted = paths or (".",)
    config, settings = configured(wanted, {})
    report = linted(gather(wanted, config, "auto", "<stdin>"), config, settings)
    found = {name.name: name for name in reversed(report.names) if not name.merging}
    if lock_path is None:
        _listed(found, as_json=as_json)
        return
    _locked(Path(lock_path) if lock_path else config.lock, found, update=update, as_json=as_json)


def _listed(found: Mapping[str, SourceName], *, as_json: bool) -> None:
    listed = [
        {"name": name, "raw": each.raw, "path": each.path, "line": each.line} for name, each in sorted(found.items())
    ]
    if as_json:
        terminal.echo(json.dumps({"schema": SCHEMA, "names": listed}, indent=2))
        return
    for each in listed:
        terminal.echo(f"{each['name']}  {each['path']}:{each['line']}")


def _locked(path: Path, found: Mapping[str, SourceName], *, update: bool, as_json: bool) -> None:
    if update:
        try:
            path.write_text(lock.text_of(found), "utf-8")
        except OSError as error:
            terminal.stop(f"{path} cannot be written: {error.strerror}", terminal.USAGE_ERROR)
        terminal.echo(f"{path}: {counted(len(lock.lockable(found)), 'name')}")
        return
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        message = f"{path}: {error.strerror}; write it with agent-callbacks names --lock --update"
        terminal.stop(message, terminal.USAGE_ERROR)
    findings = lock.compared(text, str(path), found.keys())
    new = sorted(set(lock.lockable(found)) - lock.names_in(text).keys())
    terminal.echo(FORMATS["json" if as_json else "full"](Report(tuple(findings), counts={"files": 1})))
    if new and not as_json:
        terminal.echo(f"not locked yet: {', '.join(new)}; add them with --update")
    raise click.exceptions.Exit(_FOUND if findings else 0)
