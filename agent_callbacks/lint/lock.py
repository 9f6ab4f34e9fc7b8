"""``span-names.lock``: the names that dashboards, alerts and evaluators may ask for, committed beside the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.lint import drift
from agent_callbacks.lint.judge import found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from agent_callbacks.lint.finding import Finding

__all__ = ["compared", "lockable", "names_in", "text_of"]

_HEADER: Final = (
    "# Span names that dashboards, alerts and evaluators may ask for.\n"
    "# Written by `agent-callbacks names --lock --update`; a change here is a change of what they find.\n"
)
# Numbered or closed sets need no lock.
_UNLOCKED: Final = ("agent.step.", "llm.")


def lockable(names: Iterable[str]) -> list[str]:
    """Return those of *names* that belong into a lock, sorted."""
    return sorted({name for name in names if not name.startswith(_UNLOCKED)})


def text_of(names: Iterable[str]) -> str:
    """Return the lock file for *names*."""
    return _HEADER + "".join(f"{name}\n" for name in lockable(names))


def names_in(text: str) -> dict[str, int]:
    """Return the names in the text of a lock file, with the line of each."""
    lines = enumerate(text.splitlines(), 1)
    return {line.strip(): number for number, line in lines if line.strip() and not line.startswith("#")}


def compared(text: str, path: str, names: Collection[str], *, only_renamed: bool = False) -> list[Finding]:
    """Return a finding (SPN304) for every locked name that is not among *names*, at its line of the lock.

    Args:
        text: The lock file.
        path: Its path.
        names: The names that the project has now.
        only_renamed: Leave out what has no successor among *names*, because these are not all there are.
    """
    locked = names_in(text)
    new = [name for name in lockable(names) if name not in locked]
    findings: list[Finding] = []
    for name, line in locked.items():
        if name in names:
            continue
        successor = _successor(name, new)
        if only_renamed and not successor:
            continue
        what = f"`{name}` became `{successor}`" if successor else f"`{name}` is gone"
        message = f'{what}: a query for name = "{name}" finds nothing any more'
        way_out = "keep the old name, or change the queries and run agent-callbacks names --lock --update"
        place: dict[str, str | int] = {"path": path, "line": line, "end_line": line, "end_column": len(name) + 1}
        findings.append(found("SPN304", message, help=way_out, name=name, excerpt=name, **place))
    return findings


def _successor(name: str, new: Sequence[str]) -> str:
    """Return the one of the *new* names that *name* was most likely renamed to, ``""`` for none."""
    space, _, segment = name.rpartition(".")
    same = [each for each in new if each.rpartition(".")[0] == space]
    for each in same:
        if drift.near_duplicates((segment, each.rpartition(".")[2])):
            return each
    words = set(segment.split("_"))
    shared = {each: len(words & set(each.rpartition(".")[2].split("_"))) for each in same}
    best = max(shared, key=lambda each: shared[each], default="")
    return best if best and shared[best] else ""
