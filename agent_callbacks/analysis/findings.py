"""What could be faster, in words: sequential calls, slow peers, queues, waits for first tokens, growing context.

Every saving is an upper bound, and comes with the evidence for it: a trace shows when things ran, not why.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_callbacks.analysis.kinds import CALLS
from agent_callbacks.analysis.phases import Component, first_token_ns
from agent_callbacks.convention import keys
from agent_callbacks.convention.peers import peer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent_callbacks.analysis.attribution import Map
    from agent_callbacks.analysis.span import Span

__all__ = ["Evidence", "Finding", "Shape", "findings", "spoken"]

Evidence: TypeAlias = Literal["one_answer", "no_model_between", "unrelated_arguments", "unknown_dependency", "measured"]
"""How sure a finding is, strongest first, but for ``measured``, which needs no inference.

``one_answer``: the model asked for the calls in one answer, so none can depend on another's result.
``no_model_between``: the same tool or retriever again, with no model call between: code decided, not a result read by
a model. ``unrelated_arguments``: model calls lie between, but no later argument occurs in an earlier result (both are
recorded). ``unknown_dependency``: nothing in the trace says whether a later call needed an earlier result.
"""

_SECOND, _MILLISECOND = 1_000_000_000, 1_000_000  # in nanoseconds
MIN_SAVING_NS: Final = 100 * _MILLISECOND
MIN_SHARE: Final = 0.05
SLOW_SHARE: Final = 0.2
_FIRST_TOKEN_SHARE: Final = 0.4
_GROWTH: Final = 2.0
_GROWN_TOKENS: Final = 2000
_GROWN_CALLS: Final = 4
_MIN_REQUESTS: Final = 3
_NAMED: Final = 3
_MIN_WORD: Final = 4
_BECAUSE: Final[Mapping[Evidence, str]] = {
    "one_answer": "one answer of the model asked for all of them",
    "no_model_between": "no model call lies between them",
    "unrelated_arguments": "no later argument occurs in an earlier result",
    "unknown_dependency": "whether later ones need earlier results, the trace does not show",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth changing.

    ``saving_ns`` is an upper bound, None where there is none but the time itself; ``time_ns`` is the time on the
    critical path that the finding is about; ``span_ids`` are the spans it is about, in the order they started.
    """

    kind: Literal["sequential_calls", "slow_peer", "queueing", "first_token", "growing_context", "framework"]
    text: str
    evidence: Evidence
    time_ns: int
    saving_ns: int | None
    span_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What findings are drawn from: the places, and how long each span and each component is on the critical path."""

    placed: Map
    on_path: Mapping[str, int]
    components: Mapping[Component, int]
    whole: int

    def calls(self) -> Iterator[Span]:
        """Yield the tools and retrievers that are on the path and part of no other, in the order they started."""
        for span in sorted(self.placed.tree.spans, key=lambda one: (one.start_ns, one.span_id)):
            place = self.placed.of(span)
            if place.tool is span and place.kind in CALLS and self.on_path.get(span.span_id):
                yield span

    def enough(self, time_ns: int, share: float = MIN_SHARE) -> bool:
        """Say whether *time_ns* is worth a word."""
        return time_ns >= MIN_SAVING_NS and time_ns >= share * self.whole


def findings(shape: Shape) -> list[Finding]:
    """Return the findings of a run, those that could save most first."""
    found = [*_sequential(shape), *_slow_peers(shape), *_rest(shape)]
    return sorted(found, key=lambda finding: (-(finding.saving_ns or 0), -finding.time_ns, finding.text))


def spoken(time_ns: int, scale_ns: int) -> str:
    """Return *time_ns* as a number in the unit of *scale_ns*: seconds with one decimal from one second on, else ms."""
    if scale_ns < _SECOND:
        return str((time_ns + _MILLISECOND // 2) // _MILLISECOND)
    tenths = (time_ns + _SECOND // 20) // (_SECOND // 10)
    return f"{tenths // 10:,}.{tenths % 10}"


def _unit(scale_ns: int) -> str:
    return "s" if scale_ns >= _SECOND else "ms"


def _of(time_ns: int, shape: Shape) -> str:
    return f"{spoken(time_ns, shape.whole)} of {spoken(shape.whole, shape.whole)} {_unit(shape.whole)}"


# --- calls that could run in parallel --------------------------------------------------------------------------------


def _sequential(shape: Shape) -> Iterator[Finding]:
    """Yield a finding for each group of calls that ran one after the other."""
    strong: dict[str, int] = {}
    for calls, evidence in (*_groups(shape), *_requests(shape)):
        found = _parallel(shape, calls, evidence)
        if found is not None:
            yield found
            for name in {call.name for call in calls}:
                strong[name] = strong.get(name, 0) + (found.saving_ns or 0)
    for calls in _over_steps(shape):
        found = _parallel(shape, calls, _related(calls))
        if found is not None and shape.enough((found.saving_ns or 0) - strong.get(calls[0].name, 0)):
            yield found


def _groups(shape: Shape) -> Iterator[tuple[list[Span], Evidence]]:
    """Yield the calls of one answer, and calls of one name with no model call between."""
    placed = shape.placed
    in_step: dict[str, list[Span]] = {}
    elsewhere: dict[str, list[Span]] = {}
    for call in shape.calls():
        parent = placed.tree.parents.get(call.span_id)
        step = placed.of(call).step
        if parent is None:
            continue
        if placed.of(call).kind == "tool" and step is not None and placed.of(parent).tool is None:
            in_step.setdefault(step.span_id, []).append(call)
        else:
            elsewhere.setdefault(parent.span_id, []).append(call)
    for calls in in_step.values():
        yield calls, "one_answer"
    models = [span.start_ns for span in placed.tree.spans if placed.of(span).model is span]
    for calls in elsewhere.values():
        for _, stretch in groupby(calls, key=lambda call: (call.name, sum(at < call.start_ns for at in models))):
            yield list(stretch), "no_model_between"


def _requests(shape: Shape) -> Iterator[tuple[list[Span], Evidence]]:
    """Yield the clients' spans to one peer in one tool: a query in a loop."""
    placed = shape.placed
    by_peer: dict[tuple[str, str], list[Span]] = {}
    for span in placed.tree.spans:
        place, parent = placed.of(span), placed.tree.parents.get(span.span_id)
        if place.kind == "other" and place.tool is not None and place.client and place.model is None:
            outermost = parent is not None and not placed.of(parent).client
            if outermost and shape.on_path.get(span.span_id):
                by_peer.setdefault((place.tool.span_id, peer_of(span.name, span.attributes)), []).append(span)
    for calls in by_peer.values():
        if len(calls) >= _MIN_REQUESTS:
            yield calls, "unknown_dependency"


def _over_steps(shape: Shape) -> Iterator[list[Span]]:
    """Yield the calls of one name in different steps, or between different model calls, of one agent run."""
    groups: dict[tuple[tuple[str, ...], str], list[Span]] = {}
    for call in shape.calls():
        groups.setdefault((shape.placed.of(call).runs, call.name), []).append(call)
    yield from groups.values()


def _parallel(shape: Shape, calls: Sequence[Span], evidence: Evidence) -> Finding | None:
    """Return what could be saved if *calls* ran side by side: all of their time on the path but the longest's."""
    calls = [call for call in calls if keys.RETRY_ATTEMPT not in call.attributes]
    times = [shape.on_path[call.span_id] for call in calls]
    saving = sum(times) - max(times, default=0)
    if not shape.enough(saving):
        return None
    bound = f"up to {spoken(saving, shape.whole)} {_unit(shape.whole)} could be saved by running them in parallel"
    return Finding(
        "sequential_calls",
        f"{_of(sum(times), shape)} in {len(calls):,} sequential calls of {_names(calls)}; {bound} "
        f"({_BECAUSE[evidence]})",
        evidence,
        sum(times),
        saving,
        tuple(call.span_id for call in calls),
    )


def _names(spans: Iterable[Span]) -> str:
    names = list(dict.fromkeys(span.name for span in spans))
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _related(calls: Sequence[Span]) -> Evidence:
    """Return what the recorded arguments and results say of calls between which the model was asked."""
    results = ""
    for call in calls:
        arguments = call.attributes.get(keys.TOOL_ARGUMENTS)
        if not isinstance(arguments, str) or any(word in results for word in _words(arguments)):
            return "unknown_dependency"
        result = call.attributes.get(keys.TOOL_RESULT)
        if not isinstance(result, str) and call is not calls[-1]:
            return "unknown_dependency"
        results += f"{result}\n".lower()
    return "unrelated_arguments"


def _words(arguments: str) -> set[str]:
    separated = "".join(letter if letter.isalnum() else " " for letter in arguments.lower())
    return {word for word in separated.split() if len(word) >= _MIN_WORD}


# --- what is slow ----------------------------------------------------------------------------------------------------


def _slow_peers(shape: Shape) -> Iterator[Finding]:
    waits: dict[str, list[tuple[Span, int]]] = {}
    for call in shape.calls():
        for peer, length in _peers(shape, call).items():
            waits.setdefault(peer, []).append((call, length))
    for peer, lengths in waits.items():
        total = sum(length for _, length in lengths)
        if shape.enough(total, SLOW_SHARE):
            slowest, longest = max(lengths, key=lambda pair: pair[1])
            calls = "1 call" if len(lengths) == 1 else f"{len(lengths)} calls"
            most = "" if len(lengths) == 1 else f", the longest {spoken(longest, shape.whole)} in {slowest.name}"
            yield Finding(
                "slow_peer",
                f"{_of(total, shape)} waiting for {peer} in {calls} of {_names(call for call, _ in lengths)}{most}",
                "measured",
                total,
                None,
                tuple(call.span_id for call, _ in lengths),
            )


def _peers(shape: Shape, call: Span) -> dict[str, int]:
    """Return whom *call* itself waited for on the path, and how long: by its clients' spans, else as it says itself."""
    placed, most = shape.placed, shape.on_path[call.span_id]
    seen: dict[str, int] = {}
    models: set[str] = set()
    for span in (call, *_below(shape, call)):
        place, parent = placed.of(span), placed.tree.parents.get(span.span_id)
        if place.model is not None:
            models.add(peer_of(span.name, span.attributes))
            models.add(str(span.attributes.get(keys.PROVIDER_NAME)))
        elif place.tool is call and place.client and (span is call or parent is None or not placed.of(parent).client):
            peer = peer_of(span.name, span.attributes)
            seen[peer] = seen.get(peer, 0) + shape.on_path.get(span.span_id, 0)
    names, lengths = (
        call.attributes.get(key) for key in (keys.TOOL_DOWNSTREAM_PEERS, keys.TOOL_DOWNSTREAM_PEER_DURATIONS)
    )
    if isinstance(names, tuple) and isinstance(lengths, tuple):
        for name, length in zip(names, lengths, strict=False):
            if isinstance(name, str) and isinstance(length, int | float) and name not in models:
                seen.setdefault(name, min(most, round(length * 1e9)))
    if not seen and (blocks := placed.blocks[call.span_id]):
        seen["something outside"] = min(most, blocks)
    return seen


def _below(shape: Shape, span: Span) -> Iterator[Span]:
    waiting = list(shape.placed.tree.children[span.span_id])
    while waiting:
        child = waiting.pop()
        yield child
        waiting += shape.placed.tree.children[child.span_id]


def _rest(shape: Shape) -> Iterator[Finding]:
    """Yield what the sums of components and the model calls say."""
    components, placed = shape.components, shape.placed
    models = [span for span in placed.tree.spans if placed.of(span).model is span]
    first = components[Component.TIME_TO_FIRST_TOKEN]
    if shape.enough(first, _FIRST_TOKEN_SHARE):
        text = f"{_of(first, shape)} until the first token of {len(models)} model call{'s' * (len(models) > 1)}"
        yield _measured("first_token", text, first, models)
    queued = components[Component.TOOL_QUEUE]
    if shape.enough(queued):
        tools = [call for call in shape.calls() if keys.TOOL_QUEUE_DURATION in call.attributes]
        yield _measured("queueing", f"{_of(queued, shape)} between asking for a tool and its start", queued, tools)
    framework = components[Component.FRAMEWORK_OVERHEAD]
    if shape.enough(framework, SLOW_SHARE):
        yield _measured("framework", f"{_of(framework, shape)} in the framework and code between calls", framework, ())
    scopes: dict[tuple[str, ...], list[Span]] = {}
    for span in models:
        scopes.setdefault(placed.of(span).runs, []).append(span)
    for calls in scopes.values():
        yield from _growing(shape, calls)


def _measured(
    kind: Literal["first_token", "queueing", "framework", "growing_context"],
    text: str,
    time_ns: int,
    spans: Iterable[Span],
) -> Finding:
    return Finding(kind, text, "measured", time_ns, None, tuple(span.span_id for span in spans))


def _growing(shape: Shape, calls: Sequence[Span]) -> Iterator[Finding]:
    """Yield that the input of an agent's model calls grew, and what became of the wait for the first token."""
    counted = sorted(
        ((call, given) for call in calls if (given := call.number(keys.USAGE_INPUT_TOKENS)) is not None),
        key=lambda pair: (pair[0].start_ns, pair[0].span_id),
    )
    if len(counted) < _GROWN_CALLS:
        return
    late = counted[-(len(counted) // 3) :]
    start, end = counted[0][1], fmean(given for _, given in late)
    if end < _GROWN_TOKENS or end < _GROWTH * start:
        return
    waits = [first_token_ns(call) for call in (counted[0][0], counted[-1][0])]
    if waits[0] is not None and waits[1] is not None:
        before, after = waits[0] - counted[0][0].start_ns, waits[1] - counted[-1][0].start_ns
        scale = max(before, after)
        unit = _unit(scale)
        wait = f"; the first token took {spoken(before, scale)} {unit} first, {spoken(after, scale)} {unit} at the end"
    else:
        wait = ""
    text = f"input grew from {start:,.0f} to {counted[-1][1]:,.0f} tokens over {len(counted)} model calls{wait}"
    time_ns = sum(shape.on_path.get(call.span_id, 0) for call, _ in counted)
    yield _measured("growing_context", text, time_ns, [call for call, _ in counted])
