"""The steps of a run: what each read and wrote, and what it added to the step before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.report.model import Step
from agent_callbacks.analysis.shown import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from agent_callbacks.analysis.cost import CostReport, StepCost
    from agent_callbacks.analysis.report.model import Bucket
    from agent_callbacks.analysis.tokens import CallTokens, RunTokens, StepTokens, TokenReport
    from agent_callbacks.tokens.buckets import Buckets

__all__ = ["dollars", "steps_of"]

_RISING: Final = "rising"


def steps_of(tokens: TokenReport, costs: CostReport, places: Mapping[str, int]) -> tuple[Step, ...]:
    """Return the steps of a trace, those of one agent run side by side; of a trace without steps, its model calls.

    Args:
        tokens: What the steps read and wrote.
        costs: What they cost.
        places: The place of each span's row, by its id.
    """
    known = {step.span_id: step for run in costs.runs for step in run.steps}
    found = tuple(
        _step(step, run, known.get(step.span_id), places[step.span_id]) for run in tokens.runs for step in run.steps
    )
    return found or tuple(_calls(tokens, costs, places))


def _step(step: StepTokens, run: RunTokens, cost: StepCost | None, place: int) -> Step:
    cached = None if step.cached_share is None else round(step.cached_share * step.input)
    return Step(
        span=place,
        label=f"step {step.index}",
        agent=visible(run.agent or run.name),
        run=run.span_id,
        buckets=_buckets(step.buckets, step.input),
        input_tokens=step.input,
        output_tokens=step.output,
        cached_tokens=cached,
        cost=None if cost is None else dollars(cost.cost),
        marginal_tokens=None if step.marginal is None else step.marginal.tokens,
        marginal_cost=None if cost is None else dollars(cost.marginal_cost),
        estimated=any(call.usage_estimated for call in step.calls),
        alert=_RISING if step.rising else None,
    )


def _calls(tokens: TokenReport, costs: CostReport, places: Mapping[str, int]) -> Iterator[Step]:
    known = {call.span_id: call.cost for call in costs.calls}
    for number, call in enumerate(tokens.calls, 1):
        yield Step(
            span=places[call.span_id],
            label=f"call {number}",
            agent=_model(call),
            run="",
            buckets=_buckets(call.buckets, call.input),
            input_tokens=call.input,
            output_tokens=call.output,
            cached_tokens=call.cache_read,
            cost=dollars(known.get(call.span_id)),
            marginal_tokens=None,
            marginal_cost=None,
            estimated=call.usage_estimated,
            alert=None,
        )


def _model(call: CallTokens) -> str:
    return visible(call.model or call.name)


def _buckets(buckets: Buckets | None, whole: int) -> dict[Bucket, int]:
    if buckets is None:
        return {"unsplit": whole}
    counts: dict[Bucket, int] = dict(zip(_NAMES, buckets, strict=True))
    return counts


def dollars(amount: Decimal | None) -> float | None:
    """Return *amount* as a number that JSON has; the last digits of a sum do not matter on a page."""
    return None if amount is None else float(amount)


_NAMES: Final[tuple[Bucket, ...]] = ("system_prompt", "tool_schemas", "history", "tool_outputs", "other")
