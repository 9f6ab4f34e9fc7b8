"""What the stories share: trees, tools, and an agent that plays a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.agent.workflow import FunctionAgent

from agent_callbacks.analysis.trace import load
from tests.llamaindex.models import ScriptedLLM, asks, says

if TYPE_CHECKING:
    from tests.conftest import Spans

TWO_STEPS = """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  ├─ tool.search_web
│  └─ tool.lookup_order
└─ agent.step.2
   └─ llm.chat"""


def trees(spans: Spans) -> list[str]:
    """Return the trees of all traces, oldest first."""
    return [trace.tree() for trace in sorted(load(spans.finished()), key=lambda trace: trace.start_ns)]


def tree(spans: Spans) -> str:
    """Return the tree of the only trace."""
    (only,) = trees(spans)
    return only


def outcomes(spans: Spans) -> dict[str, str]:
    """Return the outcome of each span by its name."""
    return {span.name: str((span.attributes or {})["agent_callbacks.outcome"]) for span in spans.finished()}


def search_web(query: str) -> str:
    """Search the web."""
    return f"found {query}"


def lookup_order(order: str) -> str:
    """Look an order up."""
    return f"order {order} shipped"


def support(*script: Any, **options: Any) -> FunctionAgent:
    """Return the agent of most stories, playing *script*."""
    tools = options.pop("tools", [search_web, lookup_order])
    return FunctionAgent(name="support", tools=tools, llm=ScriptedLLM(script=list(script)), **options)


def two_steps() -> tuple[Any, ...]:
    """Return a script: two tools at once, then the answer."""
    return asks(("search_web", {"query": "a"}), ("lookup_order", {"order": "7"})), says("done")
