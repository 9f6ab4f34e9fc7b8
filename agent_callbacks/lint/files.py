"""Which files are linted, and what kind each is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal

from pathspec import GitIgnoreSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["kind_of", "python_files"]

Kind = Literal["source", "trace", "store"]
_IGNORE: Final = ".gitignore"
_NEVER: Final = frozenset({
    ".bzr", ".eggs", ".git", ".hg", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv",
    "__pycache__", "__pypackages__", "node_modules", "site-packages", "venv",
})  # fmt: skip
_SUFFIXES: Final = (".py", ".pyi")


def python_files(folder: Path, exclude: Iterable[str] = ()) -> Iterator[Path]:
    """Yield the Python files below *folder* in order, without what .gitignore files or *exclude* name.

    Args:
        folder: Where to start; the ``.gitignore`` files above it count as far as its repository goes.
        exclude: Further patterns, as in a ``.gitignore`` in *folder*.
    """
    specs = [*_above(folder), (folder, GitIgnoreSpec.from_lines(exclude))]
    yield from _below(folder, specs)


def _below(folder: Path, specs: list[tuple[Path, GitIgnoreSpec]]) -> Iterator[Path]:
    specs = [*specs, *_specs(folder)]
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _NEVER and not _ignored(path, "/", specs):
                yield from _below(path, specs)
        elif entry.name.endswith(_SUFFIXES) and not _ignored(path, "", specs):
            yield path


def _above(folder: Path) -> list[tuple[Path, GitIgnoreSpec]]:
    """Return the ignore files between the root of the repository and *folder*, the outermost first."""
    absolute = folder.absolute()
    root = next((each for each in (absolute, *absolute.parents) if (each / ".git").exists()), absolute)
    between = [each for each in absolute.parents if each == root or root in each.parents]
    return [spec for each in reversed(between) for spec in _specs(each)]


def _specs(folder: Path) -> list[tuple[Path, GitIgnoreSpec]]:
    path = folder / _IGNORE
    if not path.is_file():
        return []
    return [(folder, GitIgnoreSpec.from_lines(path.read_text("utf-8", "replace").splitlines()))]


def _ignored(path: Path, ending: str, specs: list[tuple[Path, GitIgnoreSpec]]) -> bool:
    for folder, spec in reversed(specs):
        base = folder if path.is_relative_to(folder) else folder.absolute()
        inside = path if path.is_relative_to(base) else path.absolute()
        verdict = spec.check_file(inside.relative_to(base).as_posix() + ending).include
        if verdict is not None:
            return verdict
    return False


def kind_of(path: Path, content: bytes) -> Kind:
    """Return what a file is, by its name and how it begins."""
    if content.startswith(b"SQLite format 3\0"):
        return "store"
    if path.suffix in _SUFFIXES:
        return "source"
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return "trace" if path.suffix in {".json", ".jsonl"} or start == b"{" else "source"
