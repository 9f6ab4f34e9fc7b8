"""One trace as a waterfall in the terminal: the tree, how long, how many tokens, what it cost, and when.

Pure: what comes out depends on the trace, the width, the colour flag and the price list alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.call import UNNAMED
from agent_callbacks.analysis.cost import cost_report, costs_of
from agent_callbacks.analysis.drawing.bar import stretch
from agent_callbacks.analysis.drawing.ink import paint as ink
from agent_callbacks.analysis.drawing.prose import BETWEEN, joined, wrapped
from agent_callbacks.analysis.drawing.table import Column, numbers, table
from agent_callbacks.analysis.figure import counted, dollars
from agent_callbacks.analysis.latency import latency_report
from agent_callbacks.analysis.row import SYMBOLS, first_known, rows, totals
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.analysis.cost import CostReport
    from agent_callbacks.analysis.drawing.ink import Paint
    from agent_callbacks.analysis.latency import LatencyReport
    from agent_callbacks.analysis.row import Row
    from agent_callbacks.analysis.trace import Trace

__all__ = ["MAX_WIDTH", "MIN_WIDTH", "clamped", "duration", "headline", "render", "utc"]

MIN_WIDTH: Final = 40
MAX_WIDTH: Final = 250

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAILED: Final = "✗"
_CRITICAL: Final = "▸"
_LEGEND: Final = " critical path"
_MIN_NAME: Final = 18
_SHORTEST_NAME: Final = 12
_MIN_BAR: Final = 12
_TOKEN_CELLS: Final = 8
_PLACES: Final = 5  # of a dollar
_OUTCOMES: Final[Mapping[str, str]] = {"success": "good", "failure": "failed"}


def render(
    trace: Trace,
    width: int,
    *,
    color: bool,
    depth: int | None = None,
    costs: CostReport | None = None,
    latency: LatencyReport | None = None,
) -> str:
    """Return the waterfall of *trace*, without a final newline.

    Args:
        trace: What to draw.
        width: How wide in terminal cells; taken as 40 below and 250 above.
        color: Whether to use ANSI colours.
        depth: How many levels below the roots are drawn; all by default.
        costs: What it cost, where that is known already.
        latency: Where its time went, where that is known already.

    Raises:
        PricesError: The file of prices that the environment names cannot be used.
    """
    width, paint = clamped(width), ink(color=color)
    spent = cost_report(trace, parts=False) if costs is None else costs
    timed = latency_report(trace) if latency is None else latency
    lines = rows(trace, costs_of(spent), timed)
    drawn = [*_head(trace, spent, timed, width, paint), "", *_table(lines, depth, width, paint)]
    return "\n".join(line.rstrip() for line in drawn)


def clamped(width: int) -> int:
    """Return *width* within what can be drawn."""
    return max(MIN_WIDTH, min(MAX_WIDTH, width))


# --- the rows --------------------------------------------------------------------------------------------------------


def _table(lines: Sequence[Row], depth: int | None, width: int, paint: Paint) -> list[str]:
    shown = [place for place, row in enumerate(lines) if depth is None or row.depth <= depth]
    folded = _folded(lines, depth)
    drawn = [lines[place] for place in shown]
    hidden = [folded.get(place, 0) for place in shown]
    columns = [
        Column("", lambda at, room: paint(cells.left(drawn[at].kind, room), drawn[at].kind), 1, 1),
        _names(drawn, hidden, paint),
        numbers("time", [duration(row.duration) for row in drawn], paint),
        *_counts(drawn, paint),
        *_timeline(drawn, max(_MIN_BAR, width // 5), paint),
    ]
    return table(columns, len(drawn), width, paint)


def _folded(lines: Sequence[Row], depth: int | None) -> dict[int, int]:
    """Return by place how many rows below one at *depth* are not shown."""
    found: dict[int, int] = {}
    if depth is None:
        return found
    for row in lines:
        if row.depth > depth:
            place = row.parent
            while lines[place].depth > depth:
                place = lines[place].parent
            found[place] = found.get(place, 0) + 1
    return found


def _names(drawn: Sequence[Row], hidden: Sequence[int], paint: Paint) -> Column:
    wanted = max(
        len(row.prefix) + cells.width(row.name + _mark(row, more)) for row, more in zip(drawn, hidden, strict=True)
    )
    wanted = max(wanted, _MIN_NAME)
    return Column("", lambda at, room: _name(drawn[at], hidden[at], room, paint), wanted, _SHORTEST_NAME, gap=1)


def _counts(drawn: Sequence[Row], paint: Paint) -> Iterator[Column]:
    """Yield the columns of numbers, those that nobody fills left out."""
    for title, rank, counts in (
        ("in", 1, [row.input_tokens for row in drawn]),
        ("out", 3, [row.output_tokens for row in drawn]),
    ):
        if any(count is not None for count in counts):
            said = [_tokens(count, estimated=row.estimated) for count, row in zip(counts, drawn, strict=True)]
            yield numbers(title, said, paint, rank=rank)
    if any(row.cost is not None for row in drawn):
        yield numbers("cost", ["" if row.cost is None else dollars(row.cost, _PLACES) for row in drawn], paint, rank=2)
    if any(row.waited for row in drawn):
        said = ["" if row.waited is None else duration(row.waited) for row in drawn]
        yield numbers("on path", said, paint, rank=4, style="faint")


def _timeline(drawn: Sequence[Row], least: int, paint: Paint) -> Iterator[Column]:
    """Yield what the run waited for, and the bars; where the run waited for nothing, the bars alone."""
    known = any(row.waited for row in drawn)
    if known:
        yield Column(
            _CRITICAL, lambda at, room: paint(cells.left(_CRITICAL if drawn[at].waited else "", room), "bold"), 1, 1
        )
    yield Column(
        _LEGEND if known else "",
        lambda at, room: paint(stretch(drawn[at].begin, drawn[at].first_token, drawn[at].end, room),
                               _bar_style(drawn[at])),
        MAX_WIDTH, least, grows=True, gap=0 if known else 2,
    )  # fmt: skip


def _mark(row: Row, hidden: int) -> str:
    more = f" +{hidden:,}" if hidden else ""
    if row.mark is not None:
        return f"{more} {_FAILED if row.failed else SYMBOLS[row.mark]} {row.mark}"
    return f"{more} ({row.failed_below:,} {_FAILED})" if row.failed_below else more


def _name(row: Row, hidden: int, room: int, paint: Paint) -> str:
    """Return tree, name and mark in *room* cells; where they do not fit, the tree and then the mark's text give way."""
    prefix = row.prefix
    if len(prefix) > room // 2:
        kept = room // 2 - 1
        prefix = cells.ELLIPSIS + prefix[len(prefix) - kept :]
    mark = _mark(row, hidden)
    space = room - len(prefix)
    if mark and cells.width(row.name + mark) > space and cells.width(mark) > space // 2:
        mark = cells.cut(mark, max(2, space // 2))
    name = cells.cut(row.name, space - cells.width(mark))
    padding = " " * (space - cells.width(name) - cells.width(mark))
    style = "failed" if row.failed or row.failed_below else "marked" if row.mark else "faint"
    return paint(prefix, "faint") + name + paint(mark, style) + padding


def _bar_style(row: Row) -> str:
    if row.failed:
        return "failed"
    return row.kind if row.waited else f"{row.kind} faint"


# --- the head --------------------------------------------------------------------------------------------------------


def headline(trace: Trace, width: int, paint: Paint, *facts: str) -> list[str]:
    """Return the first lines of any view of *trace*: what ran, how it ended, *facts*, and its id."""
    items = [trace.root.name, *([] if trace.outcome is None else [trace.outcome]), *facts]
    lines = [
        BETWEEN.join(paint(item, _OUTCOMES.get(item, "bold")) for item in line.split(BETWEEN))
        for line in joined(items, width)
    ]
    return [*lines, *(paint(line, "faint") for line in joined([f"trace {trace.trace_id}"], width))]


def _head(trace: Trace, costs: CostReport, latency: LatencyReport, width: int, paint: Paint) -> list[str]:
    facts = [duration(trace.duration)]
    if costs.total is not None:
        facts.append(("at least " if costs.unpriced else "") + dollars(float(costs.total)))
    lines = [
        *headline(trace, width, paint, *facts),
        *(paint(line, "faint") for line in joined(list(_who(trace)), width)),
        *joined(list(_sums(trace, costs)), width),
    ]
    if latency.findings:
        lines += [paint(line, "marked") for line in wrapped(f"→ {latency.findings[0].text}", width, 2)]
    return lines


def _who(trace: Trace) -> Iterator[str]:
    if service := next(
        (str(span.resource["service.name"]) for span in trace.spans if "service.name" in span.resource), ""
    ):
        yield f"service {service}"
    for title, key in (("user", keys.USER_ID), ("session", keys.SESSION_ID)):
        if (value := first_known(trace, key)) is not None:
            yield f"{title} {value}"
    if (variant := first_known(trace, keys.FEATURE_FLAG_VARIANT)) is not None:
        experiment = first_known(trace, keys.FEATURE_FLAG_KEY)
        yield f"{experiment if experiment is not None else 'variant'} {variant}"
    yield utc(trace.start_ns) + " UTC"


def _sums(trace: Trace, costs: CostReport) -> Iterator[str]:
    sums = totals(trace)
    for count, thing in ((sums.steps, "step"), (sums.model_calls, "model call"), (sums.tool_calls, "tool call")):
        yield counted(count, thing)
    if sums.embeddings:
        yield counted(sums.embeddings, "embedding")
    if sums.failures:
        yield counted(sums.failures, "failure")
    if sums.input_tokens is not None:
        yield f"{sums.input_tokens:,} tokens in"
    if sums.output_tokens is not None:
        yield f"{sums.output_tokens:,} out"
    if unpriced := [model for model in costs.unpriced if model != UNNAMED]:
        yield f"no price known for {', '.join(unpriced)}"


# --- words -----------------------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """Return *seconds* as people say it, in at most eight cells."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"  # noqa: PLR2004 - 10 ms
    if round(seconds, 2) < _MINUTE:
        return f"{seconds:.2f} s"
    if round(seconds) < _HOUR:
        return f"{round(seconds) // 60}m {round(seconds) % 60:02d}s"
    return f"{round(seconds) // _HOUR}h {round(seconds) % _HOUR // 60:02d}m"


_MINUTE, _HOUR = 60, 3600


def _tokens(count: int | None, *, estimated: bool) -> str:
    if count is None:
        return ""
    said = ("~" if estimated else "") + f"{count:,}"
    return said if len(said) <= _TOKEN_CELLS else ("~" if estimated else "") + _short(count)


def _short(count: int) -> str:
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if count < size * 999.5:  # what still rounds to three digits
            return f"{count / size:.3g}{unit}"
    return "many"


def utc(time_ns: int) -> str:
    """Return *time_ns* (nanoseconds since the epoch) as date and time in UTC, to the second."""
    try:
        return (_EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return "-"
