"""``agent-callbacks warmup``: fetch the files that tokens are counted with, the one command that uses the network."""

from __future__ import annotations

import json
from typing import Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.cli import terminal
from agent_callbacks.tokens import encoder

SCHEMA: Final = "agent_callbacks.warmup/1"


@click.command(epilog="Example: TIKTOKEN_CACHE_DIR=/opt/tiktoken agent-callbacks warmup")
@click.argument("encodings", nargs=-1, metavar="[ENCODING]...")
@terminal.json_option
def warmup(*, encodings: tuple[str, ...], as_json: bool) -> None:
    """Fetch tiktoken's files, so that tokens are counted instead of estimated; what is there already stays.

    By default o200k_base and cl100k_base, the encodings of every OpenAI model in use. Not needed where
    llama-index-core is installed, which brings both. They go to $TIKTOKEN_CACHE_DIR, else to a directory of your own
    that this package looks in. An image or machine without network is given the directory.
    """
    where: dict[str, str] = {}
    for name in encodings or encoder.SHIPPED:
        try:
            found = encoder.find(name)
            where[name] = str(found or encoder.fetch(name))
        except ValueError as error:
            terminal.stop(str(error), terminal.USAGE_ERROR)
        except OSError as error:
            terminal.stop(_failed(name, error), terminal.USAGE_ERROR)
        if not as_json:
            terminal.echo(f"{name}: {'found' if found else 'fetched'}, {cells.printable(where[name])}")
    if as_json:
        terminal.echo(json.dumps({"schema": SCHEMA, "files": where}, indent=2))


def _failed(name: str, error: OSError) -> str:
    return (
        f"{name} could not be fetched ({type(error).__name__}); without network, copy the directory of another machine "
        f"where this worked, and point TIKTOKEN_CACHE_DIR to it"
    )
