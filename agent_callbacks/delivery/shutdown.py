"""The end of the process: what is still open is closed as abandoned and what is queued is delivered, in two seconds.

Nothing has to be called in a script, a notebook, a web server on uvicorn or a ``multiprocessing`` worker: normal exit,
``SIGTERM`` (where the application has no handler of its own) and ``fork`` are taken care of. A process that ends by
``os._exit``, ``SIGKILL`` or a crash delivers what was exported before. Long C calls delay ``SIGTERM`` handlers in
Python; ``configure()`` called off the main thread installs none.

**gunicorn**, with and without ``--preload``: call ``configure()`` once, where the application is loaded. A forked
worker begins with empty queues and connections of its own, and delivers when it exits. With OTLP over gRPC and
``--preload``, call it in ``post_fork(server, worker)`` instead: gRPC supports a fork only under conditions of its own.

**celery** (prefork): its children end by ``os._exit``. Call ``configure()`` in the ``worker_process_init`` signal and
``handle.shutdown()`` in ``worker_process_shutdown``.

**Serverless**: the process is frozen between requests and killed without notice. Call ``handle.flush(timeout=2)``
before the handler function returns; its answer says whether everything arrived.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from agent_callbacks.recording import process

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["LIMIT_SECONDS", "Ending", "ProcessEnd", "close_operations"]

LIMIT_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 0.5

_installed: weakref.WeakSet[ProcessEnd] = weakref.WeakSet()


class Ending(Protocol):
    """What ends with the process."""

    def flush(self, timeout: float) -> bool:
        """Deliver what is queued within *timeout* seconds; go on afterwards."""
        ...

    def close(self, timeout: float) -> None:
        """Deliver what is queued within *timeout* seconds and stop, starting no thread."""
        ...

    def renew(self) -> None:
        """Begin anew in a forked child."""
        ...


def close_operations(reason: str) -> None:
    """Close every open operation as abandoned."""
    process.close_all(reason)


class ProcessEnd:
    """Ends *ending* with its process.

    Args:
        ending: What is to be ended.
        limit: How long the end may take, in seconds.
    """

    def __init__(self, ending: Ending, limit: float = LIMIT_SECONDS) -> None:
        self._ending = ending
        self._limit = limit
        self._at_work = False
        self._terminate = False

    def install(self) -> None:
        """Take part in exit, fork and, on the main thread and where nobody else does, ``SIGTERM``."""
        atexit.register(self._exit)
        _installed.add(self)
        multiprocess = sys.modules.get("multiprocessing.process")
        if multiprocess is not None and multiprocess.parent_process() is not None:
            self._exit_with_multiprocessing()
        if _on_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._terminated)

    def uninstall(self) -> None:
        """Take part in nothing any more."""
        atexit.unregister(self._exit)
        _installed.discard(self)
        if _on_main_thread() and signal.getsignal(signal.SIGTERM) == self._terminated:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._at_work = False
        self._ending.renew()
        # The children of multiprocessing end by os._exit, without atexit, but run finalizers of their own, which they
        # clear when they start: register once they have.
        if (util := cast("Any", sys.modules.get("multiprocessing.util"))) is not None:
            util.register_after_fork(self, ProcessEnd._exit_with_multiprocessing)

    def _exit_with_multiprocessing(self) -> None:
        cast("Any", sys.modules["multiprocessing.util"]).Finalize(None, self._exit, exitpriority=-1)

    def _exit(self) -> None:
        """Close and deliver: at exit, when no thread can be started any more."""
        self._at_work = True
        deadline = time.monotonic() + self._limit
        close_operations("exit")
        self._ending.close(max(0.0, deadline - time.monotonic()))
        self._at_work = False
        if self._terminate:
            _die(signal.SIGTERM)

    def _terminated(self, signum: int, frame: FrameType | None) -> None:
        """Deliver, then die of the signal as the process would have without us.

        The code that was interrupted may hold any lock, so another thread does the work and this one waits for it, a
        limited time. A thread of ``threading`` would need such a lock to start.
        """
        del frame
        if self._at_work:
            self._terminate = True
            return
        done = _thread.allocate_lock()
        done.acquire()
        try:
            _thread.start_new_thread(self._deliver, (done,))
        except RuntimeError:  # no thread can be had: better to die in time than to hang
            done.release()
        done.acquire(timeout=self._limit + _GRACE_SECONDS)
        _die(signum)
        # Still here: process 1 of a container, which the default action does not end. It goes on as before.
        signal.signal(signum, self._terminated)

    def _deliver(self, done: _thread.LockType) -> None:
        deadline = time.monotonic() + self._limit
        try:
            close_operations("sigterm")
            self._ending.flush(max(0.0, deadline - time.monotonic()))
        finally:
            done.release()


def _die(signum: int) -> None:
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _renew_in_child() -> None:
    for end in list(_installed):
        end.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
