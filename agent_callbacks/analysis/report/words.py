"""What a reader asks of a run first, answered in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_callbacks.analysis.report.model import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent_callbacks.analysis.report.model import Step

__all__ = ["answers"]


def answers(steps: Sequence[Step], run: int) -> Iterator[Answer]:
    """Yield the answers about one run, which stands at *run* on the page."""
    costliest = max(steps, key=lambda step: (step.input_tokens or 0) + (step.output_tokens or 0), default=None)
    if costliest is not None:
        text = f"{costliest.label} of {costliest.agent}: {costliest.input_tokens or 0:,} tokens in."
        yield Answer("Which step cost most?", text, run, costliest.span)
