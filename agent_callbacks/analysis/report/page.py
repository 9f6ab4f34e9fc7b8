"""The page's model, built from traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.report import words
from agent_callbacks.analysis.report.amount import said
from agent_callbacks.analysis.report.model import Answer, Page
from agent_callbacks.analysis.report.run import run_of
from agent_callbacks.analysis.report.several import differences_of, percentiles_of, variants_of, withheld
from agent_callbacks.analysis.waterfall import utc
from agent_callbacks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent_callbacks.analysis.report.model import Difference, Run, Variant
    from agent_callbacks.analysis.trace import Trace

__all__ = ["page"]

VARIANTS: Final = "Which variant is cheaper?"
DEAREST: Final = "Which run cost most?"
SLOWEST: Final = "Which run took longest?"
FAILED: Final = "How many runs failed?"

_ONE_VARIANT: Final = "The runs name fewer than two variants, so there is nothing to compare."
_MOST_ANSWERS: Final = 3


def page(traces: Sequence[Trace], made_ns: int, *, watch: Callable[[Sequence[Trace]], Iterable[Trace]] = iter) -> Page:
    """Return what the page shows of *traces*.

    Args:
        traces: One or more, in the order they started.
        made_ns: When the page is made, in nanoseconds since the epoch.
        watch: Gives the traces one after the other while they are worked through, such as a progress bar does.

    Raises:
        ValueError: There is no trace.
        PricesError: The file of prices that the environment names cannot be used.
    """
    if not traces:
        raise ValueError("a report needs at least one trace; none was given")
    runs = tuple(run_of(trace, place) for place, trace in enumerate(watch(traces)))
    if len(runs) == 1:
        return Page(runs[0].name, utc(made_ns), __version__, runs[0].answers, runs, (), (), (), {})
    variants, differences, percentiles = variants_of(runs), differences_of(traces), percentiles_of(traces)
    missing = {"percentiles": withheld(percentiles), "variants": () if variants else (_ONE_VARIANT,)}
    return Page(
        title=f"{len(runs)} runs",
        made=utc(made_ns),
        version=__version__,
        answers=tuple(_answers(runs, variants, differences)),
        runs=runs,
        percentiles=percentiles,
        variants=variants,
        differences=differences,
        missing=missing,
    )


def _answers(runs: Sequence[Run], variants: Sequence[Variant], differences: Sequence[Difference]) -> Iterator[Answer]:
    """Yield what is asked of several runs, then of each run what is asked of one, where it is worst."""
    yield Answer(VARIANTS, _cheaper(variants, differences))
    costs = [run.cost for run in runs if run.cost is not None]
    if costs:
        place = max(range(len(runs)), key=lambda place: runs[place].cost or 0.0)
        dearest = said(runs[place].cost, "dollars")
        yield Answer(DEAREST, f"{_named(runs, place, 'Run')}: {dearest} of {said(sum(costs), 'dollars')}.", place, 0)
    place = max(range(len(runs)), key=lambda place: runs[place].duration)
    yield Answer(SLOWEST, f"{_named(runs, place, 'Run')}: {said(runs[place].duration, 'seconds')}.", place, 0)
    for question, badness in _OF_ANY_RUN:
        worst = max(range(len(runs)), key=lambda place: badness(runs[place]))
        for answer in runs[worst].answers:
            if answer.question == question:
                yield Answer(question, f"In {_named(runs, worst)}: {answer.text}", answer.run, answer.span)
    failed = [place for place, run in enumerate(runs) if run.outcome == "failure"]
    if failed:
        yield Answer(FAILED, f"{len(failed)} of {len(runs)}; the first is {_named(runs, failed[0])}.", failed[0], 0)


def _price(run: Run) -> tuple[float, int]:
    return run.cost or 0.0, run.input_tokens or 0


def _saving(run: Run) -> tuple[float, int]:
    return max((each.saving or 0.0 for each in run.findings if each.kind == words.SEQUENTIAL), default=0.0), 0


# What is asked of one run, and of which it is answered where there are several.
_OF_ANY_RUN: Final[tuple[tuple[str, Callable[[Run], tuple[float, int]]], ...]] = (
    (words.COST, _price), (words.GROWTH, _price), (words.WAITS, _price), (words.PARALLEL, _saving),
)  # fmt: skip


def _named(runs: Sequence[Run], place: int, run: str = "run") -> str:
    return f"{run} {place + 1} ({runs[place].name}{f', {variant}' if (variant := runs[place].variant) else ''})"


def _cheaper(variants: Sequence[Variant], differences: Sequence[Difference]) -> str:
    if not differences:
        return _ONE_VARIANT
    means = ", ".join(f"{each.name} {said(each.cost, 'dollars')}" for each in variants if each.cost is not None)
    told = "; ".join(f"{each.variant} against {each.against}: {each.answer}" for each in differences[:_MOST_ANSWERS])
    return f"Mean cost of a run: {means}. {told}." if means else f"{told}."
