"""How far a command is: a bar on standard error, where a person waits there for longer than a moment."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from rich.progress import Progress

__all__ = ["watched", "working"]

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


@contextlib.contextmanager
def working(title: str, things: str) -> Generator[Callable[[int], None]]:
    """Show that something goes on whose end is not known, and how many *things* are done, which the body says.

    It also moves while the body waits for something that cannot be watched, such as a database.
    """
    if not _is_terminal():
        yield lambda _: None
        return
    shown = _Shown(title, things)
    timer = threading.Timer(MOMENT, shown.begin)
    timer.daemon = True
    timer.start()
    try:
        yield shown.count
    finally:
        timer.cancel()
        timer.join()
        shown.end()


@dataclass(slots=True)
class _Shown:
    title: str
    things: str
    _done: int = 0
    _progress: Progress | None = field(default=None)

    def begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}"), TimeElapsedColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._progress.add_task(self.title, total=None, done="")
        self._progress.start()
        self.count(self._done)

    def count(self, done: int) -> None:
        self._done = done
        if self._progress is not None and done:
            self._progress.update(self._progress.task_ids[0], done=f"{done:,} {self.things}")

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
