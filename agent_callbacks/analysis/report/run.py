"""One run on the page: its head, its waterfall and what the reports say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis import waterfall
from agent_callbacks.analysis.report import words
from agent_callbacks.analysis.report.model import Fact, Run
from agent_callbacks.analysis.report.spans import span_rows
from agent_callbacks.analysis.report.steps import steps_of
from agent_callbacks.analysis.shown import visible
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.analysis.trace import Trace

__all__ = ["run_of"]

_WHO: Final = (("user", keys.USER_ID), ("session", keys.SESSION_ID))


def run_of(trace: Trace, place: int) -> Run:
    """Return *trace* as the run at *place* on the page."""
    rows = span_rows(trace, {}, {})
    sums = waterfall.totals(trace)
    steps = steps_of(rows)
    variant = waterfall.first_known(trace, keys.FEATURE_FLAG_VARIANT)
    outcome = trace.root.attributes.get(keys.OUTCOME)
    return Run(
        trace_id=visible(trace.trace_id),
        name=visible(trace.root.name),
        started=waterfall.utc(trace.start_ns),
        facts=tuple(_facts(trace)),
        variant=None if variant is None else visible(variant),
        outcome=None if outcome is None else visible(str(outcome)),
        duration=trace.duration,
        cost=None,
        steps_count=sums.steps,
        model_calls=sums.model_calls,
        tool_calls=sums.tool_calls,
        failures=sum(row.failed for row in rows),
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        answers=tuple(words.answers(steps, place)),
        spans=rows,
        steps=steps,
        components=(),
        findings=(),
        charges=(),
        missing={},
    )


def _facts(trace: Trace) -> Iterator[Fact]:
    resources = (span.resource["service.name"] for span in trace.spans if "service.name" in span.resource)
    if service := next(resources, None):
        yield Fact("service", visible(str(service)))
    for title, key in _WHO:
        if (value := waterfall.first_known(trace, key)) is not None:
            yield Fact(title, visible(value))
    if (variant := waterfall.first_known(trace, keys.FEATURE_FLAG_VARIANT)) is not None:
        yield Fact(visible(waterfall.first_known(trace, keys.FEATURE_FLAG_KEY) or "variant"), visible(variant))
