"""A trace as values: spans from memory, the local store or OTLP-JSON, and the tree they form."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.trace import format_span_id, format_trace_id

from agent_callbacks.analysis import chrome, console, notebook, otlp
from agent_callbacks.analysis.outcome import RunOutcome, is_evaluation, outcomes
from agent_callbacks.analysis.span import Event, Link, Span, TraceError, attributes_of
from agent_callbacks.analysis.tree import branch
from agent_callbacks.convention import keys
from agent_callbacks.store import schema
from agent_callbacks.store.read import Store, StoredSpan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["RUNNING", "Event", "Link", "Span", "Trace", "TraceError", "load"]

RUNNING: Final = "running"
"""What stands for the outcome of a run that has not ended."""


@dataclass(frozen=True)
class Trace:
    """The spans of one trace, in the order they started; equal when their spans are equal.

    A span whose parent is not among them is one more root: nothing is ever left out.
    """

    trace_id: str
    spans: tuple[Span, ...]
    evaluations: tuple[Span, ...] = ()
    """The short spans of ``record_outcome``, which are written when the run is long over: none of its time or tree."""
    running: bool = field(default=False, compare=False)
    """Whether the run goes on, or its process died: the store has no root of it yet. A file does not say."""

    @functools.cached_property
    def outcomes(self) -> tuple[RunOutcome, ...]:
        """What the application, or an evaluator, said of the run, in the order it was said."""
        return outcomes((*self.spans, *self.evaluations))

    @property
    def root(self) -> Span:
        """The first root; one without any parent comes before one whose parent is missing."""
        return self.roots[0]

    @functools.cached_property
    def roots(self) -> tuple[Span, ...]:
        """All spans without a parent here."""
        found = self._children.get(None, [])
        return tuple(sorted(found, key=lambda span: (span.parent_id is not None, span.start_ns, span.span_id)))

    @property
    def outcome(self) -> str | None:
        """How the run ended, in the words of its root; ``"running"`` before it has, None where nothing is said."""
        found = self.root.attributes.get(keys.OUTCOME)
        return RUNNING if self.running else None if found is None else str(found)

    @property
    def start_ns(self) -> int:
        """When the first span started, in nanoseconds since the epoch."""
        return self.spans[0].start_ns

    @functools.cached_property
    def end_ns(self) -> int:
        """When the last span ended, in nanoseconds since the epoch."""
        return max(max(span.start_ns, span.end_ns) for span in self.spans)

    @property
    def duration(self) -> float:
        """Seconds from the first start to the last end."""
        return (self.end_ns - self.start_ns) / 1e9

    def children(self, span: Span) -> tuple[Span, ...]:
        """Return the spans directly below *span*, in the order they started."""
        return tuple(self._children.get(span.span_id, ()))

    def walk(self) -> Iterator[tuple[Span, tuple[bool, ...]]]:
        """Yield every span depth first, with one flag a level below the root: is it the last of its siblings?"""
        waiting: list[tuple[Span, tuple[bool, ...]]] = [(root, ()) for root in reversed(self.roots)]
        while waiting:
            span, path = waiting.pop()
            yield span, path
            below = self.children(span)
            last = len(below) - 1
            waiting.extend((below[place], (*path, place == last)) for place in range(last, -1, -1))

    def tree(self) -> str:
        """Return the span names as a tree drawn with lines, siblings in the order they started."""
        return "\n".join(branch(path) + span.name for span, path in self.walk())

    def to_chrome(self) -> dict[str, Any]:
        """Return the trace in Chrome's trace event format: written with ``json.dump``, Perfetto opens it."""
        return chrome.document(self)

    def _repr_html_(self) -> str:
        """Return a small table; a notebook shows it where the trace is the value of a cell, and nowhere else."""
        return notebook.table(self)

    @functools.cached_property
    def _children(self) -> Mapping[str | None, list[Span]]:
        ids = {span.span_id for span in self.spans}
        loops = _loops(self.spans)
        found: dict[str | None, list[Span]] = {}
        for span in self.spans:
            hangs = span.parent_id in ids and span.span_id not in loops
            found.setdefault(span.parent_id if hangs else None, []).append(span)
        return found


def _loops(spans: Sequence[Span]) -> frozenset[str]:
    """Return one span id of every ring of parents (damaged data): taken as a root, it brings the ring into the tree."""
    parents = {span.span_id: span.parent_id for span in spans}
    settled: set[str] = set()
    found: set[str] = set()
    for span in spans:
        path: dict[str, None] = {}
        current: str | None = span.span_id
        while current in parents and current not in settled and current not in path:
            path[current] = None
            current = parents[current]
        if current is not None and current in path:
            found.add(span.span_id if span.span_id in _ring(path, current) else current)
        settled.update(path)
    return frozenset(found)


def _ring(path: Iterable[str], entry: str) -> set[str]:
    walked = list(path)
    return set(walked[walked.index(entry) :])


def load(source: Iterable[ReadableSpan] | Path | str) -> list[Trace]:
    """Return the traces in *source*, in the order they started.

    Args:
        source: Finished spans of the OpenTelemetry SDK; or the path of a trace store, of an OTLP-JSON document
            (``{"resourceSpans": [...]}``), of a file with one such document a line, or of what the SDK's console
            exporter printed.

    Raises:
        TraceError: The source cannot be read; says where and what was expected.
    """
    if isinstance(source, (str, Path)):
        return traces(_read(Path(source)))
    return traces(map(_from_sdk, source))


def from_store(store: Store, trace_id: str) -> Trace:
    """Return one trace of an open store.

    Raises:
        TraceError: The store has no such trace.
    """
    found = traces(map(span_of, store.spans(trace_id)))
    if not found:
        raise TraceError(f"{store.path}: no trace {trace_id!r}; expected the id of a trace in this store")
    return replace(found[0], running=store.running(trace_id))


def traces(spans: Iterable[Span]) -> list[Trace]:
    """Group *spans* by trace; of a span that came twice (a batch sent again) the last word counts."""
    known: dict[str, dict[str, Span]] = {}
    for span in spans:
        known.setdefault(span.trace_id, {})[span.span_id] = span
    found = [_trace(trace_id, members.values()) for trace_id, members in known.items()]
    return sorted(found, key=lambda trace: (trace.start_ns, trace.trace_id))


def _trace(trace_id: str, members: Iterable[Span]) -> Trace:
    ordered = sorted(members, key=lambda span: (span.start_ns, span.span_id))
    apart = tuple(filter(is_evaluation, ordered))
    if len(apart) == len(ordered):  # the run itself is elsewhere
        return Trace(trace_id, apart)
    return Trace(trace_id, tuple(span for span in ordered if not is_evaluation(span)), apart)


def _read(path: Path) -> Iterator[Span]:
    try:
        if not schema.is_sqlite(path):
            yield from parsed(path, path.read_bytes())
            return
        with Store(path) as store:
            for trace_id in store.trace_ids():
                yield from map(span_of, store.spans(trace_id))
    except OSError as error:
        raise TraceError(
            f"{path} cannot be read ({type(error).__name__}); expected a trace store or OTLP-JSON"
        ) from error
    except schema.StoreError as error:
        raise TraceError(str(error)) from error


def parsed(path: Path, content: bytes) -> Iterator[Span]:
    """Yield the spans in the *content* of a file, OTLP-JSON or the console exporter's output; *path* is for errors.

    Raises:
        TraceError: Names the line and what was expected there.
    """
    yield from console.spans(path, content) if console.is_console(content) else otlp.spans(path, content)


def span_of(row: StoredSpan) -> Span:
    """Return a *row* of the store as a span."""
    return Span(
        trace_id=row.trace_id,
        span_id=row.span_id,
        parent_id=row.parent_span_id,
        name=row.name,
        kind=row.kind,
        start_ns=row.start_ns,
        end_ns=row.end_ns,
        status=row.status,
        status_message=row.status_message,
        scope=row.scope,
        attributes=attributes_of(row.attributes),
        events=tuple(
            Event(event["name"], event["time_ns"], attributes_of(event["attributes"])) for event in row.events
        ),
        links=tuple(Link(link["trace_id"], link["span_id"], attributes_of(link["attributes"])) for link in row.links),
        resource=attributes_of(row.resource),
    )


def _from_sdk(span: ReadableSpan) -> Span:
    context = cast("Any", span.context)  # None only on a ReadableSpan somebody built by hand
    if context is None or span.start_time is None or span.end_time is None:
        raise TraceError(f"span {span.name!r} is not finished; expected spans as an exporter gets them")
    return Span(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        parent_id=format_span_id(span.parent.span_id) if span.parent else None,
        name=schema.text(span.name),
        kind=span.kind.name,
        start_ns=span.start_time,
        end_ns=span.end_time,
        status=span.status.status_code.name,
        status_message=None if span.status.description is None else schema.text(span.status.description),
        scope=span.instrumentation_scope.name if span.instrumentation_scope else "",
        attributes=attributes_of(span.attributes),
        events=tuple(Event(event.name, event.timestamp, attributes_of(event.attributes)) for event in span.events),
        links=tuple(
            Link(
                format_trace_id(link.context.trace_id),
                format_span_id(link.context.span_id),
                attributes_of(link.attributes),
            )
            for link in span.links
        ),
        resource=attributes_of(span.resource.attributes),
        parent_remote=span.parent.is_remote if span.parent else None,
    )
