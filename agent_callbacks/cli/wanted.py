"""Which runs a command is about: the options that ``ls``, ``compare`` and ``tail`` share, and what to say for none."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from agent_callbacks.cli import terminal
from agent_callbacks.store.summary import Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent_callbacks.store.read import Store

__all__ = ["filter_options", "nothing", "wanted"]

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_SECONDS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_DOLLARS: Final = re.compile(r"\$?([0-9]{1,9}(?:\.[0-9]{1,12})?)")
_CLOSE: Final = 0.6
# A field of the filter that is text -> the column it is looked for in, to suggest what was meant.
_NAMED: Final[Mapping[str, str]] = {
    "session": "session_id", "user": "user_id", "variant": "variant", "experiment": "experiment", "agent": "agent",
    "outcome": "outcome",
}  # fmt: skip


def filter_options(command: _Command) -> _Command:
    """Add what chooses runs; the command gets the values as ``wanted`` takes them."""
    add: list[Callable[[Any], Any]] = [
        terminal.who_options,
        _text("--variant", "Only runs of this variant, of any experiment."),
        _text("--experiment", "Only runs in this experiment."),
        _text("--agent", "Only runs whose outermost agent has this name."),
        _text("--model", "Only runs that asked this model."),
        _text("--outcome", "Only runs that ended so: success, failure, interrupted, cancelled, abandoned."),
        terminal.since_option,
        click.option("--until", callback=_until, metavar="AGE|TIME", help="Only older ones, said as for --since."),
        click.option("--min-duration", callback=_duration, metavar="TIME", help="Only as long or longer: 500ms, 2s."),
        click.option("--min-cost", callback=_cost, metavar="USD", help="Only where at least this cost was recorded."),
        click.option("--failed", is_flag=True, help="Only runs in which something failed."),
    ]
    for each in reversed(add):
        command = each(command)
    return command


def wanted(given: Mapping[str, Any]) -> Filter:
    """Return what the values of ``filter_options`` ask for."""
    return Filter(
        session=terminal.stored_id(given["session"]),
        user=terminal.stored_id(given["user"]),
        since_ns=given["since"],
        until_ns=given["until"],
        seconds=given["min_duration"],
        cost=given["min_cost"],
        failed=given["failed"],
        **{name: given[name] for name in ("variant", "experiment", "agent", "model", "outcome")},
    )


def nothing(store: Store, given: Mapping[str, Any]) -> NoReturn:
    """Say that no run was found, which of the options names what is not there, and what may have been meant."""
    asked = [name for name in (*_NAMED, "model") if given[name] is not None]
    others = [name for name in ("since", "until", "min_duration", "min_cost", "failed") if given[name]]
    if not asked and not others:
        terminal.nothing(store, None, None)
    for name in asked:
        known = store.models() if name == "model" else store.known(_NAMED[name])
        said = str(given[name])
        sought = terminal.stored_id(said) or said if name in {"session", "user"} else said
        if sought not in known:
            close = difflib.get_close_matches(sought, known, 3, _CLOSE)
            hint = f"; did you mean {', '.join(close)}?" if close else "; see agent-callbacks ls"
            message = f"no trace of {name} {said!r} in {store.path}{hint}"
            terminal.stop(message + terminal.key_hint(given["session"], given["user"]), terminal.NOTHING_FOUND)
    named = [f"{name} {given[name]!r}" for name in asked] + [f"--{name.replace('_', '-')}" for name in others]
    terminal.stop(f"no trace of {' and '.join(named)} in {store.path}; see agent-callbacks ls", terminal.NOTHING_FOUND)


def _text(name: str, described: str) -> Callable[[_Command], _Command]:
    return click.option(name, metavar="NAME", help=described)


def _until(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    return None if value is None else terminal.moment(ctx, param, value)


def _duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    if found := _DURATION.fullmatch(value):
        return float(found[1]) * _SECONDS[found[2]]
    raise click.BadParameter(f"{value!r} is no length of time: 500ms, 2s, 1.5m, 1h", ctx, param)


def _cost(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    if found := _DOLLARS.fullmatch(value):
        return float(found[1])
    raise click.BadParameter(f"{value!r} is no amount of US dollars: 0.05, 2", ctx, param)
