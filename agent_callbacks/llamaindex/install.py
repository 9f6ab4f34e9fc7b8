"""Putting a handler on LlamaIndex's dispatchers and taking it away, by identity: pydantic objects compare by value."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

import llama_index_instrumentation as instrumentation

if TYPE_CHECKING:
    from llama_index_instrumentation.dispatcher import Dispatcher

__all__ = ["install", "uninstall"]

_lock = threading.Lock()
# By identity, and only while they live: a dispatcher of somebody's own is in no manager that could be asked for it.
_listened_to: weakref.WeakValueDictionary[int, Dispatcher] = weakref.WeakValueDictionary()


def install(handler: Any, dispatcher: Dispatcher | None = None) -> None:
    """Put *handler* into both lists of *dispatcher* (None: the root), each once."""
    # Any: the handlers' base class is generic, and LlamaIndex does not say of what.
    where: Any = instrumentation.root_dispatcher if dispatcher is None else dispatcher
    with _lock:
        _listened_to[id(where)] = where
        # New lists, never changed ones: a dispatcher's default lists are shared, and another thread may iterate.
        if not _has(where.event_handlers, handler):
            where.event_handlers = [*where.event_handlers, handler]
        if not _has(where.span_handlers, handler):
            where.span_handlers = [*where.span_handlers, handler]


def uninstall(handler: Any) -> None:
    """Take *handler* off every dispatcher."""
    with _lock:
        managed = instrumentation.root_manager.dispatchers.values()
        everywhere: list[Any] = [*managed, *_listened_to.values()]
        for where in everywhere:
            if _has(where.event_handlers, handler):
                where.event_handlers = [other for other in where.event_handlers if other is not handler]
            if _has(where.span_handlers, handler):
                where.span_handlers = [other for other in where.span_handlers if other is not handler]


def _has(handlers: list[Any], handler: object) -> bool:
    return any(other is handler for other in handlers)
