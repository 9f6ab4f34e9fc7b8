"""Blocks that are open across a ``yield``: what they say holds in their own code, never in the consumer's."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from typing import TYPE_CHECKING, Any, Final

import pytest

from agent_callbacks import request_metadata
from agent_callbacks.metadata import current_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator


def asker() -> str | None:
    """Return who asks here."""
    request = current_request()
    return None if request is None else request.user_id


# --- decorated generators --------------------------------------------------------------------------------------------
@request_metadata(user_id="u-17")
def counted(log: list[Any]) -> Generator[str | None, str, str]:
    """Yield who asks, log what is sent and thrown."""
    try:
        while True:
            try:
                log.append((yield asker()))
            except KeyError as error:
                log.append((type(error), asker()))
                return "caught"
    finally:
        log.append(asker())


def test_a_decorated_generator_is_inside_only_while_it_runs() -> None:
    """Between two steps the consumer's code asks for itself."""
    log: list[Any] = []
    seen = [(inside, asker()) for inside, _ in zip(counted(log), range(3), strict=False)]
    assert [("u-17", None)] * 3 == seen


def test_a_decorated_generator_takes_what_is_sent_and_thrown() -> None:
    """It is the generator it was, with its answer."""
    log: list[Any] = []
    stream = counted(log)
    next(stream)
    stream.send("word")
    with pytest.raises(StopIteration) as stop:
        stream.throw(KeyError())
    assert ["word", (KeyError, "u-17"), "u-17"] == log
    assert "caught" == stop.value.value


def test_a_decorated_generator_that_is_closed_cleans_up_inside() -> None:
    """What its ``finally`` does is part of the request."""
    log: list[Any] = []
    stream = counted(log)
    next(stream)
    stream.close()
    assert ["u-17"] == log
    assert asker() is None


@request_metadata(user_id="u-17")
async def acounted(log: list[Any]) -> Any:
    """Yield who asks, log what is sent and thrown; ends on a thrown ``KeyError``."""
    try:
        while True:
            try:
                log.append((yield asker()))
            except KeyError as error:
                log.append((type(error), asker()))
                return
    finally:
        log.append(asker())


async def test_a_decorated_async_generator_is_inside_only_while_it_runs() -> None:
    """Between two steps the consumer's code asks for itself, in whatever task it runs."""
    stream = acounted([])
    seen = [(await anext(stream), asker()), await asyncio.create_task(anext(stream)), asker()]
    await stream.aclose()
    assert [("u-17", None), "u-17", None] == seen


async def test_a_decorated_async_generator_takes_what_is_sent_and_thrown() -> None:
    """It is the generator it was."""
    log: list[Any] = []
    stream = acounted(log)
    await anext(stream)
    await stream.asend("word")
    with pytest.raises(StopAsyncIteration):
        await stream.athrow(KeyError())
    assert ["word", (KeyError, "u-17"), "u-17"] == log


async def test_a_decorated_async_generator_that_is_closed_cleans_up_inside() -> None:
    """What its ``finally`` does is part of the request."""
    log: list[Any] = []
    stream = acounted(log)
    await anext(stream)
    await asyncio.create_task(stream.aclose())
    assert ["u-17"] == log


async def test_a_decorated_async_generator_still_makes_a_context_manager() -> None:
    """An error in the ``async with`` reaches the code after its ``yield``."""
    log: list[str] = []

    @contextlib.asynccontextmanager
    @request_metadata(user_id="u-17")
    async def session() -> AsyncIterator[None]:
        try:
            yield
        except ValueError:
            log.append("rolled back")
            raise

    with pytest.raises(ValueError, match="no"):
        async with session():
            raise ValueError("no")
    assert ["rolled back"] == log


# --- blocks around a yield -------------------------------------------------------------------------------------------
async def streamed() -> AsyncIterator[str | None]:
    """Yield who asks, from within a block."""
    with request_metadata(user_id="u-17"):
        while True:
            yield asker()


async def test_a_block_may_be_left_in_another_task() -> None:
    """An abandoned stream is closed by whoever finds it: nothing is logged, and nobody becomes the asker."""
    stream: Any = streamed()
    assert "u-17" == await anext(stream)
    await asyncio.create_task(stream.aclose())
    assert "u-17" == asker()  # the task that opened it never left it

    async def elsewhere() -> str | None:
        with request_metadata(user_id="u-18"):
            pass
        return asker()

    assert "u-17" == await asyncio.create_task(elsewhere())


def test_a_block_may_be_left_in_another_copy_of_the_context() -> None:
    """A web framework takes each step of a plain generator in a copy of its own."""

    def stream() -> Iterator[str | None]:
        with request_metadata(user_id="u-17"):
            yield asker()

    steps = stream()
    first = contextvars.copy_context().run(next, steps)
    assert ("u-17", None) == (first, contextvars.copy_context().run(next, steps, None))
    assert asker() is None


def test_one_block_may_be_entered_again_inside_itself() -> None:
    """Each leaving undoes its own entering."""
    block = request_metadata(user_id="u-17")
    with request_metadata(user_id="outer"):
        with block, block:
            assert "u-17" == asker()
        assert "outer" == asker()
    assert asker() is None


async def test_one_block_may_be_open_in_several_tasks() -> None:
    """Whichever is left first, each task gets back who asked before."""
    block = request_metadata(user_id="shared")

    async def task(name: str, seconds: float) -> tuple[str | None, str | None]:
        with request_metadata(user_id=name):
            with block:
                await asyncio.sleep(seconds)
                inside = asker()
            return inside, asker()

    found = await asyncio.gather(task("a", 0.002), task("b", 0.001), task("c", 0))
    assert [("shared", "a"), ("shared", "b"), ("shared", "c")] == found


KINDS: Final[list[Callable[[], Any]]] = [lambda: counted([]), lambda: acounted([])]


@pytest.mark.parametrize("make", KINDS)
def test_a_decorated_generator_that_is_never_run_enters_nothing(make: Callable[[], Any]) -> None:
    """Calling a generator function runs none of it."""
    make()
    assert asker() is None
