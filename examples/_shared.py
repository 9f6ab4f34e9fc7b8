"""What the examples share: the lines of a model that plays a script instead of asking a provider, and the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_callbacks.analysis import load
from agent_callbacks.analysis.waterfall import render
from agent_callbacks.cli.demo.story import asks, says

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["asks", "says", "waterfall"]


def waterfall(store: Path | None, trace_id: str | None) -> str:
    """Return one trace of *store* as ``agent-callbacks show`` draws it."""
    if store is None:
        return "tracing is switched off"
    return next(render(trace, 100, color=False) for trace in load(store) if trace.trace_id == trace_id)
