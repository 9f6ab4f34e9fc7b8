"""The scenarios: every way a body is run, left, streamed, cancelled or handed on, and how many spans are made in it.

Each is a small function that plays on a `Scene`; whatever it marks says itself where it must land. The table goes on
with graphs in `scenarios_of_graphs` and with what is left early in `scenarios_of_leaving`.
"""

# ruff: noqa: D103 - the docstring of a scenario is its name in the table

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from langchain.agents import create_agent
from langchain_core.runnables import RunnableLambda

from tests.langchain.models import says
from tests.langchain.scene import (
    CALLER,
    CHAIN,
    MODEL,
    RUN,
    Chat,
    Docs,
    Scene,
    asks,
    async_tool,
    sync_tool,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER: Final = says("The answer has some length.")
ASKED: Final = {"messages": [("user", "q")]}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played, and how many spans the user makes in it."""

    play: Callable[[Scene], Any]
    spans: int
    or_more: int = 0
    """How many more some releases give occasion for."""


SCENARIOS: Final[dict[str, Scenario]] = {}
BEYOND: Final = {
    "bare thread, nothing propagated": "no context reaches the thread, so there is nothing a handler could ask",
}


def scenario(
    name: str, *, spans: int, or_more: int = 0, **given: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the function into the table."""

    def enter(play: Callable[..., Any]) -> Callable[..., Any]:
        SCENARIOS[name] = Scenario(_bound(play, given), spans, or_more)
        return play

    return enter


def _bound(play: Callable[..., Any], given: dict[str, Any]) -> Callable[[Scene], Any]:
    return partial(play, **given) if given else play


# --- tools -----------------------------------------------------------------------------------------------------------
@scenario("tool.invoke", spans=1)
def tool_invoke(scene: Scene) -> None:
    sync_tool(scene, "search").invoke({"query": "q"}, scene.config())


@scenario("tool.ainvoke(async)", spans=2)
async def tool_ainvoke(scene: Scene) -> None:
    await async_tool(scene, "search").ainvoke({"query": "q"}, scene.config())


@scenario("tool.ainvoke(sync fn)", spans=1)
async def tool_ainvoke_sync(scene: Scene) -> None:
    await sync_tool(scene, "search").ainvoke({"query": "q"}, scene.config())


@scenario("tool.invoke in running loop", spans=1)
async def tool_invoke_in_loop(scene: Scene) -> None:
    sync_tool(scene, "search").invoke({"query": "q"}, scene.config())


@scenario("tool.batch", spans=4)
def tool_batch(scene: Scene) -> None:
    sync_tool(scene, "search").batch([{"query": str(n)} for n in range(4)], scene.config())
    scene.expect_roots(r"tool\.search", 4)


@scenario("tool.abatch", spans=8)
async def tool_abatch(scene: Scene) -> None:
    await async_tool(scene, "search").abatch([{"query": str(n)} for n in range(4)], scene.config())
    scene.expect_roots(r"tool\.search", 4)


# --- agents ----------------------------------------------------------------------------------------------------------
def agent(scene: Scene, *tools: Any, label: str = "llm", name: str = "support", query: str = "q") -> Any:
    """Return an agent that asks for *tools* once, all at the same time, and then answers."""
    script = asks(*(tool.name for tool in tools), query=query)
    return create_agent(Chat(script=script, scene=scene, label=label), list(tools), name=name)


def two_sync(scene: Scene) -> Any:
    return agent(scene, sync_tool(scene, "search"), sync_tool(scene, "lookup"))


def mixed(scene: Scene) -> Any:
    return agent(scene, sync_tool(scene, "search"), async_tool(scene, "asearch"))


@scenario("agent.invoke parallel tools", spans=4)
def agent_invoke(scene: Scene) -> None:
    two_sync(scene).invoke(ASKED, scene.config())


@scenario("agent.ainvoke parallel tools", spans=5)
async def agent_ainvoke(scene: Scene) -> None:
    await mixed(scene).ainvoke(ASKED, scene.config())


@scenario("agent.ainvoke sync tools", spans=4)
async def agent_ainvoke_sync(scene: Scene) -> None:
    await two_sync(scene).ainvoke(ASKED, scene.config())


@scenario("agent.stream", spans=10, mode="messages", consumed=0)
@scenario("consumer spans between chunks (agent.stream)", spans=8, mode="updates", consumed=3)
def agent_stream(scene: Scene, mode: str, consumed: int) -> None:
    for number, _ in enumerate(two_sync(scene).stream(ASKED, scene.config(), stream_mode=mode)):
        if consumed:
            scene.mark(f"consumer:{number}", CALLER)


@scenario("agent.astream", spans=11, mode="messages", consumed=0)
@scenario("consumer spans between chunks (agent.astream)", spans=9, mode="updates", consumed=3)
async def agent_astream(scene: Scene, mode: str, consumed: int) -> None:
    number = 0
    async for _ in mixed(scene).astream(ASKED, scene.config(), stream_mode=mode):
        number += 1
        if consumed:
            scene.mark(f"consumer:{number}", CALLER)


@scenario("agent.astream_events", spans=11)
async def agent_astream_events(scene: Scene) -> None:
    async for _ in mixed(scene).astream_events(ASKED, scene.config(), version="v2"):
        pass


@scenario("agent.batch", spans=12)
def agent_batch(scene: Scene) -> None:
    two_sync(scene).batch([ASKED] * 3, scene.config())
    scene.expect_roots(RUN, 3)


@scenario("agent.abatch", spans=15)
async def agent_abatch(scene: Scene) -> None:
    await mixed(scene).abatch([ASKED] * 3, scene.config())
    scene.expect_roots(RUN, 3)


# --- models and retrievers -------------------------------------------------------------------------------------------
@scenario("llm.invoke", spans=1)
def model_invoke(scene: Scene) -> None:
    Chat(script=[ANSWER], scene=scene).invoke("q", scene.config())


@scenario("llm.ainvoke", spans=1)
async def model_ainvoke(scene: Scene) -> None:
    await Chat(script=[ANSWER], scene=scene).ainvoke("q", scene.config())


@scenario("llm.stream", spans=6, consumed=False)
@scenario("consumer spans between chunks (llm.stream)", spans=12, consumed=True)
def model_stream(scene: Scene, *, consumed: bool) -> None:
    for number, _ in enumerate(Chat(script=[ANSWER], scene=scene).stream("q", scene.config())):
        if consumed:
            scene.mark(f"consumer:{number}", CALLER)


@scenario("llm.astream", spans=6, consumed=False)
@scenario("consumer spans between chunks (llm.astream)", spans=12, consumed=True)
async def model_astream(scene: Scene, *, consumed: bool) -> None:
    number = 0
    async for _ in Chat(script=[ANSWER], scene=scene).astream("q", scene.config()):
        number += 1
        if consumed:
            scene.mark(f"consumer:{number}", CALLER)


@scenario("retriever.invoke", spans=1)
def retriever_invoke(scene: Scene) -> None:
    Docs(scene=scene).invoke("q", scene.config())


@scenario("retriever.ainvoke", spans=1)
async def retriever_ainvoke(scene: Scene) -> None:
    await Docs(scene=scene).ainvoke("q", scene.config())


# --- sequences -------------------------------------------------------------------------------------------------------
def sequence(scene: Scene) -> Any:
    def a(text: str) -> str:
        scene.mark("a", CHAIN)
        return text

    def b(text: str) -> str:
        scene.mark("b", CHAIN)
        return text

    async def async_a(text: str) -> str:
        return a(text)

    async def async_b(text: str) -> str:
        return b(text)

    return RunnableLambda(a, async_a) | RunnableLambda(b, async_b)


@scenario("seq.invoke", spans=2)
def sequence_invoke(scene: Scene) -> None:
    sequence(scene).invoke("q", scene.config())


@scenario("seq.ainvoke", spans=2)
async def sequence_ainvoke(scene: Scene) -> None:
    await sequence(scene).ainvoke("q", scene.config())


@scenario("seq.stream", spans=2)
def sequence_stream(scene: Scene) -> None:
    list(sequence(scene).stream("q", scene.config()))


@scenario("seq.astream", spans=2)
async def sequence_astream(scene: Scene) -> None:
    async for _ in sequence(scene).astream("q", scene.config()):
        pass


@scenario("seq.batch", spans=6)
def sequence_batch(scene: Scene) -> None:
    sequence(scene).batch(["1", "2", "3"], scene.config())
    scene.expect_roots(CHAIN, 3)


@scenario("seq.abatch", spans=6)
async def sequence_abatch(scene: Scene) -> None:
    await sequence(scene).abatch(["1", "2", "3"], scene.config())
    scene.expect_roots(CHAIN, 3)


# --- inside each other -----------------------------------------------------------------------------------------------
@scenario("LC call under a user's span in a tool body", spans=4)
def under_a_users_span(scene: Scene) -> None:
    model = Chat(script=[ANSWER], scene=scene)

    def body(query: str) -> None:
        with scene.inner("user", r"tool\.outer") as user:
            (RunnableLambda(lambda text: scene.mark("step", user.get_span_context()) or text) | model).invoke(query)

        def model_under_user(spans: dict[int, Any]) -> None:
            (call,) = (span for span in spans.values() if span.name == "llm.chat")
            assert call.parent.span_id == user.get_span_context().span_id, "the call is not under the user's span"

        scene.checks.append(model_under_user)

    sync_tool(scene, "outer", body).invoke({"query": "q"}, scene.config())


@scenario("sub-agent in tool, spans after it (sync)", spans=7)
def sub_agent(scene: Scene) -> None:
    inner = agent(scene, sync_tool(scene, "lookup"), label="sub", name="expert")

    def body(query: str) -> None:
        inner.invoke(ASKED)
        scene.mark("after the sub-agent", r"tool\.research")

    agent(scene, sync_tool(scene, "research", body)).invoke(ASKED, scene.config())


@scenario("sub-agent in tool, spans after it (async)", spans=9)
async def sub_agent_async(scene: Scene) -> None:
    inner = agent(scene, async_tool(scene, "lookup"), label="sub", name="expert")

    async def body(query: str) -> None:
        await inner.ainvoke(ASKED)
        scene.mark("after the sub-agent", r"tool\.research")

    await agent(scene, async_tool(scene, "research", body)).ainvoke(ASKED, scene.config())


# --- many ------------------------------------------------------------------------------------------------------------
def own_agent(scene: Scene, number: int, other: Any) -> Any:
    """Return an agent with *other* and a tool whose span says which agent's it is."""

    def body(query: str) -> None:
        scene.mark(f"group:{query}", r"tool\.search", group=query)

    return agent(scene, other, sync_tool(scene, "search", body), query=str(number))


@scenario("20 concurrent agents, own traces (async)", spans=20 * 7)
async def concurrent_agents(scene: Scene) -> None:
    async def one(number: int) -> None:
        with scene.own_trace(f"request:{number}"):
            await own_agent(scene, number, async_tool(scene, "asearch")).ainvoke(ASKED, scene.config())
            scene.mark(f"request:{number}", rf"request:{number}", group=str(number))

    await asyncio.gather(*(one(number) for number in range(20)))


@scenario("8 threads, own traces (sync)", spans=8 * 6)
def agents_in_threads(scene: Scene) -> None:
    def one(number: int) -> None:
        with scene.own_trace(f"request:{number}"):
            agents[number].invoke(ASKED, scene.config())
            scene.mark(f"request:{number}", rf"request:{number}", group=str(number))

    # Built here: LangChain mutes warnings while it makes a tool, which is not safe in threads.
    agents = [own_agent(scene, number, sync_tool(scene, "lookup")) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))


@scenario("50 sequential ainvokes in one task", spans=50)
async def sequential(scene: Scene) -> None:
    chain = Chat(script=[ANSWER], scene=scene)
    for _ in range(50):
        await chain.ainvoke("q", scene.config())
    scene.expect_roots(MODEL, 50)
