"""What a value that cannot be resolved looks like: a number, something that identifies one request, or a name."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Hole", "Part", "Text", "distinct", "hole", "is_unknown", "products"]

_MOST: Final = 64
Likeness = Literal["number", "identifying", "naming", "unknown"]


@dataclass(frozen=True, slots=True)
class Hole:
    """A part of a name that the source does not say."""

    like: Likeness
    source: str
    example: str = ""
    """How a value of it is written, where a format says more than the grammar: ``01``."""


Part: TypeAlias = str | Hole
Text: TypeAlias = tuple[Part, ...]

_IDENTIFYING: Final = re.compile(
    r"(?:^|_)(?:id|ids|uid|uuid|guid|ulid|email|phone|ssn|user|username|session|request|trace|correlation|tenant"
    r"|customer|order|query|question|prompt|url|uri|path|token|key|hash|digest|nonce|ts|timestamp|datetime|date|now)$"
)
_NUMBER: Final = re.compile(
    r"(?:^|_)(?:i|j|k|n|idx|index|num|number|no|count|counter|step|attempt|round|turn|iteration|depth|size|total)$"
)
_NAMING: Final = re.compile(r"(?:^|_)(?:name|__name__|__qualname__)$")
# `user.name` is a person's, `tool.name` is not.
_PERSONS: Final = re.compile(r"(?:^|_)(?:user|customer|tenant|person|account|session|request|member|patient|employee)$")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_RANDOM_CALLS: Final = frozenset({
    "uuid1", "uuid3", "uuid4", "uuid5", "uuid7", "ulid", "time", "time_ns", "monotonic", "perf_counter", "now",
    "utcnow", "today", "isoformat", "strftime", "timestamp", "token_hex", "token_urlsafe", "token_bytes", "randint",
    "random", "randrange", "getrandbits", "urandom", "hexdigest", "digest", "id", "hash", "getpid", "get_ident",
    "gethostname", "nanoid",
})  # fmt: skip
_NUMBER_CALLS: Final = frozenset({"len", "int", "next", "sum", "max", "min", "abs", "round", "ord"})
# Calls that keep what they are given: str(user_id), query.strip(), repr(order).
_SAME_CALLS: Final = frozenset({"str", "repr", "format", "quote", "slugify", "escape"})
_SAME_METHODS: Final = frozenset({
    "lower", "upper", "strip", "lstrip", "rstrip", "replace", "title", "casefold", "capitalize", "removeprefix",
    "removesuffix", "encode", "decode", "split", "rsplit", "partition", "rpartition", "zfill", "ljust", "rjust",
})  # fmt: skip
_GETTERS: Final = frozenset({"get", "getlist", "pop"})
_HEADERS: Final = re.compile(r"(?:^|_)(?:headers?|cookies?)$")


def hole(node: ast.AST) -> Hole:
    """Return what the unresolvable expression *node* looks like."""
    return Hole(_like(node), ast.unparse(node))


def _like(node: ast.AST) -> Likeness:
    found: Likeness
    match node:
        case ast.Name(id=name):
            found = _by_name(name)
        case ast.Attribute(value=owner, attr=name):
            found = _of_owner(owner, name)
        case ast.Subscript(value=owner, slice=key):
            found = _by_key(owner, key)
        case ast.Call(func=ast.Name(id=name)):
            found = _by_function(name, node.args)
        case ast.Call(func=ast.Attribute(value=owner, attr=name)):
            found = _by_method(owner, name, node.args)
        case ast.BinOp(left=left, right=right):
            found = _joined(_like(left), _like(right), node.op)
        case ast.Constant(value=value):
            found = "number" if isinstance(value, (int, float)) else "naming"
        case ast.Await(value=value) | ast.FormattedValue(value=value) | ast.UnaryOp(operand=value):
            found = _like(value)
        case _:
            found = "unknown"
    return found


def _by_name(name: str) -> Likeness:
    snake = _CAMEL.sub("_", name).lower()
    if _NAMING.search(snake):
        owner = snake.removesuffix("_name")
        return "identifying" if owner != snake and _PERSONS.search(owner) else "naming"
    if _IDENTIFYING.search(snake):
        return "identifying"
    return "number" if _NUMBER.search(snake) else "unknown"


def _of_owner(owner: ast.AST, name: str) -> Likeness:
    found = _by_name(name)
    if found == "naming" and not name.startswith("__"):
        last = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
        return "identifying" if _PERSONS.search(_CAMEL.sub("_", last).lower()) else "naming"
    if found != "unknown" or not isinstance(owner, ast.Call):
        return found
    return _like(owner)  # uuid4().hex


def _by_key(owner: ast.AST, key: ast.AST) -> Likeness:
    if _is_headers(owner):
        return "identifying"
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return _by_name(key.value.replace("-", "_"))
    if isinstance(key, (ast.Slice, ast.Constant)):
        return _like(owner)  # user_id[:8]
    return "unknown"


def _is_headers(node: ast.AST) -> bool:
    last = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return _HEADERS.search(last) is not None


def _by_function(name: str, arguments: Sequence[ast.expr]) -> Likeness:
    if name in _RANDOM_CALLS:
        return "identifying"
    if name in _NUMBER_CALLS:
        return "number"
    if name in _SAME_CALLS and arguments:
        return _like(arguments[0])
    return _by_key(arguments[0], arguments[1]) if name == "getattr" and arguments[1:] else "unknown"


def _by_method(owner: ast.AST, name: str, arguments: Sequence[ast.expr]) -> Likeness:
    if name in _SAME_METHODS:
        return _like(owner)
    if name in _RANDOM_CALLS:
        return "identifying"
    return _by_key(owner, arguments[0]) if name in _GETTERS and arguments else "unknown"


def _joined(left: Likeness, right: Likeness, operator: ast.operator) -> Likeness:
    if "identifying" in {left, right}:
        return "identifying"
    if isinstance(operator, (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)) and "number" in {left, right}:
        return "number"
    return "unknown"


# --- texts -----------------------------------------------------------------------------------------------------------
def is_unknown(text: Text) -> bool:
    """Tell whether nothing at all is known of *text*."""
    return len(text) == 1 and isinstance(text[0], Hole) and text[0].like == "unknown"


def products(columns: Sequence[Sequence[Text]]) -> list[Text]:
    """Return every way to take one text of each column, joined; at most 64."""
    found: list[Text] = [()]
    for column in columns:
        found = [(*left, *right) for left, right in product(found, column)][:_MOST]
    return [_merged(text) for text in found]


def _merged(text: Text) -> Text:
    merged: list[str | Hole] = []
    for part in text:
        if isinstance(part, str) and merged and isinstance(last := merged[-1], str):
            merged[-1] = last + part
        elif part != "":
            merged.append(part)
    return tuple(merged) or ("",)


def distinct(texts: Iterable[Text]) -> list[Text]:
    """Return each text once; at most 64."""
    return list(dict.fromkeys(texts))[:_MOST]
