"""The story with LangGraph: ``create_agent`` with a database, an HTTP service, files and a second agent as tools."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, cast

from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType] - its annotations are partial
from langchain.agents.middleware import wrap_tool_call
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, tool
from langsmith import tracing_context  # pyright: ignore[reportUnknownVariableType] - its annotations are partial

from agent_callbacks.cli.demo import shop, story
from agent_callbacks.cli.demo.model import ScriptedModel
from agent_callbacks.langchain import AgentCallbackHandler
from agent_callbacks.recording.manual import downstream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain.agents.middleware import AgentMiddleware
    from langchain.tools.tool_node import ToolCallRequest
    from langchain_core.language_models import BaseChatModel
    from langgraph.types import Command

    from agent_callbacks.settings import Settings

__all__ = ["ask", "handler", "real_model", "scripted_models"]


def handler(settings: Settings) -> AgentCallbackHandler:
    """Return what records the story."""
    return AgentCallbackHandler(settings=settings)


def scripted_models() -> tuple[BaseChatModel, BaseChatModel]:
    """Return the models that play the story: the agent's, and the returns desk's."""
    return ScriptedModel(script=[*story.LINES]), ScriptedModel(script=[*story.DESK_LINES])


def real_model(name: str) -> BaseChatModel:
    """Return OpenAI's model *name*."""
    from langchain.chat_models import init_chat_model

    return init_chat_model(name, model_provider="openai", max_retries=1)


def ask(
    handler: AgentCallbackHandler, port: int, models: tuple[BaseChatModel, BaseChatModel], who: Mapping[str, Any]
) -> str:
    """Ask the agent the story's question and return its answer.

    No network is promised, so another tracer that the user's environment switches on does not report the demo.

    Args:
        handler: What records it.
        port: Where the carrier's service listens.
        models: The agent's, and the returns desk's.
        who: Who asks, as metadata.
    """
    config: Any = {"callbacks": [handler], "metadata": {**who}}
    with tracing_context(enabled=False):
        found = _agent(port, *models).invoke({"messages": [{"role": "user", "content": story.QUESTION}]}, config)
    return str(found["messages"][-1].text)


def _agent(port: int, model: BaseChatModel, desk_model: BaseChatModel) -> Any:
    desk = cast(
        "Any", create_agent(desk_model, [search_policies], name="returns_desk", system_prompt=story.DESK_INSTRUCTIONS)
    )

    @tool
    def ask_carrier(parcel: str) -> dict[str, str]:
        """Ask the carrier where a parcel is."""
        with downstream("carrier"):
            return shop.parcel_status(port, parcel)

    @tool
    def ask_returns_desk(question: str) -> str:
        """Ask the returns desk whether goods may be returned."""
        answer = desk.invoke({"messages": [{"role": "user", "content": question}]})
        return str(answer["messages"][-1].text)

    tools: list[BaseTool] = [query_orders, search_policies, ask_carrier, ask_returns_desk]
    failures = _failures_are_told()
    return create_agent(model, tools, name="support", system_prompt=story.INSTRUCTIONS, middleware=[failures])


@tool
def query_orders(sql: str) -> list[dict[str, Any]]:
    """Run one SQL query on the shop's database."""
    return shop.query_shop(sql)


@tool
def search_policies(words: str) -> dict[str, str]:
    """Find the shop's policies that contain one of the words."""
    return shop.find_policies(words)


def _failures_are_told() -> AgentMiddleware[Any, Any]:
    """Return the middleware that tells the model what failed, so that it can try again."""

    @wrap_tool_call
    def handled(
        request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        try:
            return handler(request)
        except (OSError, sqlite3.Error) as error:
            return ToolMessage(f"failed: {error}", tool_call_id=request.tool_call["id"], status="error")

    return handled
