"""What the agent can do."""

from __future__ import annotations

from langchain_core.tools import tool

ORDERS = {"1042": "shipped", "1043": "lost"}


@tool
def search_orders(status: str) -> str:
    """Find the orders that are in a status."""
    return ", ".join(order for order, known in ORDERS.items() if known == status)


@tool
def refund_order(order: str) -> str:
    """Give the money for an order back."""
    return f"order {order} is refunded"


@tool("Carrier Status")
def carrier_status(parcel: str) -> str:
    """Ask the carrier where a parcel is."""
    return f"{parcel} is lost"


TOOLS = [search_orders, refund_order, carrier_status]
