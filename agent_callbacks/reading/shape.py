"""Read values whose shape nobody promises: each function answers for any object and never raises."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard, cast
from uuid import UUID

from agent_callbacks.recording.guard import member

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "LARGEST_COUNT",
    "Loose",
    "count",
    "first_text",
    "fraction",
    "is_text",
    "mapping",
    "member",
    "run_key",
    "sequence",
    "text",
]

Loose: TypeAlias = dict[str, object]

# The builtin types' own methods, whatever a subclass overrides.
_DICT: Final[Any] = dict
_LIST: Final[Any] = list
_TUPLE: Final[Any] = tuple
_EMPTY: Final[Loose] = {}
_LARGEST: Final = sys.float_info.max
LARGEST_COUNT: Final = 2**63 - 1  # what a span's attribute holds


def run_key(run_id: Any) -> Any:
    """Return what names a run in the recorder's tables: a UUID's number, whose hash is not made in Python."""
    return run_id.int if type(run_id) is UUID else run_id


def mapping(value: Any) -> Loose:
    """Return *value* where it is a dict, else an empty one that must not be written to."""
    if type(value) is dict:
        return value  # pyright: ignore[reportUnknownVariableType] - whatever is in it
    # What a subclass overrides is the user's code; a copy made by the builtin type is not.
    return cast("Loose", _DICT(_DICT.items(value))) if issubclass(type(value), dict) else _EMPTY


def sequence(value: Any) -> Sequence[object]:
    """Return *value* where it is a list or tuple, else an empty one."""
    if type(value) is list or type(value) is tuple:
        return value  # pyright: ignore[reportUnknownVariableType] - whatever is in it
    if issubclass(type(value), list):
        return cast("list[object]", _LIST.copy(value))
    return cast("tuple[object, ...]", _TUPLE.__getitem__(value, slice(None))) if issubclass(type(value), tuple) else ()


def text(value: Any) -> str | None:
    """Return *value* where it is a string with something in it."""
    if type(value) is str:
        return value or None
    return value or None if issubclass(type(value), str) else None


def is_text(value: object) -> TypeGuard[str]:
    """Say whether *value* is a string, by its type alone: what it says of its class may be the user's code."""
    return issubclass(type(value), str)


def fraction(value: object) -> float | None:
    """Return *value* where it is a real, finite number; True and False are no numbers."""
    if type(value) is float or type(value) is int:
        return float(value) if -_LARGEST <= value <= _LARGEST else None
    return None


def count(value: object) -> int | None:
    """Return *value* where it is a whole number of zero or more; some providers count in floats."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= LARGEST_COUNT else None


def first_text(owner: Loose, names: Iterable[str]) -> str | None:
    """Return the first entry of *owner* under *names* that is a string with something in it."""
    for name in names:
        if found := text(owner.get(name)):
            return found
    return None
