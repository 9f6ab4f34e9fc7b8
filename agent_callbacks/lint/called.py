"""Functions of the project as a call sees them: what their parameters are given, and what they give back."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from agent_callbacks.lint.origin import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.lint.module import Function

__all__ = ["default_of", "function_place", "given", "returned"]

_OWN_SCOPE: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def given(function: Function, there: Place, call: ast.Call, place: Place) -> dict[int, tuple[ast.expr, Place]]:
    """Return what the parameters of *function*, defined *there*, are in *call* at *place*, by the id of each.

    What ``*`` and ``**`` give is not among them.
    """
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    by_name = {each.arg: each for each in (*arguments.args, *arguments.kwonlyargs)}
    found: dict[int, tuple[ast.expr, Place]] = {}
    for parameter, value in zip(positional, call.args, strict=False):
        if isinstance(value, ast.Starred):
            break
        found[id(parameter)] = (value, place)
    for keyword in call.keywords:
        if keyword.arg in by_name:
            found[id(by_name[keyword.arg])] = (keyword.value, place)
    return found if _is_open(call) else {**_defaults(function, there), **found}


def _is_open(call: ast.Call) -> bool:
    """Tell whether a call also gives what ``*`` and ``**`` hold."""
    return any(isinstance(value, ast.Starred) for value in call.args) or any(each.arg is None for each in call.keywords)


def _defaults(function: Function, place: Place) -> dict[int, tuple[ast.expr, Place]]:
    return {id(parameter): (default, place) for parameter, default in _defaulted(function)}


def _defaulted(function: Function) -> list[tuple[ast.arg, ast.expr]]:
    """Return the parameters of *function* that have a default, each with it."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    late = positional[len(positional) - len(arguments.defaults) :]
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [
        *zip(late, arguments.defaults, strict=True),
        *((each, default) for each, default in named if default is not None),
    ]


def function_place(function: Function, place: Place, parameters: Mapping[int, tuple[ast.expr, Place]]) -> Place:
    """Return the place in *function*, defined at *place*, whose parameters are given."""
    return Place(place.module, place.module.scopes[id(function)], function.lineno, (), parameters)


def default_of(parameter: ast.AST, function: ast.AST) -> ast.expr | None:
    """Return the default of *parameter*, None where it has none."""
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    return next((default for each, default in _defaulted(function) if each is parameter), None)


def returned(function: Function) -> list[ast.expr]:
    """Return what *function* can give back; nothing where calling it gives something else, or nothing sometimes."""
    if isinstance(function, ast.AsyncFunctionDef) or function.decorator_list:
        return []
    nodes = list(_own(function.body))
    values = [node.value for node in nodes if isinstance(node, ast.Return)]
    generates = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in nodes)
    return [] if generates or None in values else [value for value in values if value is not None]


def _own(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield all nodes below *nodes* that run when the function does."""
    for node in nodes:
        yield node
        if not isinstance(node, _OWN_SCOPE):
            yield from _own(list(ast.iter_child_nodes(node)))
