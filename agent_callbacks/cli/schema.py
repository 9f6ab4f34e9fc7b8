"""``agent-callbacks schema``: what is in the JSON that other commands print."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.cli import terminal

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_ENDING: Final = ".json"


def schemas() -> dict[str, Traversable]:
    """Return the JSON Schema files of this package by the command whose ``--json`` they describe."""
    found = resources.files("agent_callbacks.cli") / "schemas"
    files = sorted((each for each in found.iterdir() if each.name.endswith(_ENDING)), key=lambda each: each.name)
    return {each.name.removesuffix(_ENDING): each for each in files}


@click.command(epilog="Example: agent-callbacks schema tokens")
@click.argument("command", required=False)
def schema(*, command: str | None) -> None:
    """Print the JSON Schema (draft 2020-12) of what COMMAND --json prints; without a COMMAND, which there are."""
    known = schemas()
    if command is None:
        terminal.echo("\n".join(known))
    elif command in known:
        terminal.echo(known[command].read_text("utf-8").rstrip())
    else:
        raise click.UsageError(f"no schema {command!r}; there are: {', '.join(known)}")
