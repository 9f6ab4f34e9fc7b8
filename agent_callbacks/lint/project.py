"""Modules of the linted project, read when an import leads to them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent_callbacks.lint.module import Module, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Project", "dotted_name", "package_root"]

_LONGEST: Final = 2_000_000


class Project:
    """Where imports are looked for: beside the importing file, at the root of its package, and in *roots*."""

    def __init__(self, roots: Iterable[str] = ()) -> None:
        self._roots = tuple(map(Path, roots))
        self._modules: dict[Path, Module | None] = {}
        self._entries: dict[Path, frozenset[str]] = {}
        self._found: dict[tuple[str, Path], tuple[Module, str] | None] = {}

    def module(self, path: Path) -> Module | None:
        """Return the module at *path*, None where there is no readable one."""
        if path not in self._modules:
            self._modules[path] = _parsed(path)
        return self._modules[path]

    def add(self, module: Module) -> None:
        """Keep a module that was read already."""
        self._modules[Path(module.path).absolute()] = module

    def find(self, origin: str, importer: str) -> tuple[Module, str] | None:
        """Return the module that the dotted *origin* leads to, and the names that are left inside it.

        Args:
            origin: What was imported, ``package.module.name`` or ``..module.name``.
            importer: The path of the file that imports it.
        """
        file = Path(importer).absolute()
        key = (origin, file if origin.startswith(".") else package_root(file.parent))
        if key not in self._found:
            self._found[key] = self._search(origin, file)
        return self._found[key]

    def beside(self, module: Module) -> tuple[str, ...]:
        """Return the absolute paths of the files beside *module* that it imports, where they are in no package."""
        folder = Path(module.path).absolute().parent
        if package_root(folder) != folder:
            return ()
        bound = (each for bindings in module.scope.bindings.values() for each in bindings if each.kind == "import")
        names = {each.origin.lstrip(".").partition(".")[0] for each in bound}
        return tuple(str(folder / f"{name}.py") for name in sorted(names) if f"{name}.py" in self._listed(folder))

    def _search(self, origin: str, importer: Path) -> tuple[Module, str] | None:
        name = origin.lstrip(".")
        parts = name.split(".")
        for base in self._bases(len(origin) - len(name), importer):
            if self._listed(base).isdisjoint({parts[0], f"{parts[0]}.py", "__init__.py" if origin != name else ""}):
                continue
            for taken in range(len(parts), 0, -1):
                stem = base.joinpath(*parts[:taken])
                for path in (stem.with_suffix(".py"), stem / "__init__.py"):
                    if module := self.module(path):
                        return module, ".".join(parts[taken:])
            if origin != name and (module := self.module(base / "__init__.py")):
                return module, name
        return None

    def _listed(self, folder: Path) -> frozenset[str]:
        """Return what is in *folder*: most imports lead elsewhere, and this tells without trying every file."""
        if folder not in self._entries:
            self._entries[folder] = (
                frozenset(each.name for each in folder.iterdir()) if folder.is_dir() else frozenset()
            )
        return self._entries[folder]

    def _bases(self, level: int, importer: Path) -> tuple[Path, ...]:
        if level:
            return (importer.parents[level - 1],) if level <= len(importer.parents) else ()
        return (package_root(importer.parent), *self._roots)


def _parsed(path: Path) -> Module | None:
    try:
        if path.stat().st_size > _LONGEST:
            return None
        return parse(str(path), path.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


@functools.lru_cache(maxsize=4096)
def package_root(folder: Path) -> Path:
    """Return the folder that holds the outermost package *folder* (absolute) is in; itself where it is none."""
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return folder


def dotted_name(path: str) -> str:
    """Return the name the file at *path* is imported by."""
    file = Path(path).absolute()
    parts = file.with_suffix("").parts[len(package_root(file.parent).parts) :]
    return ".".join(parts[:-1] if parts[-1:] == ("__init__",) else parts)
