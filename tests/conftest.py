"""What every test gets: its own provider, a clean environment, and a check that nothing went wrong unseen."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest
from hypothesis import settings
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from agent_callbacks import AgentCallbackHandler

settings.register_profile("suite", deadline=None)  # the machine is shared: how long an example takes says nothing
settings.load_profile("suite")
LOGGERS: Final = ("agent_callbacks", "opentelemetry")
# What a developer's shell may hold and a test must not see.
FOREIGN_ENVIRONMENT: Final = ("AGENT_CALLBACKS_", "LANGCHAIN_", "LANGSMITH_", "OTEL_")
COVERAGE_OF_PROCESSES: Final = "COVERAGE_PROCESS_CONFIG"
_RECORDER: Final = "agent_callbacks.recording.recorder"
_PROCESS: Final = "agent_callbacks.recording.process"


# --- nothing swallowed, nothing open, nothing logged -----------------------------------------------------------------
class Recorder(Protocol):
    """What the check reads of a recorder."""

    open_runs: int
    internal_errors: int

    def abandon_all(self) -> int:
        """Close everything that is open."""
        ...


class Records(logging.Handler):
    """Keeps what is logged at WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record*."""
        self.kept.append(record)


def complaints(
    recorders: Sequence[tuple[Recorder, int]], records: Sequence[logging.LogRecord], expected: frozenset[str]
) -> list[str]:
    """Return what went wrong unseen, one line each.

    Args:
        recorders: Every recorder the test could reach, with the failures it had counted before the test.
        records: What was logged at WARNING or above.
        expected: The markers of the test.
    """
    found: list[str] = []
    for recorder, errors_before in recorders:
        if "swallows" not in expected and (swallowed := recorder.internal_errors - errors_before):
            found.append(f"{swallowed} failure(s) of ours were swallowed")
        if "leaves_open" not in expected and recorder.open_runs:
            found.append(f"{recorder.open_runs} operation(s) left open")
    if "logs_expected" not in expected:
        found += [f"logged by {record.name} at {record.levelname}: {record.getMessage()}" for record in records]
    return found


def standing_recorders() -> list[Recorder]:
    """Return the recorders that are alive now; none where no test has loaded the recording room."""
    process = sys.modules.get(_PROCESS)
    return [] if process is None else list(process.recorders())


def keep_new_recorders(kept: list[Recorder], patch: pytest.MonkeyPatch) -> None:
    """Hold every recorder made from now on: one that a test drops must still answer for what it swallowed."""
    if (room := sys.modules.get(_RECORDER)) is None:
        return
    original = room.Recorder.__init__

    def keeping(self: Recorder, *args: Any, **given: Any) -> None:
        original(self, *args, **given)
        kept.append(self)

    patch.setattr(room.Recorder, "__init__", keeping)


@pytest.fixture(autouse=True)
def nothing_logged() -> Iterator[Records]:
    """Collect what our logger and OpenTelemetry's say at WARNING or above, from set-up to the end of the test."""
    records = Records()
    for name in LOGGERS:
        logging.getLogger(name).addHandler(records)
    yield records
    for name in LOGGERS:
        logging.getLogger(name).removeHandler(records)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test after which something was swallowed, is open or was logged; before its fixtures go."""
    expected = frozenset(mark.name for mark in item.iter_markers())
    before = [(recorder, recorder.internal_errors) for recorder in standing_recorders()]
    made: list[Recorder] = []
    with pytest.MonkeyPatch.context() as patch:
        if "frees_recorders" not in expected:
            keep_new_recorders(made, patch)
        outcome = yield
    known = [id(recorder) for recorder, _ in before]
    seen = {id(recorder): recorder for recorder in (*made, *standing_recorders()) if id(recorder) not in known}
    funcargs: dict[str, Any] = getattr(item, "funcargs", {})
    logged = funcargs["nothing_logged"].kept if "nothing_logged" in funcargs else []
    found = complaints([*before, *((recorder, 0) for recorder in seen.values())], logged, expected)
    assert not found, "after the test:\n" + "\n".join(found)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Close what a test has left open, once its fixtures are gone: one failure is one failure."""
    try:
        return (yield)
    finally:
        for recorder in standing_recorders():
            recorder.abandon_all()


# --- surroundings ----------------------------------------------------------------------------------------------------
@pytest.fixture(autouse=True)
def clean_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hide the developer's settings, and send what would go to the home directory to a temporary one.

    Processes that a test starts are measured where it asks for that: it costs each of them a second or more.
    """
    if request.node.get_closest_marker("measures_processes") is None:
        monkeypatch.delenv(COVERAGE_OF_PROCESSES, raising=False)
    for name in list(os.environ):
        if name.startswith(FOREIGN_ENVIRONMENT) and not name.startswith("AGENT_CALLBACKS_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENT_CALLBACKS_PSEUDONYM_KEY", "a key of the tests")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(autouse=True)
def names_of_its_own() -> None:
    """Let no test see the span names of those before it: handlers share one table a process, which fills up."""
    process = sys.modules.get("agent_callbacks.recording.process")
    if process is not None:
        process.forget("namer")


# --- spans -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Spans:
    """A provider, and what it exported so far; a span is here as soon as it has ended."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    provider: TracerProvider = field(default_factory=lambda: TracerProvider(shutdown_on_exit=False))

    def __post_init__(self) -> None:
        """Connect the two, without a queue between."""
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def finished(self) -> tuple[ReadableSpan, ...]:
        """Return the ended spans, in the order of their start."""
        return tuple(sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0))

    def names(self) -> list[str]:
        """Return the names of the ended spans, in the order of their start."""
        return [span.name for span in self.finished()]

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the ended spans called *name*."""
        return [span for span in self.finished() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """Return the only ended span called *name*."""
        found = self.named(name)
        assert len(found) == 1, f"{len(found)} spans called {name} among {self.names()}"
        return found[0]

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of the only ended span called *name*."""
        return dict(self.one(name).attributes or {})

    def clear(self) -> None:
        """Forget what was exported."""
        self.exporter.clear()

    def tree(self) -> str:
        """Return the names as a tree, children indented by two spaces under their parent."""
        spans = self.finished()
        known = {span.context.span_id for span in spans}

        def lines(parent: int | None, depth: int) -> Iterator[str]:
            for span in spans:
                over = span.parent.span_id if span.parent and span.parent.span_id in known else None
                if over == parent:
                    yield "  " * depth + span.name
                    yield from lines(span.context.span_id, depth + 1)

        return "\n".join(lines(None, 0))


@pytest.fixture(autouse=True, scope="session")
def prices_are_there() -> None:
    """Let prices be loaded before the first test: a model that answers at once would be faster."""
    from agent_callbacks.tokens.prices import open_book  # not before coverage looks

    tracer = sys.gettrace()
    sys.settrace(None)  # a module of 30,000 lines: traced, its import takes half a minute
    with contextlib.suppress(ImportError):
        importlib.import_module("genai_prices.data")
    sys.settrace(tracer)
    assert open_book().wait()


@pytest.fixture(autouse=True, scope="session")
def tokens_are_counted() -> Iterator[None]:
    """Let the encoder be loaded before the first test, and a model that answers at once wait for a slow machine."""
    from agent_callbacks.recording import counting  # not before coverage looks

    counting.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "WAIT_SECONDS", 60.0)
        patch.setattr(counting, "MAX_BACKLOG", 10_000)
        yield


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Give a tracer provider of this test alone, and its spans."""
    made = Spans()
    yield made
    made.provider.shutdown()


@pytest.fixture
def handler(spans: Spans) -> AgentCallbackHandler:
    """Give a LangChain handler that records into *spans*, with the default settings."""
    pytest.importorskip("langchain_core")
    from agent_callbacks import AgentCallbackHandler

    return AgentCallbackHandler(tracer_provider=spans.provider)
