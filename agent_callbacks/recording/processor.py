"""Spans that others make inside a run: they get who asked, hold their step open, count as a tool's waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.trace import SpanKind

from agent_callbacks.convention import keys
from agent_callbacks.convention.peers import peer_of
from agent_callbacks.recording import live, process
from agent_callbacks.recording.guard import guarded_only
from agent_callbacks.recording.operation import Operation, Step

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import TracerProvider

__all__ = ["ForeignSpans", "install_processor"]

_MAX_OPEN: Final = 8192


class ForeignSpans(SpanProcessor):
    """Watches the spans other instrumentations make inside our bodies."""

    def __init__(self, shared: process.Shared) -> None:
        """Watch for the runs in *shared*."""
        self._shared = shared
        self._open: process.Bounded[int, tuple[Step | None, Operation]] = process.Bounded(_MAX_OPEN)
        self.internal_errors = 0

    def swallowed(self, error: Exception) -> None:
        """Count a failure of ours; the SDK would let it through to the user's code."""
        self.internal_errors += 1
        process.warn_once(f"internal:{type(error).__name__}", "watching a span failed with %s", type(error).__name__)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Say on *span* who asked, and count it where it runs."""
        scope = span.instrumentation_scope
        if scope is None or scope.name != keys.SCOPE_NAME:
            self._started(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Count *span* as over."""
        if len(self._open):
            self._ended(span)

    @guarded_only
    def _started(self, span: Span, parent_context: Context | None) -> None:
        body = live.body_of(parent_context)
        operation = None if body is None else body.target
        if not isinstance(operation, Operation):
            return
        if operation.base:
            span.set_attributes(operation.base)
        parent, context = span.parent, span.get_span_context()
        step = None if parent is None else self._shared.steps.get(parent.span_id)
        if step is not None:
            step.foreign += 1
        if span.kind is SpanKind.CLIENT:
            operation.waiting(context.span_id, span.start_time or 0, lambda: peer_of(span.name, span.attributes))
        if step is not None or span.kind is SpanKind.CLIENT:
            self._open[context.span_id] = (step, operation)

    @guarded_only
    def _ended(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        found = None if context is None else self._open.pop(context.span_id)
        if context is None or found is None:
            return
        step, operation = found
        if span.kind is SpanKind.CLIENT and span.start_time is not None and span.end_time is not None:
            named = peer_of(span.name, span.attributes)
            operation.waited(context.span_id, span.start_time, span.end_time, named)
        if step is not None and span.end_time is not None:
            step.foreign -= 1
            step.last_ns = max(step.last_ns, span.end_time)
            step.owner.recorder.settle(step.owner)


def install_processor(provider: TracerProvider) -> None:
    """Make *provider* report the spans others make on it; once per provider, nothing for one that is not the SDK's."""
    shared = process.shared(provider)
    if isinstance(provider, SdkTracerProvider) and shared.processor is None:
        shared.processor = ForeignSpans(shared)
        provider.add_span_processor(shared.processor)
