"""What users do to a handler that no documentation shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from llama_index.core import PromptTemplate
from llama_index_instrumentation.dispatcher import Dispatcher
from pydantic import BaseModel

from agent_callbacks import AgentEventHandler
from tests.llamaindex.engines import index
from tests.llamaindex.models import ScriptedLLM, asks, says
from tests.llamaindex.shared import outcomes, support, tree, trees

if TYPE_CHECKING:
    from tests.conftest import Spans


class Answer(BaseModel):
    """What a model is asked to fill in."""

    number: int


async def test_a_query_that_is_cancelled_has_not_failed(events: AgentEventHandler, spans: Spans) -> None:
    """A query whose caller waits no longer is cancelled, like the model call in it."""
    engine = index().as_query_engine(llm=ScriptedLLM(script=[says("never")], gate=asyncio.Event()))
    spans.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(engine.aquery("why?"), 0.1)
    ended = outcomes(spans)
    assert ("cancelled", "cancelled") == (ended["chain.retriever_query_engine"], ended["llm.chat"])
    assert not [span for span in spans.finished() if not span.status.is_unset]


async def test_installed_in_the_middle_of_a_run(events: AgentEventHandler, spans: Spans) -> None:
    """Of a run that began unheard, model calls are recorded, and no step of LlamaIndex's own as a chain."""
    events.uninstall()

    async def listen(query: str) -> str:
        """Let the handler hear."""
        events.install()
        return query

    await support(asks(("listen", {"query": "x"})), says("done"), tools=[listen]).run(user_msg="hi")
    assert ["llm.chat"] == trees(spans)


def test_a_dispatcher_of_ones_own_is_left_too(spans: Spans) -> None:
    """Uninstalling leaves a dispatcher as well that LlamaIndex does not manage."""
    mine = Dispatcher(name="mine", propagate=False)
    handler = AgentEventHandler(tracer_provider=spans.provider).install(mine)
    assert ([handler], [handler]) == (mine.event_handlers, mine.span_handlers[-1:])
    handler.uninstall()
    assert not [one for one in (*mine.event_handlers, *mine.span_handlers) if one is handler]


def test_putting_into_form_calls_no_tool(events: AgentEventHandler, spans: Spans) -> None:
    """A model that fills in a form calls no tool: the form is one only for LlamaIndex."""
    llm = ScriptedLLM(script=[asks(("Answer", {"number": 7}))])
    assert Answer(number=7) == llm.structured_predict(Answer, PromptTemplate("a number?"))
    assert "chain.predict_and_call\n└─ llm.chat" == tree(spans)
