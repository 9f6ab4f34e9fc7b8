"""Several runs together: percentiles, and variants against each other."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.compare import compare
from agent_callbacks.analysis.percentiles import distributions
from agent_callbacks.analysis.report.model import Difference, Percentiles, Variant
from agent_callbacks.analysis.shown import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent_callbacks.analysis.percentiles import Distribution
    from agent_callbacks.analysis.report.amount import Unit
    from agent_callbacks.analysis.report.model import Run
    from agent_callbacks.analysis.sample import Of, Value
    from agent_callbacks.analysis.trace import Trace

__all__ = ["differences_of", "percentiles_of", "variants_of", "withheld"]

_UNITS: Final[Mapping[str, Unit]] = {"s": "seconds", "USD": "dollars", "tokens": "tokens"}
# What is measured, and what it is called.
_MEASURED: Final[tuple[tuple[Of, Value, str], ...]] = (
    ("run", "duration", "time of a run"),
    ("run", "cost", "cost of a run"),
    ("run", "tokens", "tokens of a run"),
    ("step", "duration", "time of a step"),
    ("step", "cost", "cost of a step"),
    ("model", "time_to_first_chunk", "time to first chunk"),
    ("tool", "duration", "time of a call"),
)
_BY_VARIANT: Final[tuple[tuple[Value, str], ...]] = (("duration", "time of a run"), ("cost", "cost of a run"))
_MOST_NAMES: Final = 8
_SUCCESS: Final = "success"


def percentiles_of(traces: Sequence[Trace]) -> tuple[Percentiles, ...]:
    """Return how times, costs and tokens are spread over *traces*; what nothing is known of is left out."""
    found: list[Percentiles] = []
    for of, value, title in _MEASURED:
        for one in distributions(traces, of, None, value)[:_MOST_NAMES]:
            found += _line(one, title if of in {"run", "step"} else f"{one.name}: {title}")
        if of == "run" and value == "cost":
            found += _by_variant(traces)
    return tuple(found)


def _by_variant(traces: Sequence[Trace]) -> Iterator[Percentiles]:
    for value, title in _BY_VARIANT:
        groups = distributions(traces, "run", "variant", value, most_groups=_MOST_NAMES)
        if len(groups) > 1:
            for one in sorted(groups, key=lambda one: one.group):
                yield from _line(one, f"{one.group}: {title}")


def _line(one: Distribution, title: str) -> Iterator[Percentiles]:
    if one.n:
        values = (one.p50.value, one.p95.value, one.p99.value)
        yield Percentiles(visible(title), _UNITS[one.unit], one.n, *values, one.p99.withheld)


def withheld(percentiles: Iterable[Percentiles]) -> tuple[str, ...]:
    """Return why a percentile is missing, in one sentence: the reason is the same wherever runs are too few."""
    found = dict.fromkeys(line.note for line in percentiles if line.note is not None)
    return tuple(f"p99 is left out: {reason}." for reason in found)[:1]


def differences_of(traces: Sequence[Trace]) -> tuple[Difference, ...]:
    """Return each variant against the one with most runs."""
    return tuple(
        Difference(
            variant=visible(one.other),
            against=visible(one.baseline),
            answer=visible(one.answer),
            lines=tuple(
                visible(effect.text)
                for effect in (one.cost, one.latency, one.tokens, one.outcome)
                if effect is not None
            ),
            notes=tuple(map(visible, one.notes)),
        )
        for one in compare(traces)
    )


def variants_of(runs: Sequence[Run]) -> tuple[Variant, ...]:
    """Return what the runs of each variant come to, those without a variant left out; nothing where there is one."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.variant is not None:
            groups.setdefault(run.variant, []).append(run)
    if len(groups) < 2:  # noqa: PLR2004 - it takes two to compare
        return ()
    return tuple(_variant(name, groups[name]) for name in sorted(groups))


def _variant(name: str, runs: Sequence[Run]) -> Variant:
    return Variant(
        name=name,
        runs=len(runs),
        succeeded=sum(run.outcome == _SUCCESS for run in runs),
        duration=_mean(run.duration for run in runs),
        cost=_mean(run.cost for run in runs),
        input_tokens=_mean(run.input_tokens for run in runs),
        output_tokens=_mean(run.output_tokens for run in runs),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
