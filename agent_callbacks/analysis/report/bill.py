"""The bill of a run: by model, and what sending the tools' schemas took of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_callbacks.analysis.call import ZERO
from agent_callbacks.analysis.report.model import Charge
from agent_callbacks.analysis.report.steps import dollars
from agent_callbacks.analysis.shown import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent_callbacks.analysis.cost import CallCost, CostReport

__all__ = ["charges_of"]


def charges_of(report: CostReport) -> tuple[Charge, ...]:
    """Return the lines of the bill, the dearest model first; what lies in other lines says so in its note."""
    models: dict[str, list[CallCost]] = {}
    for call in report.calls:
        models.setdefault(call.model, []).append(call)
    lines = [_of_model(model, calls) for model, calls in models.items()]
    lines.sort(key=lambda line: -(line.cost or 0.0))
    return (*lines, *_tool_schemas(report), *_saving(report))


def _of_model(model: str, calls: Sequence[CallCost]) -> Charge:
    known = [call.cost for call in calls if call.cost is not None]
    usages = [call.usage for call in calls if call.usage is not None]
    return Charge(
        title=visible(model),
        calls=len(calls),
        input_tokens=sum(usage.input or 0 for usage in usages),
        output_tokens=sum(usage.output or 0 for usage in usages),
        cost=dollars(sum(known, ZERO)) if known else None,
        note=None if len(known) == len(calls) else f"no price is known for {len(calls) - len(known)} of the calls",
    )


def _tool_schemas(report: CostReport) -> Iterator[Charge]:
    tokens = [run.tool_schemas_tokens for run in report.runs if run.tool_schemas_tokens is not None]
    costs = [run.tool_schemas_cost for run in report.runs if run.tool_schemas_cost is not None]
    if any(tokens):
        cost = dollars(sum(costs, ZERO)) if costs else None
        yield Charge("tool schemas", None, sum(tokens), None, cost, "part of the above")


def _saving(report: CostReport) -> Iterator[Charge]:
    if report.cached_saving:
        yield Charge("saved by caching", None, None, None, dollars(report.cached_saving), "not spent")
