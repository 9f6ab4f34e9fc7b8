"""What there is one of in a process: bounded, and not inherited by a forked child."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from agent_callbacks.recording import process
from agent_callbacks.recording.process import Bounded
from tests.delivery.process import end, start

if TYPE_CHECKING:
    from agent_callbacks import AgentCallbackHandler

FORKED = """
import os, sys
from uuid import uuid4
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from agent_callbacks import AgentCallbackHandler
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
handler = AgentCallbackHandler(tracer_provider=provider)
outer = uuid4()
handler.on_chain_start({}, {}, run_id=outer, name="parents")
child = os.fork()
if not child:
    assert 0 == handler.open_runs, "inherited"
    inner = uuid4()
    handler.on_chain_start({}, {}, run_id=inner, parent_run_id=outer, name="childs")
    handler.on_chain_end({}, run_id=inner)
    assert ["chain.childs"] == [span.name for span in exporter.get_finished_spans()]
    sys.exit(0)
assert 0 == os.waitpid(child, 0)[1], "child failed"
assert 1 == handler.open_runs
handler.on_chain_end({}, run_id=outer)
print([span.name for span in exporter.get_finished_spans()])
"""


def test_a_full_table_forgets_its_oldest_entry() -> None:
    """Memory is bounded: what was noted first goes first."""
    table: Bounded[str, int] = Bounded(2)
    for number, key in enumerate("abc"):
        table[key] = number
    assert (2, None, 1, 2) == (len(table), *map(table.get, "abc"))


def test_too_many_single_things_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that makes ever new keys keeps the later things, and any of the others is made again when asked for."""
    monkeypatch.setattr(process, "_singles", {})
    made: list[int] = []
    for number in [*range(65), 0]:
        assert number == process.once(("test", number), lambda number=number: made.append(number) or number)
    assert [*range(65), 0] == made
    assert len(process._singles) < 65


def test_what_is_open_can_be_ended_by_name(handler: AgentCallbackHandler, caplog: pytest.LogCaptureFixture) -> None:
    """The log line says how many there were, and why."""
    caplog.set_level("INFO", "agent_callbacks")
    handler.on_chain_start({}, {}, run_id=uuid4(), name="hung")
    assert 1 == process.close_all("exit")
    assert "1 operation(s) still open at exit were closed as abandoned" in caplog.messages


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.measures_processes
@pytest.mark.skipif(sys.platform == "darwin", reason="a fork of a process with threads")
def test_a_forked_child_starts_with_nothing_open() -> None:
    """What was open belongs to the parent, which ends it; the child records runs of its own."""
    assert (0, "['chain.parents']\n", "") == end(start(FORKED))
