"""The one guard of the package: what goes wrong in recording is counted and never reaches the user's agent."""

from __future__ import annotations

import functools
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, cast

from agent_callbacks.recording.meter import touched

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Guarded", "attempted", "guarded", "guarded_only", "member"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_DICT: Final[Any] = dict  # its own methods, whatever a subclass overrides


class Guarded(Protocol):
    """Something whose failures are swallowed and counted."""

    def swallowed(self, error: Exception) -> None:
        """Count *error*."""
        ...


def guarded(method: Callable[_P, None]) -> Callable[_P, None]:
    """Keep every failure of *method*, whose object is ``Guarded``, from the agent, and add its time to the run's.

    For what a framework calls; what is called for each token, or inside a callback, takes ``guarded_only``.
    """

    @functools.wraps(method)
    def safe(*args: _P.args, **kwargs: _P.kwargs) -> None:
        began = perf_counter_ns()
        try:
            method(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the purpose of the guard
            cast("Guarded", args[0]).swallowed(error)
        meter = touched.meter
        if meter is not None:
            meter.spent_ns += perf_counter_ns() - began
            touched.meter = None

    return safe


def guarded_only(method: Callable[_P, None]) -> Callable[_P, None]:
    """Keep every failure of *method*, whose object is ``Guarded``, from the user's agent; its time is not measured."""

    @functools.wraps(method)
    def safe(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the purpose of the guard
            cast("Guarded", args[0]).swallowed(error)

    return safe


def attempted(owner: Guarded, default: _T, read: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Return what *read* reads, or *default* where that fails: an operation that cannot be read still ends."""
    try:
        return read(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - the purpose of the guard
        owner.swallowed(error)
        return default


def member(owner: Any, name: str) -> object:
    """Return the entry of a dict or the attribute of an object of the user's; None where there is none.

    None, too, where reading it runs code that raises.
    """
    if issubclass(type(owner), dict):
        return _DICT.get(owner, name)
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a property is the user's code: anything may come out of it
        return None
