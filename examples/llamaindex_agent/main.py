"""A LlamaIndex agent with three tools: one fails and is called again, two run side by side."""

from __future__ import annotations

import asyncio
import itertools

from llama_index.core.agent.workflow import FunctionAgent

from agent_callbacks import AgentEventHandler, configure, downstream, request_metadata
from agent_callbacks.cli.demo.llm import ScriptedLLM
from examples._shared import asks, says, waterfall

# With a key: llm = OpenAI(model="gpt-4.1") (pip install llama-index-llms-openai)
llm = ScriptedLLM(
    script=[
        asks(("find_order", {"order": "1042"})),
        asks(("where_is", {"parcel": "P-5217"}), ("shop_hours", {"day": "Sunday"})),
        asks(("where_is", {"parcel": "P-5217"})),
        says("Your kettle is in Lyon. And yes, we are open on Sunday until noon."),
    ]
)
calls = itertools.count()


def find_order(order: str) -> str:
    """Look an order up."""
    return f"order {order}: a kettle, parcel P-5217"


async def where_is(parcel: str) -> str:
    """Ask the carrier where a parcel is."""
    with downstream("carrier"):  # time the tool waits for others; an instrumented client needs no such line
        await asyncio.sleep(0.03)
    if next(calls) == 0:
        raise ConnectionError("the carrier does not answer")
    return f"{parcel} is in Lyon"


def shop_hours(day: str) -> str:
    """Say when the shop is open."""
    return f"{day}: 9 to 12"


def main() -> None:
    """Ask the agent one question and show what it did."""
    handle = configure(service_name="llamaindex-agent")
    handler = AgentEventHandler()
    agent = FunctionAgent(name="support", tools=[find_order, where_is, shop_hours], llm=llm)

    async def ask() -> str:
        return str(await agent.run(user_msg="Where is order 1042, and are you open on Sunday?"))

    with handler.install(), request_metadata(user_id="u-17", session_id="s-9", variant="prompt-b"):
        print(asyncio.run(ask()), end="\n\n")

    handle.flush()
    print(waterfall(handle.store_path, handler.last_trace_id))


if __name__ == "__main__":
    main()
