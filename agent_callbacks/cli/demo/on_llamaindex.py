"""The story with LlamaIndex: ``FunctionAgent`` with a database, an HTTP service, files and a second agent as tools."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import click
from llama_index.core.agent.workflow import FunctionAgent

from agent_callbacks.cli.demo import shop, story
from agent_callbacks.cli.demo.llm import ScriptedLLM
from agent_callbacks.llamaindex import AgentEventHandler
from agent_callbacks.metadata import request_metadata
from agent_callbacks.recording.manual import downstream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llama_index.core.llms.function_calling import FunctionCallingLLM

    from agent_callbacks.settings import Settings

__all__ = ["ask", "handler", "real_model", "scripted_models"]


def handler(settings: Settings) -> AgentEventHandler:
    """Return what records the story."""
    return AgentEventHandler(settings=settings)


def scripted_models() -> tuple[FunctionCallingLLM, FunctionCallingLLM]:
    """Return the models that play the story: the agent's, and the returns desk's."""
    return ScriptedLLM(script=[*story.LINES]), ScriptedLLM(script=[*story.DESK_LINES])


def real_model(name: str) -> FunctionCallingLLM:
    """Return OpenAI's model *name*.

    Raises:
        click.BadParameter: LlamaIndex, which has a list of them, does not know it.
    """
    from llama_index.llms.openai import OpenAI

    # LlamaIndex has a variable of its own for the address; OpenAI's is the one that every other client reads.
    model = OpenAI(model=name, max_retries=1, api_base=os.environ.get("OPENAI_BASE_URL"))
    try:
        takes_tools = model.metadata.is_function_calling_model
    except ValueError:
        takes_tools = False
    if not takes_tools:
        raise click.BadParameter(
            f"{name!r} is no model of OpenAI that takes tools, as far as LlamaIndex knows", param_hint="--model"
        )
    return model


def ask(
    handler: AgentEventHandler,
    port: int,
    models: tuple[FunctionCallingLLM, FunctionCallingLLM],
    who: Mapping[str, Any],
) -> str:
    """Ask the agent the story's question and return its answer.

    Args:
        handler: What records it.
        port: Where the carrier's service listens.
        models: The agent's, and the returns desk's.
        who: Who asks, as arguments of ``request_metadata``.
    """
    with handler.install(), request_metadata(**who):
        return asyncio.run(_answer(_agent(port, *models), story.QUESTION))


async def _answer(agent: Any, question: str) -> str:
    return str(await agent.run(user_msg=question))


def _agent(port: int, model: FunctionCallingLLM, desk_model: FunctionCallingLLM) -> FunctionAgent:
    desk = FunctionAgent(
        name="returns_desk", tools=[search_policies], llm=desk_model, system_prompt=story.DESK_INSTRUCTIONS
    )

    def ask_carrier(parcel: str) -> dict[str, str]:
        """Ask the carrier where a parcel is."""
        with downstream("carrier"):
            return shop.parcel_status(port, parcel)

    async def ask_returns_desk(question: str) -> str:
        """Ask the returns desk whether goods may be returned."""
        return await _answer(desk, question)

    tools: list[Any] = [query_orders, search_policies, ask_carrier, ask_returns_desk]
    return FunctionAgent(name="support", tools=tools, llm=model, system_prompt=story.INSTRUCTIONS)


def query_orders(sql: str) -> list[dict[str, Any]]:
    """Run one SQL query on the shop's database."""
    return shop.query_shop(sql)


def search_policies(words: str) -> dict[str, str]:
    """Find the shop's policies that contain one of the words."""
    return shop.find_policies(words)
