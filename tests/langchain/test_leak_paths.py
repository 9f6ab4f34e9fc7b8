"""No path out: marked values of every type, on every path, under all settings, and not a byte of one comes out."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from agent_callbacks import AgentCallbackHandler
from tests.langchain.leak_paths import PATHS
from tests.leaks import Sinks, open_rounds, settings, together, unsanitized

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sinks(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Iterator[Sinks]:
    """Give everywhere that anything leaves."""
    made = Sinks(caplog, tmp_path)
    yield made
    made.close()


def handler(sinks: Sinks, **given: object) -> AgentCallbackHandler:
    """Return a handler that writes to *sinks*."""
    return AgentCallbackHandler(
        tracer_provider=sinks.spans.provider, meter_provider=sinks.meters, settings=settings(**given)
    )


def test_the_paths_are_many() -> None:
    """There are more than anybody has counted before."""
    assert len(PATHS.all) >= 111


@pytest.mark.logs_expected
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", PATHS.all)
def test_nothing_comes_out(name: str, sinks: Sinks) -> None:
    """Spans as JSON and OTLP, the store's files, metrics and our log records hold none of what went in."""
    identity = name in PATHS.identities
    for kind, seed, given in open_rounds(list(PATHS.all).index(name), identity=identity):
        made = handler(sinks, **given)
        PATHS.all[name](seed.text, made)
        gc.collect(0)
        made._recorder.abandon_all()
        assert 0 == made.internal_errors
        assert not sinks.leaks(seed.words), (kind, given)
    assert sinks.seen
    assert not sinks.leaks_in_store(together(unmistakable=identity).words)


@pytest.mark.logs_expected
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", PATHS.all)
def test_what_is_looked_for_would_be_found(name: str, sinks: Sinks) -> None:
    """Without sanitizing, each path tells what went in, but for those that are known to end nowhere."""
    seed, made = together(unmistakable=name in PATHS.identities), handler(sinks, **unsanitized())
    PATHS.all[name](seed.text, made)
    made._recorder.abandon_all()
    assert (name not in PATHS.untold) == bool(sinks.leaks(seed.words))
