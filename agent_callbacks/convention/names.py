"""Every span name: the grammar, and the one object that makes names at run time.

    agent.run[.<agent>]  agent.step.<n>  llm.<operation>  tool.<tool>  retriever.<source>  chain.<name>  node.<name>

and the namespaces a convention adds. :mod:`agent_callbacks.convention.slug` makes the last part; :func:`check` judges a
whole name with the same table, for tests, trace files and source.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import LONGEST_NAME, NAMESPACES, NamingConvention, NamingMode
from agent_callbacks.convention.slug import (
    LONGEST_RAW,
    LONGEST_SEGMENT,
    RULES,
    UNNAMED,
    Slug,
    masked_personal,
    ordered,
    prepared,
    slug,
    tidy,
    without_ids,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "LLM_OPERATIONS",
    "NAMESPACES",
    "RULES",
    "Finding",
    "Namer",
    "NamingConvention",
    "NamingMode",
    "Slug",
    "SpanName",
    "check",
    "genai_name",
    "is_valid",
    "judged",
    "judged_whole",
    "shown",
    "slug",
]

logger = logging.getLogger("agent_callbacks")

LLM_OPERATIONS: Final = ("chat", "embeddings", "generate_content", "text_completion")

_DEFAULT: Final = NamingConvention()


# --- a whole name ----------------------------------------------------------------------------------------------------
_STEP: Final = re.compile(r"[1-9][0-9]{0,5}|overflow")
_STEP_FIRST: Final = re.compile(r"[1-9][0-9]{0,5}\.")
_PRIVATE: Final = frozenset({"SPN202", "SPN201", "SPN112", "SPN111", "SPN110"})
_MERGING: Final = frozenset({"SPN201", "SPN202"})
_MARKER: Final = re.compile(r"_*\[([A-Z][A-Z0-9_]*)(?::[^\[\]\s]*)?\]_*")


def check(name: str, convention: NamingConvention = _DEFAULT) -> tuple[str, ...]:
    """Return the codes of the rules that a span's whole *name* breaks, gravest first; empty when it is right."""
    text = name.strip()
    found = {"SPN106"} if text != name and text else set[str]()
    space, rest = _place(text, convention)
    if space is None:
        return ordered(found | {"SPN101"} | (set(slug(text).rules) & _PRIVATE)) if text else ("SPN110",)
    if text[: len(space)] != space:
        found.add("SPN105")
    return ordered(found | _rest_rules(space, rest, bare=len(text) == len(space)))


def is_valid(name: str, convention: NamingConvention = _DEFAULT) -> bool:
    """Tell whether a span's whole *name* keeps the convention."""
    return not check(name, convention)


def _place(text: str, convention: NamingConvention) -> tuple[str | None, str]:
    """Return the namespace of a whole name, None when it has none we know, and what follows it."""
    head, _, rest = text.partition(".")
    space = head.lower()
    if space == "agent":
        head, _, tail = rest.partition(".")
        if not head:
            return space, ""
        return (f"agent.{head.lower()}", tail) if head.lower() in {"run", "step"} else (None, text)
    return (space, rest) if space in NAMESPACES or space in convention.namespaces else (None, text)


def _rest_rules(space: str, rest: str, *, bare: bool) -> set[str]:
    if not rest:
        return set() if space == "agent.run" and bare else {"SPN102"}
    if space == "agent.step":
        return _step_rules(rest)
    made = slug(rest)
    found = set(made.rules)
    if sum(map(bool, rest.split("."))) > 1:
        found.add("SPN103")
        if "SPN106" not in slug(rest.replace(".", "")).rules:
            found.discard("SPN106")
    elif space == "llm" and made.segment not in LLM_OPERATIONS:
        found.add("SPN101")
    return found


def _step_rules(rest: str) -> set[str]:
    if _STEP.fullmatch(rest):
        return set()
    return {"SPN103" if _STEP_FIRST.match(rest) else "SPN104"} | (set(slug(rest).rules) & _PRIVATE)


def judged(raw: str, convention: NamingConvention, clean: Callable[[str], str]) -> Slug:
    """Return the segment for the *raw* name of a tool, agent or source, and the rules it broke; the same everywhere.

    Args:
        raw: The name as a framework has it.
        convention: Its aliases and prefixes count.
        clean: Replaces personal data and secrets in a text by markers such as ``[EMAIL]``.
    """
    if raw in convention.aliases:
        return Slug(convention.aliases[raw], ())
    prefixes = (each for each in convention.strip_prefixes if raw.startswith(each) and len(raw) > len(each))
    text, rules = _cleaned(raw.removeprefix(max(prefixes, key=len, default="")), clean)
    made = slug(text)
    return Slug(made.segment, ordered(rules.union(made.rules)))


def judged_whole(name: str, convention: NamingConvention, clean: Callable[[str], str]) -> tuple[str, ...]:
    """Return the codes of the rules that a span's whole *name* breaks, for what *clean* finds in it too."""
    return ordered({*check(name, convention), *(_cleaned(name, clean)[1] & _MERGING)})


def shown(raw: str, clean: Callable[[str], str]) -> str:
    """Return a raw name as it may be seen by people."""
    return masked_personal(clean(tidy(raw)[0]))


def _cleaned(raw: str, clean: Callable[[str], str]) -> tuple[str, set[str]]:
    text, rules = prepared(raw)
    cleaned = clean(text)
    if cleaned == text:
        return text, rules
    # An address of a machine is an id rather than a person.
    rules.add("SPN201" if set(_MARKER.findall(cleaned)) == {"IP"} else "SPN202")
    return _MARKER.sub("_", cleaned).strip("_"), rules


def genai_name(operation: str, target: str | None) -> str:
    """Return the name the OpenTelemetry GenAI conventions give: ``{operation} {target}``, or the operation alone.

    Args:
        operation: A value of ``gen_ai.operation.name``.
        target: The model, tool, agent or data source, sanitized; at most 128 characters of it are used.
    """
    shown = tidy(target)[0].strip()[:128].rstrip() if target else ""
    return f"{operation} {shown}" if shown else operation


# --- names at run time -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SpanName:
    """The name of a span, and what it was made from."""

    name: str
    raw: str | None = None
    """The sanitized raw name, where the name could not keep it."""
    rules: tuple[str, ...] = ()
    """Codes of the rules the raw name broke, gravest first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a name broke, collected in mode ``"strict"``."""

    code: str
    raw: str
    """The sanitized raw name."""
    name: str


@dataclass(frozen=True, slots=True)
class _Taken:
    """Who had a name first; ``raw`` is None while only names whose ids went share it."""

    raw: str | None
    ticket: int


_CACHED: Final = 1024
_REMEMBERED: Final = 1024
_FINDINGS: Final = 1000
_LONGEST_SHOWN: Final = 128
_LOSSLESS: Final = frozenset({"SPN105", "SPN106", "SPN108"})
_MANUAL: Final = ""
_NOBODY: Final = _Taken("\0reserved", -1)


class Namer:
    """Makes every span name, and reports each thing it had to change once, in bounded memory.

    Safe in threads without a lock: every table is written by one atomic operation of a dict, so a fork or the user's
    ``clean`` can never leave one held.
    """

    def __init__(self, convention: NamingConvention, clean: Callable[[str], str]) -> None:
        """Make a namer.

        Args:
            convention: What names may look like.
            clean: Replaces personal data and secrets in a text by markers such as ``[EMAIL]``.
        """
        self.convention: Final = convention
        self.findings: Final[list[Finding]] = []
        self.lossless_changes = 0
        """Raw names whose case, separators or leading digit were changed so far."""
        self._clean = clean
        self._registry = frozenset(convention.registry)
        self._registered: frozenset[str] = frozenset()  # made when the first tool is called
        spaces = (*NAMESPACES, *convention.namespaces, _MANUAL)
        self._made: dict[str, dict[str, SpanName]] = {space: {} for space in spaces}
        self._taken: dict[str, dict[str, _Taken]] = {space: {"overflow": _NOBODY} for space in spaces}
        for space in ("tool", "retriever"):
            self._taken[space]["unknown"] = _NOBODY
        self._tickets = {space: count() for space in spaces}
        self._reported: dict[tuple[str, str], object] = {}
        self._steps: dict[int, SpanName] = {}
        self._tools = self._made["tool"]

    def agent_run(self, name: str | None = None) -> SpanName:
        """Return the name of an agent run, ``agent.run`` for one without a name."""
        return self._named("agent", name) if name else _RUN

    def step(self, index: int) -> SpanName:
        """Return the name of the step *index*, counted from 1."""
        if found := self._steps.get(index):
            return found
        if not 1 <= index <= self.convention.max_named_steps:
            return _STEP_OVERFLOW
        return self._steps.setdefault(index, SpanName(f"agent.step.{index}"))

    def model(self, operation: str) -> SpanName:
        """Return the name of a model call; an operation outside the closed set is a chat."""
        return _MODELS.get(operation, _CHAT)

    def tool(self, name: str) -> SpanName:
        """Return the name of a tool call."""
        return self._tools.get(name) or self._named("tool", name)

    def unknown_tool(self) -> SpanName:
        """Return the name for a tool that does not exist: what a model asks for is never a name."""
        return _UNKNOWN_TOOL

    def retriever(self, source: str | None) -> SpanName:
        """Return the name of a retrieval from *source*."""
        return self._named("retriever", source) if source else _UNKNOWN_RETRIEVER

    def chain(self, name: str) -> SpanName:
        """Return the name of a chain or workflow."""
        return self._named("chain", name)

    def node(self, name: str) -> SpanName:
        """Return the name of a graph node or inner chain."""
        return self._named("node", name)

    def manual(self, full_name: str) -> SpanName:
        """Return the name for a user's own span: checked, and made to fit.

        Args:
            full_name: ``<namespace>.<segment>``. One outside the known namespaces keeps its parts (SPN101).
        """
        return self._named(_MANUAL, full_name)

    # --- making ------------------------------------------------------------------------------------------------------
    def _named(self, space: str, raw: str) -> SpanName:
        cache = self._made[space]
        key = raw[: LONGEST_RAW + 1]
        if found := cache.get(key):
            return found
        if self.convention.mode == "off":
            made = self._unchecked(space, key)
        else:
            made = self._manual(key) if space == _MANUAL else self._checked(space, key)
            self._report(space, key, made)
        if len(cache) >= _CACHED:
            cache.clear()
        cache[key] = made
        return made

    def _unchecked(self, space: str, raw: str) -> SpanName:
        """Keep a name as it is but for what would make it unsafe (mode ``"off"``)."""
        prefix = "" if space == _MANUAL else _prefix(space)
        kept = (tidy(self._clean(tidy(raw)[0]))[0][: LONGEST_NAME if space == _MANUAL else LONGEST_SEGMENT]) or UNNAMED
        return SpanName(prefix + kept, None if kept == raw else self._shown(raw) or None)

    def _checked(self, space: str, raw: str) -> SpanName:
        made = judged(raw, self.convention, self._clean)
        segment, rules = made.segment, set(made.rules)
        if raw not in self.convention.aliases:
            segment, more = self._admitted(space, segment, raw, rules)
            rules |= more
            if space == "tool" and segment != "overflow" and not self._is_registered(segment):
                rules.add("SPN303")
        raw_shown = None if segment == raw else self._shown(raw) or None
        return SpanName(_prefix(space) + segment, raw_shown, ordered(rules))

    def _is_registered(self, segment: str) -> bool:
        """Tell whether *segment* is that of a tool in the registry; without a registry every tool is."""
        if self._registry and not self._registered:
            made = [judged(raw, self.convention, self._clean).segment for raw in self._registry]
            self._registered = frozenset(made)
        return not self._registry or segment in self._registered

    def _admitted(self, space: str, segment: str, raw: str, rules: set[str]) -> tuple[str, set[str]]:
        """Hold *segment* to the budget of its namespace and tell whether another raw name has it."""
        taken, budget = self._taken[space], self.convention.budget(space)
        merging = bool(rules & _MERGING)
        first = taken.get(segment)
        if first is None:
            if len(taken) >= budget + _REMEMBERED:
                return "overflow", {"SPN203"}
            ticket = -1 if space == "tool" and raw in self._registry else next(self._tickets[space])
            first = taken.setdefault(segment, _Taken(None if merging else raw, ticket))
        if first.ticket >= budget:
            return "overflow", {"SPN203"}
        if first.raw is None and not merging:
            taken[segment] = _Taken(raw, first.ticket)
        return segment, {"SPN301"} if first.raw not in {None, raw} and not merging else set()

    def _manual(self, full_name: str) -> SpanName:
        text = full_name.strip()
        rules = set(check(full_name, self.convention))
        space, rest = _place(text, self.convention)
        if space == "agent.step":
            made = self.step(int(rest)) if rest.isdecimal() and "SPN104" not in rules else _BAD_STEP
        elif space == "agent.run":
            made = self._in_namespace("agent", rest) if rest else _RUN
        elif space in self._made and space not in {"agent", "llm"}:
            made = self._in_namespace(space, rest)
        elif space == "llm" and (operation := slug(rest).segment) in LLM_OPERATIONS:
            made = _MODELS[operation]
        else:
            made = self._unknown(text, full_name)
        raw = None if made.name == full_name else self._shown_parts(full_name) or None
        return SpanName(made.name, raw, ordered(rules.union(made.rules)))

    def _in_namespace(self, space: str, rest: str) -> SpanName:
        reserved = self._taken[space].get(rest) is _NOBODY
        return SpanName(_prefix(space) + rest) if reserved else self._checked(space, rest)

    def _unknown(self, text: str, raw: str) -> SpanName:
        """Keep the parts of a name in no namespace we know, each made to fit."""
        cleaned, rules = _cleaned(text, self._clean)
        cleaned, more = without_ids(cleaned)
        parts = [slug(part).segment for part in cleaned.split(".")[:8] if part.strip()]
        joined = ".".join(parts) or UNNAMED
        if len(joined) > LONGEST_NAME:
            joined, more = slug(joined).segment, more | {"SPN109"}
        joined, folded = self._admitted(_MANUAL, joined, raw, rules | more)
        name = "manual.overflow" if folded == {"SPN203"} else joined
        return SpanName(name, None, ordered(rules | more | folded))

    def _shown(self, raw: str) -> str:
        return shown(raw, self._clean)

    def _shown_parts(self, raw: str) -> str:
        """Return *raw* as it may be seen; glued to the namespace, an address would read as a longer name."""
        space, dot, rest = tidy(raw)[0].partition(".")
        return self._shown(space + dot + self._shown(rest))

    # --- reporting ---------------------------------------------------------------------------------------------------
    def _report(self, space: str, raw: str, made: SpanName) -> None:
        codes = set(made.rules)
        # A stream of ids or of new names would otherwise fill the log and the sets.
        what = "\0budget" if "SPN203" in codes else "\0" + made.name if codes & _MERGING else raw
        if not codes or not self._once(space, what):
            return
        if self.convention.mode == "strict" and len(self.findings) < _FINDINGS:
            shown = made.raw if made.raw is not None else made.name
            self.findings.extend(Finding(code, shown, made.name) for code in made.rules)
        if codes <= _LOSSLESS:
            self._count(made)
        else:
            logger.warning("span name %r%s", made.name, self._why(made, codes))

    def _once(self, space: str, what: str) -> bool:
        token = object()
        return len(self._reported) < _REMEMBERED and self._reported.setdefault((space, what), token) is token

    def _count(self, made: SpanName) -> None:
        self.lossless_changes += 1
        if self._once("", "\0lossless"):
            logger.info(
                "span names are made snake_case, for instance %r for %r; further ones are only counted",
                made.name,
                (made.raw or "")[:_LONGEST_SHOWN],
            )

    def _why(self, made: SpanName, codes: set[str]) -> str:
        # What held personal data or an id is not repeated in a log, even sanitized.
        roles = [] if made.raw is None or codes & _MERGING else [f" stands for {made.raw[:_LONGEST_SHOWN]!r}"]
        if "SPN301" in codes:
            first = self._first(made.name)
            roles.append(" is reserved" if first is None else f" was made for {first[:_LONGEST_SHOWN]!r} before")
        reasons = (f"{code} {RULES[code]}{_WAYS_OUT.get(code, '')}" for code in made.rules if code not in _LOSSLESS)
        return f"{' and'.join(roles)}: {'; '.join(reasons)}"

    def _first(self, name: str) -> str | None:
        """Return the sanitized raw name that had *name* first, None for a reserved name."""
        head, _, segment = name.rpartition(".")
        taken = self._taken.get(head.removesuffix(".run"), {}).get(segment) or self._taken[_MANUAL].get(name, _NOBODY)
        return None if taken is _NOBODY or taken.raw is None else self._shown(taken.raw)


def _prefix(space: str) -> str:
    return "agent.run." if space == "agent" else f"{space}."


_WAYS_OUT: Final[Mapping[str, str]] = {
    "SPN101": " (use one of ours or declare it: NamingConvention(namespaces=...))",
    "SPN107": " (give it an alias: NamingConvention(aliases=...))",
    "SPN109": " (give it an alias: NamingConvention(aliases=...))",
    "SPN112": " (is an f missing in front of the text?)",
    "SPN201": " (it was left out; put the id into an attribute)",
    "SPN202": " (it was left out; a name is no place for it)",
    "SPN203": " (further names are folded; raise NamingConvention(budgets=...) or list tools in registry)",
    "SPN301": " (two raw names share it; give one of them an alias)",
    "SPN303": " (add it to registry, or take the tool from the agent)",
}
_RUN: Final = SpanName("agent.run")
_STEP_OVERFLOW: Final = SpanName("agent.step.overflow", None, ("SPN203",))
_BAD_STEP: Final = SpanName("agent.step.overflow")
_UNKNOWN_TOOL: Final = SpanName("tool.unknown")
_UNKNOWN_RETRIEVER: Final = SpanName("retriever.unknown")
_MODELS: Final = {operation: SpanName(f"llm.{operation}") for operation in LLM_OPERATIONS}
_CHAT: Final = _MODELS["chat"]
