"""A trace as the rules look at it: which spans they concern, and where a finding about one points."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import NAMESPACES, keys
from agent_callbacks.lint.judge import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.analysis.span import Span, Value
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.lint.finding import Finding
    from agent_callbacks.lint.judge import Judge

__all__ = ["View", "number", "space_of", "text"]

_DEEPEST: Final = 100


def space_of(name: str) -> str:
    """Return the namespace of a span's name, ``agent.run`` and ``agent.step`` for an agent's; ``""`` for another's."""
    head, _, rest = name.partition(".")
    if head == "agent":
        head = f"agent.{rest.partition('.')[0]}"
        return head if head in {"agent.run", "agent.step"} else ""
    return head if head in NAMESPACES else ""


@dataclass(frozen=True)
class View:
    """One trace of the file or store at ``path``."""

    path: str
    trace: Trace
    judge: Judge
    scope: str = "convention"

    def concerned(self) -> Iterator[Span]:
        """Yield the spans whose names are in, or a near miss of, the convention, or that our own code made."""
        for span in self.trace.spans:
            if self.scope == "all" or span.scope == keys.SCOPE_NAME or self.judge.concerns(span.name):
                yield span

    def parent(self, span: Span) -> Span | None:
        """Return the parent of *span* where the trace has it."""
        return self._by_id.get(span.parent_id or "")

    def above(self, span: Span) -> Iterator[Span]:
        """Yield the ancestors of *span*, its parent first."""
        current = self.parent(span)
        for _ in range(_DEEPEST):
            if current is None:
                return
            yield current
            current = self.parent(current)

    @functools.cached_property
    def _by_id(self) -> dict[str, Span]:
        return {span.span_id: span for span in self.trace.spans}

    def finding(self, code: str, span: Span, message: str, way_out: str = "", name: str = "") -> Finding:
        """Return a finding about *span*, with the names on the way from the root to it as its excerpt."""
        shown = self.judge.shown(name or span.name)
        way = [self.judge.shown(each.name) for each in reversed(list(self.above(span)))]
        before = "".join(f"{each} > " for each in way)
        own = self.judge.shown(span.name)
        return found(
            code,
            message,
            help=way_out,
            path=self.path,
            column=len(before) + 1,
            end_column=len(before) + len(own) + 1,
            name=shown,
            excerpt=before + own,
            trace_id=self.trace.trace_id,
            span_id=span.span_id,
        )


def text(span: Span, key: str) -> str | None:
    """Return the text under *key*, None where there is none."""
    value = span.attributes.get(key)
    return value if isinstance(value, str) else None


def number(value: Value) -> float | None:
    """Return *value* where it is a number."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
