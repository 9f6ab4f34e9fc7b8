"""``agent-callbacks lint``: hold the span names in source, trace files and the store to the convention."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agent_callbacks.cli import terminal
from agent_callbacks.cli.inputs import Inputs, configured, gather, linted, stored
from agent_callbacks.lint import fix as fixing
from agent_callbacks.lint.finding import LEVELS, at_least
from agent_callbacks.lint.formats import FORMATS
from agent_callbacks.lint.rules import SETS

if TYPE_CHECKING:
    from agent_callbacks.lint.config import Config
    from agent_callbacks.lint.report import Report
    from agent_callbacks.lint.run import Settings

_FOUND: Final = 1


@click.command(epilog="Example: agent-callbacks lint src --format github")
@click.argument("paths", nargs=-1, metavar="[PATHS|-]")
@click.option("--rules", type=click.Choice(list(SETS)), help="The rule set (default: standard).")
@click.option("--select", metavar="CODES", help="Only these rules: SPN201,SPN3.")
@click.option("--ignore", metavar="CODES", help="Without these rules.")
@click.option("--scope", type=click.Choice(["convention", "all"]), help="Names near ours (default), or all names.")
@click.option("--fail-on", type=click.Choice([*LEVELS, "never"]), help="Exit 1 from this level (default: error).")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever is found.")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="Default: full on a terminal, else concise.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write there instead.")
@click.option("--fix", is_flag=True, help="Repair what is safe to repair.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: also what changes more than a span's name.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--kind", type=click.Choice(["auto", "source", "trace"]), default="auto", help="What the input is.")
@click.option("--stdin-filename", default="<stdin>", metavar="NAME", help="What to call the input from -.")
@click.option("--store", is_flag=False, flag_value="", metavar="[PATH]", help="Lint stored traces.")
@click.option("--trace", metavar="ID", help="With --store: only the trace whose id begins so, or last.")
@terminal.since_option
def lint(  # noqa: PLR0913 - options of a command line
    *,
    paths: tuple[str, ...],
    rules: str | None,
    select: str | None,
    ignore: str | None,
    scope: str | None,
    fail_on: str | None,
    exit_zero: bool,
    form: str | None,
    output: str | None,
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
    kind: str,
    stdin_filename: str,
    store: str | None,
    trace: str | None,
    since: int,
) -> None:
    """Lint the span names in PATHS: Python files, folders, trace files; standard input for -.

    Exits with 0 when nothing grave is found, 1 when something is, 2 when there is nothing to lint or an option, a
    setting or a path is wrong.
    """
    given: dict[str, object] = {
        "rules": rules, "select": _codes(select), "ignore": _codes(ignore), "scope": scope, "fail_on": fail_on,
    }  # fmt: skip
    asked_for_store = store is not None or trace is not None or since > 0
    wanted = paths or (() if asked_for_store else (".",))
    config, settings = configured(wanted, given)
    inputs = gather(wanted, config, kind, stdin_filename)
    if asked_for_store:
        inputs.traces.append(stored(store or None, trace, since))
    if not inputs:
        terminal.stop(f"nothing to lint in {', '.join(wanted)}: no Python file and no trace", terminal.USAGE_ERROR)
    report = linted(inputs, config, settings)
    if fix or diff:
        report = _repaired(report, inputs, config, settings, unsafe=unsafe_fixes, write=not diff)
    if not diff:
        _print(report, form, output)
    threshold = config.values["fail_on"]
    grave = threshold != "never" and any(at_least(each.level, threshold) for each in report.findings)
    raise click.exceptions.Exit(_FOUND if grave and not exit_zero else 0)


def _codes(listed: str | None) -> list[str] | None:
    return None if listed is None else listed.replace(",", " ").split()


def _print(report: Report, form: str | None, output: str | None) -> None:
    colored = output is None and terminal.color()
    chosen = form or ("full" if output is None and terminal.is_terminal() else "concise")
    text = FORMATS[chosen](report, color=colored)
    if output is None:
        terminal.echo(text)
        return
    try:
        Path(output).write_text(f"{text}\n", "utf-8")
    except OSError as error:
        terminal.stop(f"{output} cannot be written: {error.strerror}", terminal.USAGE_ERROR)


def _repaired(
    report: Report, inputs: Inputs, config: Config, settings: Settings, *, unsafe: bool, write: bool
) -> Report:
    """Repair the files, or print what would change; return what is left after it."""
    changed = 0
    for path, text in inputs.sources:
        own = [finding for finding in report.findings if finding.path == path]
        after, edits = fixing.repaired(text, own, unsafe=unsafe)
        changed += edits
        if edits and not write:
            click.echo(fixing.diff(path, text, after), nl=False)
        elif edits:
            inputs.write(path, after)
    if write and changed:
        click.echo(f"repaired {changed}", err=True)
        return linted(inputs, config, settings)
    return report
