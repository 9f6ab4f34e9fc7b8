"""No path out of LlamaIndex: marked values of every type, on every path, under all settings, and none comes out."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("llama_index.core")

from agent_callbacks import AgentEventHandler
from tests.leaks import Sinks, open_rounds, settings, together, unsanitized
from tests.llamaindex.leak_paths import PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = [pytest.param(name, marks=[PATHS.needs[name].needed] if name in PATHS.needs else []) for name in PATHS.all]
QUIET = ("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def sinks(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Iterator[Sinks]:
    """Give everywhere that anything leaves."""
    made = Sinks(caplog, tmp_path)
    yield made
    made.close()


def run(name: str, text: str, sinks: Sinks, **given: object) -> AgentEventHandler:
    """Take the path with a handler installed that writes to *sinks*."""
    made = AgentEventHandler(
        tracer_provider=sinks.spans.provider, meter_provider=sinks.meters, settings=settings(**given)
    )
    with made.install():
        PATHS.all[name](text)
        gc.collect(0)
    made.close()
    return made


def test_the_paths_are_many() -> None:
    """There are more than anybody has counted before."""
    assert len(PATHS.all) >= 65


@pytest.mark.logs_expected
@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_comes_out(name: str, sinks: Sinks) -> None:
    """Spans as JSON and OTLP, the store's files, metrics and log records hold none of what went in."""
    identity = name in PATHS.identities
    for kind, seed, given in open_rounds(list(PATHS.all).index(name), identity=identity):
        assert 0 == run(name, seed.text, sinks, **given).internal_errors
        assert not sinks.leaks(seed.words), (kind, given)
    assert sinks.seen
    assert not sinks.leaks_in_store(together(unmistakable=identity).words)


@pytest.mark.logs_expected
@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_looked_for_would_be_found(name: str, sinks: Sinks) -> None:
    """Without sanitizing, each path tells what went in, but for those that are known to end nowhere."""
    seed = together(unmistakable=name in PATHS.identities)
    run(name, seed.text, sinks, **unsanitized())
    assert (name not in PATHS.untold) == bool(sinks.leaks(seed.words))
