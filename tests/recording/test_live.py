"""The current span inside a body: who is inside, what everybody else sees, and what is let go of."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, StatusCode

from agent_callbacks.recording import live, stack
from tests.effort import calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span

    from tests.conftest import Spans


class Operation:
    """A target that notes what it is told."""

    def __init__(self, span: Span) -> None:
        self.own = span
        self.told: list[tuple[Any, ...]] = []

    def span(self) -> Span:
        """Return the span."""
        return self.own

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.told.append((name, *arguments))


@pytest.fixture(autouse=True)
def clean_context() -> Iterator[None]:
    """Let every test begin and end without a current span."""
    token = otel_context.attach(otel_context.Context())
    yield
    otel_context.detach(token)


@pytest.fixture
def operation(spans: Spans) -> Operation:
    """Give an operation with a span of its own."""
    return Operation(spans.provider.get_tracer("test").start_span("ours"))


@pytest.fixture
def caller(spans: Spans) -> Iterator[Span]:
    """Open a span of the caller's."""
    with spans.provider.get_tracer("test").start_as_current_span("caller") as span:
        yield span


@pytest.fixture
def flag_only() -> Iterator[None]:
    """Decide by the flag alone, as where there is no ``sys._getframe``."""
    live.use_flag_only(on=True)
    yield
    live.use_flag_only(on=False)


def on_start(operation: Operation, kind: live.Kind = "tool", **given: Any) -> live.Body:
    """Start as a callback would: by its name it belongs to the machinery, so who calls it owns the run."""
    return live.enter(operation, kind=kind, **given)


def current() -> int:
    """Return the id of the span that is current here."""
    return trace.get_current_span().get_span_context().span_id


def number(span: Span) -> int:
    """Return the id of *span*."""
    return span.get_span_context().span_id


# --- inside and outside ----------------------------------------------------------------------------------------------
def test_body_sees_its_span_and_the_caller_its_own_again(operation: Operation, caller: Span) -> None:
    """Inside the body our span is current, and after the end the caller's is."""
    body = on_start(operation)
    assert current() == number(operation.own)
    live.leave(body)
    assert trace.get_current_span() is caller


def test_consumer_of_a_stream_sees_the_span_from_before(operation: Operation, caller: Span) -> None:
    """Between two chunks the caller's span is current, within the generator ours."""

    def stream() -> Iterator[int]:
        body = on_start(operation, "model")
        yield current()
        yield current()
        live.leave(body)

    seen = [(inside, outside) for inside in stream() for outside in [current()]]
    assert [(number(operation.own), number(caller))] * 2 == seen


def test_call_that_never_ends_is_outside_once_its_frame_is_gone(operation: Operation, caller: Span) -> None:
    """A body nobody ended answers with the caller's span as soon as the function that owned it has returned."""
    body = owned_call(operation)
    assert body.target is operation
    assert current() == number(caller)
    live.leave(body)


def owned_call(operation: Operation, kind: live.Kind = "tool") -> live.Body:
    """Own a run that is never ended."""
    return on_start(operation, kind)


def test_copied_context_in_a_thread_is_inside_until_the_end(operation: Operation, caller: Span) -> None:
    """A thread that runs in a copy of the body's context is inside, and after the end it sees the caller's span."""
    body = on_start(operation)
    copy = contextvars.copy_context()
    assert number(operation.own) == in_thread(lambda: copy.run(current))
    live.leave(body)
    assert number(caller) == in_thread(lambda: copy.run(current))


def in_thread(run: Any) -> Any:
    """Return what *run* returns in a thread of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(run()))
    thread.start()
    thread.join()
    return found[0]


async def test_task_of_the_body_is_inside_in_foreign_frameworks(operation: Operation) -> None:
    """Where the owner is no LangChain function, a task made in the body is inside: no variable says otherwise."""

    async def job() -> int:
        return current()

    body = on_start(operation)
    assert number(operation.own) == await asyncio.create_task(job())
    live.leave(body)


async def test_end_in_a_copied_context_heals_the_one_left_behind(operation: Operation, caller: Span) -> None:
    """After an end callback in another task, the context it could not reach answers with the caller's span."""
    body = on_start(operation, "model")

    async def end() -> None:
        live.leave(body)

    await asyncio.create_task(end())
    assert isinstance(trace.get_current_span(), live.LiveSpan)
    assert current() == number(caller)


async def test_chain_of_proxies_stays_one_deep(operation: Operation, caller: Span) -> None:
    """After fifty runs that could not put the context right, the last proxy still stands directly on the caller's."""
    for _ in range(50):
        body = on_start(operation, "model")
        await asyncio.create_task(asyncio.to_thread(live.leave, body))
    proxy = trace.get_current_span()
    assert isinstance(proxy, live.LiveSpan)
    assert proxy.body.before is caller


@pytest.mark.usefixtures("flag_only")
def test_flag_only_counts_every_open_body_as_inside(operation: Operation, caller: Span) -> None:
    """Without frames, a body that nobody ended stays current until it is ended."""
    body = owned_call(operation)
    assert current() == number(operation.own)
    live.leave(body)
    assert current() == number(caller)


# --- contexts --------------------------------------------------------------------------------------------------------
def test_what_the_user_attached_inside_survives_the_end(operation: Operation) -> None:
    """Baggage the body left attached is still there after the end; our own entries are not."""
    body = on_start(operation, decorate=lambda context: otel_context.set_value("ours", 1, context))
    otel_context.attach(baggage.set_baggage("theirs", "2"))
    assert otel_context.get_value("ours") == 1
    live.leave(body)
    assert baggage.get_baggage("theirs") == "2"
    assert otel_context.get_value("ours") is None
    assert trace.get_current_span() is INVALID_SPAN


def test_ends_in_any_order_restore_the_callers_context(operation: Operation, caller: Span) -> None:
    """A batch starts all runs first and ends them in order; afterwards the caller's own context is back."""
    before = otel_context.get_current()
    bodies = [on_start(operation, "chain") for _ in range(3)]
    for body in bodies:
        live.leave(body)
    assert otel_context.get_current() == before


def test_child_hangs_on_the_users_span_opened_in_the_parents_body(operation: Operation, spans: Spans) -> None:
    """A span the user opened inside the parent's body is nearer than the parent's own."""
    body = on_start(operation)
    assert number(operation.own) == number(trace.get_current_span(live.parent_context(body)))
    with spans.provider.get_tracer("user").start_as_current_span("user") as user:
        assert trace.get_current_span(live.parent_context(body)) is user
    live.leave(body)


async def test_next_run_does_not_inherit_what_the_last_was_given(operation: Operation) -> None:
    """What a run's context was decorated with is gone for the next, though nobody could take it away."""
    body = on_start(operation, "model", decorate=lambda context: otel_context.set_value("ours", 1, context))
    await asyncio.create_task(asyncio.to_thread(live.leave, body))
    assert otel_context.get_value("ours") == 1
    body = on_start(operation, "model")
    assert otel_context.get_value("ours") is None
    live.leave(body)


def test_child_in_a_foreign_context_hangs_on_its_parent(operation: Operation, caller: Span) -> None:
    """Where the parent's context did not travel, its span is the parent all the same."""
    body = on_start(operation)
    context = contextvars.Context().run(live.parent_context, body)
    assert number(operation.own) == number(trace.get_current_span(context))
    live.leave(body)
    assert trace.get_current_span(live.parent_context(body)) is caller


def test_siblings_of_a_batch_do_not_nest(operation: Operation, caller: Span) -> None:
    """What the same call of the same function starts next is no child of what it started first."""
    first = on_start(operation, "chain")
    assert trace.get_current_span(on_ask()) is caller
    live.leave(first)


def on_ask() -> Any:
    """Ask as a start callback would."""
    return live.parent_context(None)


def test_body_of_finds_the_innermost_body_one_is_inside_of(operation: Operation) -> None:
    """A body whose stream is suspended is skipped, the one around it is found, and none outside of any."""

    def stream() -> Iterator[live.Body]:
        yield on_start(operation, "model")

    outer = on_start(operation)
    suspended = stream()
    inner = next(suspended)
    assert live.body_of() is outer
    live.leave(inner)
    live.leave(outer)
    assert live.body_of() is None


# --- the proxy -------------------------------------------------------------------------------------------------------
def test_writes_inside_go_through_the_target(operation: Operation) -> None:
    """Every mutator reaches the operation and none the span itself; ending it does nothing."""
    body = on_start(operation)
    span, link, error = trace.get_current_span(), operation.own.get_span_context(), LookupError()
    span.set_attribute("a", 1)
    span.add_event("event", {"b": 2}, 3)
    span.add_link(link, {"c": 4})
    span.record_exception(error, {"d": 5}, timestamp=6, escaped=True)
    span.set_status(StatusCode.ERROR, "why")
    span.update_name("other")
    span.end()
    assert [
        ("set_attributes", {"a": 1}),
        ("add_event", "event", {"b": 2}, 3),
        ("add_link", link, {"c": 4}),
        ("record_exception", error, {"d": 5}),
        ("set_status", StatusCode.ERROR, "why"),
        ("update_name", "other"),
    ] == operation.told
    assert operation.own.is_recording()
    live.leave(body)


def test_kept_reference_writes_nowhere_after_the_end(operation: Operation, caller: Span) -> None:
    """A reference kept beyond the body cannot write on the caller's span, nor on the operation's."""
    body = on_start(operation)
    kept = trace.get_current_span()
    live.leave(body)
    kept.set_attribute("late", 1)
    kept.add_event("late")
    kept.add_link(caller.get_span_context())
    kept.record_exception(LookupError())
    kept.set_status(StatusCode.ERROR)
    kept.update_name("late")
    assert operation.told == []
    assert caller.name == "caller"  # type: ignore[attr-defined]
    assert not caller.attributes  # type: ignore[attr-defined]


def test_stream_consumer_writes_on_its_own_span(operation: Operation, caller: Span) -> None:
    """Between two chunks the current span is the proxy, and what the consumer sets lands on the consumer's span."""

    def stream() -> Iterator[live.Body]:
        yield on_start(operation, "model")

    suspended = stream()
    body = next(suspended)
    trace.get_current_span().set_attribute("mine", 1)
    assert caller.attributes == {"mine": 1}  # type: ignore[attr-defined]
    live.leave(body)


def test_proxy_reads_like_the_sdks_span(operation: Operation) -> None:
    """Name, attributes and the like can be read, anything else is an AttributeError, and it is recording."""
    body = on_start(operation)
    span: Any = trace.get_current_span()
    assert (span.name, span.context, span.is_recording()) == ("ours", operation.own.get_span_context(), True)
    assert "ours" in repr(span)
    with pytest.raises(AttributeError, match="_end_time"):
        _ = span._end_time
    live.leave(body)
    assert not span.is_recording()


# --- finished --------------------------------------------------------------------------------------------------------
async def test_coroutine_is_finished_with_its_task_and_not_before(operation: Operation) -> None:
    """A body in a task that sleeps is not finished; once the task is cancelled it is."""
    found: list[live.Body] = []

    async def call() -> None:
        found.append(on_start(operation))
        await asyncio.sleep(30)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    assert not live.finished(found[0])
    task.cancel()
    await asyncio.wait([task])
    assert live.finished(found[0])


async def test_cancelled_call_lingers_in_the_context_of_its_task(operation: Operation) -> None:
    """A call that a timeout cancelled inside a living task is found by whoever starts next there."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await slow_call(operation)
    (body,) = live.lingering()
    assert body.target is operation
    assert live.finished(body)
    live.leave(body)
    assert live.lingering() == []


async def slow_call(operation: Operation) -> None:
    """Own a run that takes long."""
    on_start(operation)
    await asyncio.sleep(30)


async def test_child_is_finished_with_an_ancestor_of_the_same_task(operation: Operation) -> None:
    """What was entered in the task of an ended ancestor is over with it, what was entered elsewhere is not."""
    ancestor, child = on_start(operation), on_start(operation)
    elsewhere: list[live.Body] = []

    async def job() -> None:
        elsewhere.append(on_start(operation))
        await asyncio.sleep(30)

    task = asyncio.create_task(job())
    await asyncio.sleep(0)
    live.leave(ancestor)

    async def end() -> tuple[bool, bool]:
        return live.finished(child, ended=ancestor), live.finished(elsewhere[0], ended=ancestor)

    assert (True, False) == await asyncio.create_task(end())
    task.cancel()
    assert not live.finished(child)


def test_suspended_generator_is_never_finished(operation: Operation) -> None:
    """A stream can be resumed from anywhere as long as it exists."""

    def stream() -> Iterator[live.Body]:
        yield on_start(operation, "model")

    suspended = stream()
    body = next(suspended)
    assert body.suspends
    assert not live.finished(body, ended=body)
    live.leave(body)
    assert live.finished(body)


def test_everything_is_finished_when_the_loop_is_closed(operation: Operation) -> None:
    """A stream that a closed loop can never resume is finished."""
    loop = asyncio.new_event_loop()
    kept: list[Any] = []

    async def stream() -> Any:
        yield on_start(operation, "model")

    async def consume() -> live.Body:
        kept.append(stream())
        return await anext(kept[0])

    body = loop.run_until_complete(consume())
    assert not live.finished(body)
    loop.close()
    assert live.finished(body)


def test_thread_that_left_the_function_or_is_gone_has_finished(operation: Operation) -> None:
    """A call in a thread is finished when that thread runs something else, and when it no longer exists."""
    inside, outside, over = threading.Event(), threading.Event(), threading.Event()
    found: list[live.Body] = []
    answered = threading.Event()

    def call() -> None:
        found.append(on_start(operation))
        inside.set()
        outside.wait()

    def run() -> None:
        call()
        answered.set()
        over.wait()

    thread = threading.Thread(target=run)
    thread.start()
    inside.wait()
    assert not live.finished(found[0])
    outside.set()
    answered.wait()
    assert live.finished(found[0])
    over.set()
    thread.join()
    assert live.finished(found[0])


@pytest.mark.usefixtures("flag_only")
def test_flag_only_knows_a_thread_by_its_ancestor(operation: Operation) -> None:
    """Without frames, a call is finished only when an ancestor of the same thread has ended."""
    ancestor, child = on_start(operation), on_start(operation)
    assert not live.finished(child)
    live.leave(ancestor)
    assert live.finished(child, ended=ancestor)


async def test_start_in_a_task_of_its_own_says_nothing_about_the_body(operation: Operation) -> None:
    """Where start callbacks are gathered as tasks, neither the task nor a frame counts as the run's."""

    async def on_gathered() -> live.Body:
        return on_start(operation, "chain")

    (body,) = await asyncio.gather(on_gathered())
    assert (None, None) == (body.frame, body.task)
    assert not live.finished(body)


def test_dead_task_and_foreign_loop_never_raise(operation: Operation) -> None:
    """A proxy from a closed loop, whose task is gone, answers anywhere."""

    async def leak() -> tuple[live.Body, trace.Span]:
        return on_start(operation), trace.get_current_span()

    body, proxy = asyncio.run(leak())
    gc.collect()
    assert live.finished(body)
    assert proxy.get_span_context() == INVALID_SPAN.get_span_context()
    assert asyncio.run(answer(proxy)) == INVALID_SPAN.get_span_context()


async def answer(proxy: trace.Span) -> trace.SpanContext:
    """Ask *proxy* in another loop."""
    return proxy.get_span_context()


# --- what is held ----------------------------------------------------------------------------------------------------
class Payload:
    """Something large that a call holds."""


def test_nothing_of_the_call_is_held_after_the_end(operation: Operation) -> None:
    """After the end neither the frame's locals nor the operation are kept alive, without the garbage collector."""
    gc.disable()
    try:
        body, payload, kept = ended_call()
        assert payload() is None
        assert kept() is None
        assert body.frame is None
    finally:
        gc.enable()


def ended_call() -> tuple[live.Body, weakref.ref[Payload], weakref.ref[Operation]]:
    """Own a run that ends, holding a payload."""
    payload = Payload()
    held = Operation(INVALID_SPAN)
    body = on_start(held)
    live.leave(body)
    return body, weakref.ref(payload), weakref.ref(held)


def test_interpreter_without_frames_is_noticed(monkeypatch: pytest.MonkeyPatch, operation: Operation) -> None:
    """Where threads' stacks cannot be read, a thread that exists is not called finished."""
    monkeypatch.setattr(stack, "_getframe", None)
    monkeypatch.setattr(stack, "_current_frames", None)
    body = on_start(operation)
    assert body.frame is None
    assert not live.finished(body)
    assert not stack.on_stack(sys._getframe())
    live.leave(body)


def test_langchain_need_not_be_loaded(monkeypatch: pytest.MonkeyPatch, operation: Operation) -> None:
    """The ambient run is looked up only where LangChain is loaded, and a LangChain without it is no error."""
    monkeypatch.setitem(sys.modules, "langchain_core.runnables.config", types.ModuleType("without"))
    assert live._marker() is None
    monkeypatch.delitem(sys.modules, "langchain_core.runnables.config")
    assert live._marker() is None


def test_entering_and_leaving_stays_cheap(operation: Operation) -> None:
    """Entering, asking and leaving is a few calls, the thousandth time as the first."""

    def once() -> None:
        body = on_start(operation)
        trace.get_current_span().get_span_context()
        live.leave(body)

    once()
    first = calls(once)
    for _ in range(1000):
        once()
    assert calls(once) == first < 100


# --- the end of a generator ------------------------------------------------------------------------------------------
async def waiting(frames: list[Any], gate: asyncio.Event) -> Any:
    """Note the frame, yield, then wait."""
    frames.append(sys._getframe())
    yield 1
    assert not stack.ran_out(frames[0])  # it is being executed
    await gate.wait()


async def test_a_generator_is_over_when_it_has_run_to_its_end() -> None:
    """Not while it is suspended at a yield, is executed, or waits in somebody's task."""
    frames: list[Any] = []
    gate = asyncio.Event()
    stream = waiting(frames, gate)
    await anext(stream)
    (frame,) = frames
    assert not stack.ran_out(frame)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not stack.ran_out(frame)
    gate.set()
    with pytest.raises(StopAsyncIteration):
        await task
    assert stack.ran_out(frame)


async def test_a_generator_that_was_cancelled_is_over() -> None:
    """Whoever looks next can close what it left."""
    frames: list[Any] = []
    stream = waiting(frames, asyncio.Event())
    await anext(stream)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stack.ran_out(frames[0])


def test_what_has_no_frame_has_no_end() -> None:
    """Where the stack cannot be looked at, nothing is known."""
    assert not stack.ran_out(None)
