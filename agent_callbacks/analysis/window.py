"""How full each model call's context window was, as far as a price list knows the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_callbacks.analysis.call import asked_of, model_of, price_book

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from agent_callbacks.analysis.tokens import CallTokens, TokenReport
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.tokens.prices import Call

__all__ = ["Window", "fullest", "windows"]


@dataclass(frozen=True, slots=True)
class Window:
    """The context window of one call: ``tokens`` of ``model`` at once, of which the call's input was ``share``."""

    model: str
    tokens: int
    share: float


def windows(trace: Trace, report: TokenReport, *, prices: str | Path | None = None) -> dict[str, Window]:
    """Return by span id the window of each model call in *report*; a call whose model's is not known has none.

    Args:
        trace: The trace.
        report: Its tokens.
        prices: A file of prices of your own, whose entries may have ``context_window``; by default what
            ``AGENT_CALLBACKS_PRICES`` names.

    Raises:
        PricesError: The file cannot be used.
    """
    book = price_book(prices)
    book.wait()
    spans = {span.span_id: span for span in trace.spans}
    sizes: dict[Call, int | None] = {}  # looking one up takes milliseconds
    found: dict[str, Window] = {}
    for call in report.calls:
        span = spans[call.span_id]
        asked = asked_of(span)
        if asked not in sizes:
            sizes[asked] = book.window(asked)
        if size := sizes[asked]:
            found[call.span_id] = Window(model_of(span), size, call.input / size)
    return found


def fullest(calls: Iterable[CallTokens], known: Mapping[str, Window]) -> Window | None:
    """Return the window of the one of *calls* that filled it most; None where no window is known."""
    found = [known[call.span_id] for call in calls if call.span_id in known]
    return max(found, key=lambda window: window.share, default=None)
