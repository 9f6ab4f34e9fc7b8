"""What the call stack says: which frame owns a run, and whether it is being executed by whoever asks.

A framework's function that runs something (``BaseTool.run``, ``Pregel.astream``) calls the start callback and then the
body. Its frame is on the stack of everything the body does, and on no stack while a stream is suspended or after a call
was cancelled. Only public attributes of frames are read; where ``sys._getframe`` does not exist, nothing is known.
"""

from __future__ import annotations

import asyncio
import dis
import inspect
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, FrameType

__all__ = [
    "KNOWN", "UNKNOWN", "Caller", "about", "caller", "current_loop", "current_task", "in_thread", "is_engine",
    "kinds_of", "locals_of", "module_of", "on_stack", "owner", "ran_out", "run_by_engine",
]  # fmt: skip

# Both are documented, and both may be missing outside of CPython.
_getframe: Final[Callable[[int], FrameType] | None] = getattr(sys, "_getframe", None)
_current_frames: Final[Callable[[], dict[int, FrameType]] | None] = getattr(sys, "_current_frames", None)

KNOWN: Final = _getframe is not None
"""Whether this interpreter lets us look at the stack."""

_SUSPENDING: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
# Where a suspended frame stands, by version: the yield (also the one inside an await), or what follows it.
_PAUSES: Final = frozenset({dis.opmap["YIELD_VALUE"], dis.opmap["RESUME"]})
_ENGINES: Final = frozenset({"langgraph", "langchain_core"})
_MESSENGERS: Final = ("agent_callbacks.", "langchain_core.callbacks")
# Functions that only start a run, with the package they are in; their caller runs it.
_STARTERS: Final = {
    "_start": "langgraph.",
    "_astart": "langgraph.",
    "span_enter": "llama_index_instrumentation.",
    "event": "llama_index_instrumentation.",
}

Caller: TypeAlias = "tuple[FrameType | None, FrameType | None]"
"""Who called a start callback: the frame that owns the run, and the outermost of those that only tell of its start."""
UNKNOWN: Final[Caller] = (None, None)

# In asyncio's ``__all__``; ``get_running_loop`` raises where there is none, which costs ten times as much.
current_loop: Final = asyncio._get_running_loop  # noqa: SLF001


def current_task() -> asyncio.Task[Any] | None:
    """Return the running task, None outside any."""
    loop = current_loop()
    return None if loop is None else asyncio.current_task(loop)


def caller() -> Caller:
    """Return who called the start callback that asks.

    The nearer to it, the fewer frames have to be looked at. The first two only tell in any case: a callback and its
    guard, or ``owner`` and what is about to enter a body.
    """
    last = at = None if _getframe is None else _getframe(3)
    while at is not None:
        code = at.f_code
        known = _known.get(id(code))
        if known is None or known.code is not code:
            known = _learnt(at)
        if not known.tells:
            break
        last = at
        at = at.f_back
    return at, last


def owner(task: asyncio.Task[Any] | None, called: Caller | None = None) -> tuple[FrameType | None, bool]:
    """Return the frame that owns the run whose start callback asks, and whether that callback is a task of its own.

    Args:
        task: The running task. ``abatch`` gathers its start callbacks as tasks; who owns those runs cannot be seen.
        called: What ``caller`` returned to the callback, to save looking again.
    """
    frame, last = called or caller()
    if task is None:
        return frame, False
    alone = getattr(task.get_coro(), "cr_frame", None) is last
    return (None if alone else frame), alone


def on_stack(frame: FrameType | None) -> bool:
    """Say whether *frame* is being executed by whoever asks."""
    return _reaches(_asker(), frame)


def in_thread(frame: FrameType | None, thread: int) -> bool | None:
    """Say whether *thread* executes *frame*; False for a thread that is gone, None if that cannot be known."""
    threads = _threads()
    if thread not in threads:
        return False
    return None if frame is None or threads[thread] is None else _reaches(threads[thread], frame)


def ran_out(frame: FrameType | None) -> bool:
    """Say whether the generator or coroutine of *frame* has run to its end.

    A suspended one stands at a yield, whatever it awaits. One that is neither suspended nor being executed is over; one
    that was closed at a yield of its own cannot be told from a suspended one, but had the chance to say so.
    """
    if frame is None or frame.f_code.co_code[frame.f_lasti] in _PAUSES:
        return False
    return not any(_reaches(top, frame) for top in _threads().values())


def run_by_engine(task: asyncio.Task[Any] | None) -> bool:
    """Say whether LangChain or LangGraph waits for *task*, the running one, or is on the stack of whoever asks.

    LangGraph makes tasks of a checkpointer's own coroutines, so its frames are not on their stack; it is told when they
    are done. That list is private to asyncio: without it such a task counts as the user's.
    """
    callbacks: list[tuple[Any, Any]] = getattr(task, "_callbacks", None) or []
    if any(is_engine(str(getattr(callback, "__module__", ""))) for callback, _ in callbacks):
        return True
    at = _asker()
    while at is not None:
        if about(at).engine:
            return True
        at = at.f_back
    return False


def is_engine(module: str) -> bool:
    """Say whether *module* belongs to LangChain or LangGraph."""
    return module.partition(".")[0] in _ENGINES


def module_of(called: Caller) -> str:
    """Return the module of the function that owns the run; "" if unknown."""
    frame, _ = called
    return "" if frame is None else about(frame).module


def kinds_of(called: Caller) -> tuple[str, ...]:
    """Return the class names, the most special first, of the object whose method owns the run; none if unknown."""
    return tuple(base.__name__ for base in type(locals_of(called).get("self")).__mro__)


def locals_of(called: Caller) -> Mapping[str, object]:
    """Return the local variables of the function that owns the run; none if unknown."""
    frame, _ = called
    return {} if frame is None else frame.f_locals


def _asker() -> FrameType | None:
    """Return the frame of who called our caller."""
    return None if _getframe is None else _getframe(2)


def _reaches(at: FrameType | None, frame: FrameType | None) -> bool:
    while at is not None:
        if at is frame:
            return True
        at = at.f_back
    return False


class _Code(NamedTuple):
    """What there is to know of a function, whoever runs it."""

    code: CodeType
    module: str
    engine: bool
    """Whether it is LangChain's or LangGraph's."""
    tells: bool
    """Whether it only tells of a start: our code, the callback manager's, or a handler's method."""
    suspends: bool
    """Whether a run can be alive while its frame is on no stack, as a generator's can."""
    coroutine: bool
    """Whether that is so unless a task runs it."""


def about(frame: FrameType) -> _Code:
    """Return what is known of the function that *frame* executes; its module is the first one seen to run it."""
    code = frame.f_code
    known = _known.get(id(code))
    return known if known is not None and known.code is code else _learnt(frame)


def _learnt(frame: FrameType) -> _Code:
    if len(_known) >= _MAX_KNOWN:
        _known.clear()
    code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
    flags = code.co_flags
    found = _known[id(code)] = _Code(
        code, module, is_engine(module), _tells(module, code.co_name),
        bool(flags & _SUSPENDING), bool(flags & inspect.CO_COROUTINE),
    )  # fmt: skip
    return found


# By identity: the hash of a code object is made anew each time, from all it holds.
_known: dict[int, _Code] = {}
_MAX_KNOWN: Final = 4096


def _tells(module: str, name: str) -> bool:
    if module.startswith(_MESSENGERS) or name.startswith("on_"):
        return True
    package = _STARTERS.get(name)
    return package is not None and module.startswith(package)


def _threads() -> Mapping[int, FrameType | None]:
    """Return the topmost frame of every thread that runs Python code."""
    if _current_frames is not None:
        return dict(_current_frames())
    return {thread.ident or 0: None for thread in threading.enumerate()}
