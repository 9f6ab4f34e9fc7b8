"""Spans: what is entered, left and dropped, each told by its role.

An entered span has an operation of its own, or it is hidden and what happens inside it hangs on what is around. One
thing that LlamaIndex reports twice, a tool by an agent's step and by its own method or a completion behind a chat, is
one operation: the outer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llama_index_instrumentation.dispatcher import active_instrument_tags

from agent_callbacks.llamaindex.agents import DECIDES, STEPS, Agents
from agent_callbacks.llamaindex.answer import model_result
from agent_callbacks.llamaindex.extract import (
    documents,
    embedding,
    embedding_result,
    query_text,
    retrieval,
    spoken,
    stopped,
    tool_call,
    tool_name,
    tool_output,
)
from agent_callbacks.llamaindex.place import Call, Place
from agent_callbacks.llamaindex.role import Role, bases, role_of
from agent_callbacks.llamaindex.streams import is_stream
from agent_callbacks.reading.shape import Loose, mapping, member
from agent_callbacks.recording.guard import attempted, guarded
from agent_callbacks.recording.values import (
    ChainRun,
    EmbeddingResult,
    ModelResult,
    Outcome,
    RetrievalResult,
    RunResult,
    ToolResult,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent_callbacks.recording.recorder import Recorder

__all__ = ["Spans"]

_ID: Final = 37
"""How long the part of a span's id is that only tells it from others: a dash and a UUID."""
_MODEL: Final = "BaseLLM"
_FORMERS: Final = frozenset({"BasePydanticProgram", "StructuredLLM"})
_TWICE: Final[tuple[Role, ...]] = ("model", "embedding", "retriever", "reranker")


class Spans(Agents):
    """The part of the adapter that hears of spans."""

    def __init__(self, recorder: Recorder, places: dict[str, Place]) -> None:
        """Record with *recorder*; *places* are the open spans by id."""
        super().__init__(recorder, places)
        self._closers: Mapping[Role, Callable[[Place, Any, Outcome | None, BaseException | None], None]] = {
            "run": self._end_run,
            "step": self.end_step,
            "tool": self._end_own_tool,
            **dict.fromkeys(_TWICE, self._end_leaf),
            "chain": self._end_chain,
            "function": self._end_chain,
            "unknown": self._end_chain,
            "writer": self._end_writer,
        }

    # --- entering ------------------------------------------------------------------------------------------------

    @guarded
    def enter(self, id_: str, arguments: Mapping[str, Any], instance: object, parent_id: str | None, tags: Any) -> None:
        """Hear that a span was entered."""
        self.entered = True
        if not self.recorder.enabled:
            return
        parent = None if parent_id is None else self.places.get(parent_id)
        method = id_[:-_ID].rpartition(".")[2]
        if instance is not None:
            role = role_of(type(instance), method)
        elif parent is None:
            # A run that began before the handler was there goes on: its steps are no functions of the user's.
            role = "step" if parent_id is not None and method in STEPS else "function"
        else:
            role = "step" if parent.role == "run" else "function"
        said = mapping(active_instrument_tags.get() if tags is None else tags)
        late = self.ended.get(parent_id) if parent is None and parent_id is not None else None
        call = Call(id_, method, instance, arguments, said, parent, late)
        place = attempted(self, None, self._opened, role, call, said) or Place(call, "inner")
        self.places[id_] = place
        holder = place.holder
        if holder is not None and holder.below is not None:
            holder.below.add(id_)

    def _opened(self, role: Role, call: Call, tags: Loose) -> Place:
        match role:
            case "run":
                return self.open_run(call, tags)
            case "step" if call.parent is not None and (run := call.parent.run) is not None and run.decides:
                return self.open_step(call, run)
            case "tool":
                return self._open_own_tool(call)
            case "model" | "embedding" | "retriever" | "reranker":
                return self._open_leaf(role, call, tags)
            case "chain" | "function" | "unknown":
                self.unclassified += role == "unknown"
                named = role == "function" or _MODEL in bases(type(call.instance))
                name = _function(call.method) if named else type(call.instance).__name__
                return self.open_chain(call, Place(call, role), name, query_text(call.arguments))
            case _:
                return self._hidden(role, call)

    def _hidden(self, role: Role, call: Call) -> Place:
        place = Place(call, role)
        if role == "inner" and ("structured" in call.method or bases(type(call.instance)) & _FORMERS):
            place.forms, place.step = True, place.step and DECIDES  # it concludes the decision
        if self.recorder.settings.inner_spans:
            name = call.method.strip("_") or type(call.instance).__name__
            self.recorder.start(call.id, call.parent_key, ChainRun(name, framework="llama_index", request=call.request))
            place.key = place.id
        return place

    def _open_leaf(self, role: Role, call: Call, tags: Loose) -> Place:
        """Open a model call, an embedding, a retrieval or a reranking, unless it is the inner half of one."""
        place = Place(call, role)
        around = place.around
        if around is not None and around.role == role and around.instance is call.instance:
            place.role, place.twin = "inner", True
            return place
        if role == "model":
            self.open_model(call, place)
        elif role == "embedding":
            self.recorder.start(call.id, call.parent_key, embedding(call))
        else:
            value = retrieval(call, "reranker" if role == "reranker" else "retriever", tags)
            self.recorder.start(call.id, call.parent_key, value)
        return place.own()

    def _open_own_tool(self, call: Call) -> Place:
        """Open a tool that is called by itself; below the agent's call of the same tool it is its body."""
        place, name = Place(call, "tool"), tool_name(call.instance)
        parent = call.parent
        place.name = name
        if place.forms:
            place.role = "inner"
            return place
        if parent is not None and parent.role == "tool" and parent.name == name:
            return place
        self.recorder.start(call.id, call.parent_key, tool_call(call))
        return place.own()

    # --- leaving -------------------------------------------------------------------------------------------------

    @guarded
    def leave(self, id_: str, result: Any) -> None:
        """Hear that a span was left, with *result*."""
        place = self.places.get(id_)
        if place is None or place.watched is not None:
            return
        if place.twin and place.announced and is_stream(result):
            self.watch(place, result)
            return
        outcome: Outcome | None = "cancelled" if place.cancelled else None
        self._closed(place, result, outcome, None)

    @guarded
    def drop(self, id_: str, error: BaseException | None) -> None:
        """Hear that a span was dropped, because of *error*."""
        place = self.places.get(id_)
        if place is None:
            return
        outcome = stopped(error)
        if error is None:
            outcome = "abandoned"
        place.error = error
        self._closed(place, None, outcome, None if outcome else error)

    def _closed(self, place: Place, result: Any, outcome: Outcome | None, error: BaseException | None) -> None:
        close = self._closers.get(place.role)
        if close is None:
            self.end(place, RunResult(outcome=outcome or "success"), error)
        else:
            close(place, result, outcome, error)

    def _end_run(self, place: Place, result: Any, outcome: Outcome | None, error: BaseException | None) -> None:
        if place.owns and place.run is None and result is not None and self.hold(place, member(result, "result")):
            return
        self.end_run(place, spoken(result), outcome, error)

    def _end_leaf(self, place: Place, result: Any, outcome: Outcome | None, error: BaseException | None) -> None:
        if error is not None or outcome is not None:
            self.end(place, RunResult(outcome=outcome or "success"), error)
        elif place.role == "model":
            if is_stream(result):
                self.watch(place, result)
            else:
                self.end_model(place, attempted(self, ModelResult(), model_result, result))
        else:
            plain: EmbeddingResult | RetrievalResult
            if place.role == "embedding":
                plain = attempted(self, EmbeddingResult(), embedding_result, result)
            else:
                plain = attempted(self, RetrievalResult(), documents, result)
            self.recorder.end(place.id, plain)
            self.release(place)

    def _end_own_tool(self, place: Place, result: Any, outcome: Outcome | None, error: BaseException | None) -> None:
        if place.run is not None:
            self.end_tool(place, result, outcome, error)
        elif not place.owns:
            self._end_body(place, outcome, error)
        elif error is not None or outcome is not None:
            self.end(place, RunResult(outcome=outcome or "success"), error)
        else:
            output = attempted(self, None, tool_output, result)
            self.recorder.end(place.id, ToolResult(output, failed=member(result, "is_error") is True))
            self.release(place)

    def _end_body(self, place: Place, outcome: Outcome | None, error: BaseException | None) -> None:
        """Tell the call around it how the tool's own function ended."""
        around = place.around or place
        around.error = place.error
        self.end(place, RunResult(outcome=outcome or "success"), error)

    def _end_chain(self, place: Place, result: Any, outcome: Outcome | None, error: BaseException | None) -> None:
        if place.owns and error is None and outcome is None and self.hold(place, result):
            return
        output = None if result is None else attempted(self, None, spoken, result)
        self.end(place, RunResult(output, outcome or "success"), None if outcome else error or place.error)

    def _end_writer(self, place: Place, result: Any, outcome: Outcome | None, error: BaseException | None) -> None:
        del result
        holder = place.holder or place
        holder.announced, holder.error = True, error
        self.end(place, RunResult(outcome=outcome or "success"), error)


def _function(name: str) -> str:
    """Return what a decorated function is called; not all have a name."""
    return name if name.isidentifier() else "function"
