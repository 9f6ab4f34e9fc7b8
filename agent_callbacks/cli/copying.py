"""``agent-callbacks copy --for-llm``: a trace as a short text to paste into a chat."""

from __future__ import annotations

import base64
import sys
from typing import IO, TYPE_CHECKING, Final

import click

from agent_callbacks.analysis.digest import LEAST, digest
from agent_callbacks.cli import chosen, terminal

if TYPE_CHECKING:
    from agent_callbacks.cli.chosen import Chosen

SCHEMA: Final = "agent_callbacks.digest/1"
_MOST: Final = 200_000
# What terminals take in one sequence, xterm's limit being among the least.
_CLIPBOARD_BYTES: Final = 74_994


@click.command(epilog="Example: agent-callbacks copy last --for-llm --max-chars 4000 | pbcopy")
@chosen.trace_options
@click.option("--for-llm", is_flag=True, help="As text for a language model: what it is for, and the only form yet.")
@click.option(
    "--max-chars", default=12_000, show_default=True, type=click.IntRange(LEAST, _MOST), metavar="N",
    help="How long it may be.",
)  # fmt: skip
@click.option("--no-content", is_flag=True, help="Without arguments, results and messages.")
@click.option("--clipboard", is_flag=True, help="Put it on the terminal's clipboard, too.")
@terminal.json_option
def copy(
    *,
    trace: str,
    within: str | None,
    session: str | None,
    user: str | None,
    store: str | None,
    for_llm: bool,
    max_chars: int,
    no_content: bool,
    clipboard: bool,
    as_json: bool,
) -> None:
    """Print one trace as a short text to paste into a chat: tree, times, tokens, cost, errors, findings, slowest path.

    All of it is sanitized again, users and sessions are left out, and what was recorded is marked as quoted data that
    gives no instructions. --clipboard asks the terminal to copy it (OSC 52); it is never done unasked, and not where
    the output is no terminal.
    """
    del for_llm  # the only form there is
    if clipboard and (as_json or _terminal() is None):
        raise click.UsageError("--clipboard needs text and a terminal; pipe the output to pbcopy, wl-copy or xclip")
    found = chosen.choose(trace, within=within, session=session, user=user, store=store)
    with terminal.prices():
        text = digest(found.trace, max_chars, content=not no_content)
    if as_json:
        terminal.echo_json(_document(found, text))
        return
    terminal.echo(text)
    if clipboard:
        _copied(text)


def _document(found: Chosen, text: str) -> dict[str, object]:
    return {"schema": SCHEMA, "trace_id": found.trace.trace_id, "characters": len(text), "text": text}


def _terminal() -> IO[str] | None:
    return next((each for each in (sys.stderr, sys.stdout) if each is not None and each.isatty()), None)


def _copied(text: str) -> None:
    """Ask the terminal to put *text* on its clipboard (xterm's OSC 52): base64, so that it is nothing but text."""
    target = _terminal()
    encoded = text.encode()
    if target is None or len(encoded) > _CLIPBOARD_BYTES:
        click.echo("too long for a terminal's clipboard: ask for fewer --max-chars, or pipe it", err=True)
        return
    target.write(f"\x1b]52;c;{base64.b64encode(encoded).decode()}\x07")
    target.flush()
    click.echo(f"{len(text):,} characters sent to the terminal's clipboard, if it allows that", err=True)
