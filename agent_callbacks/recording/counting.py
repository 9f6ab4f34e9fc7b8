"""Counts what model calls send, mostly on one worker thread of the process, and loads the encoders it counts with.

A call's count begins when the call does and is asked for when it ends, after the model has answered: then it is nearly
always there. What is not there in time is estimated. A call that brings little new is counted at once: that takes less
than to wake the worker and to wait for it. Encoding text leaves the interpreter to other threads; loading an
encoder does not, for a quarter of a second: that happens while nobody waits (``load``).
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

import orjson

from agent_callbacks.recording import process
from agent_callbacks.recording.guard import attempted
from agent_callbacks.tokens import encoder
from agent_callbacks.tokens.composition import Composition, ToolWeight, Weight, composed, roughly, weighed
from agent_callbacks.tokens.counter import Counter
from agent_callbacks.tokens.encoder import DEFAULT_ENCODING, encoding_of
from agent_callbacks.tokens.estimate import estimate
from agent_callbacks.tokens.message import bucket_of, left, pieces
from agent_callbacks.tokens.wire import formats, json_schemas, listed, typescript

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_callbacks.recording.guard import Guarded
    from agent_callbacks.recording.messages import Fragment, MessageCache
    from agent_callbacks.recording.values import ModelCall

__all__ = ["Count", "alone", "counter_of", "load"]

WAIT_SECONDS: Final = 0.015  # of the 20 ms a callback may be held
MAX_BACKLOG: Final = 8
# A KB takes 0.04 ms; of the whole, all may have to be counted again: another model may have another encoding.
SMALL: Final = (1024, 64 * 1024)
"""Up to how many new characters, and how many together, a call is counted at once."""
_MAX_TOOL_SETS: Final = 256
_IDLE_SECONDS: Final = (0.02, 1.0)  # between two looks for a moment in which nothing runs: the first, and the longest
_STOP_SECONDS: Final = 2.0


class _Job(Protocol):
    def run(self) -> None: ...


class Count:
    """The count of one model call's input.

    What takes a while the worker does, down to reading the messages: the framework leaves them as they are while the
    model answers, and what somebody changes in that time is counted as one of both. No sum depends on it, and a message
    that holds something else is known as another one from then on.
    """

    __slots__ = ("_call", "_done", "_found", "_fragments", "_messages", "_owner")

    def __init__(self, owner: Guarded, call: ModelCall, fragments: Sequence[Fragment], messages: MessageCache) -> None:
        """Prepare to count *call*, whose messages are *fragments*; *messages* understands them."""
        self._owner = owner
        self._call = call
        self._fragments = fragments
        self._messages = messages
        self._found: Composition | None = None
        self._done = threading.Lock()

    def begin(self) -> None:
        """Count what is small, and let the worker count what is not."""
        small = self._is_small()
        self._done.acquire()
        if small:
            self.run()
        else:
            _worker.submit(self)

    def _is_small(self) -> bool:
        call, fragments, (room, most) = self._call, self._fragments, SMALL
        new = [place for place, fragment in enumerate(fragments) if fragment.weight is None]
        if sum([fragments[place].chars for place in new]) > room or sum([each.chars for each in fragments]) > most:
            return False
        if call.tools and call.tools_sent not in _tool_weights:
            return False
        for place in new:  # the arguments of its calls are no text of a message
            room = left(room, self._messages.shape(call.messages[place], fragments[place]))
        return room >= 0

    def run(self) -> None:
        """Count."""
        self._found = attempted(self._owner, None, self._counted)
        self._done.release()

    def _counted(self) -> Composition:
        call = self._call
        counter, assumed = counter_of(call.model)
        weights: list[Weight] = []
        for message, fragment in zip(call.messages, self._fragments, strict=True):
            weight = fragment.weight
            if weight is None or weight.counter is not counter:
                weight = fragment.weight = weighed(pieces(self._messages.shape(message, fragment)), counter)
            weights.append(weight)
        tools = _tool_weight(call, counter, self._messages) if call.tools else None
        return _composed(call, weights, tools, exact=counter.exact, assumed=assumed)

    def take(self) -> Composition:
        """Return what was counted, waiting for it at most 15 ms; what is not ready is estimated."""
        found = self._found
        if found is None and _worker.backlog <= MAX_BACKLOG and self._done.acquire(timeout=WAIT_SECONDS):
            found = self._found
        return self._estimated() if found is None else found

    def _estimated(self) -> Composition:
        """Return what can be said without reading the text: from the messages' lengths and roles."""
        call = self._call
        weights = [
            fragment.weight or roughly(bucket_of(self._messages.shape(message, fragment)), estimate(fragment.chars))
            for message, fragment in zip(call.messages, self._fragments, strict=True)
        ]
        _, assumed = counter_of(call.model)
        tools: ToolWeight | None = None
        if call.tools:
            sent = call.tools_sent
            if sent is None:
                sent = json_schemas([self._messages.definition(tool) for tool in call.tools]).encode()
            size = estimate(len(sent))
            tools = ToolWeight(size, size, size, size)
        return _composed(call, weights, tools, exact=False, assumed=assumed)


def _composed(
    call: ModelCall, weights: Sequence[Weight], tools: ToolWeight | None, *, exact: bool, assumed: bool
) -> Composition:
    forms = formats(call.provider, known=not assumed)
    return composed(weights, tools, forms, exact=exact, assumed=assumed)


def _tool_weight(call: ModelCall, counter: Counter, messages: MessageCache) -> ToolWeight:
    """Return what the tools of *call* are in tokens; a run sends the same ones with each of its calls."""
    sent = call.tools_sent
    if sent is None:
        definitions = [messages.definition(tool) for tool in call.tools]
        return _weighed_tools(definitions, definitions, counter)
    known = _tool_weights.get(sent, {})
    if counter not in known:
        tools = orjson.loads(sent)  # the call's own may have been changed since
        known = {**known, counter: _weighed_tools(tools, [messages.definition(tool) for tool in tools], counter)}
        if len(_tool_weights) >= _MAX_TOOL_SETS:
            _tool_weights.clear()
        _tool_weights[sent] = known
    return known[counter]


def _weighed_tools(sent: Sequence[object], definitions: Sequence[Mapping[str, object]], counter: Counter) -> ToolWeight:
    texts, around = listed(definitions, counter.encoding)
    return ToolWeight(
        counter.count(json_schemas(sent)),
        counter.count(json_schemas(sent, spaced=True)),
        counter.count(typescript(definitions)),
        sum(map(counter.count, texts)) + around,
    )


_tool_weights: dict[bytes | None, dict[Counter, ToolWeight]] = {}


# --- the worker ------------------------------------------------------------------------------------------------------


class _Worker:
    """One thread that does one job after the other."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def backlog(self) -> int:
        """How many jobs wait."""
        return self._jobs.qsize()

    def submit(self, job: _Job) -> None:
        """Do *job* when its turn comes."""
        if self._thread is None or not self._thread.is_alive():
            if self._stopped:
                return
            self._thread = threading.Thread(target=self._work, name="agent-callbacks-tokens", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            del job  # what it refers to is the user's

    def stop(self) -> None:
        """Stop: a thread that the interpreter finds inside an encoder at its end would bring it down."""
        self._stopped = True
        if self._thread is not None:
            while not self._jobs.empty():
                self._jobs.get()
            self._jobs.put(None)
            self._thread.join(_STOP_SECONDS)


# --- the encoders ----------------------------------------------------------------------------------------------------


class _Counters:
    """The counters of the process, by encoding; one whose encoder is not loaded estimates."""

    def __init__(self) -> None:
        self._loaded: dict[str, Counter] = {}
        self._asked: set[str] = set()
        self._rough = Counter(DEFAULT_ENCODING, None)
        self._lock = threading.Lock()

    def get(self, encoding: str) -> Counter | None:
        """Return what counts in *encoding*; None where it is not loaded, which this asks for, or cannot be."""
        found = self._loaded.get(encoding)
        if found is None and self._first(encoding):
            self._load_later(encoding)
        return found if found is not None and found.exact else None

    @property
    def default(self) -> Counter:
        """What counts where nothing better is at hand."""
        return self._loaded.get(DEFAULT_ENCODING, self._rough)

    def load(self, encoding: str) -> None:
        """Load *encoding*, once: at once where nobody is kept waiting, else on a thread when nothing runs."""
        if self._first(encoding):
            if alone():
                self._load(encoding, politely=False)
            else:
                self._load_later(encoding)

    def adopt(self, other: _Counters) -> None:
        """Take over what *other* has loaded."""
        self._loaded = other._loaded
        self._asked = set(self._loaded)

    def _first(self, encoding: str) -> bool:
        with self._lock:
            first = encoding not in self._asked
            self._asked.add(encoding)
        return first

    def _load_later(self, encoding: str) -> None:
        threading.Thread(target=self._load, args=(encoding,), name="agent-callbacks-encoder").start()

    def _load(self, encoding: str, *, politely: bool = True) -> None:
        try:
            found = encoder.load(encoding, _when_idle if politely else None)
        except (ImportError, OSError, ValueError, _Exiting):
            found = None
        self._loaded[encoding] = Counter(encoding, found)


class _Exiting(Exception):  # noqa: N818 - no error
    """The process ends."""


def alone() -> bool:
    """Say whether nobody waits for this thread: it is the main one, nothing is recorded, no other task is there."""
    if threading.current_thread() is not threading.main_thread() or process.is_busy():
        return False
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return True
    return len(asyncio.all_tasks(loop)) <= 1


def _when_idle() -> None:
    """Return when nothing is recorded."""
    pause, longest = _IDLE_SECONDS
    while process.is_busy():
        if not threading.main_thread().is_alive():
            raise _Exiting
        time.sleep(pause)
        pause = min(2 * pause, longest)


_counters = _Counters()
_worker = _Worker()


def load() -> None:
    """Load the encoder most models share, once in a process.

    Called at start-up, in the main thread and before anything runs, this takes the time it takes, about half a second,
    so that the first run is counted already. Called later it returns at once; a thread then waits for a moment in
    which nothing is recorded.
    """
    _counters.load(DEFAULT_ENCODING)


def counter_of(model: str | None) -> tuple[Counter, bool]:
    """Return what counts the text sent to *model*, and whether the encoding is assumed: not known to be its own."""
    # Before the encoder is loaded there is nothing to choose; asking tiktoken would import it inside a callback.
    encoding, known = encoding_of(model) if "tiktoken" in sys.modules else (DEFAULT_ENCODING, False)
    found = _counters.get(encoding)
    return (_counters.default, True) if found is None else (found, not known)


def _after_fork() -> None:
    global _worker, _counters
    loaded = _counters
    _worker, _counters = _Worker(), _Counters()
    _counters.adopt(loaded)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _at_exit() -> None:
    _worker.stop()
