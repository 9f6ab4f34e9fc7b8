"""What a reader asks of a run first, answered in words: what it is about, how much, and of how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.report.amount import said
from agent_callbacks.analysis.report.model import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from agent_callbacks.analysis.report.model import Bucket, Component, Finding, SpanRow, Step
    from agent_callbacks.analysis.report.waits import Wait
    from agent_callbacks.analysis.row import Row

__all__ = [
    "COST",
    "FAILURES",
    "GROWTH",
    "PARALLEL",
    "SEQUENTIAL",
    "WAITS",
    "Matter",
    "answers",
    "costliest",
    "grown",
]

COST: Final = "Which step cost most?"
GROWTH: Final = "What grew?"
WAITS: Final = "Which tool waited on what?"
PARALLEL: Final = "What could run in parallel?"
TIME: Final = "Where did the time go?"
FAILURES: Final = "What failed?"
SEQUENTIAL: Final = "sequential_calls"
"""The kind of finding that answers what could run in parallel."""

_BUCKETS: Final[Mapping[Bucket, str]] = {
    "system_prompt": "system prompt", "tool_schemas": "tool schemas", "history": "history",
    "tool_outputs": "tool outputs", "other": "other", "unsplit": "input",
}  # fmt: skip
_NAMED: Final = 2
_GROWN: Final = 1.1  # a tenth more than at first is growth worth a word


@dataclass(frozen=True, slots=True)
class Matter:
    """What the answers are drawn from; *places* are those of the rows by span id."""

    rows: Sequence[SpanRow | Row]
    steps: Sequence[Step]
    components: Sequence[Component]
    findings: Sequence[Finding]
    waits: Sequence[Wait]
    places: Mapping[str, int]


def answers(matter: Matter, run: int) -> Iterator[Answer]:
    """Yield the answers about one run, which stands at *run* on the page."""
    for question, answer in _ANSWERS:
        if found := answer(matter):
            text, span = found
            yield Answer(question, text, run, span)


def costliest(steps: Sequence[Step]) -> Step | None:
    """Return the step that cost most, by tokens where no cost is known; None where there is none."""
    if any(step.cost is not None for step in steps):
        return max(steps, key=lambda step: step.cost or 0.0)
    return max(steps, key=_tokens, default=None)


def grown(steps: Sequence[Step]) -> tuple[Step, Step] | None:
    """Return the first and the last step of the agent run whose input grew by most tokens; None where none grew."""
    runs: dict[str, list[Step]] = {}
    for step in steps:
        runs.setdefault(step.run, []).append(step)
    ends = [(members[0], members[-1]) for run, members in runs.items() if run and len(members) > 1]
    first, last = max(ends, key=lambda pair: _more(*pair), default=(None, None))
    if first is None or last is None or (last.input_tokens or 0) < _GROWN * (first.input_tokens or 0):
        return None
    return first, last


def _tokens(step: Step) -> int:
    return (step.input_tokens or 0) + (step.output_tokens or 0)


def _more(first: Step, last: Step) -> int:
    return (last.input_tokens or 0) - (first.input_tokens or 0)


def _cost(matter: Matter) -> tuple[str, int | None] | None:
    step = costliest(matter.steps)
    if step is None:
        return None
    all_tokens = sum(map(_tokens, matter.steps))
    if not all_tokens:
        return "Not known: no model call says how many tokens it used.", None
    sizes = f"{said(step.input_tokens, 'tokens')} tokens in, {said(step.output_tokens, 'tokens')} out"
    who = f"{step.label.capitalize()} of {step.agent}"
    if step.cost is not None:
        whole = sum(each.cost or 0.0 for each in matter.steps)
        share = f" of {said(whole, 'dollars')} ({said(step.cost / whole, 'share')})" if whole else ""
        return f"{who}: {said(step.cost, 'dollars')}{share}, for {sizes}.", step.span
    share = said(_tokens(step) / all_tokens, "share")
    return f"{who}: {sizes}, {share} of all tokens. Prices are not known.", step.span


def _growth(matter: Matter) -> tuple[str, int | None] | None:
    if not matter.steps or not matter.steps[0].run:
        return None
    if (ends := grown(matter.steps)) is None:
        alone = len(matter.steps) == 1
        return (
            "One step only: nothing could grow." if alone else "Nothing: later steps read as much as first ones."
        ), None
    first, last = ends
    times = (last.input_tokens or 0) / (first.input_tokens or 1)
    text = (
        f"The input of {first.agent}, from {said(first.input_tokens, 'tokens')} tokens in {first.label} "
        f"to {said(last.input_tokens, 'tokens')} in {last.label} ({times:.1f} times)"
    )
    more = _risen(first, last)
    return f"{text}{': ' + ', '.join(more) if more else ''}.", last.span


def _risen(first: Step, last: Step) -> list[str]:
    """Return by how much the buckets rose, the most first; nothing where the input is not split."""
    if "unsplit" in first.buckets or "unsplit" in last.buckets:
        return []
    rises = [(last.buckets.get(name, 0) - first.buckets.get(name, 0), title) for name, title in _BUCKETS.items()]
    return [f"{title} +{rise:,}" for rise, title in sorted(rises, reverse=True)[:_NAMED] if rise > 0]


def _waits(matter: Matter) -> tuple[str, int | None] | None:
    if not any(row.kind == "T" for row in matter.rows):
        return None
    if not matter.waits:
        return "No tool says that it waited for anything outside.", None
    parts = [_wait(wait) for wait in matter.waits[:_NAMED]]
    return f"{'; '.join(parts)}.", matter.places.get(matter.waits[0].span)


def _wait(wait: Wait) -> str:
    peers = sorted(wait.peers.items(), key=lambda pair: -pair[1])
    text = f"{wait.name} waited {said(wait.waited, 'seconds')} of {said(wait.seconds, 'seconds')}"
    if wait.calls > 1:
        text += f" in {wait.calls} calls"
    if not peers:
        return text
    if len(peers) == 1:
        return f"{text} on {peers[0][0]}"
    named = ", ".join(f"{peer} {said(seconds, 'seconds')}" for peer, seconds in peers[:_NAMED])
    more = len(peers) - _NAMED
    return f"{text} on {named}{f' and {more} more' if more > 0 else ''}"


def _parallel(matter: Matter) -> tuple[str, int | None]:
    for finding in matter.findings:
        if finding.kind == SEQUENTIAL:
            return _sentence(finding.text), finding.spans[0] if finding.spans else None
    return "Nothing was found: no calls stood in line that could have run side by side.", None


def _time(matter: Matter) -> tuple[str, int | None] | None:
    parts = sorted(matter.components, key=lambda part: -part.seconds)[: _NAMED + 1]
    told = [f"{part.title[0].lower()}{part.title[1:]} {said(part.seconds, 'seconds')} ({said(part.share, 'share')})"
            for part in parts if part.seconds]  # fmt: skip
    return (_sentence(", ".join(told)), None) if told else None


def _failures(matter: Matter) -> tuple[str, int | None] | None:
    # The failure itself, not the spans above it that failed with it.
    failed = [(place, row) for place, row in enumerate(matter.rows) if row.failed and not row.failed_below]
    if not failed:
        return None
    named = ", ".join(f"{row.name} ({row.mark})" for _, row in failed[:_NAMED])
    more = len(failed) - _NAMED
    return f"{named}{f' and {more} more' if more > 0 else ''}.", failed[0][0]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


_ANSWERS: Final[tuple[tuple[str, Callable[[Matter], tuple[str, int | None] | None]], ...]] = (
    (COST, _cost), (GROWTH, _growth), (WAITS, _waits), (PARALLEL, _parallel), (TIME, _time), (FAILURES, _failures),
)  # fmt: skip
