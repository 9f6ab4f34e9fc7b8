"""No path out: marked values of every type, on every path, under all settings, and not a byte of one comes out."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from agent_callbacks import AgentCallbackHandler
from tests.langchain.leak_paths import IDENTITIES, PATHS, UNTOLD
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
    assert len(PATHS) >= 111


@pytest.mark.logs_expected
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", PATHS)
def test_nothing_comes_out(name: str, sinks: Sinks) -> None:
    """Spans as JSON and OTLP, the store's files, metrics and our log records hold none of what went in."""
    identity = name in IDENTITIES
    for kind, seed, given in open_rounds(list(PATHS).index(name), identity=identity):
        made = handler(sinks, **given)
        PATHS[name](seed.text, made)
        gc.collect(0)
        made._recorder.abandon_all()
        assert 0 == made.internal_errors
        assert not sinks.leaks(seed.words), (kind, given)
    assert sinks.seen
    assert not sinks.leaks_in_store(together(unmistakable=identity).words)


@pytest.mark.logs_expected
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", PATHS)
def test_what_is_looked_for_would_be_found(name: str, sinks: Sinks) -> None:
    """Without sanitizing, each path tells what went in, but for those that are known to end nowhere."""
    seed, made = together(unmistakable=name in IDENTITIES), handler(sinks, **unsanitized())
    PATHS[name](seed.text, made)
    made._recorder.abandon_all()
    assert (name not in UNTOLD) == bool(sinks.leaks(seed.words))
