"""The agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from tools import TOOLS

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def build(model: BaseChatModel) -> Any:
    """Return the support agent."""
    return create_agent(model, TOOLS, name="support")
