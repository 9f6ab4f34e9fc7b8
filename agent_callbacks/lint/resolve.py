"""From an expression to the texts it can be: literals, constants, Enum members, f-strings, loops, ``Literal``.

What cannot be followed stays as a :class:`~agent_callbacks.lint.leaf.Hole` in the text.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

from agent_callbacks.lint.called import default_of, function_place, given, returned
from agent_callbacks.lint.leaf import Hole, Text, distinct, hole, is_unknown, products
from agent_callbacks.lint.origin import Origins, Place, inner_type
from agent_callbacks.lint.spec import formatted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent_callbacks.lint.module import Binding

__all__ = ["Resolver"]

_Node = TypeVar("_Node", bound=ast.AST)
_DEEPEST: Final = 16
_NUMBER: Final = Hole("number", "")
_CALL: Final = 4  # a call goes as deep as that many other steps, so that calls in calls stay few


class Resolver:
    """Resolves expressions; one for a whole run, it keeps nothing but the project."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def texts(self, node: ast.AST, place: Place, depth: int = 0) -> list[Text]:
        """Return the texts that *node* can be, each a sequence of literal parts and holes; at most 64."""
        rung = self._LADDER.get(type(node).__name__)
        if rung is None or depth > _DEEPEST:
            return [(hole(node),)]
        return distinct(rung(self, node, place, depth + 1))

    # --- what stands there -------------------------------------------------------------------------------------------
    def _constant(self, node: ast.Constant, place: Place, depth: int) -> list[Text]:
        del place, depth
        if node.value is None:
            return [(Hole("naming", "None"),)]  # no name was given, so the callable has its own
        return [(node.value,)] if isinstance(node.value, str) else [(str(node.value),)]

    def _f_string(self, node: ast.JoinedStr, place: Place, depth: int) -> list[Text]:
        return products([self._f_part(part, place, depth) for part in node.values])

    def _f_part(self, part: ast.AST, place: Place, depth: int) -> list[Text]:
        if not isinstance(part, ast.FormattedValue):
            return self.texts(part, place, depth)
        texts = self._enum_members(part.value, place) or self.texts(part.value, place, depth)
        specs = self.texts(part.format_spec, place, depth) if part.format_spec else []
        spec = specs[0][0] if len(specs) == 1 and len(specs[0]) == 1 else ""
        return [formatted(text, spec) for text in texts] if isinstance(spec, str) else texts

    def _operation(self, node: ast.BinOp, place: Place, depth: int) -> list[Text]:
        if isinstance(node.op, ast.Add) and not (_is_number(node.left) or _is_number(node.right)):
            joined = products([self.texts(node.left, place, depth), self.texts(node.right, place, depth)])
            return joined if any(isinstance(part, str) for text in joined for part in text) else [(hole(node),)]
        if isinstance(node.op, ast.Mod):
            left = self.texts(node.left, place, depth)
            if any(isinstance(part, str) for text in left for part in text):
                return self._percent(left, node.right, place, depth)
        return [(hole(node),)]

    def _percent(self, patterns: list[Text], right: ast.AST, place: Place, depth: int) -> list[Text]:
        if isinstance(right, ast.Dict):
            named = {
                key.value: value
                for key, value in zip(right.keys, right.values, strict=True)
                if isinstance(key, ast.Constant)
            }
            return self._filled(patterns, _PERCENT, lambda _place, name: named.get(name), place, depth)
        given: list[ast.AST] = [*right.elts] if isinstance(right, ast.Tuple) else [right]
        return self._filled(patterns, _PERCENT, lambda at, _name: _at(given, at), place, depth)

    def _filled(
        self,
        patterns: list[Text],
        template: re.Pattern[str],
        given: Callable[[int, str], ast.AST | None],
        place: Place,
        depth: int,
    ) -> list[Text]:
        """Put the values of *given* (by position and name) where *template* matches in *patterns*."""
        found: list[Text] = []
        for pattern in patterns:
            columns: list[list[Text]] = []
            at = 0
            for part in pattern:
                if isinstance(part, Hole):
                    columns.append([(part,)])
                    continue
                done = 0
                for match in template.finditer(part):
                    value = given(at, match["name"] or "")
                    at += 1
                    columns.append([(part[done : match.start()],)])
                    spec = match["spec"] or ""
                    texts: list[Text] = [(match[0],)] if value is None else self.texts(value, place, depth)
                    columns.append([formatted(text, spec) for text in texts] if value else texts)
                    done = match.end()
                columns.append([(part[done:],)])
            found += products(columns)
        return found

    def _choice(self, node: ast.IfExp, place: Place, depth: int) -> list[Text]:
        return self.texts(node.body, place, depth) + self.texts(node.orelse, place, depth)

    def _either(self, node: ast.BoolOp, place: Place, depth: int) -> list[Text]:
        return [text for value in node.values for text in self.texts(value, place, depth)]

    def _walrus(self, node: ast.NamedExpr, place: Place, depth: int) -> list[Text]:
        return self.texts(node.value, place, depth)

    # --- calls -------------------------------------------------------------------------------------------------------
    def _call(self, node: ast.Call, place: Place, depth: int) -> list[Text]:
        if isinstance(node.func, ast.Name):
            same = node.func.id == "str" and len(node.args) == 1
            return self.texts(node.args[0], place, depth) if same else self._returned(node, place, depth)
        if not isinstance(node.func, ast.Attribute):
            return [(hole(node),)]
        holder, method = node.func.value, node.func.attr
        if method in _TEXT_METHODS:
            return self._applied(node, holder, method, place, depth)
        rung = self._METHODS.get(method)
        return self._returned(node, place, depth) if rung is None else rung(self, node, holder, place, depth)

    def _returned(self, node: ast.Call, place: Place, depth: int) -> list[Text]:
        """Return what a plain function of the project gives back; what stays unknown is the call itself."""
        called = self._origins.function(node.func, place)
        values = returned(called[0]) if called else []
        if called is None or not values:
            return [(hole(node),)]
        function, there = called
        inside = function_place(function, there, given(function, there, node, place))
        texts = [text for value in values for text in self.texts(value, inside.at(value), depth + _CALL)]
        return [(hole(node),) if is_unknown(text) else text for text in texts]

    def _got(self, node: ast.Call, holder: ast.AST, place: Place, depth: int) -> list[Text]:
        """Return what ``TABLE.get(key, default)`` can give, where the table is written out."""
        found = self._origins.definition(holder, place) if _is_dotted(holder) else None
        if found is None or not isinstance(found[0].node, ast.Dict) or not node.args:
            return [(hole(node),)]
        default = self.texts(node.args[1], place, depth) if node.args[1:] else []
        return [*self._item(found[0].node, node.args[0], node, found[1], depth), *default]

    def _format(self, node: ast.Call, holder: ast.AST, place: Place, depth: int) -> list[Text]:
        named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}

        def given(at: int, name: str) -> ast.AST | None:
            first = re.split(r"[.\[]", name, maxsplit=1)[0]
            return (
                _at(node.args, int(first)) if first.isdecimal() else named.get(first) if first else _at(node.args, at)
            )

        return self._filled(self.texts(holder, place, depth), _BRACES, given, place, depth)

    def _join(self, node: ast.Call, holder: ast.AST, place: Place, depth: int) -> list[Text]:
        listed = self._elements(node.args[0], place, depth) if len(node.args) == 1 else None
        if listed is None:
            return [(hole(node),)]
        between = self.texts(holder, place, depth)
        columns: list[list[Text]] = []
        for element, there in listed:
            columns += [between, self.texts(element, there, depth)]
        return products(columns[1:])

    def _applied(self, node: ast.Call, holder: ast.AST, method: str, place: Place, depth: int) -> list[Text]:
        """Apply a method of ``str`` with literal arguments to every literal text."""
        arguments = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        whole = len(arguments) == len(node.args) and all(isinstance(argument, str) for argument in arguments)
        found: list[Text] = []
        for text in self.texts(holder, place, depth):
            if whole and len(text) == 1 and isinstance(text[0], str) and len(arguments) == _TEXT_METHODS[method]:
                found.append((str(getattr(text[0], method)(*arguments)),))
            else:
                found.append(text)
        return found

    # --- names -------------------------------------------------------------------------------------------------------
    def _name(self, node: ast.Name, place: Place, depth: int) -> list[Text]:
        found = place.scope.lookup(node.id, place.line, place.branch)
        if found is None:
            return [(hole(node),)]
        bindings, scope = found
        return [text for each in bindings for text in self._bound(each, place.of(each, scope), node, depth)]

    def _attribute(self, node: ast.Attribute, place: Place, depth: int) -> list[Text]:
        if node.attr in {"value", "name"} and (members := self._enum_members(node.value, place, node.attr)):
            return members
        definition = self._origins.definition(node, place)
        if definition is None and isinstance(node.value, ast.Name) and node.value.id == "self" and place.scope.owner:
            bound = place.scope.owner.attributes.get(node.attr, [])
            found = [text for each, scope in bound for text in self._bound(each, place.of(each, scope), node, depth)]
            return found or [(hole(node),)]
        return [(hole(node),)] if definition is None else self._bound(*definition, node, depth)

    def _bound(self, binding: Binding, place: Place, node: ast.AST, depth: int) -> list[Text]:
        match binding.kind:
            case "value":
                return self.texts(binding.node, place, depth) if not binding.path else [(hole(node),)]
            case "each":
                return self._each(binding.node, binding.path, place, node, depth)
            case "parameter":
                return self._parameter(binding.node, place, node, depth)
            case "import":
                followed = self._origins.definition(node, place)
                known = followed is not None and followed[0].kind != "import"
                return self._bound(*followed, node, depth + 1) if known and followed else [(hole(node),)]
            case _:
                return [(hole(node),)]

    def _parameter(self, argument: ast.AST, place: Place, node: ast.AST, depth: int) -> list[Text]:
        if (given := place.given.get(id(argument))) is not None:
            return self.texts(*given, depth)
        annotation = argument.annotation if isinstance(argument, ast.arg) else None
        if isinstance(annotation, ast.Name) and annotation.id == "int":
            return [(_NUMBER,)]
        members = self._literal(annotation, place, depth) if annotation is not None else []
        return members or [*self._default(argument, place, depth), (hole(node),)]

    def _default(self, argument: ast.AST, place: Place, depth: int) -> list[Text]:
        """Return the texts that a parameter is when it is not given; none where it has to be, or is empty then."""
        value = default_of(argument, place.scope.node)
        outer = place.scope.outer
        if not isinstance(value, ast.expr) or outer is None:
            return []
        texts = self.texts(value, Place(place.module, outer, value.lineno), depth)
        return [text for text in texts if text != ("",) and isinstance(text[0], str)]

    def _literal(self, annotation: ast.AST, place: Place, depth: int) -> list[Text]:
        """Return the members of a ``Literal`` type, an alias of one, or an Enum; nothing for any other type."""
        inner = inner_type(annotation)
        if depth > _DEEPEST:
            return []
        if inner is not None:
            return self._literal(inner, place, depth + 1)
        match annotation:
            case ast.Subscript(value=ast.Name(id="Literal") | ast.Attribute(attr="Literal"), slice=listed):
                members = listed.elts if isinstance(listed, ast.Tuple) else [listed]
                return [text for member in members for text in self.texts(member, place, depth)]
            case ast.Name() | ast.Attribute():
                return self._alias(annotation, place, depth)
            case _:
                return []

    def _alias(self, annotation: ast.AST, place: Place, depth: int) -> list[Text]:
        found = self._origins.definition(annotation, place)
        if found is None:
            return []
        if isinstance(found[0].node, ast.ClassDef):
            return self._members(found[0].node, found[1])
        return self._literal(found[0].node, found[1], depth + 1) if found[0].kind == "value" else []

    # --- Enum --------------------------------------------------------------------------------------------------------
    def _enum_members(self, node: ast.AST, place: Place, attr: str = "value") -> list[Text]:
        """Return what an Enum member, a loop over an Enum or a parameter of its type can be; nothing for all else."""
        if isinstance(node, ast.Attribute):
            inside = self._origins.members(node.value, place)
            if inside is None or not self._is_enum(inside.scope.node, inside):
                return []
            return [(node.attr,)] if attr == "name" else self._member(inside, node.attr)
        found = place.scope.lookup(node.id, place.line, place.branch) if isinstance(node, ast.Name) else None
        if found is None:
            return []
        binding, scope = found[0][0], found[1]
        typed = binding.node.annotation if isinstance(binding.node, ast.arg) else binding.node
        if binding.kind not in {"each", "parameter"} or not isinstance(typed, (ast.Name, ast.Attribute)):
            return []
        definition = self._origins.definition(typed, place.of(binding, scope))
        named = definition is not None and isinstance(definition[0].node, ast.ClassDef)
        return self._members(definition[0].node, definition[1], attr) if named and definition else []

    def _members(self, node: ast.AST, place: Place, attr: str = "value") -> list[Text]:
        if not self._is_enum(node, place):
            return []
        inside = Place(place.module, place.module.scopes[id(node)], place.line)
        names = [name for name, bindings in inside.scope.bindings.items() if bindings[-1].kind == "value"]
        return (
            [(name,) for name in names] if attr == "name" else [t for name in names for t in self._member(inside, name)]
        )

    def _member(self, inside: Place, name: str) -> list[Text]:
        bindings = inside.scope.bindings.get(name, [])
        if not bindings or bindings[-1].kind != "value":
            return []
        value = bindings[-1].node
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "auto":
            return [(name.lower(),)]  # StrEnum
        return self.texts(value, Place(inside.module, inside.scope, bindings[-1].line))

    def _is_enum(self, node: ast.AST, place: Place) -> bool:
        return isinstance(node, ast.ClassDef) and any(
            base.rpartition(".")[2] in {"Enum", "StrEnum"} for base in self._origins.bases(node, place)
        )

    # --- collections -------------------------------------------------------------------------------------------------
    def _each(self, iterated: ast.AST, path: Sequence[int], place: Place, node: ast.AST, depth: int) -> list[Text]:
        for callee, rung in self._ITERATORS.items():
            if _called(iterated) == callee and isinstance(iterated, ast.Call):
                return rung(self, iterated, path, place, node, depth)
        if not path and (members := self._alias(iterated, place, depth) if _is_dotted(iterated) else []):
            return members
        listed = self._elements(iterated, place, depth)
        if listed is None:
            return [(hole(node),)]
        found: list[Text] = []
        for element, there in listed:
            part = _part(element, path)
            found += [(hole(node),)] if part is None else self.texts(part, there, depth)
        return found

    def _enumerated(self, call: ast.Call, path: Sequence[int], place: Place, node: ast.AST, depth: int) -> list[Text]:
        if not path or not call.args:
            return [(hole(node),)]
        return [(_NUMBER,)] if path[0] == 0 else self._each(call.args[0], path[1:], place, node, depth)

    def _type_args(self, call: ast.Call, path: Sequence[int], place: Place, node: ast.AST, depth: int) -> list[Text]:
        members = self._literal(call.args[0], place, depth) if call.args and not path else []
        return members or [(hole(node),)]

    def _zipped(self, call: ast.Call, path: Sequence[int], place: Place, node: ast.AST, depth: int) -> list[Text]:
        source = _at(call.args, path[0]) if path else None
        return [(hole(node),)] if source is None else self._each(source, path[1:], place, node, depth)

    def _ranged(self, call: ast.Call, path: Sequence[int], place: Place, node: ast.AST, depth: int) -> list[Text]:
        del call, path, place, node, depth
        return [(_NUMBER,)]

    def _elements(self, node: ast.AST, place: Place, depth: int) -> list[tuple[ast.AST, Place]] | None:
        """Return the elements of a collection that is written out, None for any other."""
        listed: list[tuple[ast.AST, Place]] | None
        match node:
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                listed = [(element, place) for element in elements]
            case ast.Dict(keys=elements):
                listed = [(element, place) for element in elements if element is not None]
            case ast.Call(args=[only]) if _called(node) in _SAME_ELEMENTS and depth < _DEEPEST:
                listed = self._elements(only, place, depth + 1)
            case ast.Call(func=ast.Attribute(value=holder, attr="keys" | "values" | "items" as view)):
                listed = self._view(holder, view, place)
            case ast.Name() | ast.Attribute():
                found = self._origins.definition(node, place)
                written = found is not None and found[0].kind == "value" and not found[0].path and depth < _DEEPEST
                listed = self._elements(found[0].node, found[1], depth + 1) if written and found else None
            case _:
                listed = None
        return listed

    def _view(self, holder: ast.AST, view: str, place: Place) -> list[tuple[ast.AST, Place]] | None:
        found = self._origins.definition(holder, place) if _is_dotted(holder) else None
        node, there = (found[0].node, found[1]) if found else (holder, place)
        if not isinstance(node, ast.Dict):
            return None
        pairs = [(key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None]
        if view == "items":
            return [(ast.Tuple([key, value]), there) for key, value in pairs]
        return [(key if view == "keys" else value, there) for key, value in pairs]

    def _subscript(self, node: ast.Subscript, place: Place, depth: int) -> list[Text]:
        found = self._origins.definition(node.value, place) if _is_dotted(node.value) else None
        holder, there = (found[0].node, found[1]) if found else (node.value, place)
        if isinstance(holder, ast.Dict):
            return self._item(holder, node.slice, node, there, depth)
        if isinstance(holder, (ast.Tuple, ast.List)) and isinstance(node.slice, ast.Constant):
            element = _at(holder.elts, node.slice.value)
            return [(hole(node),)] if element is None else self.texts(element, there, depth)
        return [(hole(node),)]

    def _item(self, holder: ast.Dict, asked: ast.expr, node: ast.AST, place: Place, depth: int) -> list[Text]:
        """Return the value under a literal key, or all of them where the key is not known."""
        wanted = asked.value if isinstance(asked, ast.Constant) else None
        values = [
            value
            for key, value in zip(holder.keys, holder.values, strict=True)
            if wanted is None or (isinstance(key, ast.Constant) and key.value == wanted)
        ]
        return [text for value in values for text in self.texts(value, place, depth)] or [(hole(node),)]

    _METHODS: ClassVar[Mapping[str, Callable[..., list[Text]]]] = {"format": _format, "get": _got, "join": _join}
    _ITERATORS: ClassVar[Mapping[str, Callable[..., list[Text]]]] = {
        "enumerate": _enumerated,
        "get_args": _type_args,
        "zip": _zipped,
        "range": _ranged,
    }
    _LADDER: ClassVar[Mapping[str, Callable[..., list[Text]]]] = {
        "Attribute": _attribute,
        "BinOp": _operation,
        "BoolOp": _either,
        "Call": _call,
        "Constant": _constant,
        "IfExp": _choice,
        "JoinedStr": _f_string,
        "Name": _name,
        "NamedExpr": _walrus,
        "Subscript": _subscript,
    }


_PERCENT: Final = re.compile(r"%(?:\((?P<name>[^()]*)\))?(?:(?P<spec>0\d+d)|[-+ #0]*\d*(?:\.\d+)?[sdrifx])")
_BRACES: Final = re.compile(r"(?<!\{)\{(?P<name>[^{}:!]*)(?:![rsa])?(?::(?P<spec>[^{}]*))?\}(?!\})")
_TEXT_METHODS: Final = {
    "capitalize": 0, "casefold": 0, "lower": 0, "lstrip": 0, "removeprefix": 1, "removesuffix": 1, "replace": 2,
    "rstrip": 0, "strip": 0, "title": 0, "upper": 0,
}  # fmt: skip
_SAME_ELEMENTS: Final = frozenset({"frozenset", "list", "reversed", "set", "sorted", "tuple"})


def _at(given: Sequence[_Node], place: object) -> _Node | None:
    return given[place] if isinstance(place, int) and -len(given) <= place < len(given) else None


def _part(node: ast.AST, path: Sequence[int]) -> ast.AST | None:
    """Return the part of a written-out nested tuple that *path* leads to."""
    found: ast.AST | None = node
    for place in path:
        found = _at(found.elts, place) if isinstance(found, (ast.Tuple, ast.List)) else None
    return found


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


def _called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _is_dotted(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and _is_dotted(node.value))
