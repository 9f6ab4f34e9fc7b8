"""What was said of a run after it ended: the standard's evaluation events, ours and others', read back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent_callbacks.analysis.span import Event, Span, Value

__all__ = ["RunOutcome", "is_evaluation", "outcomes"]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """One outcome; ``time_ns`` is when it was said, in nanoseconds since the epoch."""

    name: str
    score: float | None
    label: str | None
    explanation: str | None
    time_ns: int


def is_evaluation(span: Span) -> bool:
    """Say whether *span* is one that ``record_outcome`` wrote."""
    return span.name == keys.EVALUATION_SPAN and span.scope == keys.SCOPE_NAME


def outcomes(spans: Iterable[Span]) -> tuple[RunOutcome, ...]:
    """Return the outcomes on *spans*, in the order they were said; an event without a name says nothing."""
    events = [event for span in spans for event in span.events if event.name == keys.EVALUATION_EVENT]
    found = [one for event in events if (one := _outcome(event)) is not None]
    return tuple(sorted(found, key=lambda one: one.time_ns))


def _outcome(event: Event) -> RunOutcome | None:
    said = event.attributes
    name, score = _text(said, keys.EVALUATION_NAME), said.get(keys.EVALUATION_SCORE)
    if name is None:
        return None
    known = isinstance(score, (int, float)) and math.isfinite(score)
    return RunOutcome(
        name,
        float(score) if known and isinstance(score, (int, float)) else None,
        _text(said, keys.EVALUATION_LABEL),
        _text(said, keys.EVALUATION_EXPLANATION),
        event.time_ns,
    )


def _text(said: Mapping[str, Value], key: str) -> str | None:
    found = said.get(key)
    return found if isinstance(found, str) and found else None
