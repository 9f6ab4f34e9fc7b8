"""What every command shares: the terminal's width and colours, printing, the store's options and faults."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.cost import PricesError, cost_report
from agent_callbacks.analysis.drawing.ink import paint as ink
from agent_callbacks.analysis.drawing.prose import pairs
from agent_callbacks.analysis.latency import latency_report
from agent_callbacks.analysis.report import words
from agent_callbacks.analysis.report.run import matter_of
from agent_callbacks.analysis.row import rows
from agent_callbacks.analysis.shown import visible
from agent_callbacks.analysis.trace import TraceError
from agent_callbacks.analysis.waterfall import clamped, render
from agent_callbacks.privacy.pseudonyms import VARIABLE
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.store.read import Store
from agent_callbacks.store.schema import STORE_VARIABLE, StoreError, StoreMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from pathlib import Path

    from agent_callbacks.analysis.trace import Trace

_Command = TypeVar("_Command", bound="Callable[..., Any]")

NOTHING_FOUND: Final = 1
USAGE_ERROR: Final = 2
_WIDTH_WITHOUT_TERMINAL: Final = 100
_AGE: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TAGGED: Final = (
    f"such an id is stored as a tag; set {VARIABLE} to the key of the process that wrote it, or give the tag itself"
)
# The questions that the terminal answers below a trace, in fewer words.
_SHORT: Final[Mapping[str, str]] = {
    words.COST: "cost most", words.GROWTH: "grew", words.WAITS: "waited", words.PARALLEL: "in parallel",
    words.FAILURES: "failed",
}  # fmt: skip
_ABOVE: Final = "The finding above (→)."
_HOW_TO_GET_ONE: Final = "to get a trace: agent-callbacks demo"


def width() -> int:
    """Return the width to draw in: ``COLUMNS``, else the terminal's, else 100."""
    if has_width():
        return shutil.get_terminal_size((_WIDTH_WITHOUT_TERMINAL, 24)).columns
    return _WIDTH_WITHOUT_TERMINAL


def has_width() -> bool:
    """Tell whether the output has a width: a terminal's, or the one that ``COLUMNS`` gives it."""
    return os.environ.get("COLUMNS", "").isdecimal() or is_terminal()


def color() -> bool:
    """Return whether to colour: never with ``NO_COLOR``, always with ``FORCE_COLOR``, else on a capable terminal.

    https://no-color.org and https://force-color.org: a variable counts when it is set and not empty.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal() and os.environ.get("TERM") != "dumb"


def is_terminal() -> bool:
    """Tell whether a person reads the output; a process started with it closed has none at all."""
    return sys.stdout is not None and sys.stdout.isatty()


def echo(text: str) -> None:
    """Print *text*, with a question mark for what the output's encoding lacks; colours in it are kept."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), color=True)


def page(text: str) -> None:
    """Print *text*; what is longer than the terminal goes through the pager that ``PAGER`` names, if it names one."""
    fits = text.count("\n") + 2 < shutil.get_terminal_size().lines  # and the next prompt
    if fits or not is_terminal() or not os.environ.get("PAGER"):
        echo(text)
    else:
        click.echo_via_pager(text)


def echo_json(document: Mapping[str, Any]) -> None:
    """Print *document* in ASCII, so that no text of a span steers the terminal; what is no number in JSON is null."""
    echo(json.dumps(_finite(document), indent=2, allow_nan=False))


def _finite(value: object) -> object:
    """Return *value* as JSON has it: NaN and the infinities, which some readers refuse, as null."""
    match value:
        case dict():
            return {str(key): _finite(item) for key, item in cast("dict[object, object]", value).items()}
        case list() | tuple():
            return [_finite(item) for item in cast("Iterable[object]", value)]
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return float(value)
        case _:
            return value


def trace_view(trace: Trace, source: str, *, depth: int | None = None) -> str:
    """Return *trace* as a waterfall, what is asked of it first, and where it is from: how any command shows a trace."""
    at, paint = clamped(width()), ink(color=color())
    costs, latency = cost_report(trace, parts=False), latency_report(trace)
    matter = matter_of(trace, rows(trace), costs, latency)
    told = [
        (
            _SHORT[each.question],
            _ABOVE if latency.findings and _same(each.text, latency.findings[0].text) else each.text,
        )
        for each in words.answers(matter, 0)
        if each.question in _SHORT
    ]
    drawn = render(trace, at, color=color(), depth=depth, costs=costs, latency=latency)
    return "\n".join([drawn, "", *pairs(told, at, paint), "", source])


def _same(answer: str, finding: str) -> bool:
    return answer.rstrip(".").casefold() == visible(finding).rstrip(".").casefold()


@contextlib.contextmanager
def prices() -> Generator[None]:
    """Turn a fault of the user's file of prices into a message and an exit code."""
    try:
        yield
    except PricesError as error:
        stop(str(error), USAGE_ERROR)


def stop(message: str, code: int) -> NoReturn:
    """Print *message* on standard error and leave with *code*."""
    click.echo("\n".join(map(cells.printable, message.splitlines())), err=True)
    raise click.exceptions.Exit(code)


@contextlib.contextmanager
def opened(path: str | None) -> Generator[Store]:
    """Open the store; what is wrong with it becomes a message and an exit code (1: there is none yet)."""
    try:
        with Store(path) as store:
            yield store
    except StoreMissingError as error:
        stop(f"{error}\n{_HOW_TO_GET_ONE}", NOTHING_FOUND)
    except (StoreError, TraceError) as error:
        stop(str(error), USAGE_ERROR)


def stored_id(value: str | None) -> str | None:
    """Return an id as the store knows it: an e-mail address stands there as the tag its key gives."""
    if value is None or not os.environ.get(VARIABLE):
        return value
    return Sanitizer().clean_identity(value)


def last_trace_id(store: Store, session: str | None, user: str | None) -> str:
    """Return the id of the trace started last, of this session and user where they are given; leave where none is."""
    found = store.last_trace_id(session=stored_id(session), user=stored_id(user))
    return found or nothing(store, session, user)


def no_such_user(user: str, path: Path) -> NoReturn:
    """Say that no trace of *user* was found, and why a person's own id may not find any."""
    stop(f"no trace of user {user!r} in {path}; see agent-callbacks ls{key_hint(user)}", NOTHING_FOUND)


def key_hint(*ids: str | None) -> str:
    """Return a line of advice where one of *ids* is stored as a tag whose key this process does not know, else none."""
    tagged = any(Sanitizer().matches(value, identity=True) for value in ids if value is not None)
    return f"\n{_TAGGED}" if tagged and not os.environ.get(VARIABLE) else ""


def nothing(store: Store, session: str | None, user: str | None) -> NoReturn:
    """Say that no trace was found, and how to get one."""
    wanted = [f"{title} {value!r}" for title, value in (("session", session), ("user", user)) if value is not None]
    if wanted:
        stop(
            f"no trace of {' and '.join(wanted)} in {store.path}; see agent-callbacks ls" + key_hint(session, user),
            NOTHING_FOUND,
        )
    stop(f"no trace in {store.path}\n{_HOW_TO_GET_ONE}", NOTHING_FOUND)


def store_option(command: _Command) -> _Command:
    """Add ``--store``."""
    return click.option(
        "--store", metavar="PATH", help=f"The trace store (default: ${STORE_VARIABLE}, then your own)."
    )(command)


def who_options(command: _Command) -> _Command:
    """Add ``--session`` and ``--user``."""
    command = click.option("--user", metavar="ID", help="Only traces of this user.")(command)
    return click.option("--session", metavar="ID", help="Only traces of this session.")(command)


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")(command)


def csv_option(command: _Command) -> _Command:
    """Add ``--csv``."""
    described = "Print CSV instead; no cell can be a formula."
    return click.option("--csv", "as_csv", is_flag=True, help=described)(command)


def since_option(command: _Command) -> _Command:
    """Add ``--since``."""
    described = "Only newer ones: 30m, 1h, 2d, 2026-01-31."
    return click.option("--since", callback=_since, metavar="AGE|TIME", help=described)(command)


def age_option(name: str, described: str) -> Callable[[_Command], _Command]:
    """Return what adds an option for an age, given as ``12h`` or ``7d`` and taken as seconds."""
    return click.option(name, callback=_age, metavar="AGE", help=described)


def _age(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    if age := _AGE.fullmatch(value):
        return float(int(age[1]) * _SECONDS[age[2]])
    raise click.BadParameter(f"{value!r} is no age: 30m, 12h, 7d, 2w", ctx, param)


def _since(ctx: click.Context, param: click.Parameter, value: str | None) -> int:
    return 0 if value is None else moment(ctx, param, value)


def moment(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Return an age (``30m``, ``1h``, ``2d``) or a moment in ISO 8601 as nanoseconds since the epoch."""
    if age := _AGE.fullmatch(value):
        return max(0, time.time_ns() - int(age[1]) * _SECONDS[age[2]] * 1_000_000_000)
    try:
        found = datetime.fromisoformat(value)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{value!r} is neither an age (30m, 1h, 2d) nor a moment (2026-01-31T12:00, UTC unless it says otherwise)",
            ctx,
            param,
        ) from error
