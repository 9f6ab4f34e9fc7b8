"""One trace as a waterfall in the terminal: the tree, how long, how many tokens, and when.

Pure: what comes out depends on the trace, the width and the colour flag alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.tree import branch
from agent_callbacks.convention import keys
from agent_callbacks.store.summary import MODEL_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.analysis.trace import Trace

__all__ = ["Row", "Totals", "render", "rows", "totals"]

Kind: TypeAlias = Literal["A", "S", "M", "T", "R", "C", "N", "·"]
"""Agent run, step, model call, tool, retriever, chain, graph node, anything else."""

MIN_WIDTH: Final = 40
MAX_WIDTH: Final = 250

_KIND_OF_OPERATION: Final[Mapping[object, Kind]] = {
    "invoke_agent": "A", **dict.fromkeys(MODEL_OPERATIONS, "M"), "execute_tool": "T", "retrieval": "R",
    "invoke_workflow": "C",
}  # fmt: skip
# Which keys hold a row's tokens: the first that is there.
_INPUT_KEYS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "A": (keys.RUN_TOTAL_INPUT_TOKENS, keys.RUN_INPUT_TOKENS),
    "S": (keys.STEP_INPUT_TOKENS,),
    "M": (keys.USAGE_INPUT_TOKENS,),
}
_OUTPUT_KEYS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "A": (keys.RUN_TOTAL_OUTPUT_TOKENS, keys.RUN_OUTPUT_TOKENS),
    "S": (keys.STEP_OUTPUT_TOKENS,),
    "M": (keys.USAGE_OUTPUT_TOKENS,),
}
_ESTIMATED: Final = "estimated"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# --- values ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One span as a line of the waterfall.

    ``offset`` and ``duration`` are seconds; ``begin``, ``first_chunk`` and ``end`` are fractions of the trace's length
    from 0 to 1; ``mark`` is the error's type, or what else became of it; all text is safe to print.
    """

    depth: int
    prefix: str
    name: str
    kind: Kind
    offset: float
    duration: float
    begin: float
    first_chunk: float | None
    end: float
    input_tokens: int | None
    output_tokens: int | None
    estimated: bool
    failed: bool
    mark: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What a whole trace adds up to; tokens are those of its model calls, None when none reported any."""

    steps: int
    model_calls: int
    tool_calls: int
    input_tokens: int | None
    output_tokens: int | None


def kind_of(span: Span) -> Kind:
    """Return what *span* is, by its attributes."""
    if kind := _KIND_OF_OPERATION.get(span.attributes.get(keys.OPERATION_NAME)):
        return kind
    if keys.STEP_INDEX in span.attributes:
        return "S"
    return "N" if keys.NODE_NAME in span.attributes else "·"


def rows(trace: Trace) -> list[Row]:
    """Return the lines of *trace*, depth first."""
    whole = max(1, trace.end_ns - trace.start_ns)
    return [_row(span, path, trace.start_ns, whole) for span, path in trace.walk()]


def totals(trace: Trace) -> Totals:
    """Return what *trace* adds up to."""
    by_kind: dict[Kind, list[Span]] = {}
    for span in trace.spans:
        by_kind.setdefault(kind_of(span), []).append(span)
    models = by_kind.get("M", [])
    return Totals(
        steps=len(by_kind.get("S", [])),
        model_calls=len(models),
        tool_calls=len(by_kind.get("T", [])),
        input_tokens=_sum(_number(span, _INPUT_KEYS["M"]) for span in models),
        output_tokens=_sum(_number(span, _OUTPUT_KEYS["M"]) for span in models),
    )


def _row(span: Span, path: tuple[bool, ...], start_ns: int, whole: int) -> Row:
    kind = kind_of(span)
    begin, end = ((at - start_ns) / whole for at in (span.start_ns, max(span.start_ns, span.end_ns)))
    first_chunk = span.attributes.get(keys.TIME_TO_FIRST_CHUNK)
    failed, mark = _fate(span)
    return Row(
        depth=len(path),
        prefix=branch(path),
        name=cells.printable(span.name),
        kind=kind,
        offset=(span.start_ns - start_ns) / 1e9,
        duration=span.duration,
        begin=begin,
        first_chunk=min(end, begin + first_chunk * 1e9 / whole) if isinstance(first_chunk, (int, float)) else None,
        end=end,
        input_tokens=_number(span, _INPUT_KEYS.get(kind, ())),
        output_tokens=_number(span, _OUTPUT_KEYS.get(kind, ())),
        estimated=span.attributes.get(keys.TOKENS_METHOD) == _ESTIMATED,
        failed=failed,
        mark=mark,
    )


def _fate(span: Span) -> tuple[bool, str | None]:
    """Return whether *span* failed, and how it ended unless well."""
    outcome = span.attributes.get(keys.OUTCOME)
    if outcome in _SYMBOLS:
        return False, str(outcome)
    if outcome == "failure" or span.status == "ERROR":
        return True, cells.printable(str(span.attributes.get(keys.ERROR_TYPE) or "error"))
    return False, None


def _number(span: Span, candidates: Sequence[str]) -> int | None:
    for key in candidates:
        value = span.attributes.get(key)
        if isinstance(value, int):
            return value
    return None


def _sum(numbers: Iterator[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


# --- text ------------------------------------------------------------------------------------------------------------

_SYMBOLS: Final = {"interrupted": "‖", "cancelled": "⊘", "abandoned": "?"}
_FAILED: Final = "✗"
_COLORS: Final[Mapping[str, str]] = {
    "A": "36", "S": "34", "M": "35", "T": "32", "R": "33", "C": "36", "N": "37", "·": "37",
    "failed": "31", "marked": "33", "faint": "2", "bold": "1",
}  # fmt: skip
# Two halves of a cell -> the line drawn there: "=" body, "-" waiting for the first chunk.
_STROKES: Final[Mapping[str, str]] = {
    "  ": " ", "- ": "╴", " -": "╶", "--": "─", "= ": "╸", " =": "╺", "==": "━", "-=": "╼", "=-": "╾",
}  # fmt: skip

_Paint: TypeAlias = "Callable[[str, str], str]"
_TIME_CELLS: Final = 9
_MIN_NAME: Final = 18
_MIN_BAR: Final = 9
_NAME_SHARE: Final = 0.4


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many cells each column takes, its gap included."""

    name: int
    tokens: int
    bar: int


def render(trace: Trace, width: int, *, color: bool) -> str:
    """Return the waterfall of *trace*, without a final newline.

    Args:
        trace: What to draw.
        width: How wide in terminal cells; taken as 40 below and 250 above.
        color: Whether to use ANSI colours.
    """
    width = max(MIN_WIDTH, min(MAX_WIDTH, width))
    paint = _ansi if color else _plain
    lines = rows(trace)
    layout = _fit(lines, width)
    drawn = [*_head(trace, width, paint), "", _titles(layout, paint), *(_line(row, layout, paint) for row in lines)]
    return "\n".join(line.rstrip() for line in drawn)


def _plain(text: str, style: str) -> str:
    del style
    return text


def _ansi(text: str, style: str) -> str:
    return f"\x1b[{_COLORS[style]}m{text}\x1b[0m" if text.strip() else text


def _fit(lines: Sequence[Row], width: int) -> _Layout:
    """Share *width* out: the tree up to two fifths, then the time, then tokens where they leave room for a bar."""
    wanted = max(cells.width(_label(row)) for row in lines)
    name = max(_MIN_NAME, min(wanted, int(width * _NAME_SHARE)))
    rest = width - 2 - name - _TIME_CELLS - 2
    known = any(row.input_tokens is not None or row.output_tokens is not None for row in lines)
    tokens = next((room for room in (9, 7) if known and rest - 2 * room >= _MIN_BAR), 0)
    return _Layout(name, tokens, max(0, rest - 2 * tokens))


def _label(row: Row) -> str:
    return row.prefix + row.name + _mark(row)


def _mark(row: Row) -> str:
    if row.mark is None:
        return ""
    return f" {_FAILED if row.failed else _SYMBOLS[row.mark]} {row.mark}"


def _titles(layout: _Layout, paint: _Paint) -> str:
    tokens = cells.right("in", layout.tokens) + cells.right("out", layout.tokens) if layout.tokens else ""
    return paint("  " + " " * layout.name + cells.right("time", _TIME_CELLS) + tokens, "faint")


def _line(row: Row, layout: _Layout, paint: _Paint) -> str:
    style = "failed" if row.failed else row.kind
    tokens = "".join(
        cells.right(_tokens(count, layout.tokens - 1, estimated=row.estimated), layout.tokens)
        for count in (row.input_tokens, row.output_tokens)
    )
    return "".join((
        paint(row.kind, row.kind),
        " ",
        _name(row, layout.name, paint),
        cells.right(duration(row.duration), _TIME_CELLS),
        tokens if layout.tokens else "",
        "  ",
        paint(_bar(row, layout.bar), style),
    ))  # fmt: skip


def _name(row: Row, room: int, paint: _Paint) -> str:
    """Return tree, name and mark in *room* cells; where they do not fit, the tree and then the mark's text give way."""
    prefix = row.prefix
    if cells.width(prefix) > room // 2:
        kept = room // 2 - 1
        prefix = cells.ELLIPSIS + prefix[len(prefix) - kept :]
    mark = _mark(row)
    space = room - cells.width(prefix)
    if mark and cells.width(row.name + mark) > space and cells.width(mark) > space // 2:
        mark = cells.cut(mark, max(2, space // 2))
    name = cells.cut(row.name, space - cells.width(mark))
    padding = " " * (space - cells.width(name) - cells.width(mark))
    return paint(prefix, "faint") + name + paint(mark, "failed" if row.failed else "marked") + padding


def _bar(row: Row, room: int) -> str:
    """Return the bar in half cells; however short the span, one half is drawn."""
    halves = 2 * room
    first = min(int(row.begin * halves), max(0, halves - 1))
    last = max(first + 1, round(row.end * halves))
    head = first if row.first_chunk is None else min(last - 1, round(row.first_chunk * halves))
    strokes = " " * first + "-" * (head - first) + "=" * (last - max(first, head))
    strokes = strokes.ljust(halves)
    return "".join(_STROKES[strokes[at : at + 2]] for at in range(0, halves, 2)).rstrip()


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


def _tokens(count: int | None, room: int, *, estimated: bool) -> str:
    if count is None:
        return ""
    said = ("~" if estimated else "") + f"{count:,}"
    return said if len(said) <= room else ("~" if estimated else "") + _short(count)


def _short(count: int) -> str:
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if count < size * 999.5:  # what still rounds to three digits
            return f"{count / size:.3g}{unit}"
    return "many"


# --- head ------------------------------------------------------------------------------------------------------------


def _head(trace: Trace, width: int, paint: _Paint) -> list[str]:
    return [
        paint(cells.cut(f"trace {cells.printable(trace.trace_id)}", width), "bold"),
        *_joined(list(_who(trace)), width),
        *_joined(list(_sums(trace)), width),
    ]


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


def _sums(trace: Trace) -> Iterator[str]:
    sums = totals(trace)
    yield duration(trace.duration)
    for count, thing in ((sums.steps, "step"), (sums.model_calls, "model call"), (sums.tool_calls, "tool call")):
        yield f"{count} {thing}{'' if count == 1 else 's'}"
    if sums.input_tokens is not None:
        yield f"{sums.input_tokens:,} tokens in"
    if sums.output_tokens is not None:
        yield f"{sums.output_tokens:,} out"


def _joined(items: Sequence[str], width: int) -> list[str]:
    """Return *items* side by side on as many lines as they need."""
    lines: list[str] = []
    for item in (cells.cut(cells.printable(item), width) for item in items):
        joined = f"{lines[-1]} · {item}" if lines else item
        if lines and cells.width(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(item)
    return lines


def first_known(trace: Trace, key: str) -> str | None:
    """Return the attribute *key* of the first span that has it, None when none does."""
    return next((str(span.attributes[key]) for span in trace.spans if span.attributes.get(key) is not None), None)


def utc(time_ns: int) -> str:
    """Return *time_ns* (nanoseconds since the epoch) as date and time in UTC, to the second."""
    try:
        return (_EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return "-"
