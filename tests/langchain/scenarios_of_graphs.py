"""More scenarios: graphs, their checkpointers, and what runs inside their nodes."""

# ruff: noqa: D103 - the docstring of a scenario is its name in the table

from __future__ import annotations

import asyncio
import contextlib
import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from opentelemetry import trace

from tests.langchain.scenarios import ANSWER, scenario
from tests.langchain.scene import CALLER, RUN, STEP, Chat, Saver, Scene


class State(TypedDict, total=False):
    """What the graphs pass on."""

    seen: Annotated[list[str], operator.add]
    item: str


def fan_out(state: State) -> list[Send]:
    return [Send("work", {"item": str(number)}) for number in range(3)]


def graph(scene: Scene, first: Any, work: Any, name: str = "flow", **given: Any) -> Any:
    """Return a graph of a node that fans out to three executions of another."""
    built = StateGraph(State)
    built.add_node("first", first)
    built.add_node("work", work)
    built.add_edge(START, "first")
    built.add_conditional_edges("first", fan_out, ["work"])
    built.add_edge("work", END)
    return built.compile(name=name, **given)


def sync_graph(scene: Scene, **given: Any) -> Any:
    def first(state: State) -> State:
        scene.mark("first", RUN)
        return {"seen": ["first"]}

    def work(state: State) -> State:
        scene.mark(f"work:{state['item']}", RUN)
        return {"seen": [state["item"]]}

    return graph(scene, first, work, **given)


def async_graph(scene: Scene, **given: Any) -> Any:
    async def first(state: State) -> State:
        scene.mark("first", RUN)
        return {"seen": ["first"]}

    async def work(state: State) -> State:
        scene.mark(f"work:{state['item']}:before", RUN)
        await asyncio.sleep(0)
        scene.mark(f"work:{state['item']}:after", RUN)
        return {"seen": [state["item"]]}

    return graph(scene, first, work, **given)


@scenario("graph.invoke nodes+Send", spans=4)
def graph_invoke(scene: Scene) -> None:
    sync_graph(scene).invoke({}, scene.config())


@scenario("graph.ainvoke async nodes+Send", spans=7)
async def graph_ainvoke(scene: Scene) -> None:
    await async_graph(scene).ainvoke({}, scene.config())


@scenario("graph.ainvoke sync nodes", spans=4)
async def graph_ainvoke_sync(scene: Scene) -> None:
    await sync_graph(scene).ainvoke({}, scene.config())


@scenario("graph.astream", spans=7)
async def graph_astream(scene: Scene) -> None:
    async for _ in async_graph(scene).astream({}, scene.config()):
        pass


def saved(scene: Scene, **given: Any) -> tuple[Any, dict[str, Any]]:
    """Return a graph of one node with a checkpointer that makes spans, and a config with a thread."""

    def node(state: State) -> State:
        scene.mark("node", RUN)
        return {"seen": ["node"]}

    built = StateGraph(State)
    built.add_node("node", node)
    built.add_edge(START, "node")
    return built.compile(checkpointer=Saver(scene, **given), name="flow"), scene.config(configurable={"thread_id": "1"})


# The saver is asked once and writes three checkpoints and the writes of two tasks; on exit it writes once.
@scenario("checkpointer DB spans, graph.invoke", spans=7, durability="sync")
@scenario("checkpointer DB spans, graph.invoke, durability async", spans=7, durability="async")
@scenario("checkpointer DB spans, graph.invoke, durability exit", spans=3, durability="exit")
def saver_invoke(scene: Scene, durability: Any) -> None:
    built, config = saved(scene)
    built.invoke({"seen": ["q"]}, config, durability=durability)


@scenario("checkpointer DB spans, graph.ainvoke", spans=7, durability="sync")
@scenario("checkpointer DB spans, graph.ainvoke, durability async", spans=7, durability="async")
@scenario("checkpointer DB spans, graph.ainvoke, durability exit", spans=3, durability="exit")
async def saver_ainvoke(scene: Scene, durability: Any) -> None:
    built, config = saved(scene)
    await built.ainvoke({"seen": ["q"]}, config, durability=durability)


@scenario("checkpointer DB spans, graph.stream + consumer spans", spans=8, durability="sync")
@scenario("checkpointer DB spans, graph.stream + consumer spans, durability async", spans=8, durability="async")
@scenario("checkpointer DB spans, graph.stream + consumer spans, durability exit", spans=4, durability="exit")
def saver_stream(scene: Scene, durability: Any) -> None:
    built, config = saved(scene)
    for number, _ in enumerate(built.stream({"seen": ["q"]}, config, durability=durability)):
        scene.mark(f"consumer:{number}", CALLER)


@scenario("checkpointer DB spans, graph.astream + consumer spans", spans=8, durability="sync")
@scenario("checkpointer DB spans, graph.astream + consumer spans, durability async", spans=8, durability="async")
@scenario("checkpointer DB spans, graph.astream + consumer spans, durability exit", spans=4, durability="exit")
async def saver_astream(scene: Scene, durability: Any) -> None:
    built, config = saved(scene)
    number = 0
    async for _ in built.astream({"seen": ["q"]}, config, durability=durability):
        number += 1
        scene.mark(f"consumer:{number}", CALLER)


# Before 1.2 LangGraph tries once more to write what it could not.
@scenario("checkpointer that fails, graph.invoke", spans=3, or_more=1)
def saver_fails(scene: Scene) -> None:
    built, config = saved(scene, broken=True)
    with contextlib.suppress(ConnectionError):
        built.invoke({"seen": ["q"]}, config, durability="sync")


@scenario("checkpointer that fails, graph.ainvoke", spans=3, or_more=1)
async def saver_fails_async(scene: Scene) -> None:
    built, config = saved(scene, broken=True)
    with contextlib.suppress(ConnectionError):
        await built.ainvoke({"seen": ["q"]}, config, durability="sync")


@scenario("inner graph streamed inside a node, consumer spans in the node", spans=8)
def inner_graph(scene: Scene) -> None:
    inner = sync_graph(scene, name="inner")

    def node(state: State) -> State:
        outside = trace.get_current_span().get_span_context()
        for number, _ in enumerate(inner.stream({})):
            scene.mark(f"consumer:{number}", outside)
        return {"seen": ["node"]}

    built = StateGraph(State)
    built.add_node("node", node)
    built.add_edge(START, "node")
    built.compile(name="outer").invoke({}, scene.config())


@scenario("llm streamed inside an async node, spans in the node loop", spans=13)
async def model_in_node(scene: Scene) -> None:
    model = Chat(script=[ANSWER], scene=scene)

    async def node(state: State) -> State:
        scene.mark("node:before", RUN)
        number = 0
        async for _ in model.astream("q"):
            number += 1
            scene.mark(f"node:{number}", STEP)
        return {"seen": ["node"]}

    built = StateGraph(State)
    built.add_node("node", node)
    built.add_edge(START, "node")
    await built.compile(name="outer").ainvoke({}, scene.config())
