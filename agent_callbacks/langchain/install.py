"""Recording every run of the process: one hook in LangChain, which can be registered but not taken away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler

__all__ = ["install", "uninstall"]


class _Installed:
    """Stands where LangChain expects a ContextVar: a handler for the process must be seen by every thread."""

    def __init__(self) -> None:
        self.handler: BaseCallbackHandler | None = None

    def get(self) -> BaseCallbackHandler | None:
        """Return the installed handler."""
        return self.handler


_installed = _Installed()
_lock = threading.Lock()
_registered = False


def install(handler: BaseCallbackHandler, kind: type[BaseCallbackHandler]) -> None:
    """Make LangChain add *handler* to every run that has none of its *kind*; the last one installed counts."""
    global _registered  # noqa: PLW0603 - LangChain keeps the hook for the life of the process
    from langchain_core.tracers.context import register_configure_hook

    with _lock:
        _installed.handler = handler
        if not _registered:
            register_configure_hook(cast("Any", _installed), inheritable=True, handle_class=kind)
            _registered = True


def uninstall(handler: BaseCallbackHandler) -> None:
    """Stop adding *handler*."""
    with _lock:
        if _installed.handler is handler:
            _installed.handler = None
