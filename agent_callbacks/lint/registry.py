"""Names of one registry against each other: collisions, near duplicates, and tools nobody registered.

A registry is what one agent can have at once: an import package, or a script and what it imports from beside it; the
service of a trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent_callbacks.lint import drift
from agent_callbacks.lint.judge import found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from agent_callbacks.lint.finding import Finding
    from agent_callbacks.lint.judge import Judge

__all__ = ["Entry", "compared", "unregistered"]

_MANY: Final = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of a registry and where it comes from."""

    name: str
    """The span's name."""
    raw: str
    where: str
    """For people: ``tools.py:12``."""
    place: Mapping[str, str | int]
    """Fields of a finding about it."""
    defined: bool = True
    """Whether something is defined here that other things of the same name collide with."""


def compared(entries: Sequence[Entry], judge: Judge, accepted: Collection[frozenset[str]]) -> Iterator[Finding]:
    """Yield collisions (SPN301) and near duplicates (SPN302) among *entries* of one registry."""
    yield from _collisions([entry for entry in entries if entry.defined], judge)
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.name, entry)
    spaces: dict[str, dict[str, Entry]] = {}
    order = {name: at for at, name in enumerate(first)}
    for name, entry in first.items():
        space, _, segment = name.rpartition(".")
        spaces.setdefault(space, {})[segment] = entry
    for space, segments in spaces.items():
        for pair in drift.near_duplicates(segments, accepted) if space not in {"agent.step", "llm"} else ():
            early, late = sorted((segments[pair.first], segments[pair.second]), key=lambda entry: order[entry.name])
            message = f"`{late.name}` and `{early.name}` ({early.where}) have {pair.why}"
            pair_text = f'["{pair.first}", "{pair.second}"]'
            yield found("SPN302", message, help=f"keep one, or list {pair_text} in not_duplicates", **late.place)


def _collisions(entries: Sequence[Entry], judge: Judge) -> Iterator[Finding]:
    """Yield what shares its name with another, at the one whose name had to change, else at the later one."""
    first: dict[str, Entry] = {}
    for entry in entries:
        known = first.setdefault(entry.name, entry)
        if known.raw == entry.raw:
            continue
        changed, other = (known, entry) if entry.name.endswith(f".{entry.raw}") else (entry, known)
        both = f"`{judge.shown(changed.raw)}` and `{judge.shown(other.raw)}` ({other.where})"
        way_out = "rename one, or give one an alias in span-names.toml"
        yield found("SPN301", f"{both} both become `{entry.name}`", help=way_out, **changed.place)


def unregistered(entries: Sequence[Entry], registry: Sequence[str], judge: Judge, *, strict: bool) -> Iterator[Finding]:
    """Yield the tools among *entries* that are not in *registry* (SPN303); without one only when *strict*."""
    known = {judge.segment(raw).segment for raw in registry} | {"unknown", "overflow"}
    tools = {entry.name.removeprefix("tool."): entry for entry in entries if entry.name.startswith("tool.")}
    if registry:
        for segment, entry in tools.items():
            if segment not in known:
                way_out = "add it to `registry` in span-names.toml"
                yield found("SPN303", f"`{entry.name}` is not in the registry", help=way_out, **entry.place)
    elif strict and len(tools) > _MANY:
        entry = next(iter(tools.values()))
        way_out = "list the tools under `registry` in span-names.toml"
        yield found("SPN303", f"there are {len(tools)} tools and no registry", help=way_out, **entry.place)
