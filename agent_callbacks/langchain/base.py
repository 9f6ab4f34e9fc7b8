"""Which class the handler extends: LangGraph's, where it is installed, because only that hears of interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler as HandlerBase
else:
    try:
        from langgraph.callbacks import GraphCallbackHandler as HandlerBase  # langgraph >= 1.2
    except ImportError:
        try:
            from langchain_core.callbacks import BaseCallbackHandler as HandlerBase
        except ImportError as error:
            message = 'AgentCallbackHandler needs langchain-core: pip install "agent-callbacks[langchain]"'
            raise ImportError(message) from error

__all__ = ["HandlerBase"]
