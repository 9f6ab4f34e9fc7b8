"""One run as a comparison sees it: its group and its values, from a whole trace or from its row in the store."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson

from agent_callbacks.analysis.call import is_call, price_book, priced
from agent_callbacks.analysis.sample import LONGEST, MODELS_JOINED, NO_GROUP, group_of, hour, samples
from agent_callbacks.analysis.trace import span_of
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from agent_callbacks.analysis.sample import By, Value
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.store.read import Evaluation, Store
    from agent_callbacks.store.summary import Filter
    from agent_callbacks.tokens.prices import PriceBook

__all__ = ["VALUES", "Observation", "observed", "stored"]

VALUES: Final[tuple[Value, ...]] = ("cost", "duration", "tokens")
_SUCCESS: Final = "success"


@dataclass(frozen=True, slots=True)
class Observation:
    """One run: its group, and under the names of ``VALUES`` USD, seconds and tokens, None where it does not say all.

    ``completed`` is 1 where it ended as it should, 0 where it did not, None where it says neither; ``scores`` are what
    was recorded of it, by name, the last word only.
    """

    trace_id: str
    start_ns: int
    group: str
    cost: float | None
    duration: float | None
    tokens: float | None
    completed: float | None
    scores: Mapping[str, float | None]


def observed(
    traces: Iterable[Trace], by: By, experiment: str | None = None, prices: str | Path | None = None
) -> list[Observation]:
    """Return *traces* as observations."""
    listed = list(traces)
    costs, durations, tokens = ([one.value for one in samples(listed, "run", each, prices=prices)] for each in VALUES)
    return [
        Observation(
            trace.trace_id, trace.start_ns, group_of(trace, by, experiment), cost, duration, count,
            _completed(*_outcome(trace)), {one.name: one.score for one in trace.outcomes},
        )
        for trace, cost, duration, count in zip(listed, costs, durations, tokens, strict=True)
    ]  # fmt: skip


def stored(
    store: Store,
    wanted: Filter,
    by: By,
    *,
    limit: int = -1,
    experiment: str | None = None,
    prices: str | Path | None = None,
    watch: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> list[Observation]:
    """Return runs of a *store* as observations, reading spans only of those whose cost has still to be worked out.

    Args:
        store: Where they are.
        wanted: Which; those that have ended.
        by: What groups them.
        limit: How many, the newest first; -1 for all.
        experiment: For variants, the experiment that is meant.
        prices: For costs that were not recorded, a file of prices as ``cost_report`` takes it.
        watch: Wraps the ids of the traces that are read, to show how far that is.
    """
    columns, group = _GROUPS[by]
    rows = store.columns((*_READ, *columns), replace(wanted, running=False), limit, None if limit < 0 else "start")
    scores = _scores(store.evaluations(wanted.since_ns))
    costs = _costs(store, [row[0] for row in rows if row[_UNPRICED_AT]], prices, watch)
    return [
        Observation(
            trace_id, start, (group(experiment, *said) or NO_GROUP)[:LONGEST], costs.get(trace_id, cost),
            max(0, end - start) / 1e9, None if given is None else given + (taken or 0),
            _completed(outcome, failed > 0), scores.get(trace_id, _NO_SCORES),
        )
        for trace_id, start, end, given, taken, outcome, failed, cost, _, *said in rows
    ]  # fmt: skip


_READ: Final = (
    "trace_id", "start_ns", "end_ns", "input_tokens", "output_tokens", "outcome", "errors", "cost", "unpriced",
)  # fmt: skip
_UNPRICED_AT: Final = _READ.index("unpriced")
_NO_SCORES: Final[Mapping[str, float | None]] = {}


def _outcome(trace: Trace) -> tuple[str | None, bool]:
    said = (span.text(keys.OUTCOME) for span in (trace.root, *trace.spans))
    return next((text for text in said if text), None), any(span.status == "ERROR" for span in trace.spans)


def _completed(outcome: str | None, failed: bool) -> float | None:  # noqa: FBT001 - of a pair
    if outcome is None:
        return 0.0 if failed else None
    return float(outcome == _SUCCESS)


def _scores(evaluations: Iterable[Evaluation]) -> Mapping[str, Mapping[str, float | None]]:
    found: defaultdict[str, dict[str, float | None]] = defaultdict(dict)
    for one in evaluations:
        found[one.trace_id][one.name] = one.score
    return found


def _costs(
    store: Store, trace_ids: Sequence[str], prices: str | Path | None, watch: Callable[[Sequence[str]], Iterable[str]]
) -> Mapping[str, float | None]:
    if not trace_ids:
        return {}
    book = price_book(prices)
    book.wait()
    return {trace_id: _cost(store, trace_id, book) for trace_id in watch(trace_ids)}


def _cost(store: Store, trace_id: str, book: PriceBook) -> float | None:
    calls = [span for span in map(span_of, store.calls(trace_id)) if is_call(span)]
    costs = [priced(call, book).cost for call in calls]
    return float(sum(costs)) if costs and None not in costs else None  # type: ignore[arg-type]


def _variant(wanted: str | None, experiment: str | None, variant: str | None, variants: str | None) -> str | None:
    if wanted is None or experiment == wanted:
        return variant
    return _several(variants).get(wanted)


@functools.lru_cache(256)
def _several(variants: str | None) -> Mapping[str, str]:
    return dict(orjson.loads(variants)) if variants else {}


@functools.lru_cache(256)
def _models(_: str | None, models: str) -> str:
    return MODELS_JOINED.join(orjson.loads(models))


def _hour(_: str | None, start_ns: int) -> str:
    return hour(start_ns)


def _said(_: str | None, text: str | None) -> str | None:
    return text


# What groups runs: the columns it is read from, and how.
_GROUPS: Final[Mapping[By, tuple[tuple[str, ...], Callable[..., str | None]]]] = {
    "variant": (("experiment", "variant", "variants"), _variant),
    "experiment": (("experiment",), _said),
    "user": (("user_id",), _said),
    "session": (("session_id",), _said),
    "agent": (("agent",), _said),
    "model": (("models",), _models),
    "hour": (("start_ns",), _hour),
}
