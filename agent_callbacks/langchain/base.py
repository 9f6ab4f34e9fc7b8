"""What the handler is built on, by what is installed.

It extends LangGraph's class, where that is there, because only that hears of interrupts; and it reads a tool's call by
way of ``older`` where langchain-core is too old to tell all of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler as HandlerBase
else:
    try:
        from langgraph.callbacks import GraphCallbackHandler as HandlerBase  # langgraph >= 1.2
    except ImportError:
        from langchain_core.callbacks import BaseCallbackHandler as HandlerBase

from langchain_core import __version__ as _release

from agent_callbacks.langchain import older, tool

__all__ = ["HandlerBase", "tool_call"]

_TELLS_ALL: Final = (1, 2)


def tells_all(release: str) -> bool:
    """Say whether langchain-core tells all of a tool's call in that *release*; 1.1.2 does too, and nothing is lost."""
    return tuple(map(int, re.findall(r"\d+", release)[:2])) >= _TELLS_ALL


tool_call: Final = tool.tool_call if tells_all(_release) else older.tool_call
