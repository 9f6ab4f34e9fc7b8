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
from agent_callbacks.lint.wrapper import Wrappers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
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
    wrappers = Wrappers(Project(roots))
    how = sources.Source(settings.judge, settings.scope, settings.providers)
    read = [sources.read(path, text, how, wrappers) for path, text in files]
    names = [name for file in read for name in file.names]
    by_path: dict[str, list[Finding]] = {}
    for finding in (*(each for file in read for each in file.findings), *_together(read, settings)):
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


def _together(files: Sequence[SourceFile], settings: Settings) -> list[Finding]:
    found: dict[Finding, None] = {}
    for registry in _registries(files):
        entries = [_entry(name) for file in registry for name in file.names if not name.merging]
        known = settings.judge.convention.registry
        found |= dict.fromkeys(compared(entries, settings.judge, settings.not_duplicates))
        found |= dict.fromkeys(unregistered(entries, known, settings.judge, strict=settings.policy.rules == "strict"))
    return list(found)


def _registries(files: Sequence[SourceFile]) -> list[list[SourceFile]]:
    """Return the files whose names one agent can have at once: of a package, or of a script and what it imports."""
    packages: dict[str, list[SourceFile]] = {}
    scripts: dict[str, SourceFile] = {}
    for file in files:
        folder = Path(file.path).absolute().parent
        root = package_root(folder)
        if root == folder:
            scripts[str(folder / Path(file.path).name)] = file
        else:
            packages.setdefault(str(root / folder.relative_to(root).parts[0]), []).append(file)
    reached = {path: _reached(path, scripts) for path in scripts}
    imported = {path for start, paths in reached.items() for path in paths if path != start}
    order = {path: at for at, path in enumerate(scripts)}
    covered: set[str] = set()
    together: list[list[SourceFile]] = []
    for path in sorted(scripts, key=imported.__contains__):  # what nobody imports first; then what is in a circle
        if path not in covered:
            covered |= reached[path]
            together.append([scripts[each] for each in sorted(reached[path], key=order.__getitem__)])
    return [*packages.values(), *together]


def _reached(start: str, scripts: Mapping[str, SourceFile]) -> frozenset[str]:
    """Return the paths of *start* and of all scripts that it imports, and that they import."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path in scripts and path not in seen:
            seen.add(path)
            todo += scripts[path].imports
    return frozenset(seen)


def _entry(name: SourceName) -> Entry:
    place: dict[str, str | int] = {
        "path": name.path, "line": name.line, "column": name.column, "end_line": name.end_line,
        "end_column": name.end_column, "excerpt": name.excerpt, "name": name.raw,
    }  # fmt: skip
    return Entry(name.name, name.raw, f"{name.path}:{name.line}", place, name.kind in {"tool", "agent"})
