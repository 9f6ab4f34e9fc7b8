"""The adapter for LlamaIndex."""

from agent_callbacks.llamaindex.handler import AgentEventHandler

__all__ = ["AgentEventHandler"]
