"""What each trace says as numbers: one measurement a run, step, tool, model or provider, and the group it is in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import orjson

from agent_callbacks.analysis.call import is_call, price_book, priced
from agent_callbacks.analysis.span import attributes_of
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.tokens.prices import PriceBook

__all__ = [
    "BY", "LONGEST", "MODELS_JOINED", "NO_GROUP", "OF", "UNITS", "By", "Measurement", "Of", "Value", "chosen",
    "group_of", "hour", "samples",
]  # fmt: skip

Of: TypeAlias = Literal["run", "step", "tool", "model", "provider"]
By: TypeAlias = Literal["variant", "experiment", "user", "session", "agent", "model", "hour"]
Value: TypeAlias = Literal[
    "duration", "cost", "tokens", "input_tokens", "output_tokens", "time_to_first_chunk", "time_per_output_token",
    "downstream", "marshaling", "queue",
]  # fmt: skip
OF: Final[tuple[str, ...]] = get_args(Of)
BY: Final[tuple[str, ...]] = get_args(By)

NO_GROUP: Final = "(none)"
"""The group of what says nothing of itself."""
LONGEST: Final = 64
"""How many characters of a group's name are told apart."""
MODELS_JOINED: Final = " + "
_MODEL_CALLS: Final = frozenset({"chat", "text_completion", "generate_content"})
_TOOL: Final = "execute_tool"

_READ: Final[Mapping[str, str]] = {
    "time_to_first_chunk": keys.TIME_TO_FIRST_CHUNK,
    "time_per_output_token": keys.TIME_PER_OUTPUT_TOKEN,
    "downstream": keys.TOOL_DOWNSTREAM_DURATION,
    "marshaling": keys.TOOL_MARSHALING_DURATION,
    "queue": keys.TOOL_QUEUE_DURATION,
}
_COUNTED: Final[Mapping[str, tuple[str, ...]]] = {
    "tokens": (keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS),
    "input_tokens": (keys.USAGE_INPUT_TOKENS,),
    "output_tokens": (keys.USAGE_OUTPUT_TOKENS,),
}
UNITS: Final[Mapping[str, str]] = {
    "duration": "s", "cost": "USD", **dict.fromkeys(_COUNTED, "tokens"), **dict.fromkeys(_READ, "s"),
}  # fmt: skip
"""The unit of each value."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run, step or call; ``value`` is None where the trace does not say it, or not in full."""

    trace_id: str
    name: str
    group: str
    value: float | None


def chosen(option: str, given: object, known: Iterable[str]) -> str:
    """Return *given* where it is one of *known*.

    Raises:
        ValueError: It is not; says what is.
    """
    names = tuple(known)
    if not isinstance(given, str) or given not in names:
        message = f"{option}={given!r} is not known; use one of {', '.join(names)}"
        raise ValueError(message)
    return given


def samples(
    traces: Iterable[Trace], of: Of, value: Value, by: By | None = None, *, prices: str | Path | None = None
) -> Iterator[Measurement]:
    """Yield the *value* of each *of* in *traces*, with the group it is in *by*."""
    book = None
    if value == "cost":
        book = price_book(prices)
        book.wait()
    for trace in traces:
        group = group_of(trace, by)
        for span, name in _chosen_spans(trace, of):
            found = _value(trace, span, value, book)
            yield Measurement(trace.trace_id, name, group, found)


def group_of(trace: Trace, by: By | None, experiment: str | None = None) -> str:
    """Return the group of *trace*: what its first span that says something says, at most 64 characters of it.

    Args:
        trace: The trace.
        by: What groups; ``"hour"`` is the hour of the start, in UTC, ``"model"`` all models that were asked. None puts
            all into one group.
        experiment: For variants, the experiment that is meant, where runs take part in several.
    """
    if by is None:
        return "all"
    if by == "hour":
        return hour(trace.start_ns)
    if by == "model":
        return _models(trace)[:LONGEST] or NO_GROUP
    said = (_GROUPS[by](span, experiment) for span in (trace.root, *trace.spans))
    return next((text[:LONGEST] for text in said if text), NO_GROUP)


def hour(time_ns: int) -> str:
    """Return the hour of *time_ns* (nanoseconds since the epoch), in UTC."""
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:00Z")


def _models(trace: Trace) -> str:
    named = (span.text(keys.REQUEST_MODEL) or span.text(keys.RESPONSE_MODEL) for span in trace.spans if is_call(span))
    return MODELS_JOINED.join(sorted({name for name in named if name}))


def _variant(span: Span, experiment: str | None) -> str | None:
    found = span.text(keys.FEATURE_FLAG_VARIANT)
    if experiment is None or span.text(keys.FEATURE_FLAG_KEY) == experiment:
        return found
    try:
        metadata = orjson.loads(span.text(keys.METADATA) or "{}")
    except orjson.JSONDecodeError:
        return None
    named = attributes_of(attributes_of(metadata).get("variants")).get(experiment)
    return named if isinstance(named, str) else None


_GROUPS: Final[Mapping[str, Callable[[Span, str | None], str | None]]] = {
    "variant": _variant,
    "experiment": lambda span, _: span.text(keys.FEATURE_FLAG_KEY),
    "agent": lambda span, _: span.text(keys.AGENT_NAME) or span.text(keys.STEP_AGENT),
    "user": lambda span, _: span.text(keys.USER_ID),
    "session": lambda span, _: span.text(keys.SESSION_ID),
}


def _chosen_spans(trace: Trace, of: Of) -> Iterator[tuple[Span, str]]:
    if of == "run":
        yield trace.root, "run"
        return
    for span in trace.spans:
        operation = span.attributes.get(keys.OPERATION_NAME)
        if of == "step":
            if keys.STEP_INDEX in span.attributes and operation is None:
                yield span, "step"
        elif of == "tool":
            if operation == _TOOL:
                yield span, span.text(keys.TOOL_NAME) or NO_GROUP
        elif operation in _MODEL_CALLS:
            named = keys.PROVIDER_NAME if of == "provider" else keys.REQUEST_MODEL
            yield span, span.text(named) or span.text(keys.RESPONSE_MODEL if of == "model" else named) or NO_GROUP


def _value(trace: Trace, span: Span, value: Value, book: PriceBook | None) -> float | None:
    if value == "duration":
        whole = span is trace.root
        return trace.duration if whole else span.duration
    if (key := _READ.get(value)) is not None:
        return span.number(key)
    calls = [call for call in _below(trace, span) if is_call(call)]
    if book is not None:
        costs = [priced(call, book).cost for call in calls]
        return float(sum(costs)) if costs and None not in costs else None  # type: ignore[arg-type]
    counts = [call.number(key) for call in calls for key in _COUNTED[value]]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _below(trace: Trace, span: Span) -> Iterator[Span]:
    """Yield *span* and what is below it; below the root is all of the trace."""
    if span is trace.root:
        yield from trace.spans
        return
    waiting = [span]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(trace.children(one))
