"""One run as a comparison sees it: its group and its values, from a whole trace or from its row in the store."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.call import is_call, priced
from agent_callbacks.analysis.sample import LONGEST, MODELS_JOINED, NO_GROUP, group_of, hour, samples
from agent_callbacks.analysis.trace import span_of
from agent_callbacks.convention import keys
from agent_callbacks.tokens.prices import open_book

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from agent_callbacks.analysis.sample import By, Value
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.store.read import Evaluation, Store
    from agent_callbacks.store.summary import Summary
    from agent_callbacks.tokens.prices import PriceBook

__all__ = ["VALUES", "Observation", "observed", "stored"]

VALUES: Final[tuple[Value, ...]] = ("cost", "duration", "tokens")
_SUCCESS: Final = "success"


@dataclass(frozen=True, slots=True)
class Observation:
    """One run.

    ``values`` holds those of ``VALUES`` (USD, seconds, tokens), None where the run does not say, or not in full;
    ``completed`` is 1 where it ended as it should, 0 where it did not, None where it says neither; ``scores`` are what
    was recorded of it, by name, the last word only.
    """

    trace_id: str
    start_ns: int
    group: str
    values: Mapping[Value, float | None]
    completed: float | None
    scores: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])


def observed(
    traces: Iterable[Trace], by: By, experiment: str | None = None, prices: str | Path | None = None
) -> list[Observation]:
    """Return *traces* as observations."""
    listed = list(traces)
    columns = [[one.value for one in samples(listed, "run", value, prices=prices)] for value in VALUES]
    return [
        Observation(
            trace.trace_id,
            trace.start_ns,
            group_of(trace, by, experiment),
            dict(zip(VALUES, values, strict=True)),
            _completed(*_outcome(trace)),
            {one.name: one.score for one in trace.outcomes},
        )
        for trace, *values in zip(listed, *columns, strict=True)
    ]


def stored(
    store: Store,
    summaries: Sequence[Summary],
    by: By,
    experiment: str | None = None,
    prices: str | Path | None = None,
    watch: Callable[[Sequence[Summary]], Iterable[Summary]] = iter,
) -> list[Observation]:
    """Return runs of a *store* as observations, reading spans only of those whose cost has still to be worked out.

    Args:
        store: Where they are.
        summaries: The runs.
        by: What groups them.
        experiment: For variants, the experiment that is meant.
        prices: For costs that were not recorded, a file of prices as ``cost_report`` takes it.
        watch: Wraps what takes longest, to show how far it is.
    """
    scores = _scores(store.evaluations(min((each.start_ns for each in summaries), default=0)))
    costs = _costs(store, [each for each in summaries if each.unpriced], prices, watch)
    return [
        Observation(
            each.trace_id,
            each.start_ns,
            _group(each, by, experiment),
            {
                "cost": costs.get(each.trace_id, each.cost),
                "duration": each.seconds,
                "tokens": None if each.input_tokens is None else each.input_tokens + (each.output_tokens or 0),
            },
            _completed(each.outcome, failed=bool(each.errors)),
            scores.get(each.trace_id, {}),
        )
        for each in summaries
    ]


def _outcome(trace: Trace) -> tuple[str | None, bool]:
    said = (span.text(keys.OUTCOME) for span in (trace.root, *trace.spans))
    return next((text for text in said if text), None), any(span.status == "ERROR" for span in trace.spans)


def _completed(outcome: str | None, failed: bool) -> float | None:  # noqa: FBT001 - always given by name or by unpacking
    if outcome is None:
        return 0.0 if failed else None
    return float(outcome == _SUCCESS)


def _scores(evaluations: Iterable[Evaluation]) -> Mapping[str, Mapping[str, float | None]]:
    found: defaultdict[str, dict[str, float | None]] = defaultdict(dict)
    for one in evaluations:
        found[one.trace_id][one.name] = one.score
    return found


def _costs(
    store: Store,
    summaries: Sequence[Summary],
    prices: str | Path | None,
    watch: Callable[[Sequence[Summary]], Iterable[Summary]],
) -> Mapping[str, float | None]:
    if not summaries:
        return {}
    book = open_book(prices or os.environ.get(f"{keys.ENVIRONMENT_PREFIX}PRICES") or None)
    book.wait()
    return {each.trace_id: _cost(store, each.trace_id, book) for each in watch(summaries)}


def _cost(store: Store, trace_id: str, book: PriceBook) -> float | None:
    calls = [span for span in map(span_of, store.calls(trace_id)) if is_call(span)]
    costs = [priced(call, book).cost for call in calls]
    return float(sum(costs)) if costs and None not in costs else None  # type: ignore[arg-type]


def _group(summary: Summary, by: By, experiment: str | None) -> str:
    return (_GROUPS[by](summary, experiment) or NO_GROUP)[:LONGEST]


def _variant(summary: Summary, experiment: str | None) -> str | None:
    if experiment is None or summary.experiment == experiment:
        return summary.variant
    return summary.variants.get(experiment)


_GROUPS: Final[Mapping[By, Callable[[Summary, str | None], str | None]]] = {
    "variant": _variant,
    "experiment": lambda summary, _: summary.experiment,
    "user": lambda summary, _: summary.user_id,
    "session": lambda summary, _: summary.session_id,
    "agent": lambda summary, _: summary.agent,
    "model": lambda summary, _: MODELS_JOINED.join(summary.models),
    "hour": lambda summary, _: hour(summary.start_ns),
}
