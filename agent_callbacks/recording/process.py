"""What exists once per process and provider: open operations, recently ended ones, interrupted runs, once-sets.

Handlers are cheap and many; all instances on one provider share this, so a run that two of them report is recorded
once. After a fork the child starts with empty tables: what was open belongs to the parent.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from opentelemetry.trace import SpanContext, TracerProvider

    from agent_callbacks.recording.operation import Operation, Step
    from agent_callbacks.recording.recorder import Recorder
    from agent_callbacks.recording.values import Key
    from agent_callbacks.settings import Settings

__all__ = ["Shared", "close_all", "find_interrupted_with", "interrupted", "recorders", "remember_interrupted", "shared"]

logger = logging.getLogger("agent_callbacks")

_K = TypeVar("_K")
_V = TypeVar("_V")
Interrupted = tuple[str, str]
"""Trace id and span id, as hex."""


class Bounded(Generic[_K, _V]):
    """A mapping that forgets its oldest entry when full."""

    def __init__(self, size: int) -> None:
        """Hold at most *size* entries."""
        self._size = size
        self._entries: OrderedDict[_K, _V] = OrderedDict()

    def __setitem__(self, key: _K, value: _V) -> None:
        """Set *key*."""
        entries = self._entries
        entries[key] = value
        if len(entries) > self._size:
            # Other threads may be adding, too: a few entries more or less do not matter.
            entries.popitem(last=False)

    def get(self, key: _K) -> _V | None:
        """Return what *key* holds."""
        return self._entries.get(key)

    def pop(self, key: _K) -> _V | None:
        """Return what *key* holds and forget it."""
        return self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self._entries)


class Shared:
    """What the recorders of one provider share."""

    def __init__(self) -> None:
        """Start with nothing open."""
        self.open: dict[Key, Operation] = {}
        self.ended: Bounded[Key, SpanContext] = Bounded(1024)
        """Where a run that starts after its parent ended belongs."""
        self.repeated: Bounded[Key, bool] = Bounded(1024)
        """Runs that more than one handler reports: their second end is no surprise."""
        self.steps: dict[int, Step] = {}
        """Open steps by span id: a span another instrumentation makes there keeps the step open until it ends."""
        self.processor: object = None
        """What watches other instrumentations' spans on the provider, once installed."""
        self.lock = threading.Lock()
        self.last_sweep = time.monotonic()

    def clear(self) -> None:
        """Forget everything, after a fork."""
        for table in (self.open, self.ended, self.repeated, self.steps):
            table.clear()
        self.lock = threading.Lock()


_shared: weakref.WeakKeyDictionary[TracerProvider, Shared] = weakref.WeakKeyDictionary()
_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()
_lock = threading.Lock()


def shared(provider: TracerProvider) -> Shared:
    """Return what all recorders on *provider* share."""
    with _lock:
        found = _shared.get(provider)
        if found is None:
            found = _shared[provider] = Shared()
        return found


def is_busy() -> bool:
    """Say whether anything is open on any provider."""
    with _lock:
        return any(found.open for found in _shared.values())


def enlist(recorder: Recorder) -> None:
    """Make *recorder* known to ``recorders()`` and ``close_all()``."""
    _recorders.add(recorder)


def recorders() -> list[Recorder]:
    """Return the recorders alive in this process."""
    return list(_recorders)


def close_all(reason: str = "shutdown") -> int:
    """Close every open operation as abandoned, starting no thread; return how many there were.

    Args:
        reason: ``"shutdown"``, ``"exit"`` or ``"sigterm"``: said in the log line.
    """
    closed = sum([recorder.abandon_all() for recorder in recorders()])
    if closed:
        logger.info("%d operation(s) still open at %s were closed as abandoned", closed, reason)
    return closed


# --- interrupted runs, to which a resumed run is linked --------------------------------------------------------------

_interrupted: Bounded[str, Interrupted] = Bounded(4096)
_finders: list[Callable[[str], Interrupted | None]] = []


def remember_interrupted(thread_id: str, run: Interrupted) -> None:
    """Note that the run of conversation *thread_id* waits for a human."""
    _interrupted[thread_id] = run


def forget_interrupted(thread_id: str) -> None:
    """Note that the run of conversation *thread_id* is not waiting any more."""
    _interrupted.pop(thread_id)


def interrupted(thread_id: str) -> Interrupted | None:
    """Return the run of conversation *thread_id* that waits, as far as this process has seen it."""
    return _interrupted.get(thread_id)


def find_interrupted_with(finder: Callable[[str], Interrupted | None]) -> Callable[[], None]:
    """Let *finder* answer for runs another process interrupted; it runs on a thread of its own. Returns the undo."""
    _finders.append(finder)
    return lambda: _finders.remove(finder) if finder in _finders else None


class Search:
    """Looks for an interrupted run where this process has not seen it, off the caller's thread."""

    def __init__(self, thread_id: str) -> None:
        """Start looking, if anything was given to look in."""
        self.found: Interrupted | None = None
        self._thread: threading.Thread | None = None
        if _finders:
            self._thread = threading.Thread(
                target=self._look, args=(thread_id,), name="agent-callbacks-resume", daemon=True
            )
            self._thread.start()

    def _look(self, thread_id: str) -> None:
        for finder in _finders:
            self.found = self.found or finder(thread_id)

    def result(self, wait: float) -> Interrupted | None:
        """Return what was found, waiting at most *wait* seconds."""
        if self._thread is not None:
            self._thread.join(wait)
        return self.found


# --- things there is one of ------------------------------------------------------------------------------------------

_singles: dict[tuple[Hashable, ...], Any] = {}
_MAX_SINGLES: Final = 64


def once(key: tuple[Hashable, ...], make: Callable[[], _V]) -> _V:
    """Return what *make* made for *key* the first time."""
    found = _singles.get(key)
    if found is None:
        made = make()  # not under the lock: what is made may ask for more
        with _lock:
            if len(_singles) >= _MAX_SINGLES:
                _singles.clear()
            found = _singles.setdefault(key, made)
    return cast("_V", found)


def forget(kind: str) -> None:
    """Let what ``once`` made under keys that begin with *kind* be made anew for who asks from now on."""
    with _lock:
        for key in [key for key in _singles if key[0] == kind]:
            del _singles[key]


# --- the process's settings ------------------------------------------------------------------------------------------

_settings: list[Settings] = []


def settings() -> Settings | None:
    """Return the settings ``configure()`` was given, for handlers that are given none."""
    return _settings[-1] if _settings else None


def use_settings(settings: Settings) -> Callable[[], None]:
    """Make *settings* the process's; returns the undo."""
    _settings.append(settings)
    return lambda: _settings.remove(settings) if settings in _settings else None


# --- things said once ------------------------------------------------------------------------------------------------

_said: set[str] = set()
_MAX_SAID: Final = 256


def warn_once(topic: str, message: str, *arguments: object) -> None:
    """Log *message* as a warning, once per process and *topic*."""
    if topic not in _said and len(_said) < _MAX_SAID:
        _said.add(topic)
        logger.warning(message, *arguments)


def mute(topic: str) -> None:
    """Treat *topic* as said already."""
    _said.add(topic)


def forget_warnings() -> None:
    """Let every warning be said again."""
    _said.clear()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - a lock held by another thread of the parent would stay held for ever
    _lock = threading.Lock()
    for tables in _shared.values():
        tables.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
