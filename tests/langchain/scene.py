"""The stage on which the scenarios play: it makes the user's own spans and knows where each must land."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, SpanContext

from agent_callbacks.convention.keys import OUTCOME
from tests.langchain.models import ScriptedChat, calls, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.messages import AIMessage
    from opentelemetry.sdk.trace import ReadableSpan

RUN: Final = r"agent\.run(\..+)?"
STEP: Final = r"agent\.step\.\d+"
MODEL: Final = r"llm\.chat"
RETRIEVER: Final = r"retriever\..+"
CHAIN: Final = r"chain\..+"
CALLER: Final = "the caller's span, or none"
ROOT: Final = "none"


def _default_handler(provider: TracerProvider) -> Any:
    from agent_callbacks import AgentCallbackHandler

    return AgentCallbackHandler(tracer_provider=provider)


handler_factory: Callable[[TracerProvider], Any] = _default_handler
"""What makes the handler under test; another one can be put here to be judged by the same scenarios."""


@dataclass(frozen=True, slots=True)
class Inner:
    """A span of the user's, and where it must land: a pattern of names, the caller, or exactly one span."""

    label: str
    span: Span
    under: str | SpanContext
    group: object


@dataclass
class Scene:
    """One run of a scenario: a provider of its own, the handler under test, and the user's spans made so far."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    provider: TracerProvider = field(default_factory=lambda: TracerProvider(shutdown_on_exit=False))
    under_a_caller: bool = False
    caller: Span | None = None
    inner_spans: list[Inner] = field(default_factory=list)
    checks: list[Callable[[dict[int, ReadableSpan]], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Connect provider, exporter and handler."""
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("user")
        self.handler = handler_factory(self.provider)

    def config(self, **given: Any) -> dict[str, Any]:
        """Return a run's config with the handler."""
        return {"callbacks": [self.handler], **given}

    @contextlib.contextmanager
    def inner(self, label: str, under: str | SpanContext, *, group: object = None) -> Iterator[Span]:
        """Make a span as the user's code would, and note where it must land.

        Args:
            label: What it is; two spans with one label must have two parents.
            under: A pattern for the parent's name, `CALLER`, or the parent.
            group: Spans of one group share a trace, spans of two groups never do.
        """
        with self.tracer.start_as_current_span(f"inner:{label}") as span:
            self.inner_spans.append(Inner(label, span, under, group))
            yield span

    def mark(self, label: str, under: str | SpanContext, *, group: object = None) -> None:
        """Make such a span around nothing."""
        with self.inner(label, under, group=group):
            pass

    @contextlib.contextmanager
    def own_trace(self, label: str) -> Iterator[None]:
        """Open a span of the user's that begins a trace of its own."""
        with self.tracer.start_as_current_span(label, context=trace.set_span_in_context(trace.INVALID_SPAN)):
            yield

    def expect_outcomes(self, pattern: str, *outcomes: str) -> None:
        """Note how the operations whose span's name matches *pattern* must have ended, in the order of their start."""

        def check(spans: dict[int, ReadableSpan]) -> None:
            found = [span for span in spans.values() if re.fullmatch(pattern, span.name)]
            found.sort(key=lambda span: span.start_time or 0)
            assert list(outcomes) == [(span.attributes or {}).get(OUTCOME) for span in found]

        self.checks.append(check)

    def expect_roots(self, pattern: str, number: int) -> None:
        """Note how many spans match *pattern*; each must stand directly under the caller, none under another."""

        def check(spans: dict[int, ReadableSpan]) -> None:
            caller = None if self.caller is None else self.caller.get_span_context().span_id
            parents = [
                span.parent and span.parent.span_id for span in spans.values() if re.fullmatch(pattern, span.name)
            ]
            assert [caller] * number == parents

        self.checks.append(check)

    # --- judging ---
    def verdict(self) -> list[str]:
        """Return one line for each thing that is wrong."""
        spans = {span.context.span_id: span for span in self.exporter.get_finished_spans()}
        for check in self.checks:
            check(spans)
        wrong = [line for inner in self.inner_spans if (line := self._misplaced(inner, spans))]
        return [*wrong, *self._shared_parents(), *self._mixed_traces(), *self._torn(spans)]

    def _misplaced(self, inner: Inner, spans: dict[int, ReadableSpan]) -> str | None:
        found = _parent(inner.span)
        if inner.under is CALLER:
            expected = None if self.caller is None else self.caller.get_span_context().span_id
            right = expected == (None if found is None else found.span_id)
        elif inner.under is ROOT:
            right = found is None
        elif isinstance(inner.under, SpanContext):
            right = found is not None and found.span_id == inner.under.span_id
        else:
            right = (
                found is not None
                and found.span_id in spans
                and re.fullmatch(inner.under, spans[found.span_id].name) is not None
            )
        if right:
            return None
        name = "none" if found is None else spans[found.span_id].name if found.span_id in spans else "one not exported"
        return f"inner:{inner.label}: its parent is {name}, expected {inner.under}"

    def _shared_parents(self) -> Iterator[str]:
        parents: defaultdict[str, list[int | None]] = defaultdict(list)
        for inner in self.inner_spans:
            if inner.under not in (CALLER, ROOT):
                found = _parent(inner.span)
                parents[inner.label].append(None if found is None else found.span_id)
        for label, found in parents.items():
            if len(set(found)) != len(found):
                yield f"inner:{label}: {len(found)} spans share {len(set(found))} parents"

    def _mixed_traces(self) -> Iterator[str]:
        groups: defaultdict[object, set[int]] = defaultdict(set)
        for inner in self.inner_spans:
            if inner.group is not None:
                groups[inner.group].add(inner.span.get_span_context().trace_id)
        ids = [trace_id for group in groups.values() for trace_id in group]
        if len(ids) != len(groups) or len(set(ids)) != len(ids):
            yield f"{len(groups)} groups have {len(ids)} traces, {len(set(ids))} of them different"

    def _torn(self, spans: dict[int, ReadableSpan]) -> Iterator[str]:
        for span in spans.values():
            if span.parent is not None and span.parent.span_id not in spans:
                yield f"{span.name}: its parent was never exported"


def _parent(span: Span) -> SpanContext | None:
    found: SpanContext | None = getattr(span, "parent", None)
    return found


class Chat(ScriptedChat):
    """Plays its script by the number of answers already in the history, and makes a span in each body."""

    scene: Any
    label: str = "llm"

    def _next(self, messages: list[Any]) -> Any:
        answers = sum(message.type == "ai" for message in messages)
        self.scene.mark(f"{self.label}:{answers}", MODEL)
        return self.script[min(answers, len(self.script) - 1)]

    def _stream(self, *args: Any, **given: Any) -> Any:
        for number, chunk in enumerate(super()._stream(*args, **given)):
            self.scene.mark(f"{self.label}:chunk:{number}", MODEL)
            yield chunk

    async def _astream(self, *args: Any, **given: Any) -> Any:
        number = 0
        async for chunk in super()._astream(*args, **given):
            self.scene.mark(f"{self.label}:chunk:{number}", MODEL)
            number += 1
            yield chunk


class Docs(BaseRetriever):
    """Makes a span in each body."""

    scene: Any

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        self.scene.mark("retriever", RETRIEVER)
        return [Document(query)]

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        self.scene.mark("retriever", RETRIEVER)
        return [Document(query)]


class Saver(InMemorySaver):
    """Makes a span in each call, as a database client's instrumentation would."""

    def __init__(self, scene: Scene, *, broken: bool = False) -> None:
        super().__init__()
        self.scene = scene
        self.broken = broken
        self.calls = 0

    def _mark(self, what: str) -> None:
        self.calls += 1
        self.scene.mark(f"saver:{what}:{self.calls}", f"{RUN}|{STEP}")
        if self.broken and what == "put":
            raise ConnectionError

    async def _asked(self, what: str) -> None:
        """Wait for a connection first: from then on the framework that asked is not on the stack."""
        await asyncio.sleep(0)
        self._mark(what)

    def get_tuple(self, config: Any) -> Any:
        """Read."""
        self._mark("get")
        return super().get_tuple(config)

    def put(self, *args: Any, **given: Any) -> Any:
        """Write."""
        self._mark("put")
        return super().put(*args, **given)

    def put_writes(self, *args: Any, **given: Any) -> None:
        """Write."""
        self._mark("put_writes")
        super().put_writes(*args, **given)

    async def aget_tuple(self, config: Any) -> Any:
        """Read."""
        await self._asked("get")
        return InMemorySaver.get_tuple(self, config)

    async def aput(self, *args: Any, **given: Any) -> Any:
        """Write."""
        await self._asked("put")
        return InMemorySaver.put(self, *args, **given)

    async def aput_writes(self, *args: Any, **given: Any) -> None:
        """Write."""
        await self._asked("put_writes")
        InMemorySaver.put_writes(self, *args, **given)


def sync_tool(scene: Scene, name: str, body: Callable[[str], object] | None = None) -> Any:
    """Return a sync tool that makes a span in its body."""

    @tool(name)
    def run(query: str) -> str:
        """Look something up."""
        scene.mark(name, rf"tool\.{name}")
        if body is not None:
            body(query)
        return query

    return run


def async_tool(scene: Scene, name: str, body: Callable[[str], Any] | None = None) -> Any:
    """Return an async tool that makes a span before and a span after its first await."""

    @tool(name)
    async def run(query: str) -> str:
        """Look something up."""
        scene.mark(f"{name}:before", rf"tool\.{name}")
        await asyncio.sleep(0)
        if body is not None:
            await body(query)
        scene.mark(f"{name}:after", rf"tool\.{name}")
        return query

    return run


def asks(*names: str, query: str = "q") -> list[AIMessage]:
    """Return a script: ask for the tools *names* at once, then answer."""
    return [calls(*((name, {"query": query}) for name in names)), says("The answer has some length.")]
