"""The steps of a run: what each read and wrote, and what it added to the step before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_callbacks.analysis.report.model import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_callbacks.analysis.report.model import SpanRow

__all__ = ["steps_of"]


def steps_of(rows: Sequence[SpanRow]) -> tuple[Step, ...]:
    """Return the steps among *rows*, those of one agent run side by side."""
    before: dict[int, int] = {}  # by agent run: the input tokens of its latest step
    found: list[Step] = []
    places = [place for place, row in enumerate(rows) if row.kind == "S"]
    for place in sorted(places, key=lambda place: rows[place].parent):
        row = rows[place]
        tokens = row.input_tokens
        earlier = before.get(row.parent)
        found.append(
            Step(
                span=place,
                label=row.name.removeprefix("agent."),
                agent=agent_of(rows, place),
                buckets={} if tokens is None else {"unsplit": tokens},
                input_tokens=tokens,
                output_tokens=row.output_tokens,
                cached_tokens=None,
                cost=row.cost,
                marginal_tokens=None if tokens is None or earlier is None else tokens - earlier,
                marginal_cost=None,
                window_share=None,
                estimated=row.estimated,
            )
        )
        if tokens is not None:
            before[row.parent] = tokens
    return tuple(found)


def agent_of(rows: Sequence[SpanRow], place: int) -> str:
    """Return the name of the agent run that the row at *place* belongs to, empty where there is none."""
    while place >= 0 and rows[place].kind != "A":
        place = rows[place].parent
    return rows[place].name if place >= 0 else ""
