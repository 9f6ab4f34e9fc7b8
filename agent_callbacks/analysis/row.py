"""The spans of a trace as rows, depth first: what each is, when it ran, what it read, wrote, cost, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_callbacks.analysis import cells, kinds
from agent_callbacks.analysis.phases import first_token_ns
from agent_callbacks.analysis.tokens import usage_estimated
from agent_callbacks.analysis.tree import branch
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent_callbacks.analysis.latency import LatencyReport
    from agent_callbacks.analysis.span import Span
    from agent_callbacks.analysis.trace import Trace

__all__ = ["SYMBOLS", "Kind", "Row", "Totals", "first_known", "kind_of", "rows", "totals"]

Kind: TypeAlias = Literal["A", "S", "M", "E", "T", "R", "C", "N", "·"]
"""Agent run, step, model call, embedding, tool, retriever, chain, graph node, anything else."""

_LETTERS: Final[Mapping[kinds.Kind, Kind]] = {
    "run": "A", "step": "S", "model": "M", "embedding": "E", "tool": "T", "retriever": "R", "chain": "C", "node": "N",
    "other": "·",
}  # fmt: skip
# Which keys hold a row's tokens: the first that is there.
_INPUT_KEYS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "A": (keys.RUN_TOTAL_INPUT_TOKENS, keys.RUN_INPUT_TOKENS),
    "S": (keys.STEP_INPUT_TOKENS,),
    "M": (keys.USAGE_INPUT_TOKENS,),
    "E": (keys.USAGE_INPUT_TOKENS,),
}
_OUTPUT_KEYS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "A": (keys.RUN_TOTAL_OUTPUT_TOKENS, keys.RUN_OUTPUT_TOKENS),
    "S": (keys.STEP_OUTPUT_TOKENS,),
    "M": (keys.USAGE_OUTPUT_TOKENS,),
}
_FAILURE: Final = "failure"
SYMBOLS: Final = {"interrupted": "‖", "cancelled": "⊘", "abandoned": "?"}
"""How a span may have ended that neither succeeded nor failed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One span as a line of the waterfall.

    ``parent`` is the place of its parent's row, -1 for a root. ``duration`` is seconds; ``begin``,
    ``first_token`` and ``end`` are fractions of the trace's length from 0 to 1. ``cost`` is US dollars. ``waited`` is
    for how many seconds the run waited for it or for something in it: None where it is beside the critical path, or no
    path is known. ``mark`` is the error's type, or what else became of it; ``failed_below`` counts the failures under
    it. All text is safe to print.
    """

    depth: int
    parent: int
    prefix: str
    name: str
    kind: Kind
    duration: float
    begin: float
    first_token: float | None
    end: float
    input_tokens: int | None
    output_tokens: int | None
    estimated: bool
    cost: float | None
    waited: float | None
    failed: bool
    mark: str | None
    failed_below: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What a whole trace adds up to; tokens are those of its model calls, None when none reported any.

    ``failures`` counts the spans that failed themselves, not those above them that failed with them.
    """

    steps: int
    model_calls: int
    tool_calls: int
    input_tokens: int | None
    output_tokens: int | None
    embeddings: int = 0
    failures: int = 0


def kind_of(span: Span) -> Kind:
    """Return what *span* is, as one letter."""
    return _LETTERS[kinds.kind_of(span)]


def rows(trace: Trace, costs: Mapping[str, float] | None = None, latency: LatencyReport | None = None) -> list[Row]:
    """Return the lines of *trace*, depth first.

    Args:
        trace: What to show.
        costs: US dollars by span id, as ``cost.costs_of`` gives them.
        latency: The trace's own report, for what the run waited for.
    """
    walked = list(trace.walk())
    parents = _parents([len(path) for _, path in walked])
    fates = [_fate(span) for span, _ in walked]
    below = _counted_below([failed for failed, _ in fates], parents)
    guesses = [usage_estimated(span) for span, _ in walked]
    guessed = [bool(own or more) for own, more in zip(guesses, _counted_below(guesses, parents), strict=True)]
    waited = _waited([span.span_id for span, _ in walked], parents, latency)
    whole = max(1, trace.end_ns - trace.start_ns)
    known = costs or {}
    return [
        _row(
            span,
            path,
            parents[at],
            fates[at],
            below[at],
            guessed[at],
            waited[at],
            known.get(span.span_id),
            trace.start_ns,
            whole,
        )
        for at, (span, path) in enumerate(walked)
    ]


def totals(trace: Trace) -> Totals:
    """Return what *trace* adds up to."""
    by_kind: dict[Kind, list[Span]] = {}
    for span in trace.spans:
        by_kind.setdefault(kind_of(span), []).append(span)
    models = by_kind.get("M", [])
    walked = list(trace.walk())
    failed = [_fate(span)[0] for span, _ in walked]
    below = _counted_below(failed, _parents([len(path) for _, path in walked]))
    return Totals(
        steps=len(by_kind.get("S", [])),
        model_calls=len(models),
        tool_calls=len(by_kind.get("T", [])),
        input_tokens=_sum(_number(span, _INPUT_KEYS["M"]) for span in models),
        output_tokens=_sum(_number(span, _OUTPUT_KEYS["M"]) for span in models),
        embeddings=len(by_kind.get("E", [])),
        failures=sum(own and not more for own, more in zip(failed, below, strict=True)),
    )


def first_known(trace: Trace, key: str) -> str | None:
    """Return the attribute *key* of the first span that has it, None when none does."""
    return next((str(span.attributes[key]) for span in trace.spans if span.attributes.get(key) is not None), None)


def _row(
    span: Span,
    path: tuple[bool, ...],
    parent: int,
    fate: tuple[bool, str | None],
    failed_below: int,
    estimated: bool,  # noqa: FBT001 - one of the values a row is made from
    waited: float | None,
    cost: float | None,
    start_ns: int,
    whole: int,
) -> Row:
    kind = kind_of(span)
    begin, end = ((at - start_ns) / whole for at in (span.start_ns, max(span.start_ns, span.end_ns)))
    first = first_token_ns(span)
    failed, mark = fate
    return Row(
        depth=len(path),
        parent=parent,
        prefix=branch(path),
        name=cells.printable(span.name),
        kind=kind,
        duration=span.duration,
        begin=begin,
        first_token=None if first is None else min(end, (first - start_ns) / whole),
        end=end,
        input_tokens=_number(span, _INPUT_KEYS.get(kind, ())),
        output_tokens=_number(span, _OUTPUT_KEYS.get(kind, ())),
        estimated=estimated,
        cost=cost,
        waited=waited,
        failed=failed,
        mark=mark,
        failed_below=failed_below,
    )


def _fate(span: Span) -> tuple[bool, str | None]:
    """Return whether *span* failed, and how it ended unless well."""
    outcome = span.text(keys.OUTCOME)
    if outcome in SYMBOLS:
        return False, outcome
    if outcome == _FAILURE or span.status == "ERROR":
        return True, cells.printable(str(span.attributes.get(keys.ERROR_TYPE) or "error"))
    return False, None


def _parents(depths: Sequence[int]) -> list[int]:
    """Return the place of each row's parent, -1 for a root."""
    latest: list[int] = []  # the last row of each depth on the way to the current one
    parents: list[int] = []
    for place, depth in enumerate(depths):
        parents.append(latest[depth - 1] if depth else -1)
        del latest[depth:]
        latest.append(place)
    return parents


def _counted_below(marked: Sequence[bool], parents: Sequence[int]) -> list[int]:
    """Return how many rows below each one are marked; parents stand before their children."""
    below = [0] * len(parents)
    for place in range(len(parents) - 1, -1, -1):
        if (parent := parents[place]) >= 0:
            below[parent] += below[place] + marked[place]
    return below


def _waited(ids: Sequence[str], parents: Sequence[int], latency: LatencyReport | None) -> list[float | None]:
    """Return by row how long the run waited for it or for something in it."""
    if latency is None:
        return [None] * len(ids)
    lengths: dict[str, int] = {}
    for segment in latency.segments:
        lengths[segment.span_id] = lengths.get(segment.span_id, 0) + segment.length
    found = [lengths.get(span_id, 0) for span_id in ids]
    for place in range(len(ids) - 1, -1, -1):
        if (parent := parents[place]) >= 0:
            found[parent] += found[place]
    return [length / 1e9 if length else None for length in found]


def _number(span: Span, candidates: Sequence[str]) -> int | None:
    for key in candidates:
        if (value := span.count(key)) is not None:
            return value
    return None


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
