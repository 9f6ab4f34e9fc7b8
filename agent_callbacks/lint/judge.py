"""From a name to the rules it breaks, in the words a person is shown; the rules are those of run time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import NAMESPACES, NamingConvention
from agent_callbacks.convention.names import LLM_OPERATIONS, judged, judged_whole, shown
from agent_callbacks.lint.finding import Finding
from agent_callbacks.lint.rules import RULES
from agent_callbacks.privacy import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_callbacks.convention.slug import Slug

__all__ = ["PROVIDERS", "Judge", "filler", "found"]

_GRAVE: Final = frozenset({"SPN110", "SPN111", "SPN112", "SPN201", "SPN202"})
_SHAPE: Final = frozenset({"SPN105", "SPN106", "SPN107", "SPN108"})
_HEAD: Final = re.compile(r"\s*([^.\s]*)(\.?)")
_HELP: Final = {
    "SPN101": f"use one of {', '.join(NAMESPACES)}, or declare your own under `namespaces` in span-names.toml",
    "SPN102": "say which one it is: `<namespace>.<name>`",
    "SPN103": "join the parts by an underscore, or put the detail into an attribute",
    "SPN104": "count steps from 1: `agent.step.1`",
    "SPN107": "give it an alias in span-names.toml",
    "SPN109": "choose a shorter one, or give it an alias in span-names.toml",
    "SPN112": "put an f in front of the string, or a value where None was",
    "SPN201": "leave it out and put the id into an attribute",
    "SPN202": "leave it out; a name is no place for it",
}
PROVIDERS: Final = {
    "anthropic": re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    "gemini": re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,62}"),
    "mcp": re.compile(r"[A-Za-z0-9_.-]{1,128}"),
    "openai": re.compile(r"[a-zA-Z0-9_-]{1,64}"),
}
"""Model provider -> the tool names it accepts."""


def found(code: str, message: str, **given: str | int) -> Finding:
    """Return a finding of the rule *code* at its own level; *given* are fields of :class:`Finding`."""
    return Finding(code, RULES[code].level, message, **given)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - texts and lines by name


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges names by one convention."""

    convention: NamingConvention = field(default_factory=NamingConvention)
    sanitizer: Sanitizer = field(default_factory=Sanitizer)

    def whole(self, name: str) -> tuple[str, ...]:
        """Return the codes that a span's whole name breaks, gravest first, without what follows from a graver one."""
        return _essential(judged_whole(name, self.convention, self.sanitizer.clean))

    def segment(self, raw: str) -> Slug:
        """Return the segment that run time makes of a tool's, agent's or source's raw name, and the codes."""
        return judged(raw, self.convention, self.sanitizer.clean)

    def codes(self, raw: str) -> tuple[str, ...]:
        """Return the codes that a raw name breaks, gravest first, without what follows from a graver one."""
        return _essential(self.segment(raw).rules)

    def shown(self, name: str) -> str:
        """Return a name as it may be printed: without personal data and control characters."""
        return shown(name, self.sanitizer.clean)

    def repaired(self, name: str) -> str:
        """Return the right spelling of a span's whole name, ``""`` where only a person can tell."""
        space, _, rest = name.strip().partition(".")
        if space.lower() == "agent":
            part, _, rest = rest.partition(".")
            space = f"{space}.{part}"
        made = f"{space.lower()}.{self.segment(rest).segment}" if rest else ""
        return made if made and made != name and not self.whole(made) else ""

    def help(self, code: str, better: str) -> str:
        """Return the way out of *code*; *better* is the right spelling where there is one."""
        if code in _SHAPE or code == "SPN111":
            return f"name it `{better}`" if better else _HELP.get(code, "choose a name that begins with a letter")
        return _HELP.get(code, "")

    def concerns(self, name: str) -> bool:
        """Tell whether a whole name is in, or a near miss of, the namespaces of the convention."""
        match = _HEAD.match(name)
        head, dot = (match[1], match[2]) if match else ("", "")
        known = (*NAMESPACES, *self.convention.namespaces)
        if not dot:
            return name.strip() in known
        return any(_near(head.lower(), space) for space in known)

    def refused_by(self, raw: str, providers: Iterable[str]) -> list[str]:
        """Return those of *providers* that do not accept a tool called *raw*."""
        return [provider for provider in providers if not PROVIDERS[provider].fullmatch(raw)]


def _essential(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Return *codes* without the shape's where something graver has to go anyway, its dots and hyphens included."""
    return tuple(code for code in codes if code not in _SHAPE | {"SPN103"}) if _GRAVE & set(codes) else codes


def _near(head: str, space: str) -> bool:
    """Tell whether *head* is *space*, its plural, or a slip of the fingers that makes no other word likely."""
    if head in {space, f"{space}s"}:
        return True
    if not head or head[0] != space[0]:
        return False
    if len(head) == len(space):
        return any(_swapped(space, at) == head for at in range(1, len(space) - 1))
    longer, shorter = (head, space) if len(head) > len(space) else (space, head)
    if len(longer) != len(shorter) + 1 or (longer is space and len(space) < _LONG):
        return False
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(1, len(longer)))


_LONG: Final = 8  # a letter less makes another word of a short one: chain, chin


def _swapped(text: str, at: int) -> str:
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def filler(text: str) -> str:
    """Return what stands for an unknown part after *text*, so that the grammar finds no fault in it."""
    return "1" if text.endswith("agent.step.") else LLM_OPERATIONS[0] if text == "llm." else "x"
