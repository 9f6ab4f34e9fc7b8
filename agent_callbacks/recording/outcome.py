"""How a run turned out, as the application learns it: during the run or long after, in this process or another.

It goes out as the standard's evaluation event (OpenTelemetry GenAI conventions, ``gen_ai.evaluation.result``) on a
short span of its own in the run's trace. The run's own span has ended by then and cannot be written to; a log record,
which the conventions name as the carrier, would need a logger provider that many do not have, and the local store and
backends of traces alone would lose it. A span reaches whatever the run's own spans reach.
"""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from agent_callbacks.convention import keys
from agent_callbacks.recording import process
from agent_callbacks.recording.guard import attempted
from agent_callbacks.recording.manual import default_recorder, recorder_on

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from agent_callbacks.recording.recorder import Recorder

__all__ = ["record_outcome"]

_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{32}")
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{16}")
_LONGEST_NAME: Final = 128
_SPAN_BITS: Final = 64


def record_outcome(
    trace_id: str,
    name: str,
    score: float | None = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
    span_id: str | None = None,
    tracer_provider: TracerProvider | None = None,
) -> None:
    """Record how a run turned out, such as whether the customer's question was answered.

    May be called minutes after the run ended, from any process that sends to the same place. Of several outcomes of one
    name the last counts. All text is sanitized. Only bad arguments raise; a failure to record is counted and logged
    like any other of this package's.

    Args:
        trace_id: The run's trace, as 32 hex digits: ``handler.last_trace_id``.
        name: What was judged, such as ``"resolved"``: at most 128 characters, and of few different values.
        score: The judgement as a finite number. For success use 1 and 0 (or True and False).
        label: The judgement in a word, such as ``"pass"``.
        explanation: Why, in words.
        span_id: The span that was judged, as 16 hex digits. By default the run's root where this process recorded it
            last; else the span hangs below no known one, but is in the trace.
        tracer_provider: Where the span goes; the global provider unless given.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An id is no id, the name is empty or too long, the score is not finite, or there is neither score
            nor label.

    Source: OpenTelemetry GenAI semantic conventions, event ``gen_ai.evaluation.result``.
    """
    trace = _id("trace_id", trace_id, _TRACE_ID, 32)
    span = None if span_id is None else _id("span_id", span_id, _SPAN_ID, 16)
    said: dict[str, Any] = {keys.EVALUATION_NAME: _name(name)}
    if score is not None:
        said[keys.EVALUATION_SCORE] = _score(score)
    for option, key, text in (
        ("label", keys.EVALUATION_LABEL, label),
        ("explanation", keys.EVALUATION_EXPLANATION, explanation),
    ):
        if text is not None:
            said[key] = _text(option, text)
    if score is None and label is None:
        message = "record_outcome(): neither score nor label is given; give score=1.0 or label='pass'"
        raise ValueError(message)
    now = time.time_ns()
    recorder = _recorder(tracer_provider)
    if recorder.enabled:
        attempted(recorder, None, _write, recorder, _context(trace, span), now, said)


def _write(recorder: Recorder, context: Context, now: int, said: dict[str, Any]) -> None:
    recorder.writer.evaluation(context, now, said)


def _recorder(provider: TracerProvider | None) -> Recorder:
    if provider is None:
        return default_recorder()
    return recorder_on(provider)


def _context(trace_id: int, span_id: int | None) -> Context:
    """Return the context of the run: a span id that is not known is made from the trace's, so that it is always one."""
    if span_id is None:
        roots = [recorder.last_root for recorder in process.recorders()]
        span_id = next((root.span_id for root in roots if root is not None and root.trace_id == trace_id), None)
    if span_id is None:
        span_id = trace_id & ((1 << _SPAN_BITS) - 1) or 1
    parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _id(option: str, value: object, pattern: re.Pattern[str], digits: int) -> int:
    if not isinstance(value, str):
        message = f"record_outcome({option}=...): a {type(value).__name__}; expected {digits} hex digits as text"
        raise TypeError(message)
    if not pattern.fullmatch(value) or not int(value, 16):
        message = (
            f"record_outcome({option}=...): {len(value)} characters that are no id; expected {digits} hex digits, not "
            "all zero, as handler.last_trace_id has them"
        )
        raise ValueError(message)
    return int(value, 16)


def _name(name: object) -> str:
    text = _text("name", name).strip()
    if not 0 < len(text) <= _LONGEST_NAME:
        message = f"record_outcome(name=...): {len(text)} characters; expected 1 to {_LONGEST_NAME}, like 'resolved'"
        raise ValueError(message)
    return text


def _score(score: object) -> float:
    if not isinstance(score, (int, float)):
        message = f"record_outcome(score=...): a {type(score).__name__}; expected a number, like 1.0"
        raise TypeError(message)
    try:
        number = float(score)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        message = "record_outcome(score=...): not a finite number; leave it out where there is no score"
        raise ValueError(message)
    return number


def _text(option: str, text: object) -> str:
    if not isinstance(text, str):
        message = f"record_outcome({option}=...): a {type(text).__name__}; expected text"
        raise TypeError(message)
    return text
