"""One run on the page: its head, its waterfall and what the reports say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.cost import cost_report, costs_of
from agent_callbacks.analysis.latency import latency_report
from agent_callbacks.analysis.report.bill import charges_of
from agent_callbacks.analysis.report.latency import components_of, critical_of, findings_of, unseen
from agent_callbacks.analysis.report.model import Fact, Run
from agent_callbacks.analysis.report.spans import span_rows
from agent_callbacks.analysis.report.steps import dollars, steps_of
from agent_callbacks.analysis.report.waits import waits_of
from agent_callbacks.analysis.report.words import Matter, answers
from agent_callbacks.analysis.row import first_known, totals
from agent_callbacks.analysis.shown import visible
from agent_callbacks.analysis.tokens import token_report
from agent_callbacks.analysis.waterfall import utc
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent_callbacks.analysis.cost import CostReport
    from agent_callbacks.analysis.latency import LatencyReport
    from agent_callbacks.analysis.report.model import SpanRow, Step
    from agent_callbacks.analysis.row import Row
    from agent_callbacks.analysis.trace import Trace

__all__ = ["run_of"]

_WHO: Final = (("user", keys.USER_ID), ("session", keys.SESSION_ID))
_NOT_SPLIT: Final = (
    "The input tokens are not split by what they are: the trace was recorded without counting them "
    "(Settings(count_tokens=True) does)."
)


def run_of(trace: Trace, place: int) -> Run:
    """Return *trace* as the run at *place* on the page.

    Raises:
        PricesError: The file of prices that the environment names cannot be used.
    """
    costs, latency = cost_report(trace), latency_report(trace)
    rows = span_rows(trace, costs_of(costs), critical_of(latency))
    matter = matter_of(trace, rows, costs, latency)
    sums = totals(trace)
    return Run(
        trace_id=visible(trace.trace_id),
        name=visible(trace.root.name),
        started=utc(trace.start_ns),
        facts=tuple(_facts(trace)),
        variant=_known(trace, keys.FEATURE_FLAG_VARIANT),
        outcome=_outcome(trace),
        duration=trace.duration,
        cost=dollars(costs.total),
        steps_count=sums.steps,
        model_calls=sums.model_calls,
        tool_calls=sums.tool_calls,
        failures=sum(row.failed and not row.failed_below for row in rows),
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        answers=tuple(answers(matter, place)),
        spans=rows,
        steps=tuple(matter.steps),
        components=tuple(matter.components),
        findings=tuple(matter.findings),
        charges=charges_of(costs),
        missing=_missing(matter.steps, costs, tuple(unseen(latency))),
    )


def matter_of(trace: Trace, rows: Sequence[SpanRow | Row], costs: CostReport, latency: LatencyReport) -> Matter:
    """Return what the answers about *trace* are drawn from."""
    places = {span.span_id: number for number, (span, _) in enumerate(trace.walk())}
    return Matter(
        rows,
        steps_of(token_report(trace), costs, places),
        components_of(latency),
        findings_of(latency, places),
        waits_of(trace),
        places,
    )


def _missing(steps: Sequence[Step], costs: CostReport, blind: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return by section what it cannot show, in sentences."""
    missing = {"cost": tuple(map(visible, costs.notes)), "latency": tuple(blind)}
    if steps and all("unsplit" in step.buckets for step in steps):
        missing["buckets"] = (_NOT_SPLIT,)
    return {section: sentences for section, sentences in missing.items() if sentences}


def _known(trace: Trace, key: str) -> str | None:
    found = first_known(trace, key)
    return None if found is None else visible(found)


def _outcome(trace: Trace) -> str | None:
    return None if trace.outcome is None else visible(trace.outcome)


def _facts(trace: Trace) -> Iterator[Fact]:
    resources = (span.resource["service.name"] for span in trace.spans if "service.name" in span.resource)
    if service := next(resources, None):
        yield Fact("service", visible(str(service)))
    for title, key in _WHO:
        if value := _known(trace, key):
            yield Fact(title, value)
    if variant := _known(trace, keys.FEATURE_FLAG_VARIANT):
        yield Fact(_known(trace, keys.FEATURE_FLAG_KEY) or "variant", variant)
