"""How far a command is: a bar on standard error, where a person waits there for longer than a moment."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["watched"]

_Item = TypeVar("_Item")

MOMENT: Final = 0.5
"""Seconds after which the bar appears: what is over sooner needs none, and rich is not even loaded."""


def watched(items: Sequence[_Item], title: str) -> Iterator[_Item]:
    """Yield *items*; who waits for them longer than a moment sees how far it is, on a terminal only."""
    begun = time.monotonic()
    waiting = iter(enumerate(items))
    for _, item in waiting:
        yield item
        if time.monotonic() - begun > MOMENT and _is_terminal():
            break
    else:
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=len(items))
        for place, item in waiting:
            progress.update(task, completed=place)
            yield item


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
