"""What users write by hand: a span whose name the convention checks, and time a tool waits for something outside."""

from __future__ import annotations

import contextlib
import inspect
import time
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast, final

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, SpanContext, Status, StatusCode, get_current_span, set_span_in_context

from agent_callbacks.metadata import current_request
from agent_callbacks.recording import live, process
from agent_callbacks.recording.forwarding import ForwardingSpan, Receiver
from agent_callbacks.recording.operation import Operation
from agent_callbacks.recording.recorder import Recorder
from agent_callbacks.scope import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import TracerProvider

    from agent_callbacks.recording.messages import MessageReader
    from agent_callbacks.recording.writer import SpanWriter

__all__ = ["default_recorder", "downstream", "recorder_on", "span"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class span:  # noqa: N801 - reads as a verb where it is used, like contextlib's own
    """Open a span of your own, as a child of whatever is current; a context manager and a decorator, sync and async.

    ``with`` gives the span; it carries who asked, and ends with the block. An exception passes through and is recorded,
    cleaned.

    Args:
        name: ``<namespace>.<segment>`` as the naming convention has it; what does not fit is made to fit and reported.
        attributes: Set on the span, cleaned like everything set on it later.
    """

    def __init__(self, name: str, attributes: Mapping[str, Any] | None = None) -> None:
        self._name = name
        self._attributes = attributes
        self._opened: list[tuple[_ManualSpan, Context, Token[Context]]] = []

    def __enter__(self) -> Span:
        context = otel_context.get_current()
        operation = _operation()
        writer = default_recorder().writer if operation is None else operation.recorder.writer
        request = current_request(context)
        base = operation.base if operation is not None else {} if request is None else writer.request(request)
        inner = writer.open_manual(self._name, context, time.time_ns(), base, self._attributes or {})
        own = _ManualSpan(writer, inner)
        token = otel_context.attach(set_span_in_context(own, context))
        self._opened.append((own, context, token))
        return own

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        own, before, token = self._opened.pop()
        if isinstance(error, Exception):
            own.failed(error)
        try:
            token.var.reset(token)
        except ValueError:  # left in another context than it was entered, as the end of a stream may be
            if get_current_span() is own:
                otel_context.attach(set_span_in_context(get_current_span(before)))
        own.close()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Wrap *function* so that each of its calls is a span.

        Raises:
            TypeError: *function* is a generator function, whose consumer's code would run inside the span.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            message = f"span({self._name!r}) cannot decorate a generator function; open it with 'with' inside instead"
            raise TypeError(message)
        return wrapped(function, lambda: span(self._name, self._attributes))


@contextlib.contextmanager
def downstream(peer: str) -> Generator[None]:
    """Count the time inside the block as time the tool around it waits for *peer*; outside a tool it does nothing.

    This is also the way for what no instrumentation sees: disk, a subprocess, a lock. Blocks may overlap each other and
    instrumented calls, in threads and tasks too: no second is counted twice. A block that outlasts the tool counts
    until its end.

    Args:
        peer: What is waited for, such as ``"crm.lookup"``. Few distinct values; it stands, sanitized, with its time on
            the tool's span (``agent_callbacks.tool.downstream_peers``).
    """
    peer = str(peer)  # whatever users give is told only when the tool ends, too late for an error of theirs
    operation = _operation()
    start_ns, block = time.time_ns(), object()
    if operation is not None:
        operation.waiting(block, start_ns, lambda: peer)
    try:
        yield
    finally:
        if operation is not None:
            operation.waited(block, start_ns, time.time_ns(), peer)


def _operation() -> Operation | None:
    body = live.body_of()
    target = None if body is None else body.target
    return target if isinstance(target, Operation) else None


@final
class _ManualSpan(ForwardingSpan):
    """A span of the user's, everything on which passes the writer."""

    __slots__ = ("_inner", "_outcome", "_writer")

    def __init__(self, writer: SpanWriter, inner: Span) -> None:
        self._writer = writer
        self._inner = inner
        self._outcome: StatusCode = StatusCode.UNSET

    def get_span_context(self) -> SpanContext:
        """Return the span's context."""
        return self._inner.get_span_context()

    def is_recording(self) -> bool:
        """Return whether the span is recording."""
        return self._inner.is_recording()

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: the block ends the span."""

    def receiver(self) -> Receiver:
        """Return what writes: this, through the writer."""
        return _Writing(self._writer, self._inner)

    def failed(self, error: Exception) -> None:
        """Note that the block raised."""
        self._writer.failed_manual(self._inner, error)
        self._outcome = StatusCode.ERROR

    def close(self) -> None:
        """End the span."""
        self._writer.close_manual(self._inner, time.time_ns(), failed=self._outcome is StatusCode.ERROR)


_ROOM: Final = 64 * 1024


class _Writing:
    """The writer, bound to one span."""

    __slots__ = ("_inner", "_writer")

    def __init__(self, writer: SpanWriter, inner: Span) -> None:
        self._writer = writer
        self._inner = inner

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes, cleaned."""
        self._writer.write(self._inner, attributes, _ROOM)

    def add_event(self, name: str, attributes: Mapping[str, Any] | None, timestamp: int | None) -> None:
        """Add an event, cleaned."""
        self._writer.event(self._inner, name, attributes, timestamp, _ROOM)

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None) -> None:
        """Add a link, cleaned."""
        self._writer.foreign_link(self._inner, context, attributes, _ROOM)

    def record_exception(self, exception: BaseException, attributes: Mapping[str, Any] | None) -> None:
        """Record an exception, cleaned."""
        self._writer.exception(self._inner, exception, attributes, None)

    def set_status(self, status: Status | StatusCode, description: str | None) -> None:
        """Set the status, its text cleaned."""
        self._writer.status(self._inner, status, description)

    def update_name(self, name: str) -> None:
        """Rename, as the convention allows."""
        self._writer.rename(self._inner, name)


_NO_READER: Final = cast("MessageReader", None)
"""What is recorded by hand has no messages, so nobody is asked to read any."""


def default_recorder() -> Recorder:
    """Return what records outside any run: to the global provider, under the process's settings."""
    recorder = process.once(("recorder", process.settings()), lambda: Recorder(_NO_READER))
    recorder.follow_global()
    return recorder


def recorder_on(provider: TracerProvider) -> Recorder:
    """Return what records outside any run to *provider*, under the process's settings."""
    return Recorder(_NO_READER, provider)
