"""What is compared over all tests of a session: budgets, collisions, near duplicates, the lock."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_callbacks.analysis.figure import counted
from agent_callbacks.lint import lock
from agent_callbacks.lint.formats import document
from agent_callbacks.lint.registry import Entry, compared, unregistered
from agent_callbacks.lint.run import Settings, lint_source
from agent_callbacks.lint.spans import entries, over_budget
from agent_callbacks.lint.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent_callbacks.lint.config import Config
    from agent_callbacks.lint.finding import Finding
    from agent_callbacks.testing.capture import SpanCapture

__all__ = ["Names", "definitions", "report", "together", "update"]


@dataclass(slots=True)
class Names:
    """The span names of all tests of one process, as plain values that a worker can send."""

    seen: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])

    def take(self, capture: SpanCapture) -> None:
        """Note the names of one test."""
        settings = capture.settings
        for trace in capture.traces:
            for entry in entries(View(capture.name, trace, settings.judge, settings.scope)):
                key = f"{entry.name}\0{entry.raw}"
                self.seen.setdefault(
                    key, {"name": entry.name, "raw": entry.raw, "where": capture.name, "defined": entry.defined}
                )

    def merge(self, sent: dict[str, dict[str, Any]]) -> None:
        """Add what a worker sent."""
        for key, value in sent.items():
            self.seen.setdefault(key, value)

    def entries(self) -> list[Entry]:
        """Return the names in an order that does not depend on which worker was first."""
        return [
            Entry(
                each["name"], each["raw"], each["where"], {"path": each["where"], "name": each["name"]}, each["defined"]
            )
            for _, each in sorted(self.seen.items())
        ]


def together(names: Names, config: Config) -> list[Finding]:
    """Return what is wrong with the names of all tests: SPN203, SPN301, SPN302, SPN303, SPN304."""
    settings = config.settings()
    entries = names.entries()
    found = list(compared(entries, settings.judge, settings.not_duplicates))
    registry = settings.judge.convention.registry
    found += unregistered(entries, registry, settings.judge, strict=settings.policy.rules == "strict")
    found += over_budget(entries, settings)
    if config.lock.is_file():
        text = config.lock.read_text("utf-8")
        seen = {entry.name for entry in entries}
        # Not every test runs every time: only a name that another one stands for now is missed.
        found += lock.compared(text, str(config.lock), seen, only_renamed=True, accepted=settings.not_duplicates)
    return settings.policy.applied(found)


def update(names: Names, config: Config) -> str:
    """Add the names of this session to the lock file, and return what was done, for people."""
    known = lock.names_in(config.lock.read_text("utf-8")) if config.lock.is_file() else {}
    every = {*known, *(entry.name for entry in names.entries())}
    config.lock.write_text(lock.text_of(every), "utf-8")
    return f"{config.lock}: {counted(len(lock.lockable(every)), 'name')}"


def report(path: str, findings: Iterable[Finding]) -> None:
    """Write the findings of a session to a file, as JSON."""
    listed = list(map(document, findings))
    Path(path).write_text(json.dumps({"schema": "agent_callbacks.lint/1", "findings": listed}, indent=2), "utf-8")


def definitions(root: Path, wanted: Sequence[str]) -> dict[str, str]:
    """Return where the source gives the names *wanted*: span name -> ``tools.py:41``, from the modules loaded now."""
    files: list[tuple[str, str]] = []
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".py") and _of_project(Path(path), root):
            files.append((path, Path(path).read_text("utf-8", "replace")))
    found = {name.name: name for name in reversed(lint_source(files, Settings()).names)}
    return {
        name: f"{Path(found[name].path).relative_to(root)}:{found[name].line}: {found[name].excerpt.strip()}"
        for name in wanted
        if name in found
    }


def _of_project(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and "site-packages" not in path.parts and path.is_file()
