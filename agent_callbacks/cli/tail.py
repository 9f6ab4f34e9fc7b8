"""``agent-callbacks tail``: runs as they come into the store, one line each, until it is interrupted.

The store is opened read-only for each look and closed again: nothing is held, so writers, ``gc`` and whoever removes or
replaces the file are never kept waiting.
"""

from __future__ import annotations

import contextlib
import json
import select
import stat
import sys
import time
from dataclasses import dataclass, field, replace
from os import fstat
from typing import TYPE_CHECKING, Any, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.drawing.ink import paint as ink
from agent_callbacks.analysis.waterfall import clamped, duration, utc
from agent_callbacks.cli import terminal
from agent_callbacks.cli.ls import STYLES, cost_of, document, outcome_of
from agent_callbacks.cli.wanted import filter_options, wanted
from agent_callbacks.store import file, schema
from agent_callbacks.store.read import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from agent_callbacks.analysis.drawing.ink import Paint
    from agent_callbacks.store.read import Summary
    from agent_callbacks.store.summary import Filter

SCHEMA: Final = "agent_callbacks.run/1"
_LOOK_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 10.0
_MOST: Final = 1000
_REMEMBERED: Final = 20_000
_FAULTS: Final = 5
_WIDTH_OF_A_PIPE: Final = 200


@click.command(epilog="Example: agent-callbacks tail --failed --json | jq .error")
@click.option("--last", default=10, show_default=True, type=click.IntRange(0, _MOST), help="How many to begin with.")
@click.option("--once", is_flag=True, help="Show those and end.")
@filter_options
@terminal.store_option
@terminal.json_option
def tail(*, last: int, once: bool, store: str | None, as_json: bool, **given: Any) -> None:
    """Show runs as they come into the store, a line each: when they end, or when they have gone on for ten seconds.

    Processes write what has ended every few seconds, so a line may be that late. Ctrl-C ends it, with exit status 0; so
    does whoever reads the output by closing it. A store that is not there yet, or not any more, is waited for. With
    --json each line is one object.
    """
    follower = Follower(schema.place(store), wanted(given), last)
    show = _as_json if as_json else _as_line(heading=terminal.is_terminal())
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for run in follower.look(time.monotonic()):
                show(run)
            if once or _reader_gone():
                return
            time.sleep(_LOOK_SECONDS)


@dataclass(slots=True)
class Follower:
    """What has been seen of a store.

    Args:
        path: Where the store is, or will be.
        wanted: Which runs.
        last: How many of those that are there already are told at the first look.
    """

    path: Path
    wanted: Filter
    last: int
    _file: tuple[int, int] | None = None
    _seen: int = -1
    """The number of the last write that was looked at."""
    _running: dict[str, tuple[float, Summary]] = field(default_factory=dict[str, "tuple[float, Summary]"])
    """Runs that go on and were not told yet: since when that is known, and what is known of them."""
    _told: dict[str, bool] = field(default_factory=dict[str, bool])
    """Runs that were told, the oldest first, and whether as running."""
    _faults: int = 0
    _waiting: bool = False

    def look(self, now: float) -> list[Summary]:
        """Return the runs to tell at the moment *now*, in seconds of any clock that only goes forward."""
        found = file.identity(self.path)
        if found is None:
            self._wait(f"no trace store at {self.path}; waiting for one")
            return []
        if found != self._file:  # another file, so all of it is new; the first one's is as many as are asked for
            first = self._file is None and not self._waiting
            self._file, self._seen = found, -1
        else:
            first = False
        try:
            with Store(self.path) as store:
                new = self._new(store, first=first)
        except schema.StoreForeignError as error:
            terminal.stop(str(error), terminal.USAGE_ERROR)
        except schema.StoreMissingError:  # a file that nothing was written to yet
            self._file = None
            self._wait(f"nothing in {self.path} yet; waiting")
            return []
        except schema.StoreUnreadableError as error:  # such as removed just now; if it stays so, that is said
            self._faults += 1
            if self._faults >= _FAULTS:
                terminal.stop(str(error), terminal.USAGE_ERROR)
            return []
        self._faults, self._waiting = 0, False
        return [*(run for run in new if self._to_be_told(run, now)), *self._patience_lost(now)]

    def _wait(self, message: str) -> None:
        if not self._waiting:
            self._waiting = True
            click.echo(cells.printable(message), err=True)

    def _new(self, store: Store, *, first: bool) -> list[Summary]:
        before = store.written()  # read first: what is written meanwhile is seen now or at the next look, never missed
        if first:
            found = store.summaries(self.wanted, self.last, "start")[::-1] if self.last else []
        else:
            found = store.summaries(replace(self.wanted, written_after=self._seen), _MOST, "written")
        full = not first and len(found) == _MOST
        self._seen = found[-1].written if full else max([before, *(run.written for run in found)])
        return found

    def _to_be_told(self, run: Summary, now: float) -> bool:
        """Say whether *run* is told now: once as running, if it is that for long, and once when it has ended."""
        if run.running:
            if run.trace_id not in self._told:
                since, _ = self._running.get(run.trace_id, (now, run))
                self._running[run.trace_id] = since, run
            return False
        self._running.pop(run.trace_id, None)
        again = self._told.get(run.trace_id) is False
        self._remember(run.trace_id, running=False)
        return not again

    def _patience_lost(self, now: float) -> list[Summary]:
        late = [run for since, run in self._running.values() if now - since >= _PATIENCE_SECONDS]
        for run in late:
            del self._running[run.trace_id]
            self._remember(run.trace_id, running=True)
        return late

    def _remember(self, trace_id: str, *, running: bool) -> None:
        self._told[trace_id] = running
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]


def _reader_gone() -> bool:
    """Say whether the output is a pipe that nobody reads any more: there may be nothing to write for hours."""
    try:
        output = sys.stdout.fileno()
        if not stat.S_ISFIFO(fstat(output).st_mode):
            return False
    except (AttributeError, OSError):  # no output, or one that is no file
        return False
    poll = select.poll()
    poll.register(output, 0)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))


# --- a line ----------------------------------------------------------------------------------------------------------
def _tokens(run: Summary) -> str:
    counts = [count for count in (run.input_tokens, run.output_tokens) if count is not None]
    return f"{sum(counts):,}" if counts else ""


_COLUMNS: Final[Mapping[str, tuple[int, Callable[[Summary], str]]]] = {
    "end": (8, lambda run: utc(run.end_ns).rpartition(" ")[2]),
    "run": (0, lambda run: cells.printable(run.name)),
    "outcome": (11, outcome_of),
    "time": (8, lambda run: duration(run.seconds)),
    "steps": (5, lambda run: str(run.steps)),
    "tokens": (8, _tokens),
    "cost": (8, cost_of),
    "first error": (0, lambda run: cells.printable(run.error or "")),
}
_TO_THE_RIGHT: Final = frozenset({"time", "steps", "tokens", "cost"})
_DISPENSABLE: Final = ("tokens", "steps", "cost")
_LEAST: Final[Mapping[str, int]] = {"run": 17, "first error": 8}
_MOST_NAME: Final = 28


def _as_json(run: Summary) -> None:
    terminal.echo(json.dumps({"schema": SCHEMA, **document(run)}))


def _as_line(*, heading: bool) -> Callable[[Summary], None]:
    paint = ink(color=terminal.color())
    titles = [heading]

    def show(run: Summary) -> None:
        width = clamped(terminal.width()) if terminal.has_width() else _WIDTH_OF_A_PIPE
        if titles.pop() if titles else False:
            terminal.echo(paint(line({title: title for title in _COLUMNS}, width, ink(color=False)), "faint"))
        texts = {title: said(run) for title, (_, said) in _COLUMNS.items()}
        terminal.echo(line(texts, width, paint, STYLES.get(texts["outcome"], "")))

    return show


def line(texts: Mapping[str, str], width: int, paint: Paint, style: str = "") -> str:
    """Return one line, at most *width* cells wide: name and error share what the other columns leave."""
    kept = dict.fromkeys(_COLUMNS)
    for title in _DISPENSABLE:
        if _least(kept) > width:
            del kept[title]
    spare = width - _least(kept)
    more = min(_MOST_NAME - _LEAST["run"], max(0, spare) // 3)
    sizes = {title: _COLUMNS[title][0] for title in kept}
    sizes |= {"run": _LEAST["run"] + more, "first error": _LEAST["first error"] + spare - more}
    if cells.width(texts["first error"]) > sizes["first error"]:  # its type says more than the beginning of its place
        texts = {**texts, "first error": texts["first error"].rpartition(": ")[2]}
    drawn = {
        title: (cells.right if title in _TO_THE_RIGHT else cells.left)(texts[title], size)
        for title, size in sizes.items()
    }
    drawn |= {title: paint(drawn[title], style) for title in ("outcome", "first error")}
    return "  ".join(drawn.values()).rstrip()


def _least(titles: Iterable[str]) -> int:
    sizes = [_LEAST.get(title, _COLUMNS[title][0]) for title in titles]
    return sum(sizes) + 2 * (len(sizes) - 1)
