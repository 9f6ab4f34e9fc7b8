"""Any object as bounded plain data, read without running a line of its code.

No ``repr``, ``str``, ``iter``, ``len``, ``model_dump`` or attribute hook of the object is called: builtin containers
are read through the builtin type's own methods, models and dataclasses through their instance dictionary.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

import orjson

__all__ = ["Plain", "Walk", "small_dict"]

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

DEPTH: Final = 64
"""How many containers may stand in each other."""
ITEMS: Final = 50_000
"""How many leaves and containers one value may have."""
BYTES: Final = 16 * 1024 * 1024
"""How many bytes of JSON one value may take."""

_WIDEST: Final = 2**63
_SPELLED_BITS: Final = 4096
_CARD_SIZED: Final = 10**8
_HIDDEN_MODELS: Final = frozenset({"SecretStr", "SecretBytes", "Secret", "_SecretBase", "_SecretField"})
_SCHEMA_WORDS: Final = frozenset({"type", "$ref", "anyOf", "allOf", "oneOf", "enum"})
_SCHEMA_TYPES: Final = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
_LONGEST_PLAIN_KEY: Final = 48
_MOST_PLAIN_KEYS: Final = 4096
_LONGEST_JSON: Final = 4 * 1024 * 1024
_NOTE: Final = 40


@dataclass(slots=True)
class Walk:
    """One walk over one value.

    Attributes:
        clean: Cleans a text; its second argument bounds the result, in bytes.
        kind: The type of data that stands under a key, or None.
        mark: What stands for a value of a type; empty: nothing, and the pair goes.
        bytes_left: How many bytes of JSON may still be produced.
        plain_keys: Keys known to need no cleaning and to say nothing of their values; learnt on the way.
    """

    clean: Callable[[str, int | None], str]
    kind: Callable[[str], str | None]
    mark: Callable[[str, object], str]
    bytes_left: int = BYTES
    plain_keys: set[str] = field(default_factory=set[str])
    items_left: int = ITEMS
    _path: set[int] = field(default_factory=set[int])

    def plain(self, value: object, depth: int = 0) -> Plain:
        """Return *value* as plain data with every key and leaf cleaned."""
        self.items_left -= 1
        kind = type(value)
        if kind is str:
            return self.text(cast("str", value), depth)
        if value is None or kind is bool:
            return self._take(cast("bool | None", value), 5)
        if kind is int:
            return self._take(self._number(cast("int", value)), 20)
        if kind is float:
            return self._take(self._fraction(cast("float", value)), 20)
        for base in _lineage(kind):
            if reader := _READERS.get(base):
                return reader(self, value, depth)
        return self._object(value, kind, depth)

    def _take(self, leaf: Plain, size: int) -> Plain:
        self.bytes_left -= size
        return leaf

    def _number(self, number: int) -> int | str:
        if -_WIDEST <= number < _WIDEST:
            if -_CARD_SIZED < number < _CARD_SIZED:
                return number
            text = str(number)
            cleaned = self.clean(text, None)
            return number if cleaned == text else cleaned
        # Spelling a long integer takes quadratic time, and the interpreter refuses above 4300 digits.
        bits = number.bit_length()
        return self.clean(str(number), None) if bits < _SPELLED_BITS else f"<int: {bits} bits>"

    def text(self, text: str, depth: int) -> str:
        """Return *text* cleaned; where it is JSON, its leaves and keys are, and it stays JSON."""
        room = max(self.bytes_left, 0)
        if len(text) * 4 <= room:
            cleaned = self.clean(text, None)
        else:
            nested = text[:1] in ("{", "[") and depth < DEPTH
            shortened = self._json(text, depth, room) if nested else None
            cleaned = self._bounded(text, room) if shortened is None else shortened
        self.bytes_left -= len(cleaned) + 3
        return cleaned

    def _bounded(self, text: str, room: int) -> str:
        size = len(text.encode("utf-8", "replace"))
        if size <= room:
            return self.clean(text, None)
        kept = self.clean(text, max(room - _NOTE, 0))
        return f"{kept}{_missing(size - len(kept.encode()), 'bytes')}"

    def _json(self, text: str, depth: int, room: int) -> str | None:
        """Return JSON *text* that is too long cleaned and shortened by the same walk, None if it is no JSON."""
        if len(text) > _LONGEST_JSON:
            return None
        try:
            parsed: Plain = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        inner = Walk(self.clean, self.kind, self.mark, room, self.plain_keys, self.items_left)
        walked = inner.plain(parsed, depth + 1)
        self.items_left = inner.items_left
        return orjson.dumps(walked).decode()

    def _fraction(self, number: float) -> float | str | None:
        """Return *number* where it is finite; a spreadsheet gives whole numbers as fractions, account numbers too."""
        if _CARD_SIZED <= abs(number) < _WIDEST and number == int(number):
            cleaned = self._number(int(number))
            return number if type(cleaned) is int else cleaned
        return number if number - number == 0.0 else None

    # --- containers --------------------------------------------------------------------------------------------------
    def _entered(self, value: object, depth: int) -> str | None:
        """Return why *value* is not walked, or None."""
        if id(value) in self._path:
            return "[CYCLE]"
        return "[TRUNCATED: depth]" if depth >= DEPTH else None

    def sequence(self, value: object, parts: Iterator[object], size: int, depth: int) -> Plain:
        """Return the *parts* of *value* as a list."""
        if reason := self._entered(value, depth):
            return self._take(reason, len(reason) + 3)
        self._path.add(id(value))
        self.bytes_left -= 3
        result: list[Plain] = []
        # Read in one go: another thread may change the container between two of its items.
        for part in list(islice(parts, max(self.items_left, 0) + 1)):
            if self._full():
                result.append(self._note(size - len(result)))
                break
            result.append(self._given_to_option(result, part) or self.plain(part, depth + 1))
        self._path.discard(id(value))
        return result

    def _given_to_option(self, before: list[Plain], part: object) -> str | None:
        """Return what stands for *part* where the item before it is an option that takes a secret: ``--password x``."""
        option = before[-1] if before else None
        if type(option) is not str or option[:1] != "-" or type(part) is not str or part[:1] == "-" or not part:
            return None
        kind = self.kind(option.lstrip("-")) if len(option) <= _LONGEST_PLAIN_KEY else None
        return self.mark(kind, part) if kind == "SECRET" else None

    def _full(self) -> bool:
        return self.bytes_left <= 0 or self.items_left <= 0

    def _note(self, missing: int) -> str:
        note = _missing(missing, "items")
        self.bytes_left -= len(note) + 3
        return note

    def mapping(self, value: object, pairs: Iterable[tuple[object, object]], size: int, depth: int) -> Plain:
        """Return the *pairs* of *value* as a dict: what a key tells of its value decides first."""
        if reason := self._entered(value, depth):
            return self._take(reason, len(reason) + 3)
        self._path.add(id(value))
        self.bytes_left -= 3
        result: dict[str, Plain] = {}
        for raw, part in list(islice(pairs, max(self.items_left, 0) + 1)):
            if self._full():
                result["[TRUNCATED]"] = self._note(size - len(result))
                break
            if type(raw) is str and raw in self.plain_keys and raw not in result:
                self.bytes_left -= len(raw) + 4
                result[raw] = self.plain(part, depth + 1)
                continue
            key, name = self._key(raw)
            while key in result:
                key += "_"
            kept = self._under(name, part, depth + 1)
            if kept is not _DROPPED:
                self.bytes_left -= len(key) + 4
                result[key] = cast("Plain", kept)
        self._path.discard(id(value))
        return result

    def _key(self, raw: object) -> tuple[str, str]:
        """Return a key cleaned, and as it came: the rules ask for what was written."""
        if type(raw) is str:
            return self.clean(raw, None), raw
        if isinstance(raw, (bool, int, float)) or raw is None:
            text = str(raw) if type(raw) in {bool, int, float, type(None)} else f"<{_class_name(type(raw))}>"
            return self.clean(text, None), text
        plain = self.plain(raw, DEPTH)
        text = plain if type(plain) is str and not plain.startswith("[TRUNCATED") else f"<{_class_name(type(raw))}>"
        return text, text

    def _under(self, key: str, value: object, depth: int) -> object:
        """Return what stands under *key*: a marker where the key says what it is."""
        kind = self.kind(key)
        short = len(key) <= _LONGEST_PLAIN_KEY and len(self.plain_keys) < _MOST_PLAIN_KEYS
        if kind is None and short and self.clean(key, None) == key:
            self.plain_keys.add(key)
        if kind is None or value is None or type(value) is bool or value == "" or _is_schema(value):
            return self.plain(value, depth)
        if kind in {"SECRET", "ID"} and _counts(key, value):
            return self.plain(value, depth)
        self.items_left -= 1
        marker = self.mark(kind, value)
        return self._take(marker, len(marker) + 3) if marker else _DROPPED

    # --- objects -----------------------------------------------------------------------------------------------------
    def _object(self, value: object, kind: type, depth: int) -> Plain:
        lineage = _lineage(kind)
        if type in lineage:
            return self._take(self.clean(f"<{_class_name(cast('type', value))}>", None), 20)
        if any(_class_name(base) in _HIDDEN_MODELS for base in lineage):
            return self._take("[SECRET]", 11)
        fields = _fields(value, lineage)
        if fields is None:
            name = self.clean(f"<{_class_name(kind)}>", None)
            return self._take(name, len(name) + 3)
        return self.mapping(value, fields.items(), len(fields), depth)


_DROPPED: Final = object()


def small_dict(value: Any, most: int) -> dict[object, Any] | None:
    """Return *value* where it is a plain dict of at most *most* entries."""
    return value if type(value) is dict and len(value) <= most else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of whatever


def _missing(number: int, of: str) -> str:
    return f"[TRUNCATED: {number} {of}]"


def _counts(key: str, value: object) -> bool:
    """Tell whether *value* is a count that a key like ``token`` may hold: a password is never one."""
    return type(value) in {int, float} and "token" in key.lower()


def _is_schema(value: object) -> bool:
    """Tell whether *value* describes data (JSON Schema) instead of being it: the parameters of a tool."""
    if type(value) is not dict:
        return False
    schema = cast("dict[object, object]", value)
    kind: object = _DICT.get(schema, "type")
    if type(kind) is str:
        return kind in _SCHEMA_TYPES
    return any(type(_DICT.get(schema, word)) in {list, str} for word in _SCHEMA_WORDS)


_DICT: Final = cast("Any", dict)
_MRO: Final[Any] = type.__dict__["__mro__"]
_NAME: Final[Any] = type.__dict__["__name__"]
_NAMESPACE: Final[Any] = type.__dict__["__dict__"]


def _lineage(kind: type) -> tuple[type, ...]:
    return cast("tuple[type, ...]", _MRO.__get__(kind))


def _class_name(kind: type) -> str:
    return str(_NAME.__get__(kind))


def _namespace(kind: type) -> Mapping[str, object]:
    return cast("Mapping[str, object]", _NAMESPACE.__get__(kind))


_MODEL_MARKS: Final = ("__dataclass_fields__", "__pydantic_fields__", "__fields__", "model_fields", "__attrs_attrs__")


def _fields(value: object, lineage: tuple[type, ...]) -> dict[object, object] | None:
    """Return the fields of a dataclass or model instance, None for any other object."""
    if not any(mark in _namespace(base) for base in lineage for mark in _MODEL_MARKS):
        return None
    found: dict[object, object] = {}
    for base in reversed(lineage):
        for name, slot in _namespace(base).items():
            if type(slot) is types.MemberDescriptorType and not name.startswith("__pydantic"):
                _read_slot(found, name, slot, value)
        own: Any = _namespace(base).get("__dict__")
        if type(own) is types.GetSetDescriptorType:
            found.update(cast("dict[object, object]", own.__get__(value)))
        extra: Any = _namespace(base).get("__pydantic_extra__")
        if type(extra) is types.MemberDescriptorType:
            _read_slot(found, "", extra, value)
            more = found.pop("", None)
            found.update(cast("dict[object, object]", more) if type(more) is dict else {})
    return found


def _read_slot(found: dict[object, object], name: str, slot: types.MemberDescriptorType, value: object) -> None:
    try:
        found[name] = slot.__get__(value)
    except AttributeError:  # a slot that was never filled
        return


# --- readers by base class -------------------------------------------------------------------------------------------
_Reader: TypeAlias = Callable[[Walk, Any, int], Plain]


def _spelled(spell: Callable[[Any], str]) -> _Reader:
    def read(walk: Walk, value: object, depth: int) -> Plain:
        return walk.text(spell(value), depth)

    return read


def _sequence_of(kind: Any) -> _Reader:
    """Return a reader that iterates with *kind*'s own methods, whatever a subclass overrides."""
    iterate: Callable[[object], Iterator[object]] = kind.__iter__
    size: Callable[[object], int] = kind.__len__

    def read(walk: Walk, value: object, depth: int) -> Plain:
        return walk.sequence(value, iterate(value), size(value), depth)

    return read


def _read_dict(walk: Walk, value: dict[object, object], depth: int) -> Plain:
    return walk.mapping(value, _DICT.items(value), _DICT.__len__(value), depth)


def _read_enum(walk: Walk, value: Enum, depth: int) -> Plain:
    inner: object = value.__dict__.get("_value_")
    return walk.plain(inner if type(inner) in {str, int, float} else value.__dict__.get("_name_"), depth)


def _read_bytes(walk: Walk, value: object, depth: int) -> Plain:
    size = value.nbytes if isinstance(value, memoryview) else len(cast("bytes", value))
    return walk.plain(f"<bytes: {size}>", depth)


_READERS: Final[Mapping[type, _Reader]] = {
    Enum: _read_enum,
    str: _spelled(str.__str__),
    int: lambda walk, value, depth: walk.plain(int.__index__(value), depth),
    float: lambda walk, value, depth: walk.plain(float.__float__(value), depth),
    bytes: lambda walk, value, depth: _read_bytes(walk, bytes.__getitem__(value, slice(None)), depth),
    bytearray: lambda walk, value, depth: walk.plain(f"<bytes: {bytearray.__len__(value)}>", depth),
    memoryview: _read_bytes,
    dict: _read_dict,
    list: _sequence_of(list),
    tuple: _sequence_of(tuple),
    set: _sequence_of(set),
    frozenset: _sequence_of(frozenset),
    deque: _sequence_of(deque),
    datetime: _spelled(datetime.isoformat),
    date: _spelled(date.isoformat),
    time: _spelled(time.isoformat),
    timedelta: _spelled(timedelta.__str__),
    Decimal: _spelled(Decimal.__str__),
    UUID: _spelled(UUID.__str__),
    PurePath: _spelled(PurePath.__str__),
    range: lambda walk, value, depth: walk.plain(f"<range: {len(value)}>", depth),
}
