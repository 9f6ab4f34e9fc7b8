"""The span that is current inside a body: what makes the user's own spans land where they belong.

**The task.** A span made inside the body of a tool, model, retriever, chain or graph node (by the user, or by an HTTP
or database instrumentation) must become a child of our span. A span made outside of it must not: not by the consumer
of a stream between two chunks, not after a call that was cancelled, not by the next request that the same task serves.

**Why not attach and detach.** A framework's start callback runs in the caller's context, so what it attaches is seen by
the body. Its end callback often runs in *another* task, in a copy of that context (``shielded`` in
``langchain_core.callbacks.manager``): what was attached cannot be detached there, and trying logs "Failed to detach
context". What cannot be taken away must therefore become harmless by itself.

**How it is done.**

1. `enter` attaches a context whose current span is a `LiveSpan`: a proxy that answers with our span while whoever asks
   is inside the body, and otherwise with the span that was current before. It never detaches.
2. `leave` marks the body as over. From then on every copy of the context, in whatever task or thread it lives on,
   answers with the span from before. Where the context at hand can be put right (a sync call), it is.
3. Bodies that are over are skipped when the next one is entered, so nothing grows: after fifty calls in one task the
   chain of proxies is one deep.

**Inside or not**, for a body that is not over (`_inside`), in this order:

- Asked from another thread: inside; the context reached that thread by a deliberate copy.
- Asked from the task (without one: the thread) in which the body was entered: inside if and only if the frame that owns
  the run (the framework's function that called the start callback and will call the body) is on the stack of whoever
  asks. A stream's consumer runs while that frame is suspended, and after a cancelled call it is gone.
- Asked from another task: inside, unless the body's own is done or the asker's was made by the caller. LangChain sets
  ``var_child_runnable_config`` inside the tool and chain bodies it runs itself, so a task in which it still has the
  value it had at the start was made outside. Exception: LangGraph's own background tasks (checkpoints) are made before
  it is set; they are known by who waits for them. Models and retrievers have no such variable.

Where ``sys._getframe`` does not exist (and after ``use_flag_only(on=True)``) a body that is not over always counts as
inside; then streams' consumers and cancelled calls find the wrong parent until the operation is closed.

What is held: the target, the owner's frame and the event loop until `leave`, which drops them; a task only weakly.
No lock is taken anywhere: every field that changes is read once into a local, and changes once, to None.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, cast, final

from opentelemetry import trace
from opentelemetry.context import Context, attach, create_key, detach, get_current

from agent_callbacks.recording import stack
from agent_callbacks.recording.forwarding import ForwardingSpan, Receiver
from agent_callbacks.recording.stack import current_loop, current_task

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import ContextVar
    from types import FrameType

    from opentelemetry.trace import Span, SpanContext


__all__ = [
    "Body", "Kind", "LiveSpan", "Target", "alone", "apart", "body_of", "current_loop", "current_task", "enter",
    "finished", "leave", "lingering", "parent_context", "use_flag_only", "visit",
]  # fmt: skip

Kind: TypeAlias = Literal["model", "tool", "retriever", "chain"]

_BODY: Final = create_key("agent_callbacks-body")
# The key under which the API keeps the current span, learnt through its public function.
_SPAN: Final = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
_ABSENT: Final = object()
_MARKED: Final = frozenset({"tool", "chain"})
_READABLE: Final = frozenset({
    "attributes", "context", "dropped_attributes", "dropped_events", "dropped_links", "end_time", "events",
    "instrumentation_scope", "kind", "links", "name", "parent", "resource", "start_time", "status", "to_json",
})  # fmt: skip

_flag_only = not stack.KNOWN


class Target(Receiver, Protocol):
    """The operation a body belongs to; what user code writes on the current span goes through it to the one writer."""

    def span(self) -> Span:
        """Return the span that is current inside the body now; it may change, a hidden node answers with its step's."""
        ...


class Body:
    """The presence of one operation: where it was entered, what owns it, and what was current before.

    ``target`` is None once the body is over. ``outer`` is the context from before, ``base`` the same as decorated for
    the body, ``before`` the span that was current in it, ``inner`` the context that ``enter`` made current.
    """

    __slots__ = (
        "__weakref__", "base", "before", "frame", "inner", "kind", "loop", "marker", "outer", "suspends",
        "target", "task", "thread",
    )  # fmt: skip

    def __init__(self, target: Target, kind: Kind, outer: Context, base: Context) -> None:
        self.target: Target | None = target
        self.kind: Kind = kind
        self.outer = outer
        self.base = base
        self.inner: Context | None = None
        self.before = _before(outer)
        self.thread = threading.get_ident()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.frame: FrameType | None = None
        self.task: weakref.ref[asyncio.Task[Any]] | None = None
        self.suspends = True
        self.marker: object = _ABSENT

    def look_around(self, called: stack.Caller | None) -> None:
        """Find out what owns the body, and where it runs."""
        loop = self.loop = current_loop()
        task = None if loop is None else asyncio.current_task(loop)
        # A start callback that is a task of its own says nothing about the body's task.
        frame, alone = stack.owner(task, called)
        self.frame = None if _flag_only else frame
        self.task = None if task is None or alone else weakref.ref(task)
        if frame is None:
            engine, self.suspends = False, alone
        else:
            function = stack.about(frame)
            engine = function.engine
            self.suspends = alone or function.suspends or (function.coroutine and self.task is None)
        self.marker = _marker() if engine and self.kind in _MARKED else _ABSENT


def enter(
    target: Target,
    *,
    kind: Kind,
    outer: Context | None = None,
    decorate: Callable[[Context], Context] | None = None,
    called: stack.Caller | None = None,
) -> Body:
    """Make *target*'s span the current one inside the body that starts now; call it in the start callback.

    Args:
        target: The operation.
        kind: What it is; decides how tasks the caller made are told from tasks the body made.
        outer: The current context as `here` gave it, to save asking again.
        decorate: Given the context from before, returns the one the body should have (request metadata, baggage).
        called: Who called the start callback as ``stack.caller`` gave it, to save looking again.

    Returns:
        The body, to be handed to `leave`.
    """
    outer = here() if outer is None else outer
    base = outer if decorate is None else decorate(outer)
    body = Body(target, kind, outer, base)
    body.look_around(called)
    body.inner = Context({**base, _BODY: body, _SPAN: LiveSpan(body)})
    attach(body.inner)
    return body


def alone(target: Target, *, kind: Kind, outer: Context) -> Body:
    """Return the presence of an operation that has no body of its own: it spans several calls of the framework.

    Nobody is inside of it but who visits it (`visit`), and only its own end ends it.
    """
    return Body(target, kind, outer, outer)


def apart(body: Body) -> Body:
    """Leave *body* and return a presence like `alone` for its operation, which goes on as a stream."""
    target = body.target
    if target is None:
        return body
    leave(body)
    return alone(target, kind=body.kind, outer=body.outer)


@contextlib.contextmanager
def visit(body: Body) -> Generator[None]:
    """Make the span of *body*'s operation the current one inside the block, which must not be left half done."""
    token = attach(Context({**here(), _BODY: body, _SPAN: LiveSpan(body)}))
    try:
        yield
    finally:
        detach(token)


def leave(body: Body) -> None:
    """Mark *body* as over and let go of what it held; call it in the end callback, in whatever task that runs."""
    body.target = body.frame = body.loop = None
    body.marker = _ABSENT
    current = get_current()
    healed = _healed(current)
    if healed is not current:
        attach(healed)
    body.inner = None  # it refers to the body


def here() -> Context:
    """Return the current context without the bodies on top that are over."""
    return _healed(get_current())


def parent_context(parent: Body | None, current: Context | None = None) -> Context:
    """Return the context in which to start the span of an operation whose parent is *parent*.

    *current* is the current context as `here` gave it, to save asking again.

    The current context where it is the parent's (a span the user opened inside the parent's body stays the nearest),
    else one with the parent's own span. Without a parent, or when it is over, the current context without the bodies
    the asker is not inside of; request metadata should be read from the answer, not from the current context.
    """
    current = here() if current is None else current
    target = None if parent is None else parent.target
    if target is None:
        return _outside(current)
    if _body_in(current) is parent and type(current.get(_SPAN)) is not LiveSpan:
        return current
    return Context({**current, _SPAN: target.span()})


def is_in(parent: Body | None, context: Context) -> bool:
    """Say whether *context* is that of *parent*'s body, which goes on."""
    return parent is not None and parent.target is not None and context.get(_BODY) is parent


def users_span(context: Context) -> Span | None:
    """Return the span the user has opened in the innermost body of *context*, if any."""
    span: Any = context.get(_SPAN, trace.INVALID_SPAN)
    return None if type(span) is LiveSpan else cast("Span", span)


def body_of(context: Context | None = None) -> Body | None:
    """Return the innermost body in *context* (default: the current one) that the asker is inside of."""
    body = _body_in(get_current() if context is None else context)
    while body is not None and not _inside(body):
        body = _body_in(body.outer)
    return body


def innermost(context: Context) -> Body | None:
    """Return the innermost body in *context*, whether the asker is inside of it or not."""
    return _body_in(context)


def lingering() -> list[Body]:
    """Return the bodies in the current context that were entered here and that nobody ended, but which are over.

    A call that was cancelled without an end callback leaves one behind; the next one in the same task (without one: in
    the same thread) can close it. What was entered elsewhere is not looked at.
    """
    found: list[Body] = []
    thread, task = threading.get_ident(), current_task()
    body = _body_in(get_current())
    while body is not None:
        reference = body.task
        here = body.thread == thread and (None if reference is None else reference()) is task
        if here and body.target is not None and finished(body):
            found.append(body)
        body = _body_in(body.outer)
    return found


def finished(body: Body, *, ended: Body | None = None) -> bool:
    """Say whether *body* can no longer be running, though nobody ended it.

    Its task is done, its thread is gone or does something else, or its event loop is closed. A suspended generator can
    be resumed from anywhere as long as it exists, and tells the framework when it no longer does. One that was
    cancelled before the framework was listening has run to its end without a word.

    Args:
        body: The body.
        ended: An ancestor that has just ended: what was entered in the same task is over with it.
    """
    loop = body.loop
    if body.target is None or (loop is not None and loop.is_closed()):
        return True
    if body.suspends:
        return _looks(body) and stack.ran_out(body.frame)
    if body.task is None:
        return _left_by_thread(body, ended)
    task = body.task()
    if task is None or task.done():
        return True
    if task is current_task():
        return _looks(body) and not stack.on_stack(body.frame)
    return ended is not None and ended.task is not None and ended.task() is task


def use_flag_only(*, on: bool) -> None:
    """Decide "inside or not" by whether the body is over alone; the only way where ``sys._getframe`` does not exist."""
    global _flag_only  # noqa: PLW0603 - one switch for the process
    _flag_only = on or not stack.KNOWN


@final
class LiveSpan(ForwardingSpan):
    """The current span inside a body: ours for who is inside, the one from before for everybody else.

    Writing goes through the body's target while inside. Outside, it goes to the span from before as long as this proxy
    is what the asker's context calls the current span; a reference kept for later writes nowhere. Ending it does
    nothing: the operation ends with its own callback.
    """

    __slots__ = ("body",)

    def __init__(self, body: Body) -> None:
        self.body = body

    def get_span_context(self) -> SpanContext:
        """Return the context of the span that is current for who asks."""
        return _resolved(self).get_span_context()

    def is_recording(self) -> bool:
        """Return whether the span that is current for who asks is recording."""
        return _resolved(self).is_recording()

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: the operation's own callback ends its span."""

    def receiver(self) -> Target | Span | None:
        """Return where a write goes now."""
        return _receiver(self)

    def __getattr__(self, name: str) -> Any:
        """Answer for what the SDK's span has beyond the API, read only."""
        if name not in _READABLE:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(_resolved(self), name)

    def __repr__(self) -> str:
        return f"LiveSpan({_resolved(self)!r})"


# --- contexts and spans ----------------------------------------------------------------------------------------------


def _body_in(context: Context) -> Body | None:
    found: Any = context.get(_BODY)
    return found  # type: ignore[no-any-return]  # only bodies stand there; a cast is a call


def _healed(context: Context) -> Context:
    """Return *context* without the bodies on top that are over; what others put there stays."""
    body = _body_in(context)
    while body is not None and body.target is None:
        context = _without(body, context)
        body = _body_in(context)
    return context


def _outside(context: Context) -> Context:
    """Return *context* without the bodies on top that the asker, who starts something new, is not inside of."""
    body = _body_in(context)
    if body is None:
        return context
    # A batch starts all its runs first: what the same call of the same function has started is a sibling.
    starter, _ = stack.owner(current_task())
    while body is not None and ((starter and body.frame is starter) or not _inside(body, starting=True)):
        context = _without(body, context)
        body = _body_in(context)
    return context


def _without(body: Body, context: Context) -> Context:
    """Return *context* as if *body* had never been entered: its outer one, with what others put on top since."""
    if context is body.inner:
        return body.outer
    base = body.base
    added = {
        key: value
        for key, value in context.items()
        if key != _BODY and base.get(key, _ABSENT) is not value and not (type(value) is LiveSpan and value.body is body)
    }
    return Context({**body.outer, **added}) if added else body.outer


def _before(outer: Context) -> Span:
    """Return the current span of *outer*, skipping proxies of bodies that are over."""
    span = cast("Span", outer.get(_SPAN, trace.INVALID_SPAN))
    while type(span) is LiveSpan and span.body.target is None:
        span = span.body.before
    return span


def _resolved(span: Span) -> Span:
    """Return the real span behind *span* for who asks."""
    while type(span) is LiveSpan:
        body = span.body
        target = body.target
        if target is not None and _inside(body):
            return target.span()
        span = body.before
    return span


def _receiver(proxy: LiveSpan) -> Target | Span | None:
    """Return where a write on *proxy* goes; nowhere for a reference kept beyond its body."""
    span: Span = proxy
    while type(span) is LiveSpan:
        body = span.body
        target = body.target
        if target is not None and _inside(body):
            return target
        if trace.get_current_span() is not proxy:
            return None
        span = body.before
    return span


# --- inside or not ---------------------------------------------------------------------------------------------------


def _inside(body: Body, *, starting: bool = False) -> bool:
    frame, reference = body.frame, body.task
    if body.target is None:
        return False
    if _flag_only or frame is None or threading.get_ident() != body.thread:
        return True
    task = None if reference is None else reference()
    if reference is None or task is current_task():
        return stack.on_stack(frame)
    if not body.suspends and (task is None or task.done()):
        return False
    if body.marker is _ABSENT or _marker() is not body.marker:
        return True
    # A background task of the framework's starts no runs, so who starts one here was spawned by the caller.
    return body.kind == "chain" and not starting and stack.run_by_engine(current_task())


def _left_by_thread(body: Body, ended: Body | None) -> bool:
    if _looks(body) and body.thread == threading.get_ident():
        return not stack.on_stack(body.frame)
    running = stack.in_thread(body.frame if _looks(body) else None, body.thread)
    if running is None:
        return ended is not None and ended.task is None and ended.thread == body.thread
    return not running


def _looks(body: Body) -> bool:
    return body.frame is not None and not _flag_only


def _marker() -> object:
    """Return the run LangChain considers ambient here; constant while LangChain is not loaded."""
    config = sys.modules.get("langchain_core.runnables.config")
    variable: ContextVar[object] | None = getattr(config, "var_child_runnable_config", None)
    return None if variable is None else variable.get(None)
