"""One Python file as the linter sees it: its tree, its scopes, and what each name in them can be bound to."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Binding", "Function", "Module", "Scope", "Site", "parse"]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_Branch: TypeAlias = "tuple[tuple[int, int], ...]"
_END: Final = 1 << 60

Kind = Literal["value", "each", "parameter", "import", "function", "class", "other"]


@dataclass(frozen=True, slots=True)
class Binding:
    """One place where a name gets a value."""

    kind: Kind
    node: ast.AST
    """``value``: the expression; ``each``: the collection that is looped over; else the node that binds."""
    line: int
    branch: _Branch = ()
    """The arms of ``if``, ``try`` and ``match`` it stands in, outermost first."""
    path: tuple[int, ...] = ()
    """Where in the value the name's part is: ``for i, (a, b) in x`` gives b the path (1, 1)."""
    end_line: int = 0
    """``each``: the last line where the loop's variable is the loop's."""
    origin: str = ""
    """``import``: the dotted name, relative ones with their leading dots."""


@dataclass(slots=True)
class Scope:
    """A module, class, function or comprehension, and what is bound in it."""

    node: ast.AST
    outer: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict[str, "list[Binding]"])
    attributes: dict[str, list[tuple[Binding, Scope]]] = field(default_factory=dict[str, "list[tuple[Binding, Scope]]"])
    """Of a class: what its methods bind to ``self.<name>``, and in which method."""

    @property
    def owner(self) -> Scope | None:
        """The class this scope stands in, directly or in a method."""
        found: Scope | None = self
        while found is not None and not isinstance(found.node, ast.ClassDef):
            found = found.outer
        return found

    def lookup(self, name: str, line: int = _END, branch: _Branch = ()) -> tuple[list[Binding], Scope] | None:
        """Return what *name* can be bound to where it is used, by Python's rules of scope; None when nowhere."""
        scope: Scope | None = self
        while scope is not None:
            if (name in scope.bindings) and (scope is self or not isinstance(scope.node, ast.ClassDef)):
                return _reaching(scope.bindings[name], line, branch), scope
            # A function runs later than the lines around it; a comprehension where it stands.
            if isinstance(scope.node, (*_FUNCTIONS, ast.Lambda)):
                line, branch = _END, ()
            scope = scope.outer
        return None


_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _reaching(bindings: Sequence[Binding], line: int, branch: _Branch) -> list[Binding]:
    """Return the bindings whose value a use at *line* can see."""
    loops = [each for each in bindings if each.kind == "each" and each.line <= line <= each.end_line]
    if loops:
        return [max(loops, key=lambda each: each.line)]
    found: list[Binding] = []
    for binding in sorted(bindings, key=lambda each: each.line, reverse=True):
        if binding.line > line or _exclusive(binding.branch, branch):
            continue
        found.append(binding)
        if branch[: len(binding.branch)] == binding.branch:
            break
    return found or list(bindings)


def _exclusive(one: _Branch, other: _Branch) -> bool:
    """Tell whether two places are in different arms of the same statement."""
    for (mine, arm), (theirs, other_arm) in zip(one, other, strict=False):
        if mine != theirs:
            return False
        if arm != other_arm:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Site:
    """A call, decorated function or class, with the scope it stands in."""

    node: ast.Call | Function | ast.ClassDef
    scope: Scope
    branch: _Branch


@dataclass(slots=True)
class Module:
    """A parsed file."""

    path: str
    source: str
    tree: ast.Module
    scope: Scope
    sites: list[Site]
    scopes: dict[int, Scope]
    """By the id of the node that opens it."""
    lines: list[str] = field(default_factory=list[str])


def parse(path: str, source: str) -> Module:
    """Return the file at *path*, read.

    Raises:
        SyntaxError: It is no Python of this interpreter.
        ValueError: It holds null bytes (before Python 3.12).
        RecursionError: It is nested too deeply.
    """
    tree = ast.parse(source, path)
    scope = Scope(tree, None)
    reader = _Reader(scope)
    reader.body(tree.body)
    return Module(path, source, tree, scope, reader.sites, reader.scopes, source.splitlines())


class _Reader:
    """Walks a tree once and notes scopes, bindings, calls, functions and classes."""

    def __init__(self, scope: Scope) -> None:
        self.sites: list[Site] = []
        self.scopes: dict[int, Scope] = {id(scope.node): scope}
        self._scope = scope
        self._branch: _Branch = ()

    def body(self, nodes: Sequence[ast.AST]) -> None:
        """Read statements or expressions in the present scope."""
        for node in nodes:
            self._read(node)

    def _read(self, node: ast.AST) -> None:
        name = type(node).__name__
        reader = self._READERS.get(name)
        if reader is None:
            for child in ast.iter_child_nodes(node):
                self._read(child)
        else:
            reader(self, node)

    def _within(self, node: ast.AST, nodes: Sequence[ast.AST], *, bind: bool = True) -> None:
        outer, branch = self._scope, self._branch
        self._scope = self.scopes[id(node)] = Scope(node, outer)
        self._branch = () if isinstance(node, (*_FUNCTIONS, ast.Lambda)) else branch
        if bind and isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            self._parameters(node.args)
        self.body(nodes)
        self._scope, self._branch = outer, branch

    def _arm(self, node: ast.AST, arm: int, nodes: Sequence[ast.AST]) -> None:
        outer = self._branch
        self._branch = (*outer, (id(node), arm))
        self.body(nodes)
        self._branch = outer

    # --- binding -----------------------------------------------------------------------------------------------------
    def _bind(self, name: str, binding: Binding) -> None:
        self._scope.bindings.setdefault(name, []).append(binding)

    def _target(
        self, target: ast.AST, kind: Kind, node: ast.AST, path: tuple[int, ...] = (), end_line: int = 0
    ) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, Binding(kind, node, target.lineno, self._branch, path, end_line))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for place, part in enumerate(target.elts):
                self._target(part, kind, node, (*path, place), end_line)
        elif isinstance(target, ast.Starred):
            self._target(target.value, "other", node)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = self._scope.owner
            if target.value.id == "self" and owner is not None:
                binding = Binding(kind, node, target.lineno, self._branch, path)
                owner.attributes.setdefault(target.attr, []).append((binding, self._scope))

    def _parameters(self, arguments: ast.arguments) -> None:
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self._bind(argument.arg, Binding("parameter", argument, argument.lineno))
        for rest in filter(None, (arguments.vararg, arguments.kwarg)):
            self._bind(rest.arg, Binding("other", rest, rest.lineno))

    # --- statements --------------------------------------------------------------------------------------------------
    def _function(self, node: Function) -> None:
        self._bind(node.name, Binding("function", node, node.lineno, self._branch))
        self.sites.append(Site(node, self._scope, self._branch))
        self.body([*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)])
        self._within(node, node.body)

    def _lambda(self, node: ast.Lambda) -> None:
        self._within(node, [node.body])

    def _class(self, node: ast.ClassDef) -> None:
        self._bind(node.name, Binding("class", node, node.lineno, self._branch))
        self.body([*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)])
        self._within(node, node.body)
        self.sites.append(Site(node, self._scope, self._branch))

    def _call(self, node: ast.Call) -> None:
        self.sites.append(Site(node, self._scope, self._branch))
        self.body([node.func, *node.args, *(keyword.value for keyword in node.keywords)])

    def _assign(self, node: ast.Assign) -> None:
        self._read(node.value)
        for target in node.targets:
            self._target(target, "value", node.value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._read(node.value)
            self._target(node.target, "value", node.value)

    def _augmented(self, node: ast.AugAssign) -> None:
        self._read(node.value)
        self._target(node.target, "other", node)

    def _walrus(self, node: ast.NamedExpr) -> None:
        self._read(node.value)
        self._target(node.target, "value", node.value)

    def _loop(self, node: ast.For | ast.AsyncFor) -> None:
        self._read(node.iter)
        self._target(node.target, "each", node.iter, end_line=node.body[-1].end_lineno or node.lineno)
        self._arm(node, 0, node.body)
        self._arm(node, 1, node.orelse)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self._within(node, [])
        outer, self._scope = self._scope, self.scopes[id(node)]
        for generator in node.generators:
            self._read(generator.iter)
            self._target(generator.target, "each", generator.iter, end_line=_END)
            self.body(generator.ifs)
        self.body([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self._scope = outer

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self._read(item.context_expr)
            if item.optional_vars is not None:
                self._target(item.optional_vars, "other", item.context_expr)
        self.body(node.body)

    def _if(self, node: ast.If) -> None:
        self._read(node.test)
        self._arm(node, 0, node.body)
        self._arm(node, 1, node.orelse)

    def _while(self, node: ast.While) -> None:
        self._read(node.test)
        self._arm(node, 0, [*node.body, *node.orelse])

    def _try(self, node: ast.Try) -> None:
        self._arm(node, 0, [*node.body, *node.orelse])
        for place, handler in enumerate(node.handlers, 1):
            self._arm(node, place, handler.body)
        self.body(node.finalbody)

    def _match(self, node: ast.Match) -> None:
        self._read(node.subject)
        for place, case in enumerate(node.cases):
            self._arm(node, place, [*([case.guard] if case.guard else []), *case.body])

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            origin = alias.name if alias.asname else name
            self._bind(name, Binding("import", node, node.lineno, self._branch, origin=origin))

    def _import_from(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            head = "." * node.level + (f"{node.module}." if node.module else "")
            binding = Binding("import", node, node.lineno, self._branch, origin=head + alias.name)
            self._bind(alias.asname or alias.name, binding)

    _READERS: ClassVar[Mapping[str, Callable[[Any, Any], None]]] = {
        "FunctionDef": _function,
        "AsyncFunctionDef": _function,
        "Lambda": _lambda,
        "ClassDef": _class,
        "Call": _call,
        "Assign": _assign,
        "AnnAssign": _annotated,
        "AugAssign": _augmented,
        "NamedExpr": _walrus,
        "For": _loop,
        "AsyncFor": _loop,
        "ListComp": _comprehension,
        "SetComp": _comprehension,
        "DictComp": _comprehension,
        "GeneratorExp": _comprehension,
        "With": _with,
        "AsyncWith": _with,
        "If": _if,
        "While": _while,
        "Try": _try,
        "TryStar": _try,
        "Match": _match,
        "Import": _import,
        "ImportFrom": _import_from,
    }
