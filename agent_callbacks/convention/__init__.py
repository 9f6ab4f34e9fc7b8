"""What the naming convention says: modes, aliases, namespaces, budgets; read from arguments or ``span-names.toml``.

The rooms beside it: ``slug`` makes one segment, ``names`` whole names, ``keys`` and ``attributes`` the rest of a span.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Self, TypeVar, cast, get_args

from agent_callbacks.convention.slug import LONGEST_SEGMENT, Slug, slug

if TYPE_CHECKING:
    import os

__all__ = ["LONGEST_NAME", "NAMESPACES", "NamingConvention", "NamingMode"]

NamingMode = Literal["normalize", "strict", "off"]

NAMESPACES: Final = ("agent", "chain", "llm", "node", "retriever", "tool")

LONGEST_NAME: Final = 96
_LONGEST_NAMESPACE: Final = LONGEST_NAME - LONGEST_SEGMENT - 1
_BUDGETS: Final[Mapping[str, int]] = {"tool": 50, "retriever": 50}
_OTHER_BUDGET: Final = 200
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Frozen(Mapping[_K, _V]):
    """A mapping that cannot change, so that a convention can be hashed, copied and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[_K, _V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: _K) -> _V:
        return self._items[key]

    def __iter__(self) -> Iterator[_K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def _nothing() -> _Frozen[str, Any]:
    return _Frozen({})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamingConvention:
    """What names may look like; every value is checked once, here.

    Raises:
        TypeError: An unknown keyword, with the nearest known one.
        ValueError: A value outside what the keyword allows, with the rule and the way out.
    """

    mode: NamingMode = "normalize"
    """``"normalize"``: make every name fit and report once; ``"strict"``: the same, and collect findings for tests;
    ``"off"``: keep names as they are, but safe."""
    aliases: Mapping[str, str] = field(default_factory=_nothing)
    """Exact raw name -> segment: ``{"Bing Search Results JSON": "bing_search"}``."""
    namespaces: tuple[str, ...] = ()
    """Namespaces of your own spans besides ours: ``("guardrail",)``."""
    max_named_steps: int = 500
    """Steps of one run above it share the name ``agent.step.overflow``."""
    budgets: Mapping[str, int] = field(default_factory=_nothing)
    """Namespace -> distinct names in one process; further ones fold into ``<namespace>.overflow``. Default 50 for
    ``tool`` and ``retriever``, 200 for any other."""
    registry: tuple[str, ...] = ()
    """Raw names of the tools that exist; they keep their names whatever the budget."""
    strip_prefixes: tuple[str, ...] = ()
    """Prefixes to take off raw names: ``("mcp__linear__",)``. Two tools may then share a name (SPN301)."""

    def __new__(cls, **given: object) -> Self:
        """Refuse unknown keywords before the dataclass does, to say which one was meant."""
        for name in given:
            if name not in cls.__dataclass_fields__:
                message = f"NamingConvention: unknown keyword {name!r}; {_nearest(name, cls.__dataclass_fields__)}"
                raise TypeError(message)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Check and freeze every value."""
        if self.mode not in get_args(NamingMode):
            modes = get_args(NamingMode)
            _refuse("mode", self.mode, f"use one of {', '.join(map(repr, modes))}; {_nearest(str(self.mode), modes)}")
        for name in ("namespaces", "registry", "strip_prefixes"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        for namespace in self.namespaces:
            _check_namespace(namespace)
        _check_count("max_named_steps", self.max_named_steps)
        for name, each in (("aliases", _check_alias), ("budgets", self._check_budget)):
            items: object = getattr(self, name)
            if not isinstance(items, Mapping):
                _refuse(name, items, "must be a mapping")
            pairs = cast("Mapping[object, object]", items)
            for key, value in pairs.items():
                each(key, value)
            object.__setattr__(self, name, _Frozen(pairs))

    def _check_budget(self, namespace: object, value: object) -> None:
        known = (*NAMESPACES, *self.namespaces)
        if namespace not in known:
            _refuse("budgets", namespace, f"no such namespace; {_nearest(str(namespace), known)}")
        _check_count(f"budgets[{namespace!r}]", value)

    def budget(self, namespace: str) -> int:
        """Return how many distinct names *namespace* may have in one process."""
        return self.budgets.get(namespace, _BUDGETS.get(namespace, _OTHER_BUDGET))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NamingConvention:
        """Return the convention of a TOML file, the one that run time, tests and lint share.

        Args:
            path: A file with the tables ``[naming]`` (the keywords of this class), ``[aliases]`` and ``[budgets]``.

        Raises:
            OSError: The file cannot be read.
            ValueError: The file is not TOML, or a table, key or value is not known; file and key are named.
        """
        try:
            text = Path(path).read_text("utf-8")
        except OSError as error:
            message = f"cannot read the naming convention ({error.strerror}); give the path of a span-names.toml"
            raise OSError(error.errno, message, str(path)) from error
        try:
            return cls(**_keywords(tomllib.loads(text)))
        except ValueError as error:
            message = f"{path}: {error}"
            raise ValueError(message) from error


_TABLES: Final = ("aliases", "budgets", "naming")
_NAMING_KEYS: Final = ("max_named_steps", "mode", "namespaces", "registry", "strip_prefixes")


def _keywords(tables: Mapping[str, object]) -> dict[str, Any]:
    for name, table in tables.items():
        if name not in _TABLES:
            message = f"unknown table or key [{name}]; {_nearest(name, (*_TABLES, *_NAMING_KEYS))}"
            raise ValueError(message)
        if not isinstance(table, dict):
            message = f"{name} must be a table: [{name}]"
            raise ValueError(message)  # noqa: TRY004 - all that is wrong in a file raises the same error
    naming = cast("Mapping[str, object]", tables.get("naming", {}))
    for key in naming:
        if key not in _NAMING_KEYS:
            message = f"unknown key {key!r} in [naming]; {_nearest(key, (*_NAMING_KEYS, *_TABLES))}"
            raise ValueError(message)
    return {**naming, **{name: table for name, table in tables.items() if name != "naming"}}


def _nearest(name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    close = difflib.get_close_matches(name, known, 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def _refuse(name: str, value: object, rule: str) -> NoReturn:
    message = f"NamingConvention({name}): {value!r}: {rule}"
    raise ValueError(message)


def _texts(name: str, values: object) -> tuple[str, ...]:
    given = values
    items: tuple[object, ...] = tuple(cast("list[object]", values)) if isinstance(values, (tuple, list)) else ("",)
    texts = tuple(item for item in items if isinstance(item, str) and item)
    return texts if len(texts) == len(items) else _refuse(name, given, "must be a tuple of texts, none of them empty")


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        _refuse(name, value, "must be a whole number above 0")


def _check_namespace(namespace: str) -> None:
    if namespace in NAMESPACES:
        _refuse("namespaces", namespace, "is a namespace already; leave it out or choose another word")
    if slug(namespace) != Slug(namespace, ()) or len(namespace) > _LONGEST_NAMESPACE:
        rule = f"a namespace is snake_case of at most {_LONGEST_NAMESPACE} characters"
        _refuse("namespaces", namespace, f"{rule}; use {slug(namespace).segment[:_LONGEST_NAMESPACE]!r}")


def _check_alias(raw: object, segment: object) -> None:
    if not isinstance(raw, str):
        _refuse("aliases", raw, "an alias is for the exact raw name, a text")
    if not isinstance(segment, str) or slug(segment) != Slug(segment, ()):
        way_out = f"; use {slug(segment).segment!r}" if isinstance(segment, str) else ""
        rule = f"the alias of {raw!r} must be snake_case of at most {LONGEST_SEGMENT} characters and hold no id"
        _refuse("aliases", segment, rule + way_out)
