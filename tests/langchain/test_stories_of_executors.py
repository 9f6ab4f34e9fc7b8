"""The tree a reader sees of AgentExecutor, which is no graph and tells of itself in no metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_classic.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from tests.langchain.models import ScriptedChat
from tests.langchain.stories import asks, says

if TYPE_CHECKING:
    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Spans

PROMPT = ChatPromptTemplate.from_messages([("human", "{input}"), ("placeholder", "{agent_scratchpad}")])


@tool
def lookup_order(order: str) -> str:
    """Look an order up."""
    return f"order {order} shipped"


class MyExecutor(AgentExecutor):
    """A user's own kind of executor."""


def executor(*script: Any, kind: type[AgentExecutor] = AgentExecutor) -> Any:
    """Return an executor that plays *script*."""
    tools = [lookup_order]
    return kind(agent=create_tool_calling_agent(ScriptedChat(script=list(script)), tools, PROMPT), tools=tools)


TWO_STEPS = """\
agent.run
  agent.step.1
    llm.chat
    tool.lookup_order
  agent.step.2
    llm.chat"""
NAMED = TWO_STEPS.replace("agent.run", "agent.run.order_desk")


async def run(how: str, agent: Any, config: Any) -> None:
    """Run *agent* as *how* says."""
    given = {"input": "Where is order 7?"}
    if how == "invoke":
        agent.invoke(given, config)
    elif how == "ainvoke":
        await agent.ainvoke(given, config)
    elif how == "stream":
        list(agent.stream(given, config))
    else:
        async for _ in agent.astream(given, config):
            pass


@pytest.mark.parametrize("name", [None, "Order desk"])
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
async def test_an_executor_is_an_agent_under_any_name(
    how: str, name: str | None, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """A run name names the agent; it does not make a chain of it."""
    config = {"callbacks": [handler]} if name is None else {"callbacks": [handler], "run_name": name}
    await run(how, executor(asks(("lookup_order", {"order": "7"})), says("shipped")), config)
    assert (TWO_STEPS if name is None else NAMED) == spans.tree()


def test_a_subclass_of_an_executor_is_an_agent(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Its class names it."""
    executor(says("shipped"), kind=MyExecutor).invoke({"input": "?"}, {"callbacks": [handler]})
    assert "agent.run.my_executor\n  agent.step.1\n    llm.chat" == spans.tree()


def test_a_chain_beside_executors_stays_a_chain(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Only who runs an executor is one."""
    RunnableLambda(str).invoke("x", {"callbacks": [handler], "run_name": "Order desk"})
    assert "chain.order_desk" == spans.tree()


def test_a_tool_the_executor_does_not_have_is_an_error(handler: AgentCallbackHandler, spans: Spans) -> None:
    """It runs a stand-in that answers politely: what the model asked for does not exist all the same."""
    executor(asks(("book_flight", {"to": "Rome"})), says("sorry")).invoke({"input": "?"}, {"callbacks": [handler]})
    assert TWO_STEPS.replace("lookup_order", "unknown") == spans.tree()
    unknown = spans.one("tool.unknown")
    found = unknown.attributes or {}
    assert ("ERROR", "unknown_tool", "failure") == (
        unknown.status.status_code.name, found["error.type"], found["agent_callbacks.outcome"],
    )  # fmt: skip
    assert "book_flight" == found["agent_callbacks.tool.requested_name"]
