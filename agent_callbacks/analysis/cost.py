"""What a trace cost, step by step and by what the money was sent for; and what it would have cost on another model.

What a span says it cost when it ran is believed; a call that says nothing is priced by its tokens, at the prices of
the time it ran. What cannot be priced is named and never counted as 0: a sum beside a name in ``unpriced`` is a lower
bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.call import (
    PRICES_VARIABLE,
    UNNAMED,
    ZERO,
    BucketCosts,
    CallCost,
    is_call,
    is_embedding,
    model_of,
    price_book,
    priced,
    says_cost,
)
from agent_callbacks.analysis.tokens import token_report
from agent_callbacks.tokens import economics
from agent_callbacks.tokens.prices import Call, PricesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from agent_callbacks.analysis.tokens import RunTokens, StepTokens
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.tokens.prices import PriceBook

__all__ = [
    "BucketCosts", "CallCost", "CostReport", "PricesError", "RunCost", "StepCost", "cost_report", "costs_of",
    "known_models", "reprice", "reprice_all",
]  # fmt: skip

_PICO: Final = 12  # decimal places in which costs are projected


@dataclass(frozen=True, slots=True)
class StepCost:
    """One step; money is USD, retries included.

    ``cost`` is None where nothing could be priced, and a lower bound where ``unpriced`` names a model.
    ``marginal_cost`` is what the step cost more than the one before: None for the first, and where either is not known
    in full. ``buckets`` is None where the trace does not split the input of every call.
    """

    span_id: str
    index: int
    input_tokens: int
    output_tokens: int
    cost: Decimal | None
    marginal_cost: Decimal | None
    buckets: BucketCosts | None
    unpriced: tuple[str, ...]
    calls: tuple[CallCost, ...]


@dataclass(frozen=True, slots=True)
class RunCost:
    """One agent run; money is USD.

    ``cost`` is that of its steps, ``total_cost`` includes sub-agents, the framework's own calls and embeddings; each is
    None where nothing could be priced, and a lower bound where ``unpriced`` names a model. ``tool_schemas_tokens`` and
    ``tool_schemas_cost`` are what sending the tools' definitions with every call took, ``cached_saving`` what caching
    saved; None where the trace does not tell.
    """

    span_id: str
    name: str
    agent: str | None
    steps: tuple[StepCost, ...]
    input_tokens: int
    output_tokens: int
    cost: Decimal | None
    total_cost: Decimal | None
    buckets: BucketCosts | None
    tool_schemas_tokens: int | None
    cached_saving: Decimal | None
    unpriced: tuple[str, ...]

    @property
    def tool_schemas_cost(self) -> Decimal | None:
        """What the tools' definitions cost, all steps together."""
        return None if self.buckets is None else self.buckets.tool_schemas

    @property
    def tool_schemas_share(self) -> float | None:
        """The share of the run's input tokens that tools' definitions are, 0 to 1."""
        if self.tool_schemas_tokens is None or not self.input_tokens:
            return None
        return self.tool_schemas_tokens / self.input_tokens

    def projected_tokens(self, steps: int) -> tuple[int, ...]:
        """Return the input tokens of each of *steps* more steps, were they to grow as the run has so far.

        Raises:
            ValueError: *steps* is negative.
        """
        return economics.projected([step.input_tokens for step in self.steps], steps)

    def projected_costs(self, steps: int) -> tuple[Decimal, ...] | None:
        """Return the cost of each of *steps* more steps, were it to grow as it has so far (a line).

        None where a step's cost is not known in full. Prices that only larger inputs have are not foreseen.

        Raises:
            ValueError: *steps* is negative.
        """
        known = [step.cost for step in self.steps if step.cost is not None and not step.unpriced]
        if not known or len(known) < len(self.steps):
            return None
        whole = [int(cost.scaleb(_PICO)) for cost in known]
        return tuple(Decimal(each).scaleb(-_PICO) for each in economics.projected(whole, steps))


@dataclass(frozen=True, slots=True)
class CostReport:
    """What a trace cost: its agent runs in the order they started, and every call, in a run or not; USD.

    ``total`` is that of all calls: None where nothing could be priced, and a lower bound where ``unpriced`` names a
    model. ``priced_as`` is the model of ``reprice``, None for what was really called. ``notes`` are sentences for
    people: what the figures leave out, and why.
    """

    trace_id: str
    runs: tuple[RunCost, ...]
    calls: tuple[CallCost, ...]
    total: Decimal | None
    cached_saving: Decimal | None
    unpriced: tuple[str, ...]
    priced_as: str | None = None
    notes: tuple[str, ...] = ()


def cost_report(trace: Trace, *, prices: str | Path | None = None, parts: bool = True) -> CostReport:
    """Return what *trace* cost.

    Args:
        trace: A trace of this package; one of another instrumentation has no steps, but its model calls are priced.
        prices: A file of prices of your own, as ``Settings(prices=...)`` takes it; by default what
            ``AGENT_CALLBACKS_PRICES`` names.
        parts: Whether costs are split by kind of token and by bucket. For that the price list has to be loaded, which
            takes a part of a second; without, it is loaded only where a call does not say what it cost.

    Raises:
        PricesError: The file cannot be used.
    """
    calls = [span for span in trace.spans if is_call(span)]
    book = price_book(prices)
    if parts or not all(map(says_cost, calls)):
        book.wait()
    return _noted(_report(trace, [priced(span, book) for span in calls]), book, ())


def costs_of(report: CostReport) -> dict[str, float]:
    """Return what is known of costs in USD by span id: of calls, steps, and runs with all below them."""
    known = [(call.span_id, call.cost) for call in report.calls]
    known += [(step.span_id, step.cost) for run in report.runs for step in run.steps]
    known += [(run.span_id, run.total_cost) for run in report.runs]
    return {span_id: float(cost) for span_id, cost in known if cost is not None}


def reprice(trace: Trace, *, model: str, provider: str | None = None, prices: str | Path | None = None) -> CostReport:
    """Return what *trace* would have cost, had *model* answered all model calls with as many tokens.

    Tokenizers differ, and so would the answers: the token counts, cached ones included, are those of the original.
    Embeddings keep their price.

    Args:
        trace: The trace.
        model: A model's name, as its provider spells it.
        provider: Whose, in any spelling; by default as the model's name tells.
        prices: A file of prices of your own, as for ``cost_report``.

    Returns:
        A report whose costs are None, with the model named in ``unpriced``, where its price is not known.

    Raises:
        PricesError: The file cannot be used.
    """
    book = _book(prices)
    other = Call(provider, model)
    calls = [priced(span, book, None if is_embedding(span) else other) for span in trace.spans if is_call(span)]
    original = sorted({model_of(span) for span in trace.spans if is_call(span) and not is_embedding(span)} - {model})
    note = f"token counts are those of {', '.join(original)}; {model} may count and answer differently"
    return _noted(_report(trace, calls, model), book, (note,) if original else ())


def reprice_all(
    trace: Trace, models: Iterable[str | tuple[str, str]], *, prices: str | Path | None = None
) -> tuple[CostReport, ...]:
    """Return ``reprice`` for each of *models*, in their order: names, or pairs of provider and name.

    Raises:
        PricesError: The file cannot be used.
    """
    pairs = [(None, each) if isinstance(each, str) else each for each in models]
    return tuple(reprice(trace, model=model, provider=provider, prices=prices) for provider, model in pairs)


def known_models(*, prices: str | Path | None = None) -> tuple[tuple[str, ...], str | None]:
    """Return the names of the models that can be priced, and why only the user's own can, where that is so.

    Raises:
        PricesError: The file cannot be used.
    """
    book = _book(prices)
    return book.models(), book.missing


def _book(prices: str | Path | None) -> PriceBook:
    book = price_book(prices)
    book.wait()
    return book


def _noted(report: CostReport, book: PriceBook, notes: tuple[str, ...]) -> CostReport:
    if named := [model for model in report.unpriced if model != UNNAMED]:
        reason = book.missing or f"give prices in a file, Settings(prices=...) or {PRICES_VARIABLE}"
        notes = (*notes, f"no price is known for {', '.join(named)}: {reason}")
    if UNNAMED in report.unpriced:
        notes = (*notes, "some calls do not say which model they asked: they have no price")
    return CostReport(
        report.trace_id, report.runs, report.calls, report.total, report.cached_saving, report.unpriced,
        report.priced_as, notes,
    )  # fmt: skip


# --- steps and runs --------------------------------------------------------------------------------------------------


def _report(trace: Trace, calls: Sequence[CallCost], priced_as: str | None = None) -> CostReport:
    known = {call.span_id: call for call in calls}
    above = {span.span_id: span.parent_id for span in trace.spans}
    runs = token_report(trace).runs
    totals = _totals(known, above, {run.span_id for run in runs})
    return CostReport(
        trace.trace_id,
        tuple(_run(run, known, totals.get(run.span_id, ())) for run in runs),
        tuple(calls),
        _sum(calls),
        _saving(calls),
        _unpriced(calls),
        priced_as,
    )


def _totals(
    calls: Mapping[str, CallCost], above: Mapping[str, str | None], runs: set[str]
) -> dict[str, list[CallCost]]:
    """Return every call below each of *runs*, at any depth."""
    found: dict[str, list[CallCost]] = {}
    for span_id, call in calls.items():
        passed: set[str] = set()
        at = above.get(span_id)
        while at is not None and at not in passed:
            if at in runs:
                found.setdefault(at, []).append(call)
            passed.add(at)
            at = above.get(at)
    return found


def _run(run: RunTokens, known: Mapping[str, CallCost], below: Sequence[CallCost]) -> RunCost:
    steps: list[StepCost] = []
    for step in run.steps:
        steps.append(_step(step, known, steps[-1] if steps else None))
    calls = [call for step in steps for call in step.calls]
    return RunCost(
        run.span_id,
        run.name,
        run.agent,
        tuple(steps),
        run.input,
        run.output,
        _sum(calls),
        _sum(below),
        _bucket_sum(calls),
        None if run.buckets is None else run.buckets.tool_schemas,
        _saving(calls),
        _unpriced(below),
    )


def _step(step: StepTokens, known: Mapping[str, CallCost], before: StepCost | None) -> StepCost:
    calls = tuple(known[call.span_id] for call in step.calls if call.span_id in known and not call.internal)
    cost, unpriced = _sum(calls), _unpriced(calls)
    return StepCost(
        step.span_id,
        step.index,
        step.input,
        step.output,
        cost,
        None if before is None or unpriced or before.unpriced else _difference(cost, before.cost),
        _bucket_sum(calls),
        unpriced,
        calls,
    )


def _difference(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    return None if now is None or before is None else now - before


def _sum(calls: Iterable[CallCost]) -> Decimal | None:
    known = [call.cost for call in calls if call.cost is not None]
    return sum(known, ZERO) if known else None


def _saving(calls: Iterable[CallCost]) -> Decimal | None:
    known = [call.saving for call in calls if call.saving is not None]
    return sum(known, ZERO) if known else None


def _unpriced(calls: Iterable[CallCost]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(call.model for call in calls if call.cost is None))


def _bucket_sum(calls: Sequence[CallCost]) -> BucketCosts | None:
    known = [call.buckets for call in calls if call.buckets is not None]
    return sum(known, BucketCosts()) if known and len(known) == len(calls) else None
