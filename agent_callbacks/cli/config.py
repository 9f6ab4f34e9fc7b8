"""``agent-callbacks config show``: the linter's settings, and where each comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.cli import terminal
from agent_callbacks.cli.inputs import configured

if TYPE_CHECKING:
    from agent_callbacks.lint.config import Config

SCHEMA: Final = "agent_callbacks.config/1"


@click.group()
def config() -> None:
    """Look at the settings that count."""


@config.command()
@click.argument("path", default=".")
@terminal.json_option
def show(*, path: str, as_json: bool) -> None:
    """Show each setting that counts for PATH, its value, and where it comes from."""
    found, _ = configured((path,), {})
    values = {**found.values, **_naming(found)}
    sources = {**found.sources, **dict.fromkeys(_naming(found), str(found.values["convention"]) or "default")}
    if as_json:
        listed = {name: {"value": value, "source": sources[name]} for name, value in values.items()}
        terminal.echo(json.dumps({"schema": SCHEMA, "settings": listed}, indent=2))
        return
    for name, value in values.items():
        terminal.echo(f"{name} = {json.dumps(value)}  # {sources[name]}")


def _naming(found: Config) -> dict[str, object]:
    """Return what the naming convention says, as JSON has it."""
    convention = found.convention
    return {
        "naming.mode": convention.mode,
        "naming.namespaces": list(convention.namespaces),
        "naming.registry": list(convention.registry),
        "naming.strip_prefixes": list(convention.strip_prefixes),
        "naming.max_named_steps": convention.max_named_steps,
        "aliases": dict(convention.aliases),
        "budgets": dict(convention.budgets),
    }
