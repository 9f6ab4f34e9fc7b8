"""The suite's own check: what every test is held to can fail."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.conftest import complaints

if TYPE_CHECKING:
    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Records, Spans

NOTHING_EXPECTED = frozenset[str]()


@dataclass
class Counts:
    """Stands for a recorder."""

    open_runs: int = 0
    internal_errors: int = 0

    def abandon_all(self) -> int:
        """Close nothing."""
        return 0


def record(level: int) -> logging.LogRecord:
    """Return a log record."""
    return logging.LogRecord("agent_callbacks", level, __file__, 1, "something happened", None, None)


def test_clean_test_has_no_complaint() -> None:
    """A recorder that swallowed nothing in this test and holds nothing open is no complaint."""
    assert [] == complaints([(Counts(internal_errors=2), 2)], [], NOTHING_EXPECTED)


@pytest.mark.parametrize(
    ("counts", "marker", "words"),
    [
        (Counts(internal_errors=1), "swallows", "1 failure(s) of ours were swallowed"),
        (Counts(open_runs=2), "leaves_open", "2 operation(s) left open"),
    ],
)
def test_unclean_recorder_is_a_complaint(counts: Counts, marker: str, words: str) -> None:
    """A swallowed failure and an open operation fail a test that does not say it provokes them."""
    assert [words] == complaints([(counts, 0)], [], NOTHING_EXPECTED)
    assert [] == complaints([(counts, 0)], [], frozenset({marker}))


def test_log_record_is_a_complaint() -> None:
    """A record at WARNING or above fails a test that does not say it provokes one."""
    words = "logged by agent_callbacks at WARNING: something happened"
    assert [words] == complaints([], [record(logging.WARNING)], NOTHING_EXPECTED)
    assert [] == complaints([], [record(logging.WARNING)], frozenset({"logs_expected"}))


@pytest.mark.logs_expected
@pytest.mark.parametrize("name", ["agent_callbacks", "agent_callbacks.store", "opentelemetry.sdk.trace"])
def test_logs_of_ours_and_opentelemetry_are_collected(name: str, nothing_logged: Records) -> None:
    """The check hears our loggers and OpenTelemetry's, from WARNING on."""
    logging.getLogger(name).info("not collected")
    logging.getLogger(name).warning("collected")
    assert ["collected"] == [kept.getMessage() for kept in nothing_logged.kept]


@pytest.mark.xfail(raises=AssertionError, reason="the check fails a test that logs a warning", strict=True)
def test_warning_fails_a_test() -> None:
    """The check is connected: a warning nobody expects fails the test that provoked it."""
    logging.getLogger("agent_callbacks").warning("not expected")


_LEFT: list[AgentCallbackHandler] = []


@pytest.mark.xfail(raises=AssertionError, reason="the check fails a test that leaves an operation open", strict=True)
def test_open_operation_fails_a_test(handler: AgentCallbackHandler) -> None:
    """The check is connected: an operation nobody ends fails the test that began it."""
    _LEFT.append(handler)
    handler.on_chain_start({}, {}, run_id=uuid4())


def test_open_operation_fails_no_other_test() -> None:
    """What the test before has left open is closed by now: one failure is one failure."""
    assert [] == [left.open_runs for left in _LEFT if left.open_runs]
    _LEFT.clear()


def test_tree_shows_who_stands_below_whom(spans: Spans) -> None:
    """Children stand indented under their parent, in the order of their start."""
    tracer = spans.provider.get_tracer("test")
    with tracer.start_as_current_span("root"):
        with tracer.start_as_current_span("first"):
            tracer.start_span("below").end()
        tracer.start_span("second").end()
    assert "root\n  first\n    below\n  second" == spans.tree()
