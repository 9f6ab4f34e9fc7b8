"""The agent's behaviour, as its spans show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import build

from agent_callbacks.cli.demo.model import ScriptedModel, asks, says

if TYPE_CHECKING:
    from agent_callbacks import AgentCallbackHandler
    from agent_callbacks.testing.capture import SpanCapture

WHO = {"user_id": "u-17", "session_id": "s-9", "variant": "prompt-b"}


def test_refund(span_capture: SpanCapture, agent_callbacks_handler: AgentCallbackHandler) -> None:
    """A lost order is found and refunded in three steps."""
    model = ScriptedModel(
        script=[
            asks(("search_orders", {"status": "lost"}), ("Carrier Status", {"parcel": "P-1"})),
            asks(("refund_order", {"order": "1043"})),
            says("You have your money back."),
        ]
    )
    question = {"messages": [{"role": "user", "content": "Where is my order?"}]}
    build(model).invoke(question, config={"callbacks": [agent_callbacks_handler], "metadata": WHO})
    span_capture.assert_tree("""
        agent.run.support
          agent.step.1
            llm.chat
            tool.search_orders
            tool.carrier_status
          agent.step.2
            llm.chat
            tool.refund_order
          agent.step.3
            llm.chat
    """)
    span_capture.assert_budget(steps=3, tool_calls=3, input_tokens=2_000)
    span_capture.assert_no_pii()
