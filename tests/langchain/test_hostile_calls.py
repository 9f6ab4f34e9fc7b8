"""Callbacks as no framework calls them: wrong types, wrong order, wrong ids. Nothing is raised, nothing stays open."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import MagicMock
from uuid import uuid4

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from agent_callbacks import AgentCallbackHandler
from tests.langchain.hostile import (
    LIMIT,
    OVERHEAD,
    SURROGATE,
    BadDict,
    Echo,
    Incomparable,
    Lazy,
    Ticking,
    Unbound,
    bounded,
    check,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Spans


@pytest.fixture(params=["off", "all"])
def handler(request: pytest.FixtureRequest, spans: Spans) -> AgentCallbackHandler:
    """Give a handler that exports nothing, or all it may, in a small span."""
    return bounded(spans, content=request.param)


# --- what no framework emits -----------------------------------------------------------------------------------------
STARTS: Final = ("chain", "chat_model", "llm", "tool", "retriever")
WRONG: Final[dict[str, Callable[[], Any]]] = {
    "None": lambda: None, "zero": lambda: 0, "text": lambda: "x", "list": list, "list of None": lambda: [None],
    "nested": lambda: [[[]]], "dict": dict, "object": object, "mock": MagicMock, "unbound": Unbound, "lazy": Lazy,
    "ticking": Ticking, "incomparable": Incomparable, "bad dict": lambda: BadDict(a=1),
    "list of odd": lambda: [Ticking()], "echo": Echo,
    "pairs": lambda: [(Unbound(), Lazy())], "error": lambda: ValueError("x"), "surrogate": lambda: SURROGATE,
}  # fmt: skip


def ends_of(kind: str) -> tuple[str, str]:
    """Return the names of the end callbacks of *kind*."""
    noun = "llm" if kind == "chat_model" else kind
    return f"on_{noun}_end", f"on_{noun}_error"


def named_arguments(method: Any) -> list[str]:
    """Return the names of what *method* takes besides the run's ids."""
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    found = [name for name, one in inspect.signature(method).parameters.items() if one.kind in kinds]
    return [name for name in found if name not in {"run_id", "parent_run_id"}]


@pytest.mark.swallows
@pytest.mark.logs_expected
@pytest.mark.parametrize("end", [0, 1], ids=["end", "error"])
@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize("name", WRONG)
def test_wrong_types_in_every_argument_leave_nothing_open(
    name: str, kind: str, end: int, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """The same wrong thing in every argument: nothing is raised, and what was opened is ended by its end."""
    make, key = WRONG[name], uuid4()
    start = getattr(handler, f"on_{kind}_start")
    finish = getattr(handler, ends_of(kind)[end])
    start(**{argument: make() for argument in named_arguments(start)}, run_id=key)
    for between in (handler.on_llm_new_token, handler.on_stream_event, handler.on_custom_event, handler.on_retry):
        between(**{argument: make() for argument in named_arguments(between)}, run_id=key)
    opened = handler.open_runs
    finish(**{argument: make() for argument in named_arguments(finish)}, run_id=key)
    assert handler.open_runs == 0
    assert opened == len(spans.finished())
    for span in spans.finished():
        assert encode_spans([span]).ByteSize() <= LIMIT + OVERHEAD


def every_callback() -> list[str]:
    """Return the names of all callbacks."""
    return [name for name in dir(AgentCallbackHandler) if name.startswith("on_")]


IDS: Final[dict[str, Callable[[], Any]]] = {
    "None": lambda: None, "zero": lambda: 0, "text": lambda: "x", "list": list, "unknown": uuid4, "unbound": Unbound,
    "incomparable": Incomparable, "mock": MagicMock,
}  # fmt: skip


@pytest.mark.swallows
@pytest.mark.logs_expected
@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("callback", every_callback())
def test_a_run_id_may_be_anything(callback: str, name: str, handler: AgentCallbackHandler) -> None:
    """A callback for a run that is missing, unknown or no id at all raises nothing."""
    method = getattr(handler, callback)
    given: dict[str, Any] = dict.fromkeys(named_arguments(method))
    if "error" in given:
        given["error"] = ValueError("x")
    if callback in {"on_interrupt", "on_resume"}:
        method(SimpleNamespace(run_id=IDS[name]()))
    else:
        method(**given, run_id=IDS[name](), parent_run_id=IDS[name]())
    assert handler._recorder.abandon_all() <= callback.endswith("_start")


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize("order", ["end first", "started twice", "ended twice", "error after end", "unknown parent"])
def test_callbacks_out_of_order_are_counted(order: str, kind: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """An end before its start, twice the same: one span for one run, nothing open, nothing raised."""
    key, start = uuid4(), getattr(handler, f"on_{kind}_start")
    end, error = (getattr(handler, name) for name in ends_of(kind))
    if order == "end first":
        end(None, run_id=key)
    start({}, [], name="x", run_id=key, parent_run_id=uuid4() if order == "unknown parent" else None)
    if order == "started twice":
        start({}, [], name="x", run_id=key)
    end(None, run_id=key)
    if order in {"started twice", "ended twice"}:
        end(None, run_id=key)
    if order == "error after end":
        error(ValueError("x"), run_id=key)
    assert len(spans.finished()) == 1
    assert (handler.open_runs, handler.internal_errors) == (0, 0)
    assert handler.unmatched_events == (order in {"end first", "ended twice", "error after end"})


def test_a_run_that_is_its_own_parent_ends(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A circle of parents is no endless loop."""
    key = uuid4()
    handler.on_chain_start({}, {}, name="x", run_id=key, parent_run_id=key)
    handler.on_chain_end({}, run_id=key)
    check(spans, handler)
