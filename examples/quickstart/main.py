"""One agent, two tools, one trace."""

from __future__ import annotations

from langchain.agents import create_agent

from agent_callbacks import AgentCallbackHandler, configure
from agent_callbacks.cli.demo.model import ScriptedModel
from examples._shared import asks, says, waterfall

# With a key: model = "openai:gpt-4.1" (pip install langchain-openai)
model = ScriptedModel(
    script=[
        asks(("lookup_order", {"order": "1042"}), ("shop_hours", {"day": "Sunday"})),
        says("Order 1042 has left the warehouse, and yes, we are open on Sunday until noon."),
    ]
)


def lookup_order(order: str) -> str:
    """Look an order up."""
    return f"order {order} has left the warehouse"


def shop_hours(day: str) -> str:
    """Say when the shop is open."""
    return f"{day}: 9 to 12"


def main() -> None:
    """Ask the agent one question and show what it did."""
    handle = configure(service_name="quickstart")
    handler = AgentCallbackHandler()

    agent = create_agent(model, [lookup_order, shop_hours], name="support")
    answer = agent.invoke(
        {"messages": [{"role": "user", "content": "Where is order 1042, and are you open on Sunday?"}]},
        config={
            "callbacks": [handler],
            "metadata": {"user_id": "u-17", "session_id": "s-9", "variant": "prompt-b"},
        },
    )
    print(answer["messages"][-1].text, end="\n\n")

    handle.flush()
    print(waterfall(handle.store_path, handler.last_trace_id))


if __name__ == "__main__":
    main()
