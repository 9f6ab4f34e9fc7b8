"""A call that is cancelled at any of its awaits, before the framework listens or after, is closed all the same."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from opentelemetry import trace

from tests.langchain.models import ScriptedChat
from tests.langchain.stories import USER, asks, question, says

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Spans

TURNS = 60
"""Turns of the event loop, more than the whole run takes before it would wait for a clock."""


@tool
async def look(text: str) -> str:
    """Look."""
    await asyncio.sleep(0)
    return text


async def consume(stream: AsyncIterator[Any]) -> None:
    """Take everything."""
    async for _ in stream:
        pass


async def run(how: str, config: Any) -> None:
    """Run an agent that calls a tool."""
    agent = create_agent(ScriptedChat(script=[asks(("look", {"text": "x"})), says("done")]), [look], name="support")
    if how == "ainvoke":
        await agent.ainvoke(question(), config)
    elif how == "astream":
        await consume(agent.astream(question(), config))
    else:
        await consume(agent.astream_events(question(), config, version="v2"))


@pytest.mark.parametrize("how", ["ainvoke", "astream", "astream_events"])
async def test_a_call_cancelled_at_any_turn_is_closed(how: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """Also between the start callback and the framework's ``try``, where no end callback comes."""
    for turns in range(TURNS):
        spans.clear()
        task = asyncio.create_task(run(how, {"callbacks": [handler], "metadata": USER}))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        await asyncio.sleep(0)
        assert 0 == handler.open_runs, f"after {turns} turns: {[type(o.value) for o in handler.open_operations()]}"
        assert len([span for span in spans.finished() if span.parent is None]) <= 1, spans.tree()
        assert trace.get_current_span() is trace.INVALID_SPAN
