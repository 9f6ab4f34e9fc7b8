"""The command group: which commands there are, and where each lives."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Final, cast

import click

from agent_callbacks.cli import drop_output
from agent_callbacks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

# Command -> (its file, the click command in it). A file is imported when its command is asked for.
_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "compare": ("agent_callbacks.cli.compare", "compare"),
    "config": ("agent_callbacks.cli.config", "config"),
    "copy": ("agent_callbacks.cli.copying", "copy"),
    "cost": ("agent_callbacks.cli.cost", "cost"),
    "demo": ("agent_callbacks.cli.demo.command", "demo"),
    "doctor": ("agent_callbacks.cli.doctor.command", "doctor"),
    "explain": ("agent_callbacks.cli.rules", "explain"),
    "export": ("agent_callbacks.cli.export", "export"),
    "gc": ("agent_callbacks.cli.gc", "gc"),
    "import": ("agent_callbacks.cli.importing", "import_"),
    "latency": ("agent_callbacks.cli.latency", "latency"),
    "lint": ("agent_callbacks.cli.lint", "lint"),
    "ls": ("agent_callbacks.cli.ls", "ls"),
    "names": ("agent_callbacks.cli.names", "names"),
    "report": ("agent_callbacks.cli.report", "report"),
    "rules": ("agent_callbacks.cli.rules", "rules"),
    "scan": ("agent_callbacks.cli.scan", "scan"),
    "schema": ("agent_callbacks.cli.schema", "schema"),
    "show": ("agent_callbacks.cli.show", "show"),
    "tail": ("agent_callbacks.cli.tail", "tail"),
    "tokens": ("agent_callbacks.cli.tokens", "tokens"),
    "warmup": ("agent_callbacks.cli.warmup", "warmup"),
}


class _Commands(click.Group):
    """A group that imports a command on first use and suggests the nearest name for one it does not know."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        return cast("click.Command", getattr(importlib.import_module(module), name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            close = difflib.get_close_matches(args[0], _COMMANDS, 1, 0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"commands: {', '.join(_COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for; whoever reads its output, such as ``head``, may go when they please."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            drop_output()
            ctx.exit(0)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: agent-callbacks show last",
)
@click.version_option(__version__, prog_name="agent-callbacks")
def root() -> None:
    """Look at the traces your agents left in the local store, and hold span names to the convention."""
