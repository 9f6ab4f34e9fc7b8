"""Metrics of a LangChain agent, read as a meter provider's reader gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from langchain.agents import create_agent
from langchain_core.tools import tool

from agent_callbacks import AgentCallbackHandler
from agent_callbacks.convention import keys
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import asks, question, says
from tests.measured import Measured

if TYPE_CHECKING:
    from tests.conftest import Spans

WHO: Final = {"user_id": "u-17", "session_id": "s-9"}


@tool
def look(text: str) -> str:
    """Look."""
    return text


def test_agent_is_measured(spans: Spans) -> None:
    """A run of two model calls and a tool is in the metrics, under their names, without who asked."""
    measured = Measured()
    handler = AgentCallbackHandler(tracer_provider=spans.provider, meter_provider=measured.provider)
    agent = create_agent(ScriptedChat(script=[asks(("look", {"text": "x"})), says("done")]), [look], name="support")
    agent.invoke(question(), {"callbacks": [handler], "metadata": WHO})
    found = measured.points()
    measured.provider.shutdown()
    counts = {name: sum(point.count for point in points) for name, points in found.items()}
    assert {
        keys.METRIC_OPERATION_DURATION: 2,
        keys.METRIC_TOOL_DURATION: 1,
        keys.METRIC_AGENT_DURATION: 1,
        keys.TOOL_MARSHALING_DURATION: 1,
        keys.TOOL_DOWNSTREAM_DURATION: 1,
    }.items() <= counts.items()
    said = [point.attributes for points in found.values() for point in points]
    assert {"look"} == {attributes[keys.TOOL_NAME] for attributes in said if keys.TOOL_NAME in attributes}
    assert not {"u-17", "s-9"} & {value for attributes in said for value in attributes.values()}
