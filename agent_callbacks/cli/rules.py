"""``agent-callbacks rules`` and ``explain``: the catalogue."""

from __future__ import annotations

import dataclasses
import difflib
import json
import textwrap
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.cli import terminal
from agent_callbacks.lint.rules import RULES, SETS

if TYPE_CHECKING:
    from agent_callbacks.lint.rules import Rule

SCHEMA: Final = "agent_callbacks.rules/1"
_ENGINES: Final = {"R": "while running", "T": "in tests and trace files", "S": "in source"}
_FIXES: Final = {
    "": "by hand", "safe": "--fix", "unsafe": "--fix --unsafe-fixes", "lock": "agent-callbacks names --lock --update",
}  # fmt: skip


@click.command(epilog="Example: agent-callbacks explain SPN201")
@click.argument("code")
@terminal.json_option
def explain(*, code: str, as_json: bool) -> None:
    """Explain the rule CODE: what it is for, a bad and a good example, how it is repaired."""
    rule = RULES.get(code.upper()) or _by_name(code)
    if rule is None:
        known = [*RULES, *(each.name for each in RULES.values())]
        close = difflib.get_close_matches(code, known, 1, 0.5)
        hint = f"did you mean {close[0]!r}?" if close else "see agent-callbacks rules"
        terminal.stop(f"no rule {code!r}; {hint}", terminal.USAGE_ERROR)
    terminal.echo(json.dumps(document(rule), indent=2) if as_json else explanation(rule))


def _by_name(name: str) -> Rule | None:
    return next((rule for rule in RULES.values() if rule.name == name), None)


def explanation(rule: Rule) -> str:
    """Return all there is to say about *rule*, for a terminal."""
    found = ", ".join(_ENGINES[engine] for engine in rule.engines)
    sets = ", ".join(name for name, codes in SETS.items() if rule.code in codes)
    lines = [f"{rule.code} {rule.name} ({rule.level})", "", *textwrap.wrap(f"{rule.summary}. {rule.why}", 80), ""]
    lines += [f"wrong     {rule.bad}", f"right     {rule.good}", ""]
    lines += [f"found     {found}", f"sets      {sets}", f"repaired  {_FIXES[rule.fix]}"]
    return "\n".join(lines)


def document(rule: Rule) -> dict[str, object]:
    """Return *rule* as JSON has it."""
    return {**dataclasses.asdict(rule), "sets": [name for name, codes in SETS.items() if rule.code in codes]}


@click.command()
@click.option("--rules", "chosen", type=click.Choice(list(SETS)), default="strict", help="Only those of a set.")
@terminal.json_option
def rules(*, chosen: str, as_json: bool) -> None:
    """List all rules: code, level, where it is found (R running, T tests and traces, S source), name, summary."""
    listed = [rule for rule in RULES.values() if rule.code in SETS[chosen]]
    if as_json:
        terminal.echo(json.dumps({"schema": SCHEMA, "rules": list(map(document, listed))}, indent=2))
        return
    for rule in listed:
        head = f"{rule.code}  {cells.left(rule.level, 11)}  {cells.left(rule.engines, 3)}"
        terminal.echo(f"{head}  {cells.left(rule.name, 34)}  {rule.summary}")
