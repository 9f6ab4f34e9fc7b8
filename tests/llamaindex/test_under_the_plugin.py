"""Our own handler for LlamaIndex under our own plugin: what it records has nothing to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent_callbacks import request_metadata
from tests.llamaindex.shared import support, two_steps

if TYPE_CHECKING:
    from agent_callbacks import AgentEventHandler
    from agent_callbacks.testing.capture import SpanCapture


@pytest.mark.parametrize("streaming", [False, True])
async def test_agent(
    span_capture: SpanCapture, agent_callbacks_event_handler: AgentEventHandler, *, streaming: bool
) -> None:
    """An agent with parallel tools, answered at once and streamed, breaks no rule of the standard set."""
    with request_metadata(user_id="u-17", session_id="s-9", variant="prompt-b"):
        await support(*two_steps(), streaming=streaming).run("Where is it?")
    span_capture.assert_tree("""
        agent.run.support
          agent.step.1
            llm.chat
            tool.search_web
            tool.lookup_order
          agent.step.2
            llm.chat
    """)
    span_capture.assert_conventions()
    span_capture.assert_budget(steps=2, tool_calls=2)
    assert 0 == agent_callbacks_event_handler.unclassified_spans
