"""Fixtures for the LlamaIndex adapter's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("llama_index.core")

from agent_callbacks import AgentEventHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Spans


@pytest.fixture
def events(spans: Spans) -> Iterator[AgentEventHandler]:
    """Give a handler that records into *spans* with the default settings and hears of everything."""
    with AgentEventHandler(tracer_provider=spans.provider).install() as handler:
        yield handler
        assert handler.unclassified_spans == 0
        assert handler.unmatched_events == 0
