"""Linting traces: from memory in a test, from a file, from the local store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.convention.names import LLM_OPERATIONS, genai_name
from agent_callbacks.lint.attribute import attributes
from agent_callbacks.lint.judge import found
from agent_callbacks.lint.registry import Entry, compared, unregistered
from agent_callbacks.lint.report import Report
from agent_callbacks.lint.rules import RULES
from agent_callbacks.lint.structure import structure
from agent_callbacks.lint.view import View, space_of, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.lint.finding import Finding
    from agent_callbacks.lint.judge import Judge
    from agent_callbacks.lint.run import Settings

__all__ = ["entries", "lint_traces", "over_budget"]

_SERVICE: Final = "service.name"
_MARKER: Final = re.compile(r"\[[A-Z][A-Z0-9_]*(?::[^\[\]\s]*)?\]")
_RESERVED: Final = frozenset({"overflow", "unknown"})
# Namespace -> the attribute its last part is made from.
_IDENTITY: Final = {
    "agent.run": keys.AGENT_NAME, "chain": keys.WORKFLOW_NAME, "node": keys.NODE_NAME,
    "retriever": keys.DATA_SOURCE_ID, "tool": keys.TOOL_NAME,
}  # fmt: skip
_TARGETS: Final = {
    "chat": keys.REQUEST_MODEL, "embeddings": keys.REQUEST_MODEL, "execute_tool": keys.TOOL_NAME,
    "generate_content": keys.REQUEST_MODEL, "invoke_agent": keys.AGENT_NAME, "invoke_workflow": keys.WORKFLOW_NAME,
    "retrieval": keys.DATA_SOURCE_ID, "text_completion": keys.REQUEST_MODEL,
}  # fmt: skip


def lint_traces(traces: Sequence[Trace], path: str, settings: Settings) -> Report:
    """Lint traces, each by itself and the names of each service together.

    Args:
        traces: As :func:`agent_callbacks.analysis.load` gives them.
        path: Where they come from, for the findings.
        settings: How.
    """
    views = [View(path, trace, settings.judge, settings.scope) for trace in traces]
    official = settings.policy.rules == "otel_genai"
    listed: list[Finding] = []
    for view in views:
        listed += _names(view, official=official)
        listed += structure(view)
        listed += attributes(view)
    listed += _together(views, settings)
    counts = {"traces": len(traces), "trace_spans": sum(len(trace.spans) for trace in traces)}
    return Report(tuple(settings.policy.applied(_once(listed))), (), counts)


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Return each finding about a name once, however many spans have it."""
    seen: set[tuple[str, str, str]] = set()
    kept: list[Finding] = []
    for finding in findings:
        about_name = finding.code[3] in "123"
        key = (finding.code, finding.name, finding.message)
        if not about_name or key not in seen:
            kept.append(finding)
        seen.add(key)
    return kept


# --- one name --------------------------------------------------------------------------------------------------------
def _names(view: View, *, official: bool) -> Iterator[Finding]:
    for span in view.concerned():
        name = view.judge.shown(span.name)
        if not official:
            better = view.judge.repaired(span.name)
            for code in view.judge.whole(span.name):
                yield view.finding(code, span, f"`{name}`: {RULES[code].summary}", view.judge.help(code, better))
        yield from _reported(view, span)
        yield from _derived(view, span, official=official)
        if span.name == "tool.unknown":
            asked = text(span, keys.TOOL_REQUESTED_NAME) or "a tool"
            message = f"the model asked for `{view.judge.shown(asked)}`, which does not exist"
            yield view.finding("SPN306", span, message, "name the tools in the prompt as they are called")


def _reported(view: View, span: Span) -> Iterator[Finding]:
    """Yield what run time said of the raw name when it made this one."""
    rules = span.attributes.get(keys.NAME_RULES)
    raw = text(span, keys.NAME_RAW)
    shown = view.judge.shown(raw or span.name)
    for code in rules if isinstance(rules, tuple) else ():
        if code == "SPN303":
            if not view.judge.convention.registry:  # with one we look ourselves
                yield view.finding("SPN303", span, f"`{view.judge.shown(span.name)}` was in no registry at run time")
        elif isinstance(code, str) and code in RULES:
            message = f"`{shown}` had to become `{view.judge.shown(span.name)}`: {RULES[code].summary}"
            yield view.finding(code, span, message, view.judge.help(code, span.name), name=raw or span.name)


def _derived(view: View, span: Span, *, official: bool) -> Iterator[Finding]:
    wanted = _official(span) if official else _ours(view.judge, span)
    # What is only misspelt has its own rule, and one fault one code.
    alike = {span.name} if official else {span.name, view.judge.repaired(span.name)}
    if wanted and wanted not in alike:
        message = f"`{view.judge.shown(span.name)}` says other than its attributes, which give `{wanted}`"
        yield view.finding("SPN113", span, message, f"name it `{wanted}`, or set the attribute it is made from")


def _official(span: Span) -> str:
    operation = text(span, keys.OPERATION_NAME)
    return genai_name(operation, text(span, _TARGETS[operation])) if operation in _TARGETS else ""


def _ours(judge: Judge, span: Span) -> str:
    """Return the name that the attributes of *span* give, ``""`` where they give none."""
    space = space_of(span.name)
    last = span.name.rpartition(".")[2]
    if last in _RESERVED or last == span.name:
        return ""
    if space == "agent.step":
        index = span.attributes.get(keys.STEP_INDEX)
        return f"agent.step.{index}" if isinstance(index, int) else ""
    if space == "llm":
        operation = text(span, keys.OPERATION_NAME)
        return f"llm.{operation}" if operation in LLM_OPERATIONS else ""
    raw = text(span, _IDENTITY[space]) if space in _IDENTITY else None
    # Where personal data went, what it left behind does not say how the name was made.
    return f"{space}.{judge.segment(raw).segment}" if raw and not _MARKER.search(raw) else ""


# --- all names -------------------------------------------------------------------------------------------------------
def _together(views: Sequence[View], settings: Settings) -> Iterator[Finding]:
    services: dict[object, list[Entry]] = {}
    for view in views:
        for service, entry in _entries(view):
            services.setdefault(service, []).append(entry)
    registry = settings.judge.convention.registry
    for listed in services.values():
        yield from compared(listed, settings.judge, settings.not_duplicates)
        yield from unregistered(listed, registry, settings.judge, strict=settings.policy.rules == "strict")
        yield from over_budget(listed, settings)


def entries(view: View) -> list[Entry]:
    """Return the names of one trace, as they are compared with those of others."""
    return [entry for _, entry in _entries(view)]


def _entries(view: View) -> Iterator[tuple[object, Entry]]:
    for span in view.concerned():
        if entry := _entry(view, span):
            yield span.resource.get(_SERVICE), entry


def _entry(view: View, span: Span) -> Entry | None:
    space = space_of(span.name)
    rules = span.attributes.get(keys.NAME_RULES)
    merged = isinstance(rules, tuple) and not {"SPN201", "SPN202"}.isdisjoint(map(str, rules))
    if space in {"", "llm"} or merged:
        return None
    raw = text(span, _IDENTITY.get(space, "")) or text(span, keys.NAME_RAW)
    place = view.finding("SPN301", span, "")
    fields = ("path", "column", "end_column", "name", "excerpt", "trace_id", "span_id")
    where = f"trace {view.trace.trace_id[:8]}"
    return Entry(span.name, raw or span.name, where, {each: getattr(place, each) for each in fields}, raw is not None)


def over_budget(listed: Sequence[Entry], settings: Settings) -> Iterator[Finding]:
    """Yield namespaces of one registry that have more distinct names than they may (SPN203)."""
    convention = settings.judge.convention
    names: dict[str, dict[str, Entry]] = {}
    for entry in listed:
        names.setdefault(space_of(entry.name), {}).setdefault(entry.name, entry)
    for space, distinct in names.items():
        budget = convention.max_named_steps if space == "agent.step" else convention.budget(space.partition(".")[0])
        if len(distinct) > budget:
            entry = list(distinct.values())[budget]
            message = f"`{space}` has {len(distinct)} names, and a budget of {budget}"
            way_out = "take what varies out of the names, or raise [budgets] in span-names.toml"
            yield found("SPN203", message, help=way_out, **entry.place)
