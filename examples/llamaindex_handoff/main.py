"""A LlamaIndex workflow of two agents: the first finds out what is wanted and hands over to the second."""

from __future__ import annotations

import asyncio

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent

from agent_callbacks import AgentEventHandler, configure, request_metadata
from agent_callbacks.cli.demo.llm import ScriptedLLM
from examples._shared import asks, says, waterfall


def find_order(order: str) -> str:
    """Look an order up."""
    return f"order {order}: a kettle, arrived ten days ago"


def open_return(order: str) -> str:
    """Open a return and send the customer its label."""
    return f"return of order {order} opened, label sent"


def workflow() -> AgentWorkflow:
    """Return the two agents."""
    to_returns = {"to_agent": "returns_desk", "reason": "The customer wants to send a kettle back."}
    reception = FunctionAgent(
        name="reception",
        description="Finds out what a customer wants.",
        tools=[find_order],
        llm=ScriptedLLM(script=[asks(("find_order", {"order": "1042"})), asks(("handoff", to_returns))]),
        can_handoff_to=["returns_desk"],
    )
    returns_desk = FunctionAgent(
        name="returns_desk",
        description="Handles returns.",
        tools=[open_return],
        llm=ScriptedLLM(script=[asks(("open_return", {"order": "1042"})), says("Your label is on its way.")]),
    )
    return AgentWorkflow(agents=[reception, returns_desk], root_agent="reception")


def main() -> None:
    """Ask one question and show who did what."""
    handle = configure(service_name="llamaindex-handoff")
    handler = AgentEventHandler()

    async def ask() -> str:
        return str(await workflow().run(user_msg="I want to send order 1042 back."))

    with handler.install(), request_metadata(user_id="u-17", session_id="s-9"):
        print(asyncio.run(ask()), end="\n\n")

    handle.flush()
    print(waterfall(handle.store_path, handler.last_trace_id))


if __name__ == "__main__":
    main()
