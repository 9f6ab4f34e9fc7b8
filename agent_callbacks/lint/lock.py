"""``span-names.lock``: the names that dashboards, alerts and evaluators may ask for, committed beside the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.lint import drift
from agent_callbacks.lint.judge import found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

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


def compared(
    text: str,
    path: str,
    names: Collection[str],
    *,
    only_renamed: bool = False,
    accepted: Collection[frozenset[str]] = (),
) -> list[Finding]:
    """Return a finding (SPN304) for every locked name that is not among *names*, at its line of the lock.

    Args:
        text: The lock file.
        path: Its path.
        names: The names that the project has now.
        only_renamed: *names* are not all there are: a name is gone only where one of them is the same name, spelled
            or ordered differently. That a new one shares a word with it proves nothing then.
        accepted: Pairs of segments that are known to be two things.
    """
    locked = names_in(text)
    new = [name for name in lockable(names) if name not in locked]
    findings: list[Finding] = []
    for name, line in locked.items():
        if name in names:
            continue
        renamed = _renamed(name, new, accepted)
        if only_renamed and not renamed:
            continue
        what = f"`{name}` became `{renamed}`" if renamed else f"`{name}` is gone{_perhaps(name, new)}"
        message = f'{what}: a query for name = "{name}" finds nothing any more'
        way_out = "keep the old name, or change the queries and run agent-callbacks names --lock --update"
        place: dict[str, str | int] = {"path": path, "line": line, "end_line": line, "end_column": len(name) + 1}
        findings.append(found("SPN304", message, help=way_out, name=name, excerpt=name, **place))
    return findings


def _renamed(name: str, new: Iterable[str], accepted: Collection[frozenset[str]]) -> str:
    """Return the one of the *new* names that is *name* in another spelling or order, ``""`` for none."""
    segment = _segment(name)
    same = (each for each in _beside(name, new) if drift.near_duplicates((segment, _segment(each)), accepted))
    return next(same, "")


def _perhaps(name: str, new: Iterable[str]) -> str:
    """Return which of the *new* names may stand for *name*, in words: the one that shares most words with it."""
    words = set(_segment(name).split("_"))
    shared = {each: len(words & set(_segment(each).split("_"))) for each in _beside(name, new)}
    best = max(shared, key=lambda each: shared[each], default="")
    return f", and `{best}` is new" if best and shared[best] else ""


def _beside(name: str, new: Iterable[str]) -> Iterator[str]:
    space = name.rpartition(".")[0]
    return (each for each in new if each.rpartition(".")[0] == space)


def _segment(name: str) -> str:
    return name.rpartition(".")[2]
