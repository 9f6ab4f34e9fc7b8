"""Our own handler under our own plugin: what it records has nothing to find."""

from __future__ import annotations

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool

from agent_callbacks.cli.demo.model import ScriptedModel, asks, says

WHO = {"user_id": "u-17", "session_id": "s-9", "variant": "prompt-b"}


@tool
def search_web(query: str) -> str:
    """Search."""
    return query


@tool
def lookup_order(order: str) -> str:
    """Look up."""
    raise LookupError(order)


@pytest.mark.parametrize("stream", [False, True])
def test_agent(span_capture, agent_callbacks_handler, stream):
    """An agent with parallel tools of which one fails, invoked and streamed, breaks no rule of the standard set."""
    asked = asks(("search_web", {"query": "kettle"}), ("lookup_order", {"order": "1042"}))
    agent = create_agent(ScriptedModel(script=[asked, says("Sorry.")]), [search_web, lookup_order], name="support")
    question = {"messages": [{"role": "user", "content": "Where is it?"}]}
    config = {"callbacks": [agent_callbacks_handler], "metadata": WHO}
    with pytest.raises(LookupError):
        _ = list(agent.stream(question, config)) if stream else agent.invoke(question, config)
    span_capture.assert_tree("""
        agent.run.support
          agent.step.1
            llm.chat
            tool.search_web
            tool.lookup_order
    """)
    span_capture.assert_conventions()
    span_capture.assert_budget(steps=1, tool_calls=2)
