"""The ten stories, told in LangChain and LangGraph."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import StructuredTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from agent_callbacks import AgentCallbackHandler, request_metadata
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import asks, says
from tests.stories.script import Ask, Say

if TYPE_CHECKING:
    from agent_callbacks import Settings
    from tests.conftest import Spans


class Orders(BaseRetriever):
    """Finds two orders."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [
            Document(id=f"n{number}", page_content=f"order {number}", metadata={"score": score})
            for number, score in ((7, 0.9), (8, 0.5))
        ]


class OnLangGraph:
    """Tells stories with LangGraph's agents."""

    def __init__(self, spans: Spans, settings: Settings) -> None:
        """Record into *spans* under *settings*."""
        self._handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=settings)

    def _model(self, *script: Ask | Say) -> ScriptedChat:
        lines = [says(line.text) if isinstance(line, Say) else asks(*line.calls, prefix=line.prefix) for line in script]
        for line in lines:
            line.response_metadata = {"id": "resp-1"}
        return ScriptedChat(script=lines, temperature=0.5)

    def _agent(self, *script: Ask | Say, tools: list[Any], name: str = "support", **options: Any) -> Any:
        return create_agent(self._model(*script), tools, name=name, **options)

    def _config(self, **more: Any) -> Any:
        return {"callbacks": [self._handler], **more}

    async def _ask(self, agent: Any, question: Any = None) -> None:
        with request_metadata(user_id="u-17", session_id="s-9", variant="b"):
            await agent.ainvoke(question or {"messages": [("user", "hi")]}, self._config())

    async def one_tool(self, script: list[Ask | Say]) -> None:
        """Call one tool and answer."""
        await self._ask(self._agent(*script, tools=[search_web]))

    async def parallel_tools(self, script: list[Ask | Say]) -> None:
        """Call two tools at once and answer."""
        await self._ask(self._agent(*script, tools=[search_web, lookup_order]))

    async def tool_error(self, script: list[Ask | Say]) -> None:
        """Call a tool that raises, and answer."""

        @tool
        async def boom(query: str) -> str:
            """Fail."""
            raise ValueError(query)

        boom.handle_tool_error = True
        agent = self._agent(*script, tools=[boom], middleware=[_errors_are_answers()])
        await self._ask(agent)

    async def unknown_tool(self, script: list[Ask | Say]) -> None:
        """Ask for a tool that does not exist, and answer."""
        await self._ask(self._agent(*script, tools=[search_web]))

    async def sub_agent(self, script: list[Ask | Say], inner_script: list[Ask | Say]) -> None:
        """Call a tool that asks another agent."""
        inner = self._agent(*inner_script, tools=[search_web], name="researcher")

        @tool
        async def research(topic: str) -> str:
            """Research a topic."""
            return str((await inner.ainvoke({"messages": [("user", topic)]}))["messages"][-1].content)

        await self._ask(self._agent(*script, tools=[research]))

    async def retrieval(self, script: list[Ask | Say]) -> None:
        """Call a tool that looks something up."""

        @tool
        async def find_orders(query: str) -> str:
            """Find orders."""
            return str([found.page_content for found in await Orders().ainvoke(query)])

        await self._ask(self._agent(*script, tools=[find_orders]))

    async def streaming(self, script: list[Ask | Say]) -> None:
        """Stream the answer."""
        agent = self._agent(*script, tools=[search_web])
        with request_metadata(user_id="u-17", session_id="s-9", variant="b"):
            given = {"messages": [("user", "hi")]}
            assert [piece async for piece in agent.astream(given, self._config(), stream_mode="messages")]

    async def cancellation(self, script: list[Ask | Say]) -> None:
        """Cancel the run while a tool is busy."""
        started = asyncio.Event()

        @tool
        async def slow(query: str) -> str:
            """Wait for ever."""
            started.set()
            await asyncio.Event().wait()
            return query

        task = asyncio.create_task(self._ask(self._agent(*script, tools=[slow])))
        await started.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def handoff(self, script: list[Ask | Say], other_script: list[Ask | Say]) -> None:
        """Hand over to another agent."""
        swarm = pytest.importorskip("langgraph_swarm")
        hand = swarm.create_handoff_tool(agent_name="writer", name="handoff", description="Hand over.")
        triage = self._agent(*script, tools=[hand], name="triage")
        writer = self._agent(*other_script, tools=[search_web], name="writer")
        await self._ask(swarm.create_swarm([triage, writer], default_active_agent="triage").compile())

    async def human(self, script: list[Ask | Say]) -> None:
        """Stop for a human, and go on when there is an answer."""

        @tool
        async def ask_human(question: str) -> str:
            """Ask a human."""
            return str(interrupt(question))

        agent = self._agent(*script, tools=[ask_human], checkpointer=InMemorySaver())
        config = self._config(configurable={"thread_id": "t-1"})
        with request_metadata(user_id="u-17", session_id="s-9", variant="b"):
            await agent.ainvoke({"messages": [("user", "hi")]}, config)
            await agent.ainvoke(Command(resume="yes"), config)


def _errors_are_answers() -> Any:
    from langchain.agents.middleware import wrap_tool_call
    from langchain_core.messages import ToolMessage

    @wrap_tool_call
    async def handled(request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except ValueError as error:
            return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")

    return handled


async def _search(query: str) -> str:
    """Search the web."""
    return f"found {query}"


async def _lookup(order: str) -> str:
    """Look an order up."""
    return f"order {order} shipped"


search_web = StructuredTool.from_function(coroutine=_search, name="search_web")
lookup_order = StructuredTool.from_function(coroutine=_lookup, name="lookup_order")
