"""Spans made inside a body are children of its span, spans made outside are not: with and without a caller's span."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.langchain.scenarios import BEYOND
from tests.langchain.scenarios_of_leaving import ALL
from tests.langchain.scene import CALLER, ROOT, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGGERS = ("opentelemetry", "agent_callbacks", "langchain_core", "langgraph", "asyncio")


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Collect what is logged at WARNING or above, among it every "Failed to detach context"."""
    caplog.set_level(logging.WARNING)
    return caplog.records


@pytest.fixture(params=[True, False], ids=["under a caller", "without a caller"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Give a stage, with or without a span of the caller's."""
    stage = Scene(under_a_caller=request.param)
    yield stage
    stage.provider.shutdown()


def parameters() -> list[Any]:
    """Return every scenario by name; those beyond any handler must fail, with the reason."""
    return [
        pytest.param(
            name,
            id=name,
            marks=[pytest.mark.xfail(reason=BEYOND[name], strict=True)] if name in BEYOND else [],
        )
        for name in ALL
    ]


@pytest.mark.parametrize("name", parameters())
def test_spans_land_where_they_belong(name: str, scene: Scene, records: list[logging.LogRecord]) -> None:
    """Every span of the user's has the right parent, nothing leaks, nothing stays open, nothing is logged."""
    scenario = ALL[name]
    if inspect.iscoroutinefunction(scenario.play):
        asyncio.run(play_async(scenario.play, scene))
    else:
        play(scenario.play, scene)
    gc.collect()

    assert not scene.verdict()
    made = [inner.label for inner in scene.inner_spans if inner.label not in {"afterwards", "next request"}]
    assert scenario.spans <= len(made) <= scenario.spans + scenario.or_more, made
    assert scene.handler.open_runs == 0
    assert not [record.getMessage() for record in records if record.name.startswith(LOGGERS)]


def play(scenario: Any, scene: Scene) -> None:
    """Play a sync scenario, then make spans in the same context."""
    with called(scene):
        scenario(scene)
        scene.mark("afterwards", CALLER)
    scene.mark("next request", ROOT)


async def play_async(scenario: Any, scene: Scene) -> None:
    """Play an async scenario, then make spans in the same context."""
    with called(scene):
        await scenario(scene)
        scene.mark("afterwards", CALLER)
    scene.mark("next request", ROOT)


@contextlib.contextmanager
def called(scene: Scene) -> Iterator[None]:
    """Open the caller's span where the scene wants one."""
    if not scene.under_a_caller:
        yield
        return
    with scene.tracer.start_as_current_span("caller") as scene.caller:
        yield
