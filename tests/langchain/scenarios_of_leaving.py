"""More scenarios: bodies that are left early, cancelled or failing, and threads and tasks of the user's own."""

# ruff: noqa: D103 - the docstring of a scenario is its name in the table

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from tests.langchain.scenarios import ANSWER, ASKED, SCENARIOS, agent, mixed, scenario, two_sync
from tests.langchain.scenarios_of_graphs import sync_graph
from tests.langchain.scene import CALLER, MODEL, RUN, Chat, Scene, async_tool, sync_tool

if TYPE_CHECKING:
    from collections.abc import Callable


# --- left early ------------------------------------------------------------------------------------------------------
@scenario("early break llm.stream", spans=3)
def break_model_stream(scene: Scene) -> None:
    for _ in Chat(script=[ANSWER], scene=scene).stream("q", scene.config()):
        break
    scene.mark("consumer", CALLER)


@scenario("early break llm.astream + aclose", spans=3)
async def break_model_astream(scene: Scene) -> None:
    stream = Chat(script=[ANSWER], scene=scene).astream("q", scene.config())
    async for _ in stream:
        break
    await stream.aclose()
    scene.mark("consumer", CALLER)


@scenario("early break agent.stream", spans=2)
def break_agent_stream(scene: Scene) -> None:
    for _ in two_sync(scene).stream(ASKED, scene.config()):
        break
    scene.mark("consumer", CALLER)


@scenario("early break agent.astream no aclose", spans=2)
async def break_agent_astream(scene: Scene) -> None:
    async for _ in mixed(scene).astream(ASKED, scene.config()):
        break
    scene.mark("consumer", CALLER)


async def sleep(_: object) -> None:
    await asyncio.sleep(30)


@scenario("cancel (wait_for) slow tool in agent", spans=3)
async def cancel_agent(scene: Scene) -> None:
    slow = agent(scene, async_tool(scene, "slow", sleep))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(slow.ainvoke(ASKED, scene.config()), 0.5)
    scene.mark("consumer", CALLER)


@scenario("cancel (wait_for) bare tool", spans=2)
async def cancel_tool(scene: Scene) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(async_tool(scene, "slow", sleep).ainvoke({"query": "q"}, scene.config()), 0.2)
    scene.mark("consumer", CALLER)


@scenario("asyncio.timeout in the same task, llm cancelled", spans=2)
async def cancel_model(scene: Scene) -> None:
    class Slow(Chat):
        async def _agenerate(self, *_: Any, **__: Any) -> Any:
            scene.mark("slow", MODEL)
            await asyncio.sleep(30)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await Slow(script=[ANSWER], scene=scene).ainvoke("q", scene.config())
    scene.mark("consumer", CALLER)


def fail(_: str) -> None:
    raise LookupError


@scenario("tool error sync", spans=1)
def tool_error(scene: Scene) -> None:
    with contextlib.suppress(LookupError):
        sync_tool(scene, "search", fail).invoke({"query": "q"}, scene.config())


@scenario("tool error async agent", spans=2)
async def tool_error_async(scene: Scene) -> None:
    with contextlib.suppress(LookupError):
        await agent(scene, sync_tool(scene, "search", fail)).ainvoke(ASKED, scene.config())


# --- threads and tasks of the user's ---------------------------------------------------------------------------------
def threaded(run: Callable[[Callable[[], None]], Callable[[], None]]) -> Callable[[Scene], None]:
    """Return a scenario in which a tool's body makes a span in a thread; *run* wraps what the thread runs."""

    def play(scene: Scene) -> None:
        def body(_: str) -> None:
            thread = threading.Thread(target=run(lambda: scene.mark("thread", r"tool\.search")))
            thread.start()
            thread.join()

        sync_tool(scene, "search", body).invoke({"query": "q"}, scene.config())

    return play


def with_whole_context(run: Callable[[], None]) -> Callable[[], None]:
    return partial(contextvars.copy_context().run, run)


def with_otel_context(run: Callable[[], None]) -> Callable[[], None]:
    current = otel_context.get_current()

    def attached() -> None:
        token = otel_context.attach(current)
        run()
        otel_context.detach(token)

    return attached


scenario("worker thread, context copied by user", spans=2)(threaded(with_whole_context))
scenario("worker thread, OTel context only (threading instrumentation)", spans=2)(threaded(with_otel_context))
scenario("bare thread, nothing propagated", spans=2)(threaded(lambda run: run))


@scenario("create_task in async tool", spans=3)
async def task_in_tool(scene: Scene) -> None:
    async def job() -> None:
        scene.mark("task", r"tool\.search")

    async def body(_: str) -> None:
        await asyncio.create_task(job())

    await async_tool(scene, "search", body).ainvoke({"query": "q"}, scene.config())


@scenario("background agent outlives the run that started it", spans=9)
async def background_agent(scene: Scene) -> None:
    started, release = asyncio.Event(), asyncio.Event()
    jobs: list[asyncio.Task[Any]] = []

    async def wait(_: str) -> None:
        started.set()
        await release.wait()

    inner = agent(scene, async_tool(scene, "lookup", wait), label="sub", name="expert")

    async def launch(_: str) -> None:
        jobs.append(asyncio.create_task(inner.ainvoke(ASKED)))
        await started.wait()

    await agent(scene, async_tool(scene, "launch", launch)).ainvoke(ASKED, scene.config())
    assert scene.handler.open_runs > 0
    scene.mark("consumer", CALLER)
    release.set()
    await jobs[0]
    scene.expect_outcomes(RUN, "success", "success")
    scene.expect_outcomes(r"tool\..+", "success", "success")


@scenario("agent.astream handed to another task", spans=8)
async def stream_handed_on(scene: Scene) -> None:
    stream = mixed(scene).astream(ASKED, scene.config())

    async def first() -> None:
        await anext(stream)

    await asyncio.create_task(first())
    assert scene.handler.open_runs > 0
    number = 0
    async for _ in stream:
        number += 1
        scene.mark(f"consumer:{number}", CALLER)
    scene.expect_outcomes(RUN, "success")


@scenario("llm.stream handed to another thread", spans=2)
def stream_handed_to_thread(scene: Scene) -> None:
    # Nothing carries the context into the thread, so only what runs before is looked at, and that the call ends well.
    stream = Chat(script=[ANSWER], scene=scene).stream("q", scene.config())
    next(stream)

    def rest() -> None:
        made = len(scene.inner_spans)
        list(stream)
        del scene.inner_spans[made:]

    thread = threading.Thread(target=rest)
    thread.start()
    thread.join()
    scene.expect_outcomes(MODEL, "success")


@scenario("task of a consumer runs a graph of its own", spans=6)
async def run_beside_a_stream(scene: Scene) -> None:
    async def beside() -> None:
        await sync_graph(scene, name="beside").ainvoke({}, scene.config())
        scene.mark("beside:after", CALLER)

    async for _ in sync_graph(scene, name="main").astream({}, scene.config()):
        await asyncio.create_task(beside())
        break

    scene.expect_roots(RUN, 2)


def exit_now(_: str) -> None:
    raise SystemExit


@scenario("tool left by SystemExit, then another call in the same thread", spans=3)
def system_exit(scene: Scene) -> None:
    with contextlib.suppress(SystemExit):
        sync_tool(scene, "quit", exit_now).invoke({"query": "q"}, scene.config())
    scene.mark("consumer", CALLER)
    sync_tool(scene, "search").invoke({"query": "q"}, scene.config())
    assert scene.handler.open_runs == 0


@scenario("tool cancelled in a long task, then another call in it", spans=5)
async def cancelled_then_another(scene: Scene) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await async_tool(scene, "slow", sleep).ainvoke({"query": "q"}, scene.config())
    scene.mark("consumer", CALLER)
    await async_tool(scene, "search").ainvoke({"query": "q"}, scene.config())
    assert scene.handler.open_runs == 0
    scene.mark("consumer:after", CALLER)
    scene.expect_outcomes(r"tool\..+", "cancelled", "success")


ALL = SCENARIOS
"""The whole table: importing this module has entered what it and those before it hold."""
