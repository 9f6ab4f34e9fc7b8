"""Where a name in a file comes from: the dotted path of a library's callable, or a definition of the project."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from agent_callbacks.lint.project import Project, dotted_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent_callbacks.lint.module import Binding, Function, Module, Scope

__all__ = ["FAMILIES", "Origins", "Place", "family", "inner_type"]

_DEEPEST: Final = 12
FAMILIES: Final = {
    "agent_callbacks": "ours",
    "deepagents": "langchain",
    "fastmcp": "mcp",
    "langchain": "langchain",
    "langchain_classic": "langchain",
    "langchain_community": "langchain",
    "langchain_core": "langchain",
    "langgraph": "langchain",
    "langgraph_supervisor": "langchain",
    "langgraph_swarm": "langchain",
    "llama_index": "llamaindex",
    "mcp": "mcp",
}
"""Outermost package -> whose callables are known."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, from which names are looked up."""

    module: Module
    scope: Scope
    line: int
    branch: tuple[tuple[int, int], ...] = ()
    given: Mapping[int, tuple[ast.expr, Place]] = field(default_factory=dict[int, "tuple[ast.expr, Place]"])
    """What a call gives to the parameters of the function the place is in, by the id of each parameter."""

    def at(self, node: ast.expr) -> Place:
        """Return the place of *node* in the same scope."""
        return replace(self, line=node.lineno)

    def of(self, binding: Binding, scope: Scope) -> Place:
        """Return the place of a *binding* in *scope* of the same file."""
        # In `name = name or "x"` the name on the right is the one before.
        line = binding.line - 1 if binding.kind == "value" else binding.line
        return Place(self.module, scope, line, binding.branch, self.given)


def family(origin: str) -> str:
    """Return whose callable *origin* is: ``"langchain"``, ``"llamaindex"``, ``"mcp"``, ``"ours"`` or nothing."""
    return FAMILIES.get(origin.partition(".")[0], "")


class Origins:
    """Follows names through aliases, attributes and imports."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def of(self, node: ast.AST, place: Place, depth: int = 0) -> str:
        """Return the dotted origin of the expression *node*, ``""`` when unknown.

        The result of a call has the origin of what is called and ``()``: ``opentelemetry.trace.get_tracer()``.
        """
        if depth > _DEEPEST:
            return ""
        match node:
            case ast.Name(id=name):
                return self._of_name(name, place, depth)
            case ast.Attribute(value=value, attr=attr):
                return self._of_attribute(value, attr, place, depth)
            case ast.Call(func=func):
                called = self.of(func, place, depth + 1)
                return f"{called}()" if called else ""
            case ast.Subscript(value=value):
                return self.of(value, place, depth + 1)  # Annotated types
            case _:
                return ""

    def _of_name(self, name: str, place: Place, depth: int) -> str:
        found = place.scope.lookup(name, place.line, place.branch)
        if found is None:
            return name
        bindings, scope = found
        return self._of_binding(bindings[0], place.of(bindings[0], scope), name, depth)

    def _of_binding(self, binding: Binding, place: Place, name: str, depth: int) -> str:
        match binding.kind, binding.node:
            case "import", _:
                return self._of_import(binding.origin, place, depth)
            case "function" | "class", _:
                return f"{dotted_name(place.module.path)}.{name}"
            case "value", node if not binding.path:
                return self.of(node, place, depth + 1)
            case "other", ast.Call() as node:  # with a() as name
                return self.of(node, place, depth + 1)
            case "parameter", ast.arg(annotation=ast.AST() as annotation):
                plain: ast.AST = annotation
                while (inner := inner_type(plain)) is not None:
                    plain = inner
                typed = self.of(plain, place, depth + 1)
                return f"{typed}()" if typed else ""
            case _:
                return ""

    def _of_import(self, origin: str, place: Place, depth: int) -> str:
        if family(origin) or depth > _DEEPEST:
            return origin
        found = self._project.find(origin, place.module.path)
        if found is None or not found[1] or "." in found[1]:
            return origin.lstrip(".")
        module, name = found
        bindings = module.scope.bindings.get(name)
        if not bindings:
            return origin.lstrip(".")
        there = Place(module, module.scope, bindings[-1].line, bindings[-1].branch)
        return self._of_binding(bindings[-1], there, name, depth + 1)

    def _of_attribute(self, value: ast.AST, attr: str, place: Place, depth: int) -> str:
        if isinstance(value, ast.Name) and value.id == "self" and (owner := place.scope.owner):
            bound = owner.attributes.get(attr) or [(each, owner) for each in owner.bindings.get(attr, [])]
            if bound:
                return self._of_binding(bound[0][0], place.of(*bound[0]), attr, depth)
        holder = self.of(value, place, depth + 1)
        return f"{holder or '?'}.{attr}"

    # --- definitions -------------------------------------------------------------------------------------------------
    def definition(self, node: ast.AST, place: Place, depth: int = 0) -> tuple[Binding, Place] | None:
        """Return the binding that the name or dotted name *node* leads to, followed through imports and aliases."""
        if depth > _DEEPEST:
            return None
        if isinstance(node, ast.Name):
            found = place.scope.lookup(node.id, place.line, place.branch)
            return self._followed(found[0][0], place.of(found[0][0], found[1]), depth) if found else None
        if isinstance(node, ast.Attribute):
            inside = self.members(node.value, place, depth + 1)
            if inside is not None and (bindings := inside.scope.bindings.get(node.attr)):
                return self._followed(bindings[-1], inside.of(bindings[-1], inside.scope), depth)
        return None

    def function(self, node: ast.AST, place: Place) -> tuple[Function, Place] | None:
        """Return the function of the project that *node* leads to; a method is none, another class may have its own."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
            return None
        found = self.definition(node, place)
        function = found[0].node if found else None
        if found is None or not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return None
        scope = found[1].module.scopes[id(function)]
        return None if scope.outer is None or isinstance(scope.outer.node, ast.ClassDef) else (function, found[1])

    def members(self, node: ast.AST, place: Place, depth: int = 0) -> Place | None:
        """Return the scope that holds the members of the module or class that *node* names."""
        if isinstance(node, ast.Name) and node.id in {"self", "cls"} and (owner := place.scope.owner):
            return Place(place.module, owner, place.line)
        found = self.definition(node, place, depth + 1)
        if found is None:
            return self._submodule(node, place, depth)
        binding, there = found
        if binding.kind == "class":
            return Place(there.module, there.module.scopes[id(binding.node)], binding.line)
        if binding.kind == "import" and (imported := self._project.find(binding.origin, there.module.path)):
            module, rest = imported
            return None if rest else Place(module, module.scope, 1 << 60)
        return None

    def _submodule(self, node: ast.AST, place: Place, depth: int) -> Place | None:
        """Return the scope of the module that ``import package.module`` made reachable as *node*."""
        origin = self.of(node, place, depth + 1) if isinstance(node, ast.Attribute) else ""
        found = self._project.find(origin, place.module.path) if origin and not family(origin) else None
        return Place(found[0], found[0].scope, 1 << 60) if found and not found[1] else None

    def _followed(self, binding: Binding, place: Place, depth: int) -> tuple[Binding, Place] | None:
        if binding.kind == "import" and not family(binding.origin):
            found = self._project.find(binding.origin, place.module.path)
            if found and (bindings := found[0].scope.bindings.get(found[1])):
                module = found[0]
                there = Place(module, module.scope, bindings[-1].line, bindings[-1].branch)
                return self._followed(bindings[-1], there, depth + 1) if depth < _DEEPEST else None
        if binding.kind == "value" and isinstance(binding.node, (ast.Name, ast.Attribute)) and not binding.path:
            return self.definition(binding.node, place, depth + 1) or (binding, place)
        return binding, place

    def bases(self, node: ast.ClassDef, place: Place, depth: int = 0) -> Iterator[str]:
        """Yield the origins of all classes that the class *node* derives from, nearest first."""
        for base in node.bases:
            yield self.of(base, place)
            found = self.definition(base, place)
            if found is not None and isinstance(found[0].node, ast.ClassDef) and depth < _DEEPEST:
                yield from self.bases(found[0].node, found[1], depth + 1)


def inner_type(annotation: ast.AST) -> ast.AST | None:
    """Return what quotes, ``Annotated``, ``Optional``, ``Final`` or ``| None`` are around; None where nothing is."""
    match annotation:
        case ast.Constant(value=str(text)):
            return _expression(text)
        case ast.Subscript(value=ast.Name(id="Annotated" | "Optional" | "Final"), slice=inner):
            return inner.elts[0] if isinstance(inner, ast.Tuple) else inner
        case ast.BinOp(left=left, op=ast.BitOr()):
            return left
        case _:
            return None


def _expression(text: str) -> ast.AST | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
