"""What a span carries, made fit to be shown: nothing in it hides, reorders the text around it, or breaks JSON."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from agent_callbacks.analysis.span import Value

Shown: TypeAlias = "bool | int | float | str | list[Shown] | dict[str, Shown] | None"

# Control, format (bidi overrides and isolates, zero width, tags), surrogates, private use, line and paragraph
# separators. "Trojan Source" (CVE-2021-42574) is why they must be seen.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_KEPT: Final = frozenset("\n\t\u200c\u200d")  # lines, and the joiners that emoji and Persian are written with
_SUSPECT: Final = re.compile(r"[^\n\t\x20-\x7e\xa1-\xac\xae-\u05ff]")
_EXACT_IN_JAVASCRIPT: Final = 2**53


def visible(text: str) -> str:
    """Return *text* with each hidden or reordering character written out, such as ``⟨U+202E⟩``."""
    return _SUSPECT.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    character = match[0]
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    return f"\u27e8U+{ord(character):04X}\u27e9"


def shown(value: Value) -> Shown:
    """Return an attribute's *value* as JSON that a browser reads without loss; all text in it is ``visible``."""
    match value:
        case str():
            return visible(value)
        case dict():
            return {visible(key): shown(item) for key, item in value.items()}
        case tuple():
            return [shown(item) for item in value]
        case bool() | None:
            return value
        case int():
            return value if abs(value) < _EXACT_IN_JAVASCRIPT else str(value)
        case _:
            return value if math.isfinite(value) else str(value)
