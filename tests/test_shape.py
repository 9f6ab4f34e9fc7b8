"""The shapes of what frameworks hand over: what a subclass overrides is the user's code, and is not run."""

from __future__ import annotations

from typing import Any

from agent_callbacks.reading.shape import mapping, sequence


class Items(list[Any]):
    """A list that does not like to be looked at."""

    def __iter__(self) -> Any:
        """Fail."""
        raise LookupError


class Fields(dict[str, Any]):
    """A dict that does not like to be looked at."""

    def items(self) -> Any:
        """Fail."""
        raise LookupError


def test_a_list_of_another_class_is_copied() -> None:
    """Its elements are there, its methods are not."""
    found = sequence(Items([1, 2]))
    assert ([1, 2], list) == (found, type(found))


def test_a_dict_of_another_class_is_copied() -> None:
    """Its entries are there, its methods are not."""
    found = mapping(Fields(a=1))
    assert ({"a": 1}, dict) == (found, type(found))
