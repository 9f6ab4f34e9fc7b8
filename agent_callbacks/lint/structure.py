"""Rules about the tree of a trace: SPN401 to SPN407."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.lint.view import View, space_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.lint.finding import Finding

__all__ = ["structure"]

_STEP: Final = re.compile(r"agent\.step\.([1-9][0-9]{0,5})")
# Clocks are read twice within one process: what ends together may end in any order.
_SLACK_NS: Final = 1_000_000


def structure(view: View) -> Iterator[Finding]:
    """Yield what is wrong with the tree of one trace."""
    yield from _lost(view)
    yield from _steps(view)
    for span in view.trace.spans:
        yield from _times(view, span)
        yield from _beside_steps(view, span)


def _lost(view: View) -> Iterator[Finding]:
    """Yield orphans and roots beyond the first."""
    spans = view.trace.spans
    roots = [span for span in spans if span.parent_id is None]
    orphans = [span for span in spans if span.parent_id is not None and view.parent(span) is None]
    for span in orphans:
        # Of the one span that everything hangs on, the parent may well be another process's: then nothing is lost.
        entry = span.parent_remote is None and not roots and len(orphans) == 1
        if span.parent_remote is not True and not entry:
            message = f"`{view.judge.shown(span.name)}` has the parent {span.parent_id}, which is not in the trace"
            yield view.finding("SPN401", span, message, "export all spans of a trace, and end every span")
    for span in roots[1:]:
        message = f"`{view.judge.shown(span.name)}` is one of {len(roots)} roots"
        yield view.finding("SPN407", span, message, "carry the context over to threads, tasks and queues")


def _steps(view: View) -> Iterator[Finding]:
    """Yield gaps and repeats in the steps below each parent."""
    below: dict[str | None, list[tuple[int, Span]]] = {}
    for span in view.trace.spans:
        if match := _STEP.fullmatch(span.name):
            below.setdefault(span.parent_id, []).append((int(match[1]), span))
    for steps in below.values():
        counted = Counter(number for number, _ in steps)
        seen: set[int] = set()
        for number, span in steps:
            if number in seen:
                message = f"`{span.name}` is there {counted[number]} times under one agent run"
                yield view.finding("SPN403", span, message)
            elif number > 1 and number - 1 not in counted:
                message = f"`agent.step.{number - 1}` is missing before `{span.name}`"
                yield view.finding("SPN402", span, message, "steps count 1, 2, 3 in each agent run")
            seen.add(number)


def _times(view: View, span: Span) -> Iterator[Finding]:
    name = view.judge.shown(span.name)
    if span.end_ns == 0:
        yield view.finding("SPN404", span, f"`{name}` never ended", "end it, or use it as a context manager")
        return
    if span.end_ns < span.start_ns:
        seconds = (span.start_ns - span.end_ns) / 1e9
        yield view.finding("SPN406", span, f"`{name}` ends {seconds:.3g} s before it starts")
    parent = view.parent(span)
    if parent is None or parent.end_ns == 0:
        return
    if span.end_ns > parent.end_ns + _SLACK_NS:
        seconds = (span.end_ns - parent.end_ns) / 1e9
        message = f"`{name}` ends {seconds:.3g} s after its parent `{view.judge.shown(parent.name)}`"
        yield view.finding("SPN406", span, message, "end the child first, or link it instead of nesting it")


def _beside_steps(view: View, span: Span) -> Iterator[Finding]:
    """Yield model calls directly below an agent run, and tools there after its first step."""
    space = space_of(span.name)
    parent = view.parent(span)
    if space not in {"llm", "tool"} or parent is None or space_of(parent.name) != "agent.run":
        return
    if space == "llm":
        wrong = not span.attributes.get(keys.INTERNAL_CALL)
    else:
        wrong = any(
            _STEP.fullmatch(each.name) and each.start_ns <= span.start_ns for each in view.trace.children(parent)
        )
    if wrong:
        message = f"`{view.judge.shown(span.name)}` hangs on `{view.judge.shown(parent.name)}` beside its steps"
        yield view.finding("SPN405", span, message, "start it while its step is the current span")
