"""Where a trace's input tokens went, step by step: buckets, what growing history costs, what more steps would send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_callbacks.analysis.kinds import kind_of
from agent_callbacks.convention import keys
from agent_callbacks.tokens import economics
from agent_callbacks.tokens.buckets import Buckets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.analysis.trace import Trace

__all__ = ["CallTokens", "RunTokens", "StepTokens", "TokenReport", "token_report", "usage_estimated"]


@dataclass(frozen=True, slots=True)
class CallTokens:
    """One model call; counts are tokens.

    ``buckets`` and ``cached`` are None where the trace does not split the input; ``cache_read`` where no cache is
    reported. ``method`` is ``reported``, ``reconciled`` or ``estimated``, empty where the trace does not say.
    ``encoding_assumed`` says that the model's own encoding is not known, ``mismatch`` that the report is not
    explained by the text that was sent, ``usage_estimated`` that the provider reported no usage, so that even the sums
    are estimates.
    """

    span_id: str
    name: str
    model: str | None
    internal: bool
    input: int
    output: int
    cache_read: int | None
    buckets: Buckets | None
    cached: Buckets | None
    method: str
    encoding_assumed: bool
    mismatch: bool
    usage_estimated: bool = False


@dataclass(frozen=True, slots=True)
class StepTokens:
    """One step of an agent; counts are tokens, those of all its model calls together.

    ``marginal`` is what it sends more than the step before (None for the first), ``cached_share`` the share of the
    input read from a provider's cache (None where none is reported), ``rising`` whether the alert on the marginal
    ratio was raised here.
    """

    span_id: str
    index: int
    input: int
    output: int
    buckets: Buckets | None
    marginal: economics.Marginal | None
    cached_share: float | None
    method: str
    rising: bool
    calls: tuple[CallTokens, ...]


@dataclass(frozen=True, slots=True)
class RunTokens:
    """One agent run by itself, without the runs of agents it called; counts are tokens.

    ``input`` and ``buckets`` are the steps' sums, ``total_input`` includes sub-agents and the framework's own calls.
    ``context_multiple`` is the input of all steps over that of the first call, ``context_growth`` the mean input of the
    last third of the steps over it; ``alert`` is ``"many steps"`` or ``"compounding"`` where the multiple raised one.
    """

    span_id: str
    name: str
    agent: str | None
    steps: tuple[StepTokens, ...]
    input: int
    output: int
    total_input: int
    total_output: int
    buckets: Buckets | None
    cached_share: float | None
    context_multiple: float | None
    context_growth: float | None
    alert: str | None
    method: str

    @property
    def tool_schemas(self) -> int:
        """The tokens that sending the tools' definitions took, all steps together; 0 where the input is not split."""
        return 0 if self.buckets is None else self.buckets.tool_schemas

    def projected(self, steps: int) -> tuple[int, ...]:
        """Return the input tokens of each of *steps* more steps, were they to grow as the run has so far.

        Raises:
            ValueError: *steps* is negative.
        """
        return economics.projected([step.input for step in self.steps], steps)


@dataclass(frozen=True, slots=True)
class TokenReport:
    """The agent runs of a trace in the order they started, and every model call, in a run or not."""

    trace_id: str
    runs: tuple[RunTokens, ...]
    calls: tuple[CallTokens, ...]


def token_report(trace: Trace) -> TokenReport:
    """Return where the tokens of *trace* went, from what its spans say: nothing is counted again.

    What a step or a run does not say of itself is the sum of what its model calls say.

    Args:
        trace: A trace of this package. One of another instrumentation has no steps: its model calls are listed with
            the tokens they report.
    """
    steps: dict[str, list[Span]] = {}
    calls: dict[str, list[Span]] = {}
    below: dict[str, list[Span]] = {}
    spans = {span.span_id: span for span in trace.spans}
    for span in trace.spans:
        if keys.STEP_INDEX in span.attributes:
            steps.setdefault(_owner(span, spans, _is_run), []).append(span)
        elif _is_call(span):
            calls.setdefault(_owner(span, spans, _is_step), []).append(span)
            for above in _above(span, spans):
                below.setdefault(above.span_id, []).append(span)
    runs = tuple(
        _run(span, tuple(_steps(steps.get(span.span_id, ()), calls)), below.get(span.span_id, ()))
        for span in trace.spans
        if keys.RUN_STEPS in span.attributes or (span.span_id in steps and _is_run(span))
    )
    return TokenReport(trace.trace_id, runs, tuple(map(_call, filter(_is_call, trace.spans))))


def _above(span: Span, spans: Mapping[str, Span]) -> Iterator[Span]:
    """Yield the spans above *span*, the nearest first."""
    seen: set[str] = set()
    above = spans.get(span.parent_id or "")
    while above is not None and above.span_id not in seen:
        yield above
        seen.add(above.span_id)
        above = spans.get(above.parent_id or "")


def _owner(span: Span, spans: Mapping[str, Span], wanted: Callable[[Span], bool]) -> str:
    """Return the id of the nearest span above *span* that is *wanted*; empty if there is none."""
    return next((above.span_id for above in _above(span, spans) if wanted(above)), "")


def _is_run(span: Span) -> bool:
    return keys.RUN_STEPS in span.attributes or kind_of(span) == "run"


def _is_step(span: Span) -> bool:
    return keys.STEP_INDEX in span.attributes


def _is_call(span: Span) -> bool:
    return kind_of(span) == "model"


_ESTIMATED = "estimated"


def _call(span: Span) -> CallTokens:
    attributes = span.attributes
    model = attributes.get(keys.RESPONSE_MODEL) or attributes.get(keys.REQUEST_MODEL)
    return CallTokens(
        span.span_id,
        span.name,
        model if isinstance(model, str) else None,
        bool(attributes.get(keys.INTERNAL_CALL)),
        span.count(keys.USAGE_INPUT_TOKENS) or 0,
        span.count(keys.USAGE_OUTPUT_TOKENS) or 0,
        span.count(keys.USAGE_CACHE_READ),
        _buckets(span, keys.LLM_TOKENS),
        _buckets(span, keys.LLM_CACHED_TOKENS),
        _method(span),
        bool(attributes.get(keys.TOKENS_ENCODING_ASSUMED)),
        bool(attributes.get(keys.TOKENS_MISMATCH)),
        usage_estimated(span),
    )


def usage_estimated(span: Span) -> bool:
    """Say whether the tokens of the model call *span* are an estimate, because its provider reported none."""
    if keys.TOKENS_USAGE_ESTIMATED in span.attributes:
        return bool(span.attributes[keys.TOKENS_USAGE_ESTIMATED])
    return _method(span) == _ESTIMATED and _buckets(span, keys.LLM_TOKENS) is None  # as earlier releases said it


def _steps(spans: Sequence[Span], calls: Mapping[str, Sequence[Span]]) -> Iterator[StepTokens]:
    before: int | None = None
    for span in sorted(spans, key=lambda span: span.count(keys.STEP_INDEX) or 0):
        step = _step(span, before, calls.get(span.span_id, ()))
        before = step.input
        yield step


def _step(span: Span, before: int | None, calls: Sequence[Span]) -> StepTokens:
    own = [_call(call) for call in calls if not call.attributes.get(keys.INTERNAL_CALL)]
    given = _or_sum(span.count(keys.STEP_INPUT_TOKENS), (call.input for call in own))
    return StepTokens(
        span.span_id,
        span.count(keys.STEP_INDEX) or 0,
        given,
        _or_sum(span.count(keys.STEP_OUTPUT_TOKENS), (call.output for call in own)),
        _buckets(span, keys.STEP_TOKENS) or _together(own),
        economics.marginal(before, given),
        span.number(keys.STEP_CACHED_SHARE),
        _method(span),
        any(event.name == keys.MARGINAL_ALERT_EVENT for event in span.events),
        tuple(map(_call, calls)),
    )


def _or_sum(said: int | None, parts: Iterable[int]) -> int:
    return sum(parts) if said is None else said


def _together(parts: Sequence[CallTokens | StepTokens]) -> Buckets | None:
    """Return the buckets of *parts* summed; None unless all have some."""
    found = [part.buckets for part in parts if part.buckets is not None]
    return Buckets(*map(sum, zip(*found, strict=True))) if found and len(found) == len(parts) else None


def _or_else(said: float | None, worked_out: float | None) -> float | None:
    return worked_out if said is None else said


def _run(span: Span, steps: tuple[StepTokens, ...], below: Sequence[Span]) -> RunTokens:
    """Return the tokens of the run *span*, whose *steps* are its own; *below* are all calls, sub-agents' too."""
    agent = span.attributes.get(keys.AGENT_NAME)
    inputs = [step.input for step in steps]
    first = next((call.input for step in steps for call in step.calls if not call.internal), None)
    calls = [_call(call) for call in below]
    return RunTokens(
        span.span_id,
        span.name,
        agent if isinstance(agent, str) else None,
        steps,
        _or_sum(span.count(keys.RUN_INPUT_TOKENS), inputs),
        _or_sum(span.count(keys.RUN_OUTPUT_TOKENS), (step.output for step in steps)),
        _or_sum(span.count(keys.RUN_TOTAL_INPUT_TOKENS), (call.input for call in calls)),
        _or_sum(span.count(keys.RUN_TOTAL_OUTPUT_TOKENS), (call.output for call in calls)),
        _buckets(span, keys.RUN_TOKENS) or _together(steps),
        _cached_share(steps),
        _or_else(span.number(keys.RUN_CONTEXT_MULTIPLE), economics.context_multiple(inputs, first)),
        _or_else(span.number(keys.RUN_CONTEXT_GROWTH), economics.context_growth(inputs, first)),
        _alert(span),
        _method(span),
    )


def _cached_share(steps: Sequence[StepTokens]) -> float | None:
    """Return the share of the run's input read from a cache; calls that report none were read from none."""
    calls = [call for step in steps for call in step.calls]
    found = [call.cache_read for call in calls if call.cache_read is not None]
    return economics.cached_share(sum(found), sum(call.input for call in calls)) if found else None


def _alert(span: Span) -> str | None:
    for event in span.events:
        if event.name == keys.CONTEXT_ALERT_EVENT:
            growth = event.attributes.get(keys.RUN_CONTEXT_GROWTH)
            return economics.growth_kind(growth if isinstance(growth, (int, float)) else 1.0)
    return None


def _buckets(span: Span, names: Sequence[str]) -> Buckets | None:
    found = [span.count(name) for name in names]
    return None if all(count is None for count in found) else Buckets(*(count or 0 for count in found))


def _method(span: Span) -> str:
    found = span.attributes.get(keys.TOKENS_METHOD)
    return found if isinstance(found, str) else ""
