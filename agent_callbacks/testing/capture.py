"""What the fixture ``span_capture`` gives: a provider of the test's own, its spans, and assertions about them."""

from __future__ import annotations

import difflib
import fnmatch
import itertools
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator

from agent_callbacks.analysis.trace import Trace, load
from agent_callbacks.analysis.tree import branch
from agent_callbacks.convention import keys
from agent_callbacks.lint.finding import at_least
from agent_callbacks.lint.judge import found
from agent_callbacks.lint.rules import RULES
from agent_callbacks.lint.run import Settings
from agent_callbacks.lint.spans import lint_traces
from agent_callbacks.lint.view import space_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.trace import SpanContext

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.lint.finding import Finding, Level

__all__ = ["SpanCapture", "drawn"]

_START_NS: Final = 1_767_225_600_000_000_000  # 2026-01-01 00:00 UTC
_TICK_NS: Final = 1_000_000
_PII: Final = frozenset({"SPN202", "SPN504"})


class _Ids(IdGenerator):
    """Counts from 1, so that every run of a test has the same ids."""

    def __init__(self) -> None:
        self._traces = itertools.count(1)
        self._spans = itertools.count(1)

    def generate_trace_id(self) -> int:
        return next(self._traces)

    def generate_span_id(self) -> int:
        return next(self._spans)


class _Recorder(SpanProcessor):
    """Keeps spans as they end, and those that have not ended yet."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []
        self.open: dict[int, SdkSpan] = {}

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        del parent_context
        self.open[span.get_span_context().span_id] = span

    def on_end(self, span: ReadableSpan) -> None:
        self.open.pop(cast("SpanContext", span.context).span_id, None)
        self.ended.append(span)


class SpanCapture:
    """The spans of one test.

    ``provider`` is a tracer provider of the test's own; ids count from 1.
    """

    def __init__(self, settings: Settings | None = None, name: str = "test") -> None:
        """Make a provider and capture what ends on it.

        Args:
            settings: How the linter works; the project's own in the fixture.
            name: What findings call the source of the spans.
        """
        self.settings: Final = settings or Settings()
        self.name: Final = name
        self._recorder = _Recorder()
        self.provider: Final = TracerProvider(
            resource=Resource({"service.name": "test"}), id_generator=_Ids(), shutdown_on_exit=False
        )
        self.provider.add_span_processor(self._recorder)

    # --- looking -----------------------------------------------------------------------------------------------------
    @property
    def traces(self) -> list[Trace]:
        """The traces as they were measured, in the order they started."""
        return load(self._recorder.ended)

    @property
    def spans(self) -> list[Span]:
        """The ended spans in the order they started, on a clock that ticks 1 ms at each start and end there was.

        So they are the same in every run of a test, ids included; measured times are in :attr:`traces`.
        """
        measured = sorted((span for trace in self.traces for span in trace.spans), key=lambda span: span.start_ns)
        moments = sorted({moment for span in measured for moment in (span.start_ns, span.end_ns)})
        ticks = {moment: _START_NS + place * _TICK_NS for place, moment in enumerate(moments)}
        return [replace(span, start_ns=ticks[span.start_ns], end_ns=ticks[span.end_ns]) for span in measured]

    def names(self) -> list[str]:
        """Return the names of the ended spans, in the order they started."""
        return [span.name for span in self.spans]

    def find(self, pattern: str) -> list[Span]:
        """Return the spans whose names match *pattern*, ``*`` and ``?`` as in a shell: ``find("tool.*")``."""
        return [span for span in self.spans if fnmatch.fnmatchcase(span.name, pattern)]

    def tree(self) -> str:
        """Return the names as a tree, children indented by two spaces under their parent."""
        return "\n".join("  " * len(path) + span.name for trace in self.traces for span, path in trace.walk())

    def clear(self) -> None:
        """Forget what ended so far."""
        self._recorder.ended.clear()

    # --- judging -----------------------------------------------------------------------------------------------------
    def lint(self, select: Sequence[str] = (), ignore: Sequence[str] = ()) -> list[Finding]:
        """Return what the linter finds in the spans, those that never ended included.

        Args:
            select: Codes or their beginnings; only these.
            ignore: Codes or their beginnings to leave out, besides those of the project's settings.
        """
        policy = self.settings.policy
        policy = replace(policy, select=tuple(select) or policy.select, ignore=(*policy.ignore, *ignore))
        unended = [
            found(
                "SPN404", f"`{span.name}` has not ended", help="end it, or use it as a context manager", path=self.name
            )
            for span in self._recorder.open.values()
        ]
        report = lint_traces(self.traces, self.name, replace(self.settings, policy=policy))
        return [*report.findings, *policy.applied(unended)]

    def assert_conventions(self, *, ignore: Sequence[str] = (), max_level: Level = "information") -> None:
        """Fail where the linter finds something.

        Args:
            ignore: Codes to leave out.
            max_level: What is allowed: ``"warning"`` lets warnings pass, ``"information"`` (default) only those.
        """
        grave = [each for each in self.lint(ignore=ignore) if not _allowed(each.level, max_level)]
        assert not grave, "\n" + drawn(self.traces, grave)  # noqa: S101 - what the method is for

    def assert_tree(self, expected: str, *, ordered: bool = False) -> None:
        """Fail where the tree is another than *expected*, which is dedented first.

        Args:
            expected: As :meth:`tree` gives it, or drawn with lines as ``agent-callbacks show`` does.
            ordered: Whether siblings must have started in this order; tools that run side by side start in any.
        """
        wanted = textwrap.dedent(expected).strip("\n").rstrip()
        lines = "\n".join(trace.tree() for trace in self.traces)
        actual = lines if any(mark in wanted for mark in "├└") else self.tree()
        same = wanted == actual or (not ordered and _unordered(wanted) == _unordered(actual))
        assert same, _difference(wanted, actual)  # noqa: S101 - what the method is for

    def assert_no_pii(self) -> None:
        """Fail where a name or an attribute holds personal data; the message never quotes it."""
        leaks = self.lint(select=sorted(_PII))
        assert not leaks, "\n" + drawn(self.traces, leaks)  # noqa: S101 - what the method is for

    def assert_budget(
        self,
        *,
        steps: int | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        tool_calls: int | None = None,
        names: int | None = None,
    ) -> None:
        """Fail where the spans took more than they may; what is None may be anything.

        Args:
            steps: Steps of all agents.
            input_tokens: Of all model calls.
            output_tokens: Of all model calls.
            tool_calls: Tool calls of all agents.
            names: Distinct span names, steps counted as one.
        """
        budget = {
            "steps": steps, "input_tokens": input_tokens, "output_tokens": output_tokens, "tool_calls": tool_calls,
            "names": names,
        }  # fmt: skip
        taken = self.taken()
        over = [
            f"{what.replace('_', ' ')}: {taken[what]}, at most {allowed}"
            for what, allowed in budget.items()
            if allowed is not None and taken[what] > allowed
        ]
        assert not over, f"over budget: {'; '.join(over)}\n{self.tree()}"  # noqa: S101 - what the method is for

    def taken(self) -> dict[str, int]:
        """Return how many steps, tokens, tool calls and names there were."""
        spans = self.spans
        spaces = [space_of(span.name) for span in spans]
        models = [span for span, space in zip(spans, spaces, strict=True) if space == "llm"]
        return {
            "steps": spaces.count("agent.step"),
            "tool_calls": spaces.count("tool"),
            "input_tokens": _sum(models, keys.USAGE_INPUT_TOKENS),
            "output_tokens": _sum(models, keys.USAGE_OUTPUT_TOKENS),
            "names": len({"agent.step" if s == "agent.step" else x.name for x, s in zip(spans, spaces, strict=True)}),
        }


def _sum(spans: Iterable[Span], key: str) -> int:
    return sum(value for span in spans if isinstance(value := span.attributes.get(key), int))


def _allowed(level: Level, most: Level) -> bool:
    return level == most or not at_least(level, most)


def _unordered(tree: str) -> list[tuple[str, ...]]:
    """Return the way from the root to each span of a drawn or indented tree, sorted, so that order does not count."""
    width = 3 if any(mark in tree for mark in "├└") else 2
    way: list[str] = []
    ways: list[tuple[str, ...]] = []
    for line in tree.splitlines():
        name = line.lstrip(" │├└─")
        way[(len(line) - len(name)) // width :] = [name]
        ways.append(tuple(way))
    return sorted(ways)


def _difference(expected: str, actual: str) -> str:
    lines = difflib.ndiff(expected.splitlines(), actual.splitlines())
    return "the tree is another (- expected, + actual):\n" + "\n".join(line for line in lines if line[:1] != "?")


# --- drawing ---------------------------------------------------------------------------------------------------------
def drawn(traces: Iterable[Trace], findings: Sequence[Finding], defined: dict[str, str] | None = None) -> str:
    """Return the trees with every offending name underlined, its rule, the way out and where it is defined.

    Args:
        traces: All of the test.
        findings: About them.
        defined: Span name -> where the source gives it, for people.
    """
    by_span: dict[str, list[Finding]] = {}
    for finding in findings:
        by_span.setdefault(finding.span_id, []).append(finding)
    lines: list[str] = []
    for trace in traces:
        for span, path in trace.walk():
            before = branch(path)
            about = by_span.pop(span.span_id, [])
            shown = about[0].excerpt[about[0].column - 1 :] if about and about[0].excerpt else span.name
            lines.append(before + shown)
            lines += _notes(about, before, len(shown), (defined or {}).get(span.name, ""))
    for rest in by_span.values():
        lines += [f"{each.code} {RULES[each.code].name}: {each.message}" for each in rest]
    errors = [finding.level for finding in findings].count("error")
    codes = ", ".join(sorted({finding.code for finding in findings}))
    return "\n".join([*lines, f"{errors} errors, {len(findings) - errors} others ({codes})"])


def _notes(about: Sequence[Finding], before: str, width: int, defined: str) -> list[str]:
    margin = " " * len(before)
    lines: list[str] = []
    for finding in about:
        lines.append(f"{margin}{'^' * width} {finding.code} {RULES[finding.code].name}: {finding.message}")
        if finding.help:
            lines.append(f"{margin}help: {finding.help}")
    if about and defined:
        lines.append(f"{margin}from {defined}")
    return lines
