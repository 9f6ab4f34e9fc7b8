"""What langchain-core does not tell before 1.1.2, read off the function that runs the tool; here of any release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pytest
from langchain.tools import InjectedState, InjectedStore, ToolRuntime
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, tool
from pydantic import BaseModel

from agent_callbacks import AgentCallbackHandler
from agent_callbacks.langchain import base, older
from agent_callbacks.langchain import handler as handling
from agent_callbacks.langchain.tool import tool_call

if TYPE_CHECKING:
    from tests.conftest import Spans

INJECTED = {"state": {"messages": ["private"]}, "store": None, "runtime": "private", "secret": "private"}


class Untold(AgentCallbackHandler):
    """A handler that is told what the oldest release tells: no id, and what was injected among the arguments."""

    def on_tool_start(self, *args: Any, inputs: Any = None, tool_call_id: Any = None, **given: Any) -> None:
        """Hear of a tool."""
        super().on_tool_start(*args, inputs={**inputs, **INJECTED}, **given)


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch, spans: Spans) -> AgentCallbackHandler:
    """Give a handler as it is with the oldest release."""
    monkeypatch.setattr(handling, "tool_call", older.tool_call)
    return Untold(tracer_provider=spans.provider)


@tool
def look(
    query: str,
    state: Annotated[Any, InjectedState] = None,
    store: Annotated[Any, InjectedStore()] = None,
    runtime: ToolRuntime = None,  # type: ignore[assignment]
    secret: Annotated[str, InjectedToolArg] = "",
) -> str:
    """Look."""
    return query


@tool
async def alook(
    query: str,
    state: Annotated[Any, InjectedState] = None,
    store: Annotated[Any, InjectedStore()] = None,
    runtime: ToolRuntime[None, dict[str, Any]] = None,  # type: ignore[assignment]
    secret: Annotated[str, InjectedToolArg] = "",
) -> str:
    """Look."""
    return query


class Asked(BaseModel):
    """What a tool without a function takes."""

    query: str
    state: Annotated[Any, InjectedState] = None
    store: Annotated[Any, InjectedStore()] = None
    runtime: Annotated[Any, InjectedToolArg()] = None
    secret: Annotated[str, InjectedToolArg] = ""


class Looking(BaseTool):
    """A tool that is a class."""

    name: str = "look"
    description: str = "Look."
    args_schema: Any = Asked

    def _run(self, query: str, **_: Any) -> str:
        return query


def asked(name: str = "look") -> Any:
    """Return a model's request."""
    return {"name": name, "args": {"query": "x"}, "id": "call_7", "type": "tool_call"}


@pytest.mark.parametrize("one", [look, Looking()], ids=["function", "class"])
def test_a_call_is_told_whole(one: BaseTool, handler: AgentCallbackHandler, spans: Spans) -> None:
    """The call has its id, and of its arguments only those the model gave."""
    one.invoke(asked(), {"callbacks": [handler]})
    found = spans.attributes("tool.look")
    assert "call_7" == found["gen_ai.tool.call.id"]
    assert '{"query":"x"}' == found["gen_ai.tool.call.arguments"]


async def test_an_async_call_is_told_whole(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A coroutine is read like a function."""
    await alook.ainvoke(asked("alook"), {"callbacks": [handler]})
    found = spans.attributes("tool.alook")
    assert ("call_7", '{"query":"x"}') == (found["gen_ai.tool.call.id"], found["gen_ai.tool.call.arguments"])


def test_what_a_release_tells_is_believed() -> None:
    """An id that was told is taken, and arguments of which nothing was injected are as they were."""
    given = ({"name": "look"}, None, {"query": "x"}, "x", "told", None, None)
    assert tool_call(*given) == older.tool_call(*given)


@pytest.mark.parametrize(
    ("release", "tells"), [("1.0.0", False), ("1.0.0rc1", False), ("1.1.3", False), ("1.2.0", True), ("2.0.0a1", True)]
)
def test_which_releases_tell_all(release: str, tells: bool) -> None:
    """From 1.2 on everything is told; before, it is looked up."""
    assert tells == base.tells_all(release)


def test_marks_on_the_function_alone() -> None:
    """What only the function's own annotations mark is injected as well."""

    def plain(query: str, secret: str = "") -> str:
        return query + secret

    plain.__annotations__ = {"query": str, "secret": Annotated[str, InjectedToolArg]}  # not as text, as most modules'

    assert ["secret"] == list(
        older._injected(StructuredTool(name="plain", func=plain, args_schema={}, description="x"))
    )
