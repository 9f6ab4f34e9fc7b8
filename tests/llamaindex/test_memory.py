"""Nothing stays open and nothing is kept, whatever happened."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ChatMessage

from agent_callbacks.llamaindex.place import Place, Run
from tests.llamaindex.engines import query_engine
from tests.llamaindex.models import ScriptedLLM, says
from tests.llamaindex.shared import support, two_steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent_callbacks import AgentEventHandler
    from tests.conftest import Spans

HELLO = [ChatMessage("hello")]


def _chats() -> int:
    made = ScriptedLLM(script=[says("hi")], repeat=True)
    return sum(1 for _ in range(200) if made.chat(HELLO))


def _closed() -> int:
    made = ScriptedLLM(script=[says("a long answer in pieces")], repeat=True)
    for _ in range(50):
        stream = made.stream_chat(HELLO)
        next(stream)
        stream.close()
    return 50


def _never_read() -> int:
    made = ScriptedLLM(script=[says("a long answer in pieces")], repeat=True)
    for _ in range(50):
        made.stream_chat(HELLO)
    return 50


def _errors() -> int:
    made = ScriptedLLM(script=[ConnectionError("429")], repeat=True)
    for _ in range(50):
        with pytest.raises(ConnectionError):
            made.chat(HELLO)
    return 50


def _agents() -> int:
    for _ in range(5):
        asyncio.run(_agent())
    return 5 * 7


async def _agent() -> None:
    await support(*two_steps()).run("hi")


@pytest.mark.parametrize("what", [_chats, _closed, _never_read, _errors, _agents])
def test_nothing_is_kept(events: AgentEventHandler, spans: Spans, what: Callable[[], int]) -> None:
    """Every span is exported, none is open, and of our bookkeeping nothing is left."""
    gc.collect()
    before = [id(found) for found in gc.get_objects() if type(found) in {Place, Run}]
    expected = what()
    gc.collect()
    assert 0 == events.open_runs
    assert {} == events.open_spans
    assert expected == len(spans.finished())
    kept = [found for found in gc.get_objects() if type(found) in {Place, Run} and id(found) not in before]
    assert not kept


def test_streamed_queries_are_not_kept(events: AgentEventHandler, spans: Spans) -> None:
    """Neither are queries whose streams are read, left or never read."""
    engine = query_engine(says("a long answer in pieces"), streaming=True)
    engine._response_synthesizer._llm.repeat = True
    for number in range(30):
        response = engine.query("why?")
        if number % 3 == 0:
            "".join(response.response_gen)
        elif number % 3 == 1:
            next(iter(response.response_gen))
    del response
    gc.collect()
    assert (0, {}) == (events.open_runs, events.open_spans)
    assert 30 == len(spans.named("chain.retriever_query_engine"))


async def test_an_agent_is_not_kept(events: AgentEventHandler, spans: Spans) -> None:
    """A finished run holds neither the agent nor its model."""
    agent: Any = support(*two_steps())
    await agent.run("hi")
    gone = weakref.ref(agent.llm)
    del agent
    await asyncio.sleep(0)
    gc.collect()
    assert gone() is None
