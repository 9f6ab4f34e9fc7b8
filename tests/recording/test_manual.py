"""Spans and waits that users write by hand."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.tools import tool
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from agent_callbacks import downstream, request_metadata, span
from agent_callbacks.recording import process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks import AgentCallbackHandler
    from tests.conftest import Spans

MAIL = "jane.roe@example.org"


@pytest.fixture(autouse=True)
def global_provider(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the test's provider the global one: that is where spans outside a run go."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    monkeypatch.setattr(process, "_singles", {})


# --- as a block ------------------------------------------------------------------------------------------------------
def test_a_span_carries_who_asked(spans: Spans) -> None:
    """Outside any run too."""
    with request_metadata(user_id="u-17"), span("chain.check_refund", {"note": MAIL}) as own:
        own.set_attribute("more", MAIL)
    found = spans.attributes("chain.check_refund")
    assert ("u-17", "[EMAIL]", "[EMAIL]") == (found["user.id"], found["note"], found["more"])
    assert "success" == found["agent_callbacks.outcome"]


@pytest.mark.logs_expected
def test_everything_set_on_a_span_is_cleaned(spans: Spans) -> None:
    """Events, links, status, name and exceptions pass the same writer."""
    with span("chain.outer") as outer, span("chain.inner") as own:
        own.add_event(MAIL, {"who": MAIL})
        own.add_link(outer.get_span_context(), {"who": MAIL})
        own.record_exception(ValueError(MAIL))
        own.set_status(StatusCode.ERROR, MAIL)
        own.update_name(f"chain.{MAIL}")
        own.end()
        assert own.is_recording()
    assert 2 == len(spans.finished())
    assert MAIL not in "".join(one.to_json() for one in spans.finished())


def test_a_name_that_does_not_fit_is_made_to_fit(spans: Spans) -> None:
    """The raw name stands beside it."""
    with span("chain.Check Refund"):
        pass
    assert "chain.Check Refund" == spans.attributes("chain.check_refund")["agent_callbacks.name.raw"]


def test_an_error_passes_through_and_is_recorded(spans: Spans) -> None:
    """Cleaned, with its type."""
    with pytest.raises(ValueError, match=MAIL), span("chain.check_refund"):
        raise ValueError(MAIL)
    found = spans.one("chain.check_refund")
    assert ("failure", "ValueError") == tuple(
        (found.attributes or {})[key] for key in ("agent_callbacks.outcome", "error.type")
    )
    assert (StatusCode.ERROR, "[EMAIL]") == (found.status.status_code, found.status.description)
    assert ["exception"] == [event.name for event in found.events]


def test_a_span_in_a_tool_is_its_child(handler: AgentCallbackHandler, spans: Spans) -> None:
    """It is under the run's span, and what runs inside is under it."""

    @tool
    def inner(text: str) -> str:
        """Do."""
        return text

    @tool
    def outer(text: str) -> str:
        """Do."""
        with span("chain.between"):
            return str(inner.invoke({"text": text}))

    outer.invoke({"text": "x"}, {"callbacks": [handler], "metadata": {"user_id": "u-17"}})
    assert "tool.outer\n  chain.between\n    tool.inner" == spans.tree()
    assert "u-17" == spans.attributes("chain.between")["user.id"]


def test_a_span_may_be_left_in_another_copy_of_the_context(spans: Spans) -> None:
    """A web framework takes each step of a stream in a copy of its own: it ends, and nothing is logged."""

    def stream() -> Iterator[str]:
        with span("chain.answer"):
            yield "a"

    steps = stream()
    contextvars.copy_context().run(next, steps)
    assert trace.get_current_span() is trace.INVALID_SPAN
    contextvars.copy_context().run(next, steps, None)
    assert ["chain.answer"] == spans.names()


async def test_a_span_left_in_a_copy_is_not_current_there_any_more(spans: Spans) -> None:
    """What follows in the task that closed the stream is not its child."""

    async def stream() -> Any:
        with span("chain.answer"):
            yield "a"

    steps = stream()
    await anext(steps)

    async def close() -> None:
        await steps.aclose()
        with span("chain.next"):
            pass

    await asyncio.create_task(close())
    assert "chain.answer\nchain.next" == spans.tree()


# --- as a decorator --------------------------------------------------------------------------------------------------
def test_each_call_of_a_decorated_function_is_a_span(spans: Spans) -> None:
    """Its result comes back."""

    @span("chain.check_refund")
    def check(text: str) -> str:
        return text

    assert ["a", "b"] == [check("a"), check("b")]
    assert ["chain.check_refund"] * 2 == spans.names()


async def test_a_decorated_coroutine_is_inside_until_it_is_done(spans: Spans) -> None:
    """What it awaits is under its span, also where calls overlap."""

    @span("chain.outer")
    async def check(name: str) -> str:
        await asyncio.sleep(0)
        with span(f"chain.{name}"):
            await asyncio.sleep(0)
        return name

    assert ["one", "two"] == await asyncio.gather(check("one"), check("two"))
    assert "chain.outer\n  chain.one\nchain.outer\n  chain.two" == spans.tree()


def test_a_generator_function_is_refused() -> None:
    """Its consumer's code would run inside the span; the error says what to write instead."""

    def steps() -> Iterator[int]:
        yield 1

    async def asteps() -> Any:
        yield 1

    for function in (steps, asteps):
        with pytest.raises(TypeError, match=r"'chain.answer'.*open it with 'with' inside"):
            span("chain.answer")(function)


# --- waiting ---------------------------------------------------------------------------------------------------------
def test_waiting_is_told_apart_from_working(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Blocks that overlap count once: a tool that only waits has nothing else to account for."""

    @tool
    def look(text: str) -> str:
        """Do."""
        with downstream("crm"), downstream("crm again"):
            return "".join(text for _ in range(1000))

    look.invoke({"text": "x"}, {"callbacks": [handler]})
    found = spans.attributes("tool.look")
    lasted = (spans.one("tool.look").end_time or 0) - (spans.one("tool.look").start_time or 0)
    waited, worked = (found[f"agent_callbacks.tool.{kind}_duration"] for kind in ("downstream", "marshaling"))
    assert waited > 0
    assert lasted == pytest.approx((waited + worked) * 1e9, abs=1000)


def test_waiting_outside_a_tool_does_nothing(spans: Spans) -> None:
    """The block is there for code that does not know who calls it."""
    with downstream("crm"):
        pass
    assert [] == spans.names()
