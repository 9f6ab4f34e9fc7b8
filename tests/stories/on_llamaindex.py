"""The ten stories, told in LlamaIndex."""

import asyncio
import contextlib
from typing import Any

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent
from llama_index_instrumentation.dispatcher import instrument_tags
from workflows.errors import WorkflowCancelledByUser

from agent_callbacks import AgentEventHandler, Settings, request_metadata
from tests.conftest import Spans
from tests.llamaindex.engines import Orders
from tests.llamaindex.flows import ask_human
from tests.llamaindex.models import ScriptedLLM, asks, says
from tests.stories.script import Ask, Say


class OnLlamaIndex:
    """Tells stories with LlamaIndex's agents."""

    def __init__(self, spans: Spans, settings: Settings) -> None:
        """Record into *spans* under *settings*."""
        self._handler = AgentEventHandler(tracer_provider=spans.provider, settings=settings)

    def _model(self, *script: Ask | Say) -> ScriptedLLM:
        lines = [says(line.text) if isinstance(line, Say) else asks(*line.calls, prefix=line.prefix) for line in script]
        return ScriptedLLM(script=lines)

    def _agent(self, *script: Ask | Say, tools: list[Any], name: str = "support", **options: Any) -> FunctionAgent:
        options.setdefault("streaming", False)
        return FunctionAgent(name=name, tools=tools, llm=self._model(*script), **options)

    async def _ask(self, agent: Any) -> None:
        with self._handler.install(), request_metadata(user_id="u-17", session_id="s-9", variant="b"):
            await agent.run("hi")

    async def one_tool(self, script: list[Ask | Say]) -> None:
        """Call one tool and answer."""
        await self._ask(self._agent(*script, tools=[search_web]))

    async def parallel_tools(self, script: list[Ask | Say]) -> None:
        """Call two tools at once and answer."""
        await self._ask(self._agent(*script, tools=[search_web, lookup_order]))

    async def tool_error(self, script: list[Ask | Say]) -> None:
        """Call a tool that raises, and answer."""

        async def boom(query: str) -> str:
            """Fail."""
            raise ValueError(query)

        await self._ask(self._agent(*script, tools=[boom]))

    async def unknown_tool(self, script: list[Ask | Say]) -> None:
        """Ask for a tool that does not exist, and answer."""
        await self._ask(self._agent(*script, tools=[search_web]))

    async def sub_agent(self, script: list[Ask | Say], inner_script: list[Ask | Say]) -> None:
        """Call a tool that asks another agent."""
        inner = self._agent(*inner_script, tools=[search_web], name="researcher")

        async def research(topic: str) -> str:
            """Research a topic."""
            return str(await inner.run(topic))

        await self._ask(self._agent(*script, tools=[research]))

    async def retrieval(self, script: list[Ask | Say]) -> None:
        """Call a tool that looks something up."""

        async def find_orders(query: str) -> str:
            """Find orders."""
            return str([found.text for found in await Orders().aretrieve(query)])

        await self._ask(self._agent(*script, tools=[find_orders]))

    async def streaming(self, script: list[Ask | Say]) -> None:
        """Stream the answer."""
        await self._ask(self._agent(*script, tools=[search_web], streaming=True))

    async def cancellation(self, script: list[Ask | Say]) -> None:
        """Cancel the run while a tool is busy."""
        started = asyncio.Event()

        async def slow(query: str) -> str:
            """Wait for ever."""
            started.set()
            await asyncio.Event().wait()
            return query

        agent = self._agent(*script, tools=[slow])
        with self._handler.install(), request_metadata(user_id="u-17", session_id="s-9", variant="b"):
            handler = agent.run("hi")
            await started.wait()
            await handler.cancel_run()
            with contextlib.suppress(WorkflowCancelledByUser):
                await handler

    async def handoff(self, script: list[Ask | Say], other_script: list[Ask | Say]) -> None:
        """Hand over to another agent."""
        triage = self._agent(*script, tools=[], name="triage", description="Sorts.", can_handoff_to=["writer"])
        writer = self._agent(*other_script, tools=[search_web], name="writer", description="Writes.")
        await self._ask(AgentWorkflow(agents=[triage, writer], root_agent="triage"))

    async def human(self, script: list[Ask | Say]) -> None:
        """Stop for a human, and go on when there is an answer."""
        agent = self._agent(*script, tools=[ask_human])
        with (
            self._handler.install(),
            request_metadata(user_id="u-17", session_id="s-9", variant="b"),
            instrument_tags({"thread_id": "t-1"}),
        ):
            handler = agent.run("hi")
            async for event in handler.stream_events():
                if isinstance(event, InputRequiredEvent):
                    break
            saved = handler.ctx.to_dict()
            await handler.cancel_run()
            with contextlib.suppress(WorkflowCancelledByUser):
                await handler
            context: Any = Context.from_dict(agent, saved)
            await context.store.set("memory", ChatMemoryBuffer.from_defaults())
            resumed = agent.run(ctx=context)
            resumed.ctx.send_event(HumanResponseEvent(response="yes"))
            await resumed


async def search_web(query: str) -> str:
    """Search the web."""
    return f"found {query}"


async def lookup_order(order: str) -> str:
    """Look an order up."""
    return f"order {order} shipped"
