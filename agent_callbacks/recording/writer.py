"""The one writer of spans: opens, writes and closes them; names and cleans everything that goes on one.

Nothing else in this package calls a span's mutators; ``live.py`` forwards what user code sets on the current span to
``write`` here, so that is cleaned and capped like our own.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer

from agent_callbacks.convention import attributes as attribute
from agent_callbacks.convention import keys, openinference
from agent_callbacks.convention.names import Namer, SpanName, genai_name
from agent_callbacks.recording.cleaning import LINK_BYTES, Cleaning
from agent_callbacks.recording.failure import error_type, said, stack
from agent_callbacks.recording.messages import Fragment, MessageCache, MessageReader, joined
from agent_callbacks.recording.values import (
    AgentRun,
    ChainRun,
    Embedding,
    EmbeddingResult,
    ModelCall,
    ModelResult,
    Outcome,
    Result,
    Retrieval,
    RetrievalResult,
    RunResult,
    Start,
    ToolCall,
    ToolResult,
    Usage,
    frozen,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.context import Context

    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.metadata import ContentLevel
    from agent_callbacks.settings import Settings

__all__ = ["Opening", "SpanWriter", "StepStart"]

_CONTENT_ORDER: Final = ("off", "arguments", "tools", "all")
_TOOLS: Final = _CONTENT_ORDER.index("tools")
_ALL: Final = _CONTENT_ORDER.index("all")
_MAX_TOOL_SETS: Final = 256
# The SDK drops the oldest attributes above its limit (128 by default); what identifies a span is set again near it.
_MARGIN: Final = 24
_MAX_STATUS: Final = 2048
_MAX_EVENT: Final = 16 * 1024


@frozen
class StepStart:
    """A step is about to open."""

    index: int
    agent: str | None


Opening = Start | StepStart


class SpanWriter(Cleaning):
    """Writes the spans of one provider under one set of settings."""

    def __init__(self, tracer: Tracer, settings: Settings, namer: Namer, reader: MessageReader) -> None:
        """Write with *tracer* as *settings* say, naming with *namer*, reading messages with *reader*."""
        super().__init__(settings)
        self._tracer = tracer
        self._namer = namer
        self._genai_names = settings.span_names == "otel_genai"
        self._bridged = settings.attributes != "genai"
        self._openinference = settings.attributes == "openinference"
        self.messages = MessageCache(
            reader, self._long, self.json, settings.max_attribute_bytes, counted=settings.count_tokens
        )
        # A run sends the same tools with each of its calls.
        self._definitions = functools.lru_cache(_MAX_TOOL_SETS)(self._defined_in)

    def read(self, call: ModelCall, level: ContentLevel) -> list[Fragment]:
        """Return the messages of *call*, as JSON if *level* lets them through."""
        return self.messages.read(call.messages, content=level == "all")

    # --- opening -------------------------------------------------------------------------------------------------

    def open(
        self,
        opening: Opening,
        context: Context,
        start_ns: int,
        base: Attributes,
        level: ContentLevel,
        *,
        name: str | None = None,
        link: tuple[SpanContext, str] | None = None,
        fragments: Sequence[Fragment] = (),
        recorded: bool = False,
    ) -> tuple[Span, Attributes]:
        """Open the span of *opening*; return it and what identifies it.

        Args:
            opening: What starts.
            context: Holds the parent.
            start_ns: Unix time in nanoseconds.
            base: Who asked.
            level: How much content may be carried.
            name: The agent's name, for an agent run.
            link: A span this one follows, and how.
            fragments: A model call's messages, as ``read`` gave them.
            recorded: Whether what is around it is; then this will be too, and one call of the SDK does for both.
        """
        span_name, kind, identity = self._described(opening, name)
        links = () if link is None else (Link(link[0], {keys.LINK_KIND: link[1]}),)
        first = {**base, **identity}
        if recorded and level != "off":
            content = self._start_content(opening, level, fragments)
            return self._tracer.start_span(span_name, context, kind, {**first, **content}, links, start_ns), first
        span = self._tracer.start_span(span_name, context, kind, first, links, start_ns)
        if level != "off" and span.is_recording() and (content := self._start_content(opening, level, fragments)):
            span.set_attributes(content)
        return span, first

    def _described(self, opening: Opening, name: str | None) -> tuple[str, SpanKind, Attributes]:
        named, kind, found, target, mark = self._identity(opening, name)
        if named.raw is not None:
            found[keys.NAME_RAW] = named.raw
        if named.rules:
            found[keys.NAME_RULES] = named.rules
        if self._openinference or (self._bridged and mark in openinference.BRIDGED):
            found[keys.OPENINFERENCE_KIND] = mark
        if self._openinference:
            found.update(openinference.start(opening, self))
        operation = found.get(keys.OPERATION_NAME)
        if self._genai_names and operation is not None:
            return genai_name(str(operation), target), kind, found
        return named.name, kind, found

    def _identity(  # noqa: PLR0911 - a table: one line for each kind of span
        self, opening: Opening, name: str | None
    ) -> tuple[SpanName, SpanKind, Attributes, str | None, str]:
        """Return name, kind, identifying attributes, the standard's name target and the bridge's kind."""
        namer = self._namer
        match opening:
            case StepStart():
                found = attribute.step(opening.index, opening.agent, self)
                return namer.step(opening.index), SpanKind.INTERNAL, found, None, "CHAIN"
            case ModelCall():
                found = attribute.model_call(opening, self)
                target = opening.model and self.text(opening.model)
                mark = "EMBEDDING" if opening.operation == "embeddings" else "LLM"
                return namer.model(opening.operation), SpanKind.CLIENT, found, target, mark
            case Embedding():
                target = opening.model and self.text(opening.model)
                return (
                    namer.model("embeddings"),
                    SpanKind.CLIENT,
                    attribute.embedding(opening, self),
                    target,
                    "EMBEDDING",
                )
            case ToolCall():
                found = attribute.tool_call(opening, self)
                named = namer.unknown_tool() if opening.requested is not None else namer.tool(opening.name)
                return named, SpanKind.INTERNAL, found, self.text(opening.name), "TOOL"
            case Retrieval():
                found = attribute.retrieval(opening, self)
                mark = "RERANKER" if opening.rerank else "RETRIEVER"
                return namer.retriever(opening.source), SpanKind.CLIENT, found, self.text(opening.source), mark
            case AgentRun():
                found = attribute.agent_run(name, self)
                return namer.agent_run(name), SpanKind.INTERNAL, found, name and self.text(name), "AGENT"
            case ChainRun():  # pragma: no branch - there is no other kind
                if name is not None:
                    return namer.node(name), SpanKind.INTERNAL, attribute.node(name, self), None, "CHAIN"
                found = attribute.chain_run(opening, self)
                return namer.chain(opening.name), SpanKind.INTERNAL, found, self.text(opening.name), "CHAIN"

    def _start_content(self, opening: Opening, level: ContentLevel, fragments: Sequence[Fragment]) -> Attributes:
        """Return the content known at the start, as far as *level* lets it through."""
        rank = _CONTENT_ORDER.index(level)
        match opening:
            case ToolCall() if opening.arguments is not None:
                text = self.json(opening.arguments)
                return {keys.TOOL_ARGUMENTS: text, **self._doubled(keys.INPUT_VALUE, text)}
            case ModelCall() if rank >= _ALL:
                return self._model_content(opening, fragments)
            case Retrieval() if rank >= _ALL:
                query = self.content(opening.query)
                return {keys.RETRIEVAL_QUERY: query, **self._doubled(keys.INPUT_VALUE, query)}
            case AgentRun() | ChainRun() if rank >= _ALL and self._bridged and opening.input is not None:
                return {keys.INPUT_VALUE: self._state(opening.input, last=False)}
            case _:
                return {}

    def _doubled(self, key: str, text: str) -> Attributes:
        """Return what only OpenInference's own keys would say twice: no content stands twice on a span otherwise."""
        return {key: text} if self._openinference else {}

    def _model_content(self, call: ModelCall, fragments: Sequence[Fragment]) -> Attributes:
        found: Attributes = {}
        settings = self._settings
        # OpenInference's own keys say everything a second time.
        room = min(settings.max_attribute_bytes, settings.max_span_bytes // (6 if self._openinference else 2))
        text, missing = joined(fragments, room)
        found[keys.INPUT_MESSAGES] = text
        if missing:
            found[keys.CONTENT_DROPPED_BYTES] = missing
        if call.tools:
            sent = call.tools_sent
            found[keys.TOOL_DEFINITIONS] = self._defined(call.tools) if sent is None else self._definitions(sent)
        if self._openinference:
            found.update(openinference.input_messages(text))
        return found

    def _defined_in(self, sent: bytes) -> str:
        return self._defined(orjson.loads(sent))

    def _defined(self, tools: Iterable[object]) -> str:
        """Return the definitions of *tools* as JSON."""
        return self.json([self.messages.definition(tool) for tool in tools])

    def _state(self, state: object, *, last: bool) -> str:
        """Return an agent's input or output as JSON, of its messages only the last one where *last* says so.

        The messages of a state are the history its model calls have sent: they are known already.
        """
        kept: Any = state
        given = cast("dict[object, object]", kept if type(kept) is dict else {})
        found = given.get("messages")
        messages = cast("list[object]", found if type(found) is list else [])
        if not messages or not self.messages.readable(messages):
            return self.json(state)
        rest = dict(given)
        rest.pop("messages")
        shown: Sequence[object] = messages[-1:] if last else messages
        text, _ = joined(self.messages.read(shown, content=True), self._room)
        if not rest:
            return f'{{"messages":{text}}}'
        return f'{{"messages":{text},{self.json(rest)[1:]}'

    # --- writing -------------------------------------------------------------------------------------------------

    def write(self, span: Span, attributes: Mapping[str, Any], room: int) -> int:
        """Set what user code sets on the current span, cleaned and capped; return how many of *room* bytes it took."""
        pairs, used = self._pairs(attributes, room)
        span.set_attributes(pairs)
        return used

    def event(
        self, span: Span, name: str, attributes: Mapping[str, Any] | None, timestamp: int | None, room: int
    ) -> int:
        """Add an event of the user's, cleaned and capped; return how many of *room* bytes it took."""
        if room <= 0:
            return 0
        called = self.text(name, _MAX_STATUS)
        pairs, used = self._pairs(attributes or {}, room)
        span.add_event(called, pairs, timestamp)
        return used + len(called)

    def alert(self, span: Span, name: str, attributes: Attributes, at_ns: int) -> None:
        """Add an alert of our own, which holds numbers and words of ours alone."""
        span.add_event(name, attributes, at_ns)

    def rename(self, span: Span, name: str) -> None:
        """Give *span* a name of the user's, as the convention allows."""
        span.update_name(self._namer.manual(name).name)

    def status(self, span: Span, status: Status | StatusCode, description: str | None) -> None:
        """Set the status user code asked for, its text cleaned."""
        code = status if isinstance(status, StatusCode) else status.status_code
        if isinstance(status, Status):
            description = status.description
        cleaned = None if description is None or code is not StatusCode.ERROR else self.text(description, _MAX_STATUS)
        span.set_status(Status(code, cleaned))

    def exception(
        self, span: Span, error: BaseException, attributes: Mapping[str, Any] | None, timestamp: int | None,
        level: ContentLevel = "arguments", room: int = _MAX_EVENT,
    ) -> int:  # fmt: skip
        """Record *error* once, its message and stack cleaned; with content off only its type."""
        found: dict[str, Any] = {keys.EXCEPTION_TYPE: self.text(error_type(error))}
        left = room
        if level != "off":
            for key, text in ((keys.EXCEPTION_MESSAGE, said(error)), (keys.EXCEPTION_STACKTRACE, stack(error))):
                if left > 0:
                    found[key] = self._sanitizer.clean(text, min(left, _MAX_EVENT))
                    left -= len(found[key].encode())
        pairs, used = self._pairs(attributes or {}, left)
        span.add_event(keys.EXCEPTION_EVENT, {**found, **pairs}, timestamp)
        return room - left + used

    def said(self, error: BaseException) -> str:
        """Return what *error* says, for a status; the caller's ``close`` cleans it."""
        return said(error)

    def link(self, span: Span, context: SpanContext, kind: str) -> None:
        """Link *span* to one it follows."""
        span.add_link(context, {keys.LINK_KIND: kind})

    def foreign_link(self, span: Span, context: SpanContext, attributes: Mapping[str, Any] | None, room: int) -> int:
        """Add a link of the user's, cleaned; return how many of *room* bytes it took."""
        if room <= 0:
            return 0
        pairs, used = self._pairs(attributes or {}, room)
        span.add_link(context, pairs)
        return used + LINK_BYTES

    # --- spans opened by hand ------------------------------------------------------------------------------------

    def open_manual(
        self, name: str, context: Context, start_ns: int, base: Attributes, attributes: Mapping[str, Any]
    ) -> Span:
        """Open a span of the user's, named as the convention allows, with cleaned *attributes*."""
        named = self._namer.manual(name)
        first: dict[str, Any] = {**base, **self._pairs(attributes, self._settings.max_span_bytes // 4)[0]}
        if named.raw is not None:
            first[keys.NAME_RAW] = named.raw
        if named.rules:
            first[keys.NAME_RULES] = named.rules
        return self._tracer.start_span(named.name, context, SpanKind.INTERNAL, first, (), start_ns)

    def failed_manual(self, span: Span, error: Exception) -> None:
        """Note that the block around a span of the user's raised *error*."""
        self.exception(span, error, None, None, self._level)
        span.set_attributes({keys.ERROR_TYPE: self.text(error_type(error))})
        span.set_status(Status(StatusCode.ERROR, self.text(said(error), _MAX_STATUS) if self._level != "off" else None))

    def close_manual(self, span: Span, end_ns: int, *, failed: bool) -> None:
        """End a span of the user's."""
        span.set_attributes({keys.OUTCOME: "failure" if failed else "success"})
        span.end(end_ns)

    def evaluation(self, context: Context, at_ns: int, attributes: Mapping[str, Any]) -> Span:
        """Write the short span that carries an evaluation, with *attributes* cleaned; it needs no end."""
        span = self._tracer.start_span(keys.EVALUATION_SPAN, context, SpanKind.INTERNAL, None, (), at_ns)
        self.event(span, keys.EVALUATION_EVENT, attributes, at_ns, _MAX_EVENT)
        span.end(at_ns)
        return span

    # --- closing -------------------------------------------------------------------------------------------------

    def close(
        self,
        span: Span,
        outcome: Outcome,
        end_ns: int,
        attributes: Attributes,
        identity: Attributes,
        *,
        error: str | None = None,
        description: str | None = None,
    ) -> None:
        """Close *span*.

        Args:
            span: The span.
            outcome: How it went.
            end_ns: Unix time in nanoseconds.
            attributes: What was learnt, clean.
            identity: What identifies the span: set again where the SDK's attribute limit may have dropped it.
            error: The error's type, for a failure.
            description: The status text of a failure, not yet clean.
        """
        attributes[keys.OUTCOME] = outcome
        if outcome == "failure":
            attributes[keys.ERROR_TYPE] = self.text(error or "error")
            cleaned = self.text(description, _MAX_STATUS) if description else None
            span.set_status(Status(StatusCode.ERROR, cleaned))
        if _crowded(span, len(attributes)):
            attributes = {**attributes, **identity}
        span.set_attributes(attributes)
        span.end(end_ns)

    def result(self, value: Result, level: ContentLevel) -> Attributes:
        """Return what a result says, with as much content as *level* lets through."""
        rank = _CONTENT_ORDER.index(level)
        found: Attributes = {}
        match value:
            case ModelResult():
                found = self._answer(value, content=rank >= _ALL)
            case ToolResult():
                if rank >= _TOOLS and value.output is not None:
                    text = self.content(value.output)
                    found = {keys.TOOL_RESULT: text, **self._doubled(keys.OUTPUT_VALUE, text)}
            case EmbeddingResult():
                found = attribute.embedding_result(value)
            case RetrievalResult():
                found = attribute.retrieval_result(value)
                if rank >= _ALL:
                    found.update(self._documents(value))
            case RunResult():  # pragma: no branch - there is no other kind
                if rank >= _ALL and self._bridged and value.output is not None:
                    found[keys.OUTPUT_VALUE] = self._state(value.output, last=True)
        return found

    def _answer(self, value: ModelResult, *, content: bool) -> Attributes:
        """Return what a model answered, with its messages if *content* is wanted."""
        found = attribute.model_result(value, self)
        if content and value.messages:
            text, _ = joined([self.messages.output(*answer) for answer in value.messages], self._room)
            found[keys.OUTPUT_MESSAGES] = text
            if self._openinference:
                found.update(openinference.output_messages(text))
        return found

    @property
    def _room(self) -> int:
        return min(
            self._settings.max_attribute_bytes, self._settings.max_span_bytes // (8 if self._openinference else 4)
        )

    def _documents(self, value: RetrievalResult) -> Attributes:
        documents = [
            {key: field for key, field in (("id", document.id), ("score", document.score)) if field is not None}
            for document in value.documents
        ]
        text = self.json([document.content for document in value.documents])
        key = keys.OUTPUT_VALUE if self._bridged else keys.RETRIEVER_CONTENTS
        found: Attributes = {keys.RETRIEVAL_DOCUMENTS: self.json(documents), key: text}
        if self._openinference:
            found.update(openinference.documents(value, self))
        return found

    def usage(self, usage: Usage, method: str) -> Attributes:
        """Return token counts."""
        found = attribute.usage(usage, method)
        if self._openinference:
            found.update(openinference.usage(usage))
        return found


def _crowded(span: Span, coming: int) -> bool:
    """Say whether the SDK may have dropped, or be about to drop, the oldest attributes of *span*."""
    present = getattr(span, "_attributes", None)
    limit = getattr(getattr(span, "_limits", None), "max_span_attributes", None)
    return present is not None and limit is not None and len(present) + coming + _MARGIN > limit
