"""The critical path of a trace: which span was the one that the root waited for, at every nanosecond.

From the end of a span backwards: the child that finished last held it up; before that child began, the one that had
finished last by then, and so on (CRISP, Zhang et al., USENIX ATC 2022; the bound is inclusive, so that children that
follow each other without a gap are all on the path: https://github.com/jaegertracing/jaeger/issues/9148). Where nothing
had just finished but a child was running, the span waited for that one. The rest is the span's own.

Children are clipped to their parents. Spans whose parent is missing hang on the root. The pieces tile the root exactly.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.analysis.trace import Trace

__all__ = ["Piece", "Tree", "pieces", "tree_of"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Time of the root in which *span*, and none of its children, was waited for; nanoseconds of Unix time."""

    span: Span
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Tree:
    """The spans of a trace below one root, parents before their children, with the end each is taken to have."""

    root: Span
    spans: tuple[Span, ...]
    ends: Mapping[str, int]
    parents: Mapping[str, Span]
    children: Mapping[str, Sequence[Span]]
    orphans: frozenset[str]
    """The ids of the spans whose parent is missing: placed under the root by time alone."""

    def end(self, span: Span) -> int:
        """Return when *span* ended, never before its start: one without an end, when the last below it ended."""
        return self.ends[span.span_id]

    def above(self, span: Span) -> Iterator[Span]:
        """Yield the spans around *span*, from the nearest."""
        at = self.parents.get(span.span_id)
        while at is not None:
            yield at
            at = self.parents.get(at.span_id)


def tree_of(trace: Trace) -> Tree:
    """Return the tree below the root of *trace*, with every span of the trace in it."""
    root, *orphans = trace.roots
    order = [span for span, _ in trace.walk()]
    children: dict[str, list[Span]] = {span.span_id: list(trace.children(span)) for span in order}
    children[root.span_id] += orphans
    parents = {child.span_id: span for span in order for child in children[span.span_id]}
    ends: dict[str, int] = {}
    for span in (*[one for one in reversed(order) if one is not root], root):
        last = max([ends[child.span_id] for child in children[span.span_id]], default=0)
        ends[span.span_id] = max(span.start_ns, span.end_ns or last)
    for below in children.values():
        below.sort(key=lambda child: (ends[child.span_id], -child.start_ns, child.span_id))
    first = [root, *[span for span in order if span is not root]]
    return Tree(root, tuple(first), ends, parents, children, frozenset(one.span_id for one in orphans))


def pieces(tree: Tree, top: Span | None = None) -> list[Piece]:
    """Return the pieces of *top* (the root unless given) in the order of time: no gap, no overlap, none empty."""
    top = top or tree.root
    found: list[Piece] = []
    waiting = [Piece(top, top.start_ns, tree.end(top))]
    while waiting:
        window = waiting.pop()
        for piece in _parts(tree, window):
            (found if piece.span is window.span else waiting).append(piece)
    return sorted(found, key=attrgetter("start_ns"))


def _parts(tree: Tree, window: Piece) -> Iterator[Piece]:
    """Yield what *window* consists of, from its end: pieces of its own, and the windows of its children."""
    children = tree.children[window.span.span_id]
    low, cursor, left = window.start_ns, window.end_ns, len(children)
    running: list[tuple[int, str, Span]] = []
    while cursor > low:
        while left and tree.end(children[left - 1]) > cursor:
            left -= 1
            heapq.heappush(running, (children[left].start_ns, children[left].span_id, children[left]))
        finished = max(low, tree.end(children[left - 1])) if left else low
        if finished == cursor:  # never at the window's start, so there is such a child
            left -= 1
            start = min(cursor, max(low, children[left].start_ns))
            if start < cursor:
                yield Piece(children[left], start, cursor)
        elif running and running[0][0] < cursor:
            start = max(finished, running[0][0])
            yield Piece(running[0][2], start, cursor)
        else:
            start = finished
            yield Piece(window.span, start, cursor)
        cursor = start
