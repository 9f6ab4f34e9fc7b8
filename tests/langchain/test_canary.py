"""What live.py takes for granted of LangChain and LangGraph: a change breaks here and not at a user's."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from agent_callbacks.recording import stack
from tests.langchain.models import ScriptedChat, says
from tests.langchain.scenarios_of_graphs import State

PROBE: contextvars.ContextVar[str] = contextvars.ContextVar("probe", default="")


class Probe(BaseCallbackHandler):
    """Notes where each start and end callback runs; its methods count as messengers by their names, as a user's do."""

    run_inline = True

    def __init__(self) -> None:
        self.owners: list[str] = []
        self.alone: list[bool] = []
        self.starts: list[object] = []
        self.ends: list[object] = []
        self.ambient: list[object] = []

    def on_start(self, *_: Any, **__: Any) -> None:
        """Note a start."""
        frame, alone = stack.owner(stack.current_task())
        self.owners.append(f"{stack.about(frame).module}:{frame.f_code.co_name}" if frame else ":")
        self.alone.append(alone)
        self.starts.append(stack.current_task())
        self.ambient.append(var_child_runnable_config.get())
        PROBE.set("seen")

    def on_end(self, *_: Any, **__: Any) -> None:
        """Note an end."""
        self.ends.append(stack.current_task())

    on_tool_start = on_chat_model_start = on_retriever_start = on_chain_start = on_start
    on_tool_end = on_llm_end = on_retriever_end = on_chain_end = on_end


def look() -> str:
    """Return what a body sees: the probe's variable, and whether the ambient run is set."""
    return f"{PROBE.get()}, {'ambient' if var_child_runnable_config.get() else 'none'}"


@tool
def search(query: str) -> str:
    """Look something up."""
    return look()


@tool
async def asearch(query: str) -> str:
    """Look something up."""
    return look()


class Seeing(ScriptedChat):
    """Answers with what its body sees."""

    def _next(self, messages: list[Any]) -> Any:
        return says(look())


class SeeingDocs(BaseRetriever):
    """Finds what its body sees."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(look())]

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(look())]


def graph() -> Any:
    """Return a graph of one node."""
    built = StateGraph(State)
    built.add_node("node", lambda _: {"seen": [look()]})
    built.add_edge(START, "node")
    return built.compile()


def steps() -> Any:
    """Return a chain of two steps."""
    return RunnableLambda(lambda _: look()) | RunnableLambda(lambda text: text)


MODEL = Seeing(script=[])
DOCS = SeeingDocs()


@pytest.mark.parametrize(
    ("runnable", "given", "expected"),
    [
        (search, {"query": "q"}, ["langchain_core.tools.base:run"]),
        (MODEL, "q", ["langchain_core.language_models.chat_models:generate"]),
        (DOCS, "q", ["langchain_core.retrievers:invoke"]),
        (
            steps(),
            "q",
            ["langchain_core.runnables.base:invoke", *["langchain_core.runnables.base:_call_with_config"] * 2],
        ),
        (graph(), {}, ["langgraph.pregel.main:stream", "langgraph._internal._runnable:invoke"]),
    ],
    ids=["tool", "model", "retriever", "chain", "graph"],
)
def test_sync_runs_are_owned_by_the_function_that_runs_them(runnable: Any, given: Any, expected: list[str]) -> None:
    """The first frame that is no messenger's is the framework's function that goes on to call the body."""
    probe = Probe()
    runnable.invoke(given, {"callbacks": [probe]})
    assert expected == probe.owners


@pytest.mark.parametrize(
    ("runnable", "given", "expected"),
    [
        (asearch, {"query": "q"}, ["langchain_core.tools.base:arun"]),
        (MODEL, "q", ["langchain_core.language_models.chat_models:agenerate"]),
        (DOCS, "q", ["langchain_core.retrievers:ainvoke"]),
        (
            steps(),
            "q",
            ["langchain_core.runnables.base:ainvoke", *["langchain_core.runnables.base:_acall_with_config"] * 2],
        ),
        (graph(), {}, ["langgraph.pregel.main:astream", "langgraph._internal._runnable:ainvoke"]),
    ],
    ids=["tool", "model", "retriever", "chain", "graph"],
)
async def test_async_runs_are_owned_by_the_coroutine_that_runs_them(
    runnable: Any, given: Any, expected: list[str]
) -> None:
    """An inline sync handler's start is awaited in the caller's task, so the chain of frames holds there too."""
    probe = Probe()
    await runnable.ainvoke(given, {"callbacks": [probe]})
    assert expected == probe.owners
    assert stack.current_task() is probe.starts[0]


@pytest.mark.parametrize(("runnable", "given"), [(MODEL, "q"), (DOCS, "q"), (steps(), "q"), (graph(), {})])
async def test_end_of_model_retriever_and_chain_is_shielded(runnable: Any, given: Any) -> None:
    """Their end callbacks run in a task of their own, where nothing that was attached could be detached."""
    probe = Probe()
    await runnable.ainvoke(given, {"callbacks": [probe]})
    assert stack.current_task() not in probe.ends


async def test_end_of_a_tool_is_not_shielded() -> None:
    """A tool's end callback runs in the task of its start."""
    probe = Probe()
    await asearch.ainvoke({"query": "q"}, {"callbacks": [probe]})
    assert probe.starts == probe.ends


async def test_abatch_gathers_its_start_callbacks_as_tasks() -> None:
    """Each start of a sequence's abatch is a task of its own, recognised as such: it owns nothing."""
    probe = Probe()
    await steps().abatch(["1", "2"], {"callbacks": [probe]})
    assert [True, True] == probe.alone[:2]
    assert not any(probe.alone[2:])


@pytest.mark.parametrize(
    ("runnable", "given", "expected"),
    [
        (search, {"query": "q"}, "seen, ambient"),
        (asearch, {"query": "q"}, "seen, ambient"),
        (steps(), "q", "seen, ambient"),
        (graph(), {}, "seen, ambient"),
        (MODEL, "q", "seen, none"),
        (DOCS, "q", "seen, none"),
    ],
    ids=["tool", "async tool", "chain", "graph", "model", "retriever"],
)
async def test_bodies_see_what_an_inline_start_set(runnable: Any, given: Any, expected: str) -> None:
    """Every body runs in the context the start callback saw; the ambient run is set for tools and chains alone."""
    probe = Probe()
    assert expected == text_of(await runnable.ainvoke(given, {"callbacks": [probe]}))
    assert probe.ambient[0] is None


def text_of(answer: Any) -> str:
    """Return what the body saw from what the run answered."""
    if isinstance(answer, dict):
        return str(answer["seen"][0])
    if isinstance(answer, list):
        return str(answer[0].page_content)
    return str(getattr(answer, "content", answer))


def test_streams_are_generators() -> None:
    """The owner of a streamed run is a generator, which may be suspended while the run is alive."""
    kinds: list[bool] = []

    class Asking(Probe):
        def on_start(self, *_: Any, **__: Any) -> None:
            frame, _alone = stack.owner(None)
            assert frame is not None
            kinds.append(stack.about(frame).suspends or stack.about(frame).coroutine)

        on_chat_model_start = on_chain_start = on_start

    list(MODEL.stream("q", {"callbacks": [Asking()]}))
    next(iter(graph().stream({}, {"callbacks": [Asking()]})))
    MODEL.invoke("q", {"callbacks": [Asking()]})
    assert [True, True, False, False] == kinds


async def test_tasks_of_a_checkpointers_coroutines_are_known_by_who_waits_for_them() -> None:
    """LangGraph asks to be told when such a task is done; its own code is not on the stack after the first wait."""
    known: list[bool] = []

    class Waiting(InMemorySaver):
        async def aput_writes(self, *args: Any, **given: Any) -> None:
            await asyncio.sleep(0)
            known.append(stack.run_by_engine(stack.current_task()))
            self.put_writes(*args, **given)

    built = StateGraph(State)
    built.add_node("node", lambda _: {"seen": []})
    built.add_edge(START, "node")
    await built.compile(checkpointer=Waiting()).ainvoke({}, {"configurable": {"thread_id": "1"}})

    async def of_the_users() -> bool:
        return stack.run_by_engine(stack.current_task())

    assert all(known)
    assert known
    assert not await asyncio.create_task(of_the_users())
