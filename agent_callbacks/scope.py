"""What holds inside a block: a context for the time of a ``with``, in functions, coroutines and generators alike.

A block that is open across a ``yield`` is left somewhere else than it was entered: a web framework calls each step of a
stream in a copy of the context, and closes an abandoned one from another task. There a token cannot be reset, so what
was made current is taken away by name, where it still stands, and nowhere else.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast

from opentelemetry.context import Context, attach, get_current

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType

__all__ = ["Enter", "Entry", "entered", "left", "wrapped"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

Enter: TypeAlias = Callable[[], AbstractContextManager[object]]
"""Makes a block, a fresh one each time."""


class Entry:
    """One value made current, and what was current before."""

    __slots__ = ("before", "key", "made", "value")

    def __init__(self, key: str, value: object) -> None:
        """Remember the current context, in which *value* is to stand under *key*."""
        self.key = key
        self.value = value
        self.before = get_current()
        self.made = Context({**self.before, key: value})


def entered(key: str, value: object) -> Entry:
    """Make *value* current under *key*, a key of the OpenTelemetry context; hand the answer to `left`."""
    entry = Entry(key, value)
    attach(entry.made)
    return entry


def left(entry: Entry) -> None:
    """Take away what `entered` made current, where it still is; what others have made current since stays."""
    current = get_current()
    if current is entry.made:
        attach(entry.before)
    elif current.get(entry.key) is entry.value:
        # None, not absence: what is missing would come back with the context below a body that is over (live.py).
        attach(Context({**current, entry.key: entry.before.get(entry.key)}))


def wrapped(function: Callable[_P, _R], enter: Enter) -> Callable[_P, _R]:
    """Return *function* so that a block is around each of its calls.

    A coroutine is inside until it is done. A generator is inside while it runs and outside while its consumer does, so
    the block is entered anew for each step.
    """
    if inspect.iscoroutinefunction(function):
        wrapper = _coroutine(function, enter)
    elif inspect.isasyncgenfunction(function):
        wrapper = _async_generator(function, enter)
    elif inspect.isgeneratorfunction(function):
        wrapper = _generator(function, enter)
    else:
        wrapper = _function(function, enter)
    return cast("Callable[_P, _R]", functools.wraps(function)(wrapper))


def _function(function: Callable[..., Any], enter: Enter) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with enter():
            return function(*args, **kwargs)

    return call


def _coroutine(function: Callable[..., Awaitable[Any]], enter: Enter) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with enter():
            return await function(*args, **kwargs)

    return call


def _generator(function: Callable[..., Generator[Any, Any, Any]], enter: Enter) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        return (yield from _Steps(function(*args, **kwargs), enter))

    return call


class _Steps(Generator[Any, Any, Any]):
    """A generator, each step of which runs inside a block."""

    def __init__(self, inner: Generator[Any, Any, Any], enter: Enter) -> None:
        self._inner = inner
        self._enter = enter

    def send(self, value: Any, /) -> Any:
        with self._enter():
            return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        with self._enter():
            return self._inner.throw(*error)


def _async_generator(function: Callable[..., AsyncGenerator[Any, Any]], enter: Enter) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = function(*args, **kwargs)
        step: Callable[[Any], Awaitable[Any]] = inner.asend
        given: Any = None
        while True:
            try:
                with enter():
                    value = await step(given)
            except StopAsyncIteration:
                return
            thrown = _Thrown()
            step = inner.asend
            with thrown:
                given = yield value
            if thrown.error is not None:
                step, given = inner.athrow, thrown.error

    return call


class _Thrown:
    """Catches what a consumer throws into a generator, to be thrown on into the one it wraps."""

    def __init__(self) -> None:
        self.error: Any = None

    def __enter__(self) -> None:
        self.error = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        return True
