"""The waterfall of the page: a trace's spans as rows, depth first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.phases import first_token_ns
from agent_callbacks.analysis.report.model import Note, SpanRow
from agent_callbacks.analysis.row import Row, rows
from agent_callbacks.analysis.shown import shown, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_callbacks.analysis.shown import Shown
    from agent_callbacks.analysis.span import Span, Value
    from agent_callbacks.analysis.trace import Trace

__all__ = ["span_rows"]

_NANOSECONDS: Final = 1e9


def span_rows(
    trace: Trace, costs: Mapping[str, float], critical: Mapping[str, Sequence[tuple[int, int]]]
) -> tuple[SpanRow, ...]:
    """Return the rows of *trace*.

    Args:
        trace: What to show.
        costs: US dollars by span id, for the spans whose cost is known.
        critical: The pieces of the critical path by the id of the span they lie in, in nanoseconds since the epoch.
    """
    walked = [span for span, _ in trace.walk()]
    lines = rows(trace, costs)
    return tuple(
        _row(span, line, trace.start_ns, critical.get(span.span_id, ()))
        for span, line in zip(walked, lines, strict=True)
    )


def _row(span: Span, line: Row, start_ns: int, critical: Sequence[tuple[int, int]]) -> SpanRow:
    begin = _seconds(span.start_ns - start_ns)
    end = _seconds(max(span.start_ns, span.end_ns) - start_ns) if span.end_ns else None
    first = first_token_ns(span)
    return SpanRow(
        span_id=visible(span.span_id),
        parent=line.parent,
        depth=line.depth,
        name=visible(span.name),
        kind=line.kind,
        begin=begin,
        end=end,
        first_token=None if first is None else _seconds(first - start_ns),
        input_tokens=line.input_tokens,
        output_tokens=line.output_tokens,
        estimated=line.estimated,
        cost=line.cost,
        failed=line.failed,
        mark=line.mark,
        failed_below=line.failed_below,
        critical=tuple(_seconds(at - start_ns) for piece in critical for at in piece),
        status=_status(span),
        otel_kind=visible(span.kind),
        scope=visible(span.scope),
        attributes=_attributes(span.attributes),
        events=tuple(
            Note(visible(event.name), _seconds(event.time_ns - start_ns), _attributes(event.attributes))
            for event in span.events
        ),
        links=tuple(
            Note(visible(f"{link.trace_id} {link.span_id}"), None, _attributes(link.attributes)) for link in span.links
        ),
    )


def _status(span: Span) -> str:
    return visible(f"{span.status}: {span.status_message}" if span.status_message else span.status)


def _attributes(attributes: Mapping[str, Value]) -> dict[str, Shown]:
    return {visible(key): shown(value) for key, value in attributes.items()}


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / _NANOSECONDS
