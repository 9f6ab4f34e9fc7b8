"""The catalogue: every rule once, with one code for a fault wherever it is found.

Engines: R while running, T in a trace file or a test, S in source. The codes of names are those that
:mod:`agent_callbacks.convention.names` reports; a test holds the two tables together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.lint.finding import Level

__all__ = ["DEFAULT_SET", "RULES", "SETS", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule and all there is to say about it."""

    code: str
    name: str
    level: Level
    engines: str
    """R (run time), T (trace files and tests), S (source)."""
    summary: str
    why: str
    bad: str
    good: str
    fix: Literal["", "safe", "unsafe", "lock"] = ""
    """How it is repaired: by ``--fix``, by ``--unsafe-fixes``, by updating the lock, or by hand."""


# fmt: off
_CATALOGUE: Final = (
    Rule(
        "SPN101", "unknown-namespace", "error", "RTS", "the name is in no known namespace",
        why=(
            "A span's name begins with agent.run, agent.step, llm, tool, retriever, chain, node or a namespace that "
            "the convention declares. Anything else, near misses such as `tools.` and `agent.steps.` included, is "
            "found by no query for the right one."
        ),
        bad="tools.search_web",
        good="tool.search_web",
    ),
    Rule(
        "SPN102", "missing-segment", "error", "RTS", "something is missing after the namespace",
        why="The namespace alone says what kind of work it was and not which: `tool` is every tool.",
        bad="tool",
        good="tool.search_web",
    ),
    Rule(
        "SPN103", "extra-segment", "error", "RTS", "there are more parts than the grammar has",
        why="A name has a fixed depth; structure belongs in the tree of spans, detail in attributes.",
        bad="retriever.docs.en",
        good="retriever.docs_en",
    ),
    Rule(
        "SPN104", "bad-step-number", "error", "RTS", "a step is a whole number from 1",
        why="Steps count from 1 in each agent run, without leading zeros; `overflow` stands for those above the limit.",
        bad="agent.step.0",
        good="agent.step.1",
    ),
    Rule(
        "SPN105", "not-snake-case", "warning", "RTS", "names are lower case",
        why="`searchWeb` and `search_web` are two names for one thing, and a query finds one of them.",
        bad="tool.searchWeb",
        good="tool.search_web",
        fix="safe",
    ),
    Rule(
        "SPN106", "bad-separator", "warning", "RTS", "words are joined by one underscore",
        why=(
            "Spaces, hyphens, dots, slashes, colons, doubled underscores and underscores at the edge are spelled `_`,"
            " once, between words."
        ),
        bad="tool.search-web",
        good="tool.search_web",
        fix="safe",
    ),
    Rule(
        "SPN107", "bad-character", "warning", "RTS", "only a to z, 0 to 9 and underscore",
        why=(
            "Backends, queries and file names differ in what else they accept. For a name in another script, give an "
            "alias."
        ),
        bad="tool.c++_compile",
        good="tool.cpp_compile",
    ),
    Rule(
        "SPN108", "leading-digit", "warning", "RTS", "a segment begins with a letter",
        why="A leading digit breaks identifiers in query languages.",
        bad="tool.2fa_check",
        good="tool.check_2fa",
    ),
    Rule(
        "SPN109", "name-too-long", "warning", "RTS", "a segment has at most 64 characters, a name 96",
        why="Longer names are cut by providers and backends, each at another place.",
        bad="tool.search_the_documents_of_the_whole_company_for_anything_that_might_be_relevant",
        good="tool.search_company_documents",
    ),
    Rule(
        "SPN110", "empty-name", "error", "RTS", "the name is empty",
        why="A span without a name cannot be asked for.",
        bad="tool. ",
        good="tool.search_web",
    ),
    Rule(
        "SPN111", "control-or-invisible-character", "error", "RTS", "there are characters nobody can see",
        why="Zero-width, bidirectional and control characters make two names that look the same.",
        bad="tool.search\\u200bweb",
        good="tool.search_web",
        fix="safe",
    ),
    Rule(
        "SPN112", "unresolved-placeholder", "error", "RTS", "a template was never filled in",
        why="An f is missing in front of the string, or a value was None.",
        bad="tool.{tool_name}",
        good="tool.search_web",
        fix="unsafe",
    ),
    Rule(
        "SPN113", "name-not-derivable-from-attributes", "error", "T", "name and attributes say different things",
        why=(
            "A name is a function of attributes known when the span starts: `tool.<gen_ai.tool.name>`, "
            "`agent.step.<index>`. Where they differ, one of them lies to whoever asks. Run time makes our own names "
            "from these attributes; those of others are judged in traces."
        ),
        bad='tool.search_web with gen_ai.tool.name = "fetch_url"',
        good='tool.fetch_url with gen_ai.tool.name = "fetch_url"',
    ),
    Rule(
        "SPN201", "high-cardinality-token", "error", "RTS", "there is an id in the name",
        why=(
            "Ids, hashes, dates and addresses make as many names as there are requests; metrics by name then exhaust "
            "their storage (Instrumentation Score SPA-003). The id belongs in an attribute."
        ),
        bad="tool.lookup_3f2b8c1e9a77",
        good="tool.lookup",
    ),
    Rule(
        "SPN202", "pii-in-name", "error", "RTS", "there is personal data in the name",
        why="Names are indexed, shared and kept longer than any other field, and no redaction is expected there.",
        bad="tool.notify_alice@example.com",
        good="tool.notify",
    ),
    Rule(
        "SPN203", "name-cardinality-budget", "error", "RT", "more distinct names than the namespace may have",
        why=(
            "Each name looks fine and together they are unbounded: something variable is in them. Budgets are "
            "`[budgets]` in span-names.toml."
        ),
        bad="tool.report_may, tool.report_june, ... 51 of them",
        good="tool.report",
    ),
    Rule(
        "SPN204", "dynamic-value-in-name", "error", "S", "a value that differs by request goes into the name",
        why=(
            "The source builds the name from an id, a user, a session, a query, a path or the time. Every request "
            "then has a name of its own."
        ),
        bad='start_span(f"tool.lookup_{order.id}")',
        good='start_span("tool.lookup", attributes={"order.id": order.id})',
    ),
    Rule(
        "SPN205", "name-not-resolvable", "information", "S", "where the name comes from could not be followed",
        why=(
            "The name is computed elsewhere; tests and trace files still check it. A constant, an Enum or a `Literal`"
            " parameter would make it visible here."
        ),
        bad="start_span(build_name(kind))",
        good='start_span("tool.search_web")',
    ),
    Rule(
        "SPN301", "name-collision", "error", "RTS", "two different names become one",
        why=(
            "Both raw names give the same span name, so their time, cost and errors are added up. Rename one, or give"
            " one an alias."
        ),
        bad="github_create_issue and github__create_issue",
        good="github_create_issue and gitlab_create_issue",
    ),
    Rule(
        "SPN302", "near-duplicate-name", "warning", "TS", "two names look like one that has drifted",
        why=(
            "The same words in another order, or one letter apart: usually one tool under two names. Where both are "
            "meant, list them in `not_duplicates`."
        ),
        bad="search_web and web_search",
        good="search_web",
    ),
    Rule(
        "SPN303", "unregistered-tool", "warning", "RTS", "the tool is not in the registry",
        why=(
            "`registry` in span-names.toml lists the tools that exist. In the set `strict`, more than five tools "
            "without a registry are reported too, except at run time, where nobody knows how many there will be."
        ),
        bad='tool.serch_web, registry = ["search_web"]',
        good='tool.search_web, registry = ["search_web"]',
    ),
    Rule(
        "SPN304", "renamed-or-removed", "error", "TS", "a name in the lock file is gone",
        why=(
            "Dashboards, alerts and evaluators ask for names. One that is renamed or removed leaves them blank "
            "without an error. When it is meant, run `agent-callbacks names --lock --update`."
        ),
        bad="tool.search_web became tool.web_search",
        good="tool.search_web",
        fix="lock",
    ),
    Rule(
        "SPN305", "provider-limit", "warning", "S", "a model provider refuses the tool's name",
        why=(
            "OpenAI and Anthropic accept letters, digits, `_` and `-`, at most 64; Gemini wants a letter or `_` "
            "first; MCP allows dots. Choose with `providers`. At run time the provider itself refuses the call."
        ),
        bad="fs.read/file",
        good="fs_read_file",
    ),
    Rule(
        "SPN306", "unknown-tool-requested", "warning", "T", "the model asked for a tool that does not exist",
        why=(
            "The span is called tool.unknown, because what a model makes up is no name. A prompt or a tool's "
            "description is misleading it. Run time says so on the span: status ERROR, error.type unknown_tool."
        ),
        bad="tool.unknown",
        good="tool.search_web",
    ),
    Rule(
        "SPN401", "orphan-span", "error", "T", "the parent is not in the trace",
        why="The parent was lost or never exported, and is not a span of another process. The tree falls apart there.",
        bad="parent id 00f067aa0ba902b7, not among the spans",
        good="every parent id is a span of the trace, or remote",
    ),
    Rule(
        "SPN402", "step-gap", "error", "T", "a step number is missing",
        why="The steps of one agent run count 1, 2, 3 without a gap; a missing one was lost or never made.",
        bad="agent.step.1, agent.step.2, agent.step.4",
        good="agent.step.1, agent.step.2, agent.step.3",
    ),
    Rule(
        "SPN403", "duplicate-step", "error", "T", "a step number is there twice under one agent run",
        why="Two decisions cannot be the same step; averages by step are wrong then.",
        bad="agent.step.2, agent.step.2",
        good="agent.step.2, agent.step.3",
    ),
    Rule(
        "SPN404", "span-never-ended", "error", "T", "the span never ended",
        why=(
            "OpenTelemetry demands that every span is ended; one that is not is usually never exported at all. Tests "
            "see those that are open; watching every span of a process for it would cost each of them."
        ),
        bad="span = tracer.start_span(name)",
        good="with tracer.start_as_current_span(name):",
    ),
    Rule(
        "SPN405", "outside-a-step", "warning", "T", "a model or tool call hangs beside the steps",
        why=(
            "A model call opens a step and what it causes belongs to it. Only what happens before the first model "
            "call hangs on the agent run."
        ),
        bad="agent.run > llm.chat",
        good="agent.run > agent.step.1 > llm.chat",
    ),
    Rule(
        "SPN406", "child-outlives-parent", "warning", "T", "the span's times do not fit into its parent's",
        why="It ends after its parent, or before it started: a span that was forgotten, or two clocks.",
        bad="tool.search_web ends 2 s after agent.step.1",
        good="tool.search_web ends within agent.step.1",
    ),
    Rule(
        "SPN407", "several-roots", "warning", "T", "the trace has several roots",
        why="One request is one tree; a second root lost its parent on the way (a thread, a task, a queue).",
        bad="agent.run and tool.search_web, both without a parent",
        good="agent.run > tool.search_web",
    ),
    Rule(
        "SPN408", "renamed-after-start", "warning", "S", "the span is renamed after it started",
        why=(
            "Samplers see the first name only; what they decide by a later one is undefined (OpenTelemetry trace API)."
            " At run time it is not looked for: comparing names at each end would cost every span."
        ),
        bad='span.update_name("tool.search_web")',
        good='start_span("tool.search_web")',
    ),
    Rule(
        "SPN501", "required-attribute-missing", "error", "T", "an attribute this kind of span must have is missing",
        why=(
            "Without them the span cannot be priced, joined or explained: model, tokens and finish reasons of a model"
            " call, name and durations of a tool, source and count of a retrieval, index of a step."
        ),
        bad="llm.chat without gen_ai.request.model",
        good="llm.chat with gen_ai.request.model",
    ),
    Rule(
        "SPN502", "error-without-type", "error", "T", "status and error.type disagree",
        why="A span with status ERROR says in error.type which error; a span that has error.type has status ERROR.",
        bad="status ERROR, no error.type",
        good='status ERROR, error.type = "ConnectionError"',
    ),
    Rule(
        "SPN503", "attribute-too-long", "warning", "T", "an attribute is longer than backends keep",
        why="Above 32 KiB most backends cut or drop the value, some the whole span.",
        bad="input.value of 2 MB",
        good="input.value of 32 KiB",
    ),
    Rule(
        "SPN504", "pii-in-attribute", "error", "T", "there is personal data in an attribute",
        why="It was exported unsanitized. Clean it where it is set, or wrap the exporter in SanitizingSpanExporter.",
        bad='customer = "alice@example.com"',
        good='customer = "[EMAIL]"',
    ),
    Rule(
        "SPN505", "asker-missing", "warning", "T", "user, session or variant is missing on the root",
        why=(
            "Without them no complaint can be followed to its trace, and no experiment can be read. See "
            "request_metadata()."
        ),
        bad="agent.run without user.id",
        good="agent.run with user.id, session.id and feature_flag.result.variant",
    ),
    Rule(
        "SPN506", "wrong-span-kind", "warning", "T", "the span has another kind than its namespace",
        why="Model calls and retrievals are CLIENT, the others INTERNAL; service maps are drawn from it.",
        bad="llm.chat of kind INTERNAL",
        good="llm.chat of kind CLIENT",
    ),
    Rule(
        "SPN507", "token-arithmetic", "warning", "T", "the token counts contradict each other",
        why=(
            "A count is negative, the total is not input plus output, cached tokens exceed the input, reasoning the "
            "output, or the parts of a step its whole."
        ),
        bad="input 100, cache read 250",
        good="input 350, cache read 250",
    ),
    Rule(
        "SPN508", "streaming-without-first-chunk", "warning", "T", "a streamed answer has no time to its first chunk",
        why="It is what a user waits for. It also cannot be longer than the call.",
        bad="gen_ai.request.stream = true, no time_to_first_chunk",
        good="gen_ai.response.time_to_first_chunk = 0.31",
    ),
    Rule(
        "SPN509", "high-cardinality-error-type", "warning", "T", "error.type is a message instead of a type",
        why="error.type is a class of errors with few values: an exception's type or a code.",
        bad='error.type = "no order 883920"',
        good='error.type = "OrderNotFoundError"',
    ),
    Rule(
        "SPN900", "file-not-parsed", "error", "TS", "the file could not be read as what it is",
        why="Nothing in it was checked.",
        bad="a syntax error",
        good="a file that parses",
    ),
    Rule(
        "SPN901", "unused-suppression", "warning", "S", "the comment suppresses nothing",
        why="The fault is gone and the comment would hide the next one.",
        bad="x = 1  # noqa: SPN105",
        good="x = 1",
        fix="safe",
    ),
    Rule(
        "SPN902", "unknown-code", "error", "TS", "there is no such rule",
        why="A suppression or a setting names a code that is not in the catalogue; see `agent-callbacks rules`.",
        bad="# noqa: SPN999",
        good="# noqa: SPN105",
    ),
)
# fmt: on

RULES: Final[Mapping[str, Rule]] = {rule.code: rule for rule in _CATALOGUE}

DEFAULT_SET: Final = "standard"
_ALL: Final = frozenset(RULES)
_ALWAYS: Final = frozenset({"SPN900", "SPN902"})
# What a person has to ask for: a limit needs to know the provider, a late name is often the only one possible.
_ON_REQUEST: Final = frozenset({"SPN408"})
_GRAMMAR: Final = frozenset(f"SPN10{digit}" for digit in range(1, 10))
SETS: Final[Mapping[str, frozenset[str]]] = {
    "minimal": frozenset(c for c in _ALL if c[3] in "12" and RULES[c].level == "error") | _ALWAYS,
    "standard": _ALL - _ON_REQUEST,
    "strict": _ALL,
    "otel_genai": _ALL - _ON_REQUEST - _GRAMMAR - {"SPN402", "SPN403", "SPN405", "SPN505"},
}
"""Rule set -> its codes. ``strict`` also makes errors of warnings; ``otel_genai`` wants the standard's own names."""
