"""The rules that every pattern of the room keeps, held by reading the compiled patterns."""

from __future__ import annotations

import importlib
import pkgutil
import re
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

import pytest

from agent_callbacks import privacy
from agent_callbacks.privacy import digits

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a pattern may be applied to without a bound: the text is one word, one key or one piece, never a whole attribute.
LONGEST = 65_536


def modules() -> list[str]:
    """Return the names of the room's modules."""
    return [f"{privacy.__name__}.{found.name}" for found in pkgutil.iter_modules(privacy.__path__)]


def patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    """Yield the compiled patterns in *value* and in the tuples and dicts it is made of."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, frozenset)):
        for part in value:
            yield from patterns_in(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from patterns_in(key)
            yield from patterns_in(part)


def patterns() -> dict[str, re.Pattern[Any]]:
    """Return every pattern of the room, by module and name; those of anchors are in their scans' closures."""
    found: dict[str, re.Pattern[Any]] = {}
    for name in modules():
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            for number, pattern in enumerate(patterns_in(value)):
                found[f"{name.rpartition('.')[2]}.{attribute}[{number}]"] = pattern
    for number, detector in enumerate(importlib.import_module(f"{privacy.__name__}.detectors").DETECTORS):
        for cell in getattr(detector.scan, "__closure__", None) or ():
            for pattern in patterns_in(cell.cell_contents):
                found[f"detectors.DETECTORS[{number}]"] = pattern
    return found


def unbounded(tree: Any) -> bool:
    """Tell whether a parsed pattern repeats anything without a bound."""
    for code, argument in tree:
        if code in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}:
            if argument[1] is codes.MAXREPEAT or argument[1] > LONGEST or unbounded(argument[2]):
                return True
        elif any(unbounded(part) for part in subpatterns(argument)):
            return True
    return False


def subpatterns(argument: Any) -> Iterator[Any]:
    """Yield the patterns that *argument* of a parsed operation holds."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, (tuple, list)):
        for part in argument:
            yield from subpatterns(part)


PATTERNS = patterns()


@pytest.mark.parametrize("name", PATTERNS)
def test_quantifiers_are_bounded(name: str) -> None:
    """No pattern repeats anything without a bound, so that no place in a text costs more than a bounded look."""
    pattern = PATTERNS[name]
    assert not unbounded(
        parser.parse(
            pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
        )
    )


@pytest.mark.parametrize(
    "pattern", ["a+", "a*b", "(?:ab+)?", "a{3,}", "x(?=a*)", "(?:a|b+)", "a++", f"a{{1,{LONGEST + 1}}}"]
)
def test_the_rule_can_fail(pattern: str) -> None:
    """An unbounded repetition is found wherever it stands."""
    assert unbounded(parser.parse(pattern))


def test_patterns_are_found() -> None:
    """The rule is held against the room, not against nothing: anchors and the forms of digits are among them."""
    assert 120 < len(PATTERNS)
    assert {"detectors.DETECTORS[2]", "digits._RUN[0]", "internet._DOMAIN[0]"} <= set(PATTERNS)
    assert len(list(patterns_in(digits._FIRST))) > 25
