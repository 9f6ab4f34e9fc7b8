"""How the work of a view grows with its trace: counted, since time says little on a busy machine."""

from __future__ import annotations

import pytest

from agent_callbacks.analysis.digest import digest
from agent_callbacks.analysis.latency import latency_report
from agent_callbacks.analysis.span import Span
from agent_callbacks.analysis.trace import Trace
from agent_callbacks.analysis.waterfall import render
from tests.effort import calls

TRACE = "ab" * 16
SECOND = 1_000_000_000


def deep(count):
    """Each span in the one before it."""
    return [(at - 1, at, 2 * count - at) for at in range(count)]


def wide(count):
    """All beside each other in one."""
    return [(-1, 0, count), *[(0, at, at + 1) for at in range(1, count)]]


def orphaned(count):
    """All but the first in a span that is missing."""
    return [(-1, 0, count), *[(count + at, at, at + 1) for at in range(1, count)]]


def trace_of(places):
    """Return a trace of tools and chains in them, each given as its parent's place, begin and end in seconds."""
    return Trace(
        TRACE,
        tuple(
            Span(
                TRACE, f"{at + 1:016x}", f"{parent + 1:016x}" if parent >= 0 else None, "tool.x", "INTERNAL",
                SECOND * begin, SECOND * end,
                attributes={"gen_ai.operation.name": "invoke_workflow" if parent > 0 else "execute_tool"},
            )
            for at, (parent, begin, end) in enumerate(places)
        ),
    )  # fmt: skip


@pytest.mark.parametrize("shape", [deep, wide, orphaned])
@pytest.mark.parametrize(
    "view", [latency_report, digest, lambda trace: render(trace, 100, color=False)], ids=["latency", "digest", "show"]
)
def test_work_grows_with_the_spans(shape, view):
    """Twice the spans are about twice the work, whatever the shape of their tree."""
    few, many = trace_of(shape(200)), trace_of(shape(400))
    view(few)  # what is worked out once in a process is
    assert 2.3 > calls(lambda: view(many)) / calls(lambda: view(few))
