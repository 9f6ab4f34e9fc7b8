"""Which class the handler extends: LangGraph's, where it is installed, because only that hears of interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler as HandlerBase
else:
    try:
        from langgraph.callbacks import GraphCallbackHandler as HandlerBase  # langgraph >= 1.2
    except ImportError:
        from langchain_core.callbacks import BaseCallbackHandler as HandlerBase

__all__ = ["HandlerBase"]
