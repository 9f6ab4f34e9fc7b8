"""Calls, functions and classes that give a span, a tool or an agent its name."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from agent_callbacks.lint.origin import Origins, Place, family

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.lint.module import Function, Module

__all__ = ["Kind", "Naming", "may_name", "namings"]

Kind = Literal["span", "rename", "tool", "agent"]


@dataclass(frozen=True, slots=True)
class Naming:
    """A place in the source that names something.

    ``value`` is the expression that gives the name; where it is None, the definition ``node`` gives its own ``name``.
    """

    kind: Kind
    node: ast.AST
    place: Place
    value: ast.expr | None = None
    name: str = ""
    may_be_callable: bool = False
    """Whether ``value`` may also be what is called, so that nothing is known of it unless it is a text."""
    shown: ast.expr | None = None
    """What a person is shown, where it is not ``value``: what a wrapper is given."""


@dataclass(frozen=True, slots=True)
class _Signature:
    """Where a callable takes the name, and the function it falls back on."""

    kind: Kind
    position: int | None = None
    keyword: str = "name"
    functions: tuple[str | int, ...] = ()


_VERBS: Final[Mapping[str, _Signature]] = {
    "start_as_current_span": _Signature("span", 0),
    "start_span": _Signature("span", 0),
    "update_name": _Signature("rename", 0),
}
_AGENT: Final = _Signature("agent")
_FACTORY: Final = _Signature("tool", 2, functions=(0, "func", 1, "coroutine"))
# (whose, how the callable's path ends) -> its signature.
_SIGNATURES: Final[Mapping[tuple[str, str], _Signature]] = {
    ("langchain", "tool"): _Signature("tool", 0, "name_or_callable", (0, "name_or_callable")),
    ("langchain", "Tool"): _Signature("tool", 0),
    ("langchain", "Tool.from_function"): _Signature("tool", 1, functions=(0, "func")),
    ("langchain", "StructuredTool"): _Signature("tool"),
    ("langchain", "StructuredTool.from_function"): _FACTORY,
    ("langchain", "create_retriever_tool"): _Signature("tool", 1),
    ("langchain", "create_handoff_tool"): _Signature("tool"),
    ("langchain", "create_agent"): _AGENT,
    ("langchain", "create_deep_agent"): _AGENT,
    ("langchain", "create_react_agent"): _AGENT,
    ("langchain", "create_supervisor"): _Signature("agent", keyword="supervisor_name"),
    ("llamaindex", "FunctionTool.from_defaults"): _Signature("tool", 1, functions=(0, "fn", "async_fn")),
    ("llamaindex", "QueryEngineTool.from_defaults"): _Signature("tool", 1),
    ("llamaindex", "RetrieverTool.from_defaults"): _Signature("tool", 2),
    ("llamaindex", "QueryPlanTool.from_defaults"): _Signature("tool"),
    ("llamaindex", "OnDemandLoaderTool.from_defaults"): _Signature("tool"),
    ("llamaindex", "ToolMetadata"): _Signature("tool", 1),
    ("llamaindex", "FunctionAgent"): _AGENT,
    ("llamaindex", "ReActAgent"): _AGENT,
    ("llamaindex", "CodeActAgent"): _AGENT,
    ("mcp", "Tool"): _Signature("tool"),
    ("mcp", "().tool"): _Signature("tool", 0, functions=(0, "fn")),
    ("mcp", "().add_tool"): _Signature("tool", 1, functions=(0, "fn")),
    ("ours", "span"): _Signature("span", 0),
}
_LAST_WORDS: Final = frozenset(tail.rpartition(".")[2] for _, tail in _SIGNATURES) | {"__init__"}
_PLAIN_WORDS: Final = frozenset({"", "Tool", "span", "tool"})
_HEADS: Final = {tail.partition(".")[0].strip("()") for _, tail in _SIGNATURES} - _PLAIN_WORDS
_WORDS: Final = re.compile(
    rf"\b(?:{'|'.join(sorted(_HEADS | set(_VERBS) | {'BaseTool', 'FastMCP', 'add_tool', 'agent_callbacks'}))})\b"
    r"|\bTool\b\s*(?:[(.,)]|as\b|$)|class\s+\w+\s*\([^)]*Tool"
    r"|import[^\n]*\btool\b|^\s+tool\b[^=\n]*$|@[\w.]*tool\b"
    r"|\(\s*[rf]?[\"'](?:agent|chain|llm|node|retriever|tool)s?\.",
    re.MULTILINE,
)
_DECORATORS: Final = frozenset({("langchain", "tool"), ("mcp", "().tool")})
_TOOL_CLASSES: Final = frozenset({"BaseTool", "StructuredTool", "Tool"})


def namings(module: Module, origins: Origins) -> list[Naming]:
    """Return every place in *module* that names a span, a tool or an agent by itself."""
    return list(_namings(module, origins))


def _namings(module: Module, origins: Origins) -> Iterator[Naming]:
    finder = _Finder(module, origins)
    for site in module.sites:
        place = Place(module, site.scope, site.node.lineno, site.branch)
        if isinstance(site.node, ast.Call):
            yield from finder.call(site.node, place)
        elif isinstance(site.node, ast.ClassDef):
            yield from finder.tool_class(site.node, place)
        else:
            yield from finder.function(site.node, place)


def may_name(source: str) -> bool:
    """Tell whether *source* can hold such a place at all: cheaper than reading it."""
    return _WORDS.search(source) is not None


class _Finder:
    def __init__(self, module: Module, origins: Origins) -> None:
        self._module = module
        self._origins = origins

    # --- calls -------------------------------------------------------------------------------------------------------
    def call(self, node: ast.Call, place: Place) -> Iterator[Naming]:
        """Yield what a call names; a ``functools.partial`` is a call of what it is made of."""
        func, arguments, keywords = node.func, list(node.args), list(node.keywords)
        if self._is_partial(node, place):
            func, arguments = arguments[0], arguments[1:]
        while (bound := self._partial(func, place)) is not None:
            if _takes_name(bound, self._signature(bound.args[0], place)):
                return  # named where the partial is made
            func, arguments, keywords = bound.args[0], [*bound.args[1:], *arguments], [*bound.keywords, *keywords]
        signature = self._signature(func, place)
        if signature is not None:
            yield from self._named(signature, node, (arguments, keywords), place)

    def _partial(self, func: ast.expr, place: Place) -> ast.Call | None:
        """Return the ``partial(...)`` that the name *func* is bound to."""
        if not isinstance(func, (ast.Name, ast.Attribute)):
            return None
        found = self._origins.definition(func, place)
        node = found[0].node if found else None
        return node if found and isinstance(node, ast.Call) and self._is_partial(node, found[1]) else None

    def _is_partial(self, node: ast.Call, place: Place) -> bool:
        return bool(node.args) and self._origins.of(node.func, place) in {
            "functools.partial",
            "functools.partialmethod",
        }

    def _signature(self, func: ast.expr, place: Place) -> _Signature | None:
        last = func.attr if isinstance(func, ast.Attribute) else ""
        if last in _VERBS:
            return _VERBS[last]
        if last and last not in _LAST_WORDS and not last[:1].isupper() and not _is_own(func):
            return None  # most calls, told apart without looking anything up
        if last == "__init__":
            return _Signature("tool") if self._is_own_init(func, place) else None
        origin = self._origins.of(func, place)
        tail = origin.rpartition(".")[2]
        if tail in _VERBS:
            return _VERBS[tail]
        found = _known(origin)
        if found is None and tail[:1].isupper() and self._is_tool_class(func, place):
            return _Signature("tool")
        return found

    def _named(
        self,
        signature: _Signature,
        node: ast.Call,
        given: tuple[Sequence[ast.expr], Sequence[ast.keyword]],
        place: Place,
    ) -> Iterator[Naming]:
        value = _argument(given, signature.position, signature.keyword)
        if value is None and signature.keyword != "name":
            value = _argument(given, None, "name") if signature.kind == "agent" else None
        if value is not None and (name := self._function(value, place)) is None:
            if not _is_none(value):
                yield Naming(
                    signature.kind, node, place, value, may_be_callable=signature.position in signature.functions
                )
            return
        for at in signature.functions:
            function = _argument(given, at, "") if isinstance(at, int) else _argument(given, None, at)
            if function is not None and (name := self._function(function, place)):
                yield Naming(signature.kind, function, place, None, name)
                return

    def _function(self, node: ast.expr, place: Place) -> str | None:
        """Return the name of the function that *node* leads to, None where it leads to something else."""
        found = self._origins.definition(node, place) if isinstance(node, (ast.Name, ast.Attribute)) else None
        node_found = found[0].node if found else None
        return node_found.name if isinstance(node_found, (ast.FunctionDef, ast.AsyncFunctionDef)) else None

    # --- decorated functions -----------------------------------------------------------------------------------------
    def function(self, node: Function, place: Place) -> Iterator[Naming]:
        """Yield the tool that a decorated function is, named after it; a name in the decorator is that call's."""
        for decorator in node.decorator_list:
            origin = self._origins.of(decorator.func if isinstance(decorator, ast.Call) else decorator, place)
            if not any(_ends(origin, whose, tail) for whose, tail in _DECORATORS):
                continue
            call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
            given = (call.args, call.keywords)
            named = (_argument(given, 0, "name"), _argument(given, None, "name_or_callable"))
            if all(value is None or _is_none(value) for value in named):
                yield Naming("tool", node, place, None, node.name)

    # --- classes -----------------------------------------------------------------------------------------------------
    def tool_class(self, node: ast.ClassDef, place: Place) -> Iterator[Naming]:
        """Yield the name that a subclass of a tool class gives itself."""
        inside = self._module.scopes[id(node)]
        bindings = [each for each in inside.bindings.get("name", []) if each.kind == "value"]
        if not bindings or not self._derives(node, place):
            return
        value: ast.AST | None = bindings[-1].node
        if isinstance(value, ast.Call):  # Field("name"), Field(default="name")
            value = _argument((value.args, value.keywords), 0, "default")
        if isinstance(value, ast.expr) and not (isinstance(value, ast.Constant) and not value.value):
            yield Naming("tool", value, Place(self._module, inside, bindings[-1].line), value)

    def _is_tool_class(self, func: ast.expr, place: Place) -> bool:
        found = self._origins.definition(func, place)
        return found is not None and isinstance(found[0].node, ast.ClassDef) and self._derives(found[0].node, found[1])

    def _is_own_init(self, func: ast.expr, place: Place) -> bool:
        """Tell whether *func* is ``super().__init__`` in a subclass of a tool class."""
        owner = place.scope.owner
        calls_super = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call)
        if not calls_super or owner is None or owner.outer is None or not isinstance(owner.node, ast.ClassDef):
            return False
        return self._derives(owner.node, Place(self._module, owner.outer, owner.node.lineno))

    def _derives(self, node: ast.ClassDef, place: Place) -> bool:
        return any(
            family(base) == "langchain" and base.rpartition(".")[2] in _TOOL_CLASSES
            for base in self._origins.bases(node, place)
        )


def _known(origin: str) -> _Signature | None:
    whose = family(origin)
    if not whose:
        return None
    parts = origin.split(".")
    for tail in (parts[-1], ".".join(parts[-2:])):
        if found := _SIGNATURES.get((whose, tail)):
            return found
    method = f"().{parts[-1]}"
    return _SIGNATURES.get((whose, method)) if origin.endswith(method) else None


def _ends(origin: str, whose: str, tail: str) -> bool:
    return family(origin) == whose and (origin.endswith(tail) if tail.startswith("()") else origin.endswith(f".{tail}"))


def _argument(
    given: tuple[Sequence[ast.expr], Sequence[ast.keyword]], position: int | None, keyword: str
) -> ast.expr | None:
    arguments, keywords = given
    for each in keywords:
        if each.arg is not None and each.arg == keyword:
            return each.value
    if position is None or position >= len(arguments):
        return None
    before = arguments[: position + 1]
    return None if any(isinstance(each, ast.Starred) for each in before) else arguments[position]


def _takes_name(call: ast.Call, signature: _Signature | None) -> bool:
    given = (call.args[1:], call.keywords)
    return signature is not None and _argument(given, signature.position, signature.keyword) is not None


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
