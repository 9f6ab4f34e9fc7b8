"""Metrics of a LlamaIndex agent, read as a meter provider's reader gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_callbacks import AgentEventHandler, request_metadata
from agent_callbacks.convention import keys
from tests.llamaindex.shared import support, two_steps
from tests.measured import Measured

if TYPE_CHECKING:
    from tests.conftest import Spans


async def test_agent_is_measured(spans: Spans) -> None:
    """A run of two model calls and two tools is in the metrics, under their names, without who asked."""
    measured = Measured()
    with (
        AgentEventHandler(tracer_provider=spans.provider, meter_provider=measured.provider).install(),
        request_metadata(user_id="u-17", session_id="s-9"),
    ):
        await support(*two_steps()).run("hi")
    found = measured.points()
    measured.provider.shutdown()
    counts = {name: sum(point.count for point in points) for name, points in found.items()}
    assert {
        keys.METRIC_OPERATION_DURATION: 2,
        keys.METRIC_TOOL_DURATION: 2,
        keys.METRIC_AGENT_DURATION: 1,
        keys.TOOL_MARSHALING_DURATION: 2,
        keys.TOOL_DOWNSTREAM_DURATION: 2,
    }.items() <= counts.items()
    said = [point.attributes for points in found.values() for point in points]
    named = {attributes[keys.TOOL_NAME] for attributes in said if keys.TOOL_NAME in attributes}
    assert {"search_web", "lookup_order"} == named
    assert not {"u-17", "s-9"} & {value for attributes in said for value in attributes.values()}
