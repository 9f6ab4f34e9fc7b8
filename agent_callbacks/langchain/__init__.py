"""The adapter for LangChain and LangGraph."""

from agent_callbacks.langchain.handler import AgentCallbackHandler

__all__ = ["AgentCallbackHandler"]
