"""The page's model, built from traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_callbacks.analysis.report.model import Page
from agent_callbacks.analysis.report.run import run_of
from agent_callbacks.analysis.waterfall import utc
from agent_callbacks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_callbacks.analysis.trace import Trace

__all__ = ["page"]


def page(traces: Sequence[Trace], made_ns: int) -> Page:
    """Return what the page shows of *traces*.

    Args:
        traces: One or more, in the order they started.
        made_ns: When the page is made, in nanoseconds since the epoch.

    Raises:
        ValueError: There is no trace.
    """
    if not traces:
        raise ValueError("a report needs at least one trace; none was given")
    runs = tuple(run_of(trace, place) for place, trace in enumerate(traces))
    return Page(
        title=runs[0].name if len(runs) == 1 else f"{len(runs)} runs",
        made=utc(made_ns),
        version=__version__,
        answers=runs[0].answers,
        runs=runs,
        percentiles=(),
        variants=(),
        differences=(),
        missing={},
    )
