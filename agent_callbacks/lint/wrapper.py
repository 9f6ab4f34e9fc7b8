"""Functions of the project that pass a parameter on as a name: what they are called with is the name."""

from __future__ import annotations

import ast
import dataclasses
from typing import TYPE_CHECKING, Final

from agent_callbacks.lint.called import function_place, given
from agent_callbacks.lint.origin import Origins, Place
from agent_callbacks.lint.site import Naming, may_name, namings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.lint.module import Function, Module
    from agent_callbacks.lint.project import Project

__all__ = ["Wrappers"]


class Wrappers:
    """The wrappers of a project; each module is looked through once."""

    def __init__(self, project: Project) -> None:
        self.project: Final = project
        self.origins: Final = Origins(project)
        # With the module, whose id another one could have otherwise when it is gone.
        self._own: dict[int, tuple[Module, list[Naming]]] = {}
        self._wrapped: dict[int, dict[int, list[Naming]]] = {}

    def namings(self, module: Module) -> list[Naming]:
        """Return the places in *module* that name something by themselves."""
        if id(module) not in self._own:
            self._own[id(module)] = (module, namings(module, self.origins) if may_name(module.source) else [])
        return self._own[id(module)][1]

    def calls(self, module: Module) -> Iterator[Naming]:
        """Yield the calls in *module* that give a wrapper the name, shown where they give it."""
        for site in module.sites:
            node = site.node
            if isinstance(node, ast.Call) and (node.args or node.keywords) and isinstance(node.func, ast.Name):
                found = site.scope.lookup(node.func.id, node.lineno, site.branch)
                if found is not None and found[0][0].kind in {"function", "import"}:
                    yield from self._called(node, Place(module, site.scope, node.lineno, site.branch))

    def _called(self, node: ast.Call, place: Place) -> Iterator[Naming]:
        called = self.origins.function(node.func, place)
        if called is None:
            return
        function, there = called
        for naming in self._in(there.module).get(id(function), ()):
            parameters = given(function, there, node, place)
            passed = _passed(naming, function)
            shown = [value for key, (value, where) in parameters.items() if key in passed and where is place]
            if shown and parameters.keys() >= set(passed):
                inside = dataclasses.replace(function_place(function, there, parameters), line=naming.place.line)
                yield dataclasses.replace(naming, place=inside, shown=shown[0])

    def _in(self, module: Module) -> dict[int, list[Naming]]:
        """Return the wrappers of *module*: the id of each function, and what it names by its parameters."""
        if id(module) not in self._wrapped:
            found: dict[int, list[Naming]] = {}
            for naming in self.namings(module):
                function = naming.place.scope.node
                if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and _passed(naming, function):
                    found.setdefault(id(function), []).append(naming)
            self._wrapped[id(module)] = found
        return self._wrapped[id(module)]


def _passed(naming: Naming, function: Function) -> list[int]:
    """Return the ids of the parameters of *function* that its name is made of, where they are never bound again."""
    arguments = function.args
    by_name = {each.arg: each for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    bindings = naming.place.scope.bindings
    used = [each.id for each in ast.walk(naming.value) if isinstance(each, ast.Name)] if naming.value else []
    return [id(by_name[name]) for name in dict.fromkeys(used) if name in by_name and len(bindings[name]) == 1]
