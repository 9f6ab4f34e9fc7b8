"""The demo's agent: ``create_agent`` with a database, an HTTP service, files and a second agent as its tools."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final, cast

from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType] - its annotations are partial
from langchain.agents.middleware import wrap_tool_call
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, tool
from langsmith import tracing_context  # pyright: ignore[reportUnknownVariableType] - its annotations are partial

from agent_callbacks.cli.demo import shop
from agent_callbacks.cli.demo.model import ScriptedModel, asks, says
from agent_callbacks.recording.manual import downstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain.agents.middleware import AgentMiddleware
    from langchain.tools.tool_node import ToolCallRequest
    from langchain_core.language_models import BaseChatModel
    from langgraph.types import Command

__all__ = ["QUESTION", "agent", "ask", "scripted_models"]

QUESTION: Final = (
    "Ines Moreau (ines.moreau@example.com) asks: where is my kettle, and may I send it back if it comes too late?"
)
_SQL: Final = (
    "SELECT orders.id, placed, item, price, parcel FROM orders JOIN customers ON customers.id = customer_id "
    "WHERE email = 'ines.moreau@example.com'"
)
_INSTRUCTIONS: Final = (
    "You answer customers of a shop for coffee makers. Look orders up in the database (tables customers: id, name, "
    "email, since; orders: id, customer_id, placed, item, price, parcel), ask the carrier where a parcel is, read the "
    "policies before you promise anything, and leave returns to the returns desk. A tool that fails may be tried once "
    "more."
)
_DESK_INSTRUCTIONS: Final = "You decide whether goods may be returned. Quote the policy you rely on. Be brief."


def scripted_models() -> tuple[BaseChatModel, BaseChatModel]:
    """Return the models that play the demo's story: the agent's, and the returns desk's."""
    parcel = ("ask_carrier", {"parcel": "P-5217"})
    desk = ("ask_returns_desk", {"question": "May order 1042, a kettle that arrives late, be returned?"})
    return (
        ScriptedModel(
            script=[
                asks(("query_orders", {"sql": _SQL}), ("search_policies", {"words": "late delivery"})),
                asks(parcel),
                asks(parcel, desk),
                says(
                    "Your kettle (order 1042) is in Lyon and should arrive on 13 March. That is more than three days "
                    "late, so you get the shipping fee back. If you do not want it any more, send it back unused "
                    "within 30 days of arrival; return shipping is free."
                ),
            ]
        ),
        ScriptedModel(
            script=[
                asks(("search_policies", {"words": "returns kettles"})),
                says("Yes: unused, within 30 days of arrival, in its packaging; return shipping is free above 50."),
            ]
        ),
    )


def agent(port: int, model: BaseChatModel, desk_model: BaseChatModel) -> Any:
    """Return the agent; the carrier's service listens on *port*."""
    desk = cast(
        "Any", create_agent(desk_model, [search_policies], name="returns_desk", system_prompt=_DESK_INSTRUCTIONS)
    )

    @tool
    def ask_carrier(parcel: str) -> dict[str, str]:
        """Ask the carrier where a parcel is."""
        with downstream("carrier"):
            return shop.parcel_status(port, parcel)

    @tool
    def ask_returns_desk(question: str) -> str:
        """Ask the returns desk whether goods may be returned."""
        answer = desk.invoke({"messages": [{"role": "user", "content": question}]})
        return str(answer["messages"][-1].text)

    tools: list[BaseTool] = [query_orders, search_policies, ask_carrier, ask_returns_desk]
    return create_agent(model, tools, name="support", system_prompt=_INSTRUCTIONS, middleware=[_failures_are_told()])


def ask(asked: Any, config: Any) -> str:
    """Ask the agent the demo's question and return its answer.

    No network is promised, so another tracer that the user's environment switches on does not report the demo.
    """
    with tracing_context(enabled=False):
        found = asked.invoke({"messages": [{"role": "user", "content": QUESTION}]}, config)
    return str(found["messages"][-1].text)


@tool
def query_orders(sql: str) -> list[dict[str, Any]]:
    """Run one SQL query on the shop's database."""
    return shop.query_shop(sql)


@tool
def search_policies(words: str) -> dict[str, str]:
    """Find the shop's policies that contain one of the words."""
    return shop.find_policies(words)


def _failures_are_told() -> AgentMiddleware[Any, Any]:
    """Return the middleware that tells the model what failed, so that it can try again."""

    @wrap_tool_call
    def handled(
        request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        try:
            return handler(request)
        except (OSError, sqlite3.Error) as error:
            return ToolMessage(f"failed: {error}", tool_call_id=request.tool_call["id"], status="error")

    return handled
