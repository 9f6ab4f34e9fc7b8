"""Streams: a model's call returns long before its answer is there, and a chain's answer may not even have begun.

A streamed model call lasts until its End or Exception event, or until its generator is dropped. A chain that is the
root lasts until all that runs below it is over: the generator it hands out is replaced by one that makes the chain
current again for each piece, because what produces the pieces runs in the consumer, where neither LlamaIndex nor
OpenTelemetry would know whose it is. Models' own generators cannot be replaced by a handler and are only watched.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Any, Final

from llama_index_instrumentation.span import active_span_id

from agent_callbacks.llamaindex.answer import first_chunk_kind, model_result
from agent_callbacks.llamaindex.extract import stopped
from agent_callbacks.reading.shape import is_text, mapping, member, text
from agent_callbacks.recording import process
from agent_callbacks.recording.guard import attempted, guarded
from agent_callbacks.recording.values import ModelResult, Outcome, Returned, RunResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent_callbacks.llamaindex.place import Place
    from agent_callbacks.recording.recorder import Recorder
    from agent_callbacks.recording.values import Key

__all__ = ["Streams", "is_stream"]

_ALONE: Final = (
    "an AgentEventHandler hears of events but not of spans, so it records nothing: call its install() instead of "
    "add_event_handler()"
)


_LEAVING: Final = frozenset({"run", "step", "tool"})
"""What is a coroutine and may leave tasks behind; others' ids LlamaIndex itself may leave current by mistake."""


class Streams:
    """The part of the adapter that hears events and keeps what goes on after its call has returned."""

    def __init__(self, recorder: Recorder, places: dict[str, Place]) -> None:
        """Record with *recorder*; *places* are the open spans by id."""
        self.recorder = recorder
        self.places = places
        self.ended: process.Bounded[str, Key] = process.Bounded(1024)
        """Where what a step or a tool has left running belongs, after its end."""
        self.entered = False
        """Whether any span was ever seen."""
        self.unclassified: int = 0
        """Spans that no table of ours knows."""
        self._heard: Mapping[str, Callable[[Place, Any], None]] = {
            "LLMChatStartEvent": self._announced, "LLMCompletionStartEvent": self._announced,
            "LLMChatInProgressEvent": self._chunk, "LLMCompletionInProgressEvent": self._chunk,
            "LLMChatEndEvent": self._answered, "LLMCompletionEndEvent": self._answered,
            "ExceptionEvent": self._broken,
            "SpanCancelledEvent": self._cancelled,
        }  # fmt: skip

    def swallowed(self, error: Exception) -> None:
        """Count a failure of ours that was kept from the agent."""
        self.recorder.swallowed(error)

    # --- events --------------------------------------------------------------------------------------------------

    @guarded
    def event(self, event: Any) -> None:
        """Hear an event; most say nothing that their span does not."""
        hear = self._heard.get(type(event).__name__)
        if hear is None:
            return
        place = self.places.get(event.span_id)
        if place is not None:
            principal = self._principal(place) if place.twin else place
            if principal is not None:
                hear(principal, event)
        elif not self.entered and self.recorder.enabled:
            process.warn_once("llamaindex:alone", _ALONE)

    def _principal(self, twin: Place) -> Place | None:
        """Return the call that *twin* is the inner half of, if that has no events of its own; else None.

        A subclass that overrides a model's method and calls the inherited one often lacks the decorator that tells.
        """
        outer = twin.around
        if outer is None or outer.id not in self.places:
            return None
        twin.announced = twin.announced or not outer.announced
        return outer if twin.announced else None

    def _announced(self, place: Place, _: Any) -> None:
        """Note that this model tells of its stream's end."""
        place.announced = True

    def _chunk(self, place: Place, event: Any) -> None:
        place.previous, place.last = place.last, event.response
        self.recorder.chunk(place.id, event.response, first_chunk_kind)

    def _answered(self, place: Place, event: Any) -> None:
        if place.watched is not None:
            response = place.last if event.response is None else event.response
            self._end_stream(place, response, "success")

    def _broken(self, place: Place, event: Any) -> None:
        if place.watched is None:
            return
        outcome = stopped(event.exception)
        if outcome is not None:
            self._end_stream(place, place.last, outcome)
            return
        result = attempted(self, ModelResult(), model_result, place.last, place.previous)
        self.recorder.fail(place.id, event.exception, result=result)
        self.release(place, error=event.exception)

    def _cancelled(self, place: Place, _: Any) -> None:
        place.cancelled = True

    # --- a model's stream ----------------------------------------------------------------------------------------

    def watch(self, place: Place, stream: object) -> None:
        """Leave a model's call, whose answer *stream* is still to come, open until it ends or is dropped."""
        place.watched = weakref.ref(stream, functools.partial(self._dropped, place.id))
        if place.owns:
            self.recorder.note(place.id, Returned())

    @guarded
    def _dropped(self, id_: str, _: object) -> None:
        """End what nobody can iterate any more; a model without events says no other way that it is done."""
        place = self.places.get(id_)
        if place is None:
            return
        if place.twin:
            self.release(place)
        else:
            self._end_stream(place, place.last, "abandoned" if place.announced else "success")

    def _end_stream(self, place: Place, response: object, outcome: Outcome) -> None:
        result = attempted(self, ModelResult(), model_result, response, place.previous)
        self.end_model(place, result, outcome)

    def end_model(self, place: Place, result: ModelResult, outcome: Outcome | None = None) -> None:
        """Close a model call; which tools its answer named, the recorder knows."""
        if place.run is not None:
            place.run.told = frozenset(tool.name for tool in result.tool_calls)
        self.recorder.end(place.id, result, outcome=outcome)
        self.release(place, outcome)

    # --- a chain that goes on ------------------------------------------------------------------------------------

    def release(self, place: Place, outcome: Outcome | None = None, error: BaseException | None = None) -> None:
        """Take *place*, which ended so, off the table; a chain that lasted for it alone ends with it, and like it."""
        self.places.pop(place.id, None)
        place.watched = None
        if place.role in _LEAVING and place.key is not None:
            self.ended[place.id] = place.key
        holder = place.holder
        if holder is None or holder.below is None:
            return
        holder.below.discard(place.id)
        if holder.held and not holder.below:
            self._end_held(holder, outcome or "success", error or holder.error)

    def _end_held(self, place: Place, outcome: Outcome, error: BaseException | None = None) -> None:
        if place.id not in self.places:
            return
        if error is not None:
            self.recorder.fail(place.id, error)
        else:
            self.recorder.end(place.id, RunResult(_told(place), outcome))
        self.release(place)

    def hold(self, place: Place, result: Any) -> bool:
        """Say whether the chain at *place*, which returned *result*, goes on; if so, let it last as long as that."""
        stream = mapping(getattr(result, "__dict__", None)).get("response_gen")
        if isinstance(stream, (Generator, AsyncGenerator)):
            carried: Any = _carried if isinstance(stream, Generator) else _acarried
            replacement = carried(self, place, stream)
            result.response_gen = replacement
            self._keep(place, replacement)
            return True
        if is_stream(result):
            self._keep(place, result)
            return True
        if type(result).__name__ != "StreamingAgentChatResponse" or (place.announced and not place.below):
            return False
        self._keep(place, result)
        place.held = True
        return True

    def _keep(self, place: Place, stream: object) -> None:
        place.said = []
        place.watched = weakref.ref(stream, functools.partial(self._forgotten, place.id))
        self.recorder.note(place.id, Returned())

    @guarded
    def _forgotten(self, id_: str, _: object) -> None:
        """End a chain whose answer nobody has any more, unless something still runs below it."""
        place = self.places.get(id_)
        if place is None:
            return
        if place.below:
            place.held = True
        else:
            self._end_held(place, "abandoned")

    @contextlib.contextmanager
    def inside(self, place: Place) -> Generator[None]:
        """Be inside the chain at *place* again, for LlamaIndex and for OpenTelemetry."""
        token = active_span_id.set(place.id)
        try:
            with self.recorder.visit(place.id):
                yield
        finally:
            active_span_id.reset(token)

    def said(self, place: Place, piece: object) -> None:
        """Note a piece of a chain's answer."""
        if place.said is not None and is_text(piece) and self.recorder.settings.content == "all":
            place.said.append(piece)

    @guarded
    def finished(self, place: Place, error: BaseException | None) -> None:
        """End a chain whose answer is over, by *error* or well, unless a stream below it has still to be dropped."""
        outcome = None if error is None else stopped(error)
        place.error = None if outcome else error
        if place.below:
            place.held = True
        else:
            self._end_held(place, outcome or "success", place.error)


def is_stream(result: object) -> bool:
    """Say whether *result* is an answer that is still to come."""
    return isinstance(result, (Generator, AsyncGenerator))


def _carried(streams: Streams, place: Place, stream: Generator[Any]) -> Generator[Any]:
    """Yield what *stream* does, each piece made inside the chain at *place*."""
    error: BaseException | None = None
    try:
        while True:
            with streams.inside(place):
                piece = next(stream, _OVER)
            if piece is _OVER:
                break
            streams.said(place, piece)
            yield piece
    except BaseException as raised:
        error = raised
        raise
    finally:
        stream.close()
        streams.finished(place, error)


async def _acarried(streams: Streams, place: Place, stream: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    """Yield what *stream* does, each piece made inside the chain at *place*."""
    error: BaseException | None = None
    try:
        while True:
            with streams.inside(place):
                piece = await anext(stream, _OVER)
            if piece is _OVER:
                break
            streams.said(place, piece)
            yield piece
    except BaseException as raised:
        error = raised
        raise
    finally:
        await stream.aclose()
        streams.finished(place, error)


def _told(place: Place) -> object:
    """Return what a chain that went on has said: its pieces, or what its answer holds while somebody has it."""
    if place.said:
        return "".join(place.said)
    return None if place.watched is None else text(member(place.watched(), "response"))


_OVER: Final = object()
