"""One run of the linter: files in, findings and names out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent_callbacks.lint import source as sources
from agent_callbacks.lint.judge import Judge
from agent_callbacks.lint.policy import Policy
from agent_callbacks.lint.project import Project, package_root
from agent_callbacks.lint.registry import Entry, compared, unregistered
from agent_callbacks.lint.report import Report
from agent_callbacks.lint.suppression import applied

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

    from agent_callbacks.lint.finding import Finding
    from agent_callbacks.lint.source import SourceFile, SourceName

__all__ = ["Settings", "lint_source"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the linter works."""

    policy: Policy = field(default_factory=Policy)
    judge: Judge = field(default_factory=Judge)
    scope: Literal["convention", "all"] = "convention"
    providers: tuple[str, ...] = ()
    not_duplicates: frozenset[frozenset[str]] = frozenset()


def lint_source(files: Iterable[tuple[str, str]], settings: Settings, roots: Sequence[str] = ()) -> Report:
    """Lint Python files, each by itself and the names of each package together.

    Args:
        files: Path and text of each.
        settings: How.
        roots: Folders in which imports are looked for too.
    """
    project = Project(roots)
    how = sources.Source(settings.judge, settings.scope, settings.providers)
    read = [sources.read(path, text, how, project) for path, text in files]
    names = [name for file in read for name in file.names]
    by_path: dict[str, list[Finding]] = {}
    for finding in (*(each for file in read for each in file.findings), *_together(names, settings)):
        by_path.setdefault(finding.path, []).append(finding)
    kept: list[Finding] = []
    for file in read:
        about = by_path.get(file.path, [])
        kept += applied(about, file.comments, file.path, settings.policy.enabled, file.lines)
    return Report(tuple(settings.policy.applied(kept)), tuple(names), _counted(read))


def _counted(files: Sequence[SourceFile]) -> dict[str, int]:
    counts = {"files": len(files)}
    for file in files:
        for name, number in file.counts:
            counts[name] = counts.get(name, 0) + number
    return counts


def _together(names: Sequence[SourceName], settings: Settings) -> list[Finding]:
    registries: dict[str, list[Entry]] = {}
    for name in names:
        if not name.merging:
            registries.setdefault(_registry(name.path), []).append(_entry(name))
    found: list[Finding] = []
    for entries in registries.values():
        found += compared(entries, settings.judge, settings.not_duplicates)
        registry = settings.judge.convention.registry
        found += unregistered(entries, registry, settings.judge, strict=settings.policy.rules == "strict")
    return found


def _registry(path: str) -> str:
    """Return what a file's names share a registry with: its package, or itself."""
    folder = Path(path).absolute().parent
    root = package_root(folder)
    return path if root == folder else str(root / folder.relative_to(root).parts[0])


def _entry(name: SourceName) -> Entry:
    place: dict[str, str | int] = {
        "path": name.path, "line": name.line, "column": name.column, "end_line": name.end_line,
        "end_column": name.end_column, "excerpt": name.excerpt, "name": name.raw,
    }  # fmt: skip
    return Entry(name.name, name.raw, f"{name.path}:{name.line}", place, name.kind in {"tool", "agent"})
