"""A trace and who asks, as plain data that a durable runtime can store and another process go on with.

The trace travels as W3C trace context; who asks as the names of ``request_metadata``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agent_callbacks.metadata import CONTENT_LEVELS, Request, baggage_request, current_request, with_request
from agent_callbacks.reading.shape import is_text, mapping, sequence, text

if TYPE_CHECKING:
    from opentelemetry.context import Context

__all__ = ["KEY", "capture", "restore"]

KEY: Final = "agent_callbacks"
"""Under which key of LlamaIndex's dictionary ours stands."""
_REQUEST: Final = "request"
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_SCALARS: Final = (str, int, float, bool)


def capture(baggage_keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the current trace and who asks; what only this process understands stays here.

    Args:
        baggage_keys: Which entries of OpenTelemetry baggage say who asks.
    """
    context = otel_context.get_current()
    carrier: dict[str, Any] = {}
    _PROPAGATOR.inject(carrier, context)
    said, request = baggage_request(context, baggage_keys), current_request(context)
    request = said if request is None else request.over(said)
    if request is not None and (plain := _plain(request)):
        carrier[_REQUEST] = plain
    return {KEY: carrier} if carrier else {}


def restore(context: dict[str, Any]) -> None:
    """Make the trace and the request that *context* holds the current ones, where they are not."""
    carrier = mapping(mapping(context).get(KEY))
    if not carrier:
        return
    here = otel_context.get_current()
    there = _there(carrier, here)
    if there is not here:
        otel_context.attach(there)


def _there(carrier: dict[str, object], here: Context) -> Context:
    known = {key: value for key, value in carrier.items() if is_text(value)}
    remote = trace.get_current_span(_PROPAGATOR.extract(known, otel_context.Context())).get_span_context()
    current = trace.get_current_span(here).get_span_context()
    there = here
    if remote.is_valid and remote.trace_id != current.trace_id:
        there = _PROPAGATOR.extract(known, here)
    said = mapping(carrier.get(_REQUEST))
    if said and current_request(here) is None:
        there = with_request(_request(said), there)
    return there


def _plain(request: Request) -> dict[str, Any]:
    said: dict[str, Any] = {
        "user_id": request.user_id,
        "session_id": request.session_id,
        "thread_id": request.thread_id,
        "content": request.content,
        "variants": dict(request.variants),
        "tags": list(request.tags),
        "metadata": {key: value for key, value in request.metadata if isinstance(value, _SCALARS)},
    }
    return {key: value for key, value in said.items() if value}


def _request(said: dict[str, object]) -> Request:
    level = said.get("content")
    variants = mapping(said.get("variants")).items()
    return Request(
        text(said.get("user_id")),
        text(said.get("session_id")),
        text(said.get("thread_id")),
        tuple((key, value) for key, value in variants if is_text(value)),
        next((known for known in CONTENT_LEVELS if known == level), None),
        tuple(mapping(said.get("metadata")).items()),
        tuple(tag for tag in sequence(said.get("tags")) if is_text(tag)),
    )
