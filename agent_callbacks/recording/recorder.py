"""The verbs: ``start``, ``note``, ``end`` and ``fail``. An adapter calls them with values; spans come out.

The clock is read first. Then ``placement.py`` says where the operation belongs, ``metadata`` who asked, and ``writer``
opens or closes the span. Nothing here blocks. What goes wrong inside is counted, its type logged once, and never
reaches the agent (``guard.py``).
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.recording import live
from agent_callbacks.recording.closing import UNKNOWN_TOOL_ERROR
from agent_callbacks.recording.failure import error_type
from agent_callbacks.recording.guard import attempted, guarded_only
from agent_callbacks.recording.meter import touched
from agent_callbacks.recording.opening import Opening
from agent_callbacks.recording.operation import Operation, Stream
from agent_callbacks.recording.steps import model_failed
from agent_callbacks.recording.values import (
    Asked,
    Fact,
    Happened,
    Interrupted,
    Key,
    ModelCall,
    ModelResult,
    Outcome,
    Result,
    Resumed,
    Retried,
    Returned,
    RunResult,
    ToolCall,
    ToolResult,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span

    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.recording.writer import SpanWriter

__all__ = ["Recorder"]


# An answer that did not come to its end may end in the middle of a number that no pattern knows by half: of what was
# said until then only the counts are exported.
_CUT_SHORT: Final = frozenset({"abandoned", "cancelled"})
_GROWING: Final = frozenset({ModelResult, RunResult})


class Recorder(Opening):
    """Turns the values of one adapter instance into spans of one provider."""

    # --- on the way ----------------------------------------------------------------------------------------------

    def chunk(self, key: Key | None, chunk: object, kind_of: Callable[[object], str]) -> None:
        """Note one chunk of a streamed answer: a clock and a counter, and a look at it until there was content."""
        operation = self._open.get(key)
        if operation is None or operation.recorder is not self:
            return
        now = time.time_ns()
        stream = operation.stream
        if stream is None:
            stream = operation.stream = Stream(now)
        stream.chunks += 1
        stream.last_ns = now
        stream.latest = chunk, stream.latest[0]
        if stream.first_content_ns is None and kind_of(chunk) == "content":
            stream.first_content_ns = now

    def latest_chunks(self, key: Key | None) -> tuple[object, ...]:
        """Return the last two chunks of a streamed answer, the latest first; none where nothing was streamed."""
        operation = None if key is None else self._open.get(key)
        stream = None if operation is None else operation.stream
        return () if stream is None else stream.latest

    def note(self, key: Key | None, fact: Fact) -> None:
        """Note what is learnt while an operation runs."""
        operation = None if key is None else self._open.get(key)
        if operation is None:
            self._unmatched(key)
            return
        if operation.recorder is not self:
            return
        touched.meter = operation.meter
        operation.last_ns = time.time_ns()
        match fact:
            case Interrupted():
                operation.outcome = "interrupted"
            case Resumed():
                operation.outcome = None
                self._resumed_late(operation)
            case Retried():
                operation.notes[keys.RETRY_ATTEMPT] = fact.attempt
            case Happened():
                self._happened(operation, fact)
            case Asked() if operation.agent is not None:
                self._asked_at_all(operation.agent, fact.tools)
            case Returned() if operation.body is not None:
                self._went_on(operation, operation.body)
            case _:
                self._unmatched(None)

    def _went_on(self, operation: Operation, body: live.Body) -> None:
        """Let *operation* go on without its body and without the task that made the call, whose result it may be."""
        operation.body = live.apart(body)
        if operation.forget_task is not None:
            operation.forget_task()
            operation.forget_task = None

    def _happened(self, operation: Operation, fact: Happened) -> None:
        data = {} if fact.data is None or operation.level != "all" else {keys.EVENT_DATA: fact.data}
        at_ns = operation.last_ns
        self.write(operation, lambda writer, span, room: writer.event(span, fact.name, data, at_ns, room))

    def visit(self, key: Key | None) -> AbstractContextManager[None]:
        """Make an operation's span the current one for a while: what produces its stream runs in the consumer."""
        operation = None if key is None else self._open.get(key)
        body = None if operation is None else operation.body
        return contextlib.nullcontext() if body is None else live.visit(body)

    @guarded_only
    def write(self, operation: Operation, change: Callable[[SpanWriter, Span, int], int | None]) -> None:
        """Let user code change the span that is current inside *operation*'s body, through the writer and within room.

        What the user's code adds to one operation is bounded as a whole: a quarter of ``max_span_bytes``.
        """
        room = self.settings.max_span_bytes // 4 - operation.user_bytes
        operation.user_bytes += change(self.writer, operation.span(), room) or 0

    # --- end -----------------------------------------------------------------------------------------------------

    def end(self, key: Key | None, result: Result, at: int | None = None, *, outcome: Outcome | None = None) -> None:
        """Close an operation that came to its end, well or stopped.

        Args:
            key: The operation.
            result: What came out.
            at: When, in nanoseconds of Unix time; now unless given.
            outcome: How it went, where that is neither in *result* nor noted before.
        """
        now = at or time.time_ns()
        operation = self._taken(key)
        if operation is None:
            return
        outcome = outcome or operation.outcome or "success"
        if isinstance(result, RunResult) and result.outcome != "success":
            outcome = result.outcome
        found: Attributes = {}
        nothing: Attributes = {}
        if operation.own_span is not None:
            level = "off" if outcome in _CUT_SHORT and type(result) in _GROWING else operation.level
            found = attempted(self, found, self.writer.result, result, level)
        if isinstance(result, ModelResult):
            found.update(attempted(self, nothing, self._answered, operation, result))
        error = None
        if isinstance(operation.value, ToolCall) and operation.value.requested is not None:
            outcome, error = "failure", UNKNOWN_TOOL_ERROR
        elif isinstance(result, ToolResult) and result.failed:
            outcome, error = "failure", "tool_error"
        self._close(operation, outcome, now, found, error=error)

    def fail(
        self, key: Key | None, error: BaseException, at: int | None = None, result: ModelResult | None = None
    ) -> None:
        """Close an operation that raised.

        Args:
            key: The operation.
            error: What it raised; recorded once, at the innermost span.
            at: When, in nanoseconds of Unix time; now unless given.
            result: What a model had answered until then.
        """
        now = at or time.time_ns()
        operation = self._taken(key)
        if operation is None:
            return
        kind = error_type(error)
        mark = (id(error), kind)
        found: Attributes = {}
        nothing: Attributes = {}
        if result is not None and isinstance(operation.value, ModelCall):
            found = attempted(self, found, self.writer.result, result, "off")
            found.update(attempted(self, nothing, self._answered, operation, result, partial=True))
        span = operation.own_span
        description = None
        if span is not None and span.is_recording():
            if operation.error != mark:
                attempted(self, None, self.writer.exception, span, error, None, now, operation.level)
            if operation.level != "off":
                description = attempted(self, None, self.writer.said, error)
            operation.error = mark
        if isinstance(operation.value, ModelCall):
            self._model_failed(operation)
        self._close(operation, "failure", now, found, error=kind, description=description)

    def _taken(self, key: Key | None) -> Operation | None:
        """Take an operation off the table, unless it is another recorder's."""
        operation = None if key is None else self._open.get(key)
        if operation is None:
            self._unmatched(key)
            return None
        if operation.recorder is not self:
            return None
        del self._open[key]
        touched.meter = operation.meter
        return operation

    def _model_failed(self, operation: Operation) -> None:
        scope = operation.scope
        if scope is not None and scope.agent is not None and operation.placed is not None:
            with self.shared.lock:
                scope.agent.state = model_failed(scope.agent.state, operation.prompt, operation.placed.index)
