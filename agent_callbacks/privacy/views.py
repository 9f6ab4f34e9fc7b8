"""Copies of a text made for looking: one byte for each of its characters, so that a position is the same in each."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import Final

from agent_callbacks.privacy.keys import NAMES, Names

__all__ = ["WORD", "Span", "Views", "closes", "opens", "views"]

Span = tuple[int, int]

_LETTERS: Final = string.ascii_letters.encode()
_DIGITS: Final = string.digits.encode()
# What every text is full of; the rest of it, its marks, is short enough to be asked many questions.
_COMMON: Final = _LETTERS + _DIGITS + b" ,\n;?\"'"
_ESCAPES: Final = (b"\\n", b"\\r", b"\\t")
WORD: Final = ord("w")
"""Stands in ``word`` for each letter, digit, underscore and hyphen."""


def _is_letter(code: int) -> bool:
    return chr(code).isalpha()


def _shape(code: int) -> int:
    if code in _DIGITS:
        return ord("0")
    if _is_letter(code):
        return ord("A" if chr(code).isupper() else "a")
    return ord(" ") if code in b"\t\xa0" else code


_SHAPES: Final = bytes(map(_shape, range(256)))
_WORDS: Final = bytes(WORD if _is_letter(code) or code in _DIGITS + b"_-" else 32 for code in range(256))
_ROUND: Final = bytes(ord("(") if code in b"[{<" else ord(")") if code in b"]}>" else code for code in range(256))
_LOWER: Final = _ROUND.lower()


@dataclass(slots=True)
class Views:
    """A text and its copies; position *n* means the same character in each but ``marks``.

    Attributes:
        text: The text itself.
        raw: One byte per character, ``?`` outside Latin-1; the letter of an escaped line break is a blank.
        lower: That in lower case, every bracket a round one.
        shape: ``0`` for each digit, ``A`` or ``a`` for each letter, so that ``000-00-0000`` is one literal.
        word: ``w`` for what words and keys are made of, a blank for the rest.
        marks: Only the signs that are rare, in their order, every bracket a round one: whether one
            is there is asked here first.
        names: What the names in the text say of their values.
        carried: Text that stands in another writing (base64, hexadecimal) between two positions, found on the way.
        walked: Up to where a container under a telling name was gone through.
        asked: The position whose announcement was asked for last.
        said: The answer.
        tried: Up to where that was tried; what is long must not be decoded at each of its words.
    """

    text: str
    raw: bytes
    lower: bytes
    shape: bytes
    word: bytes
    marks: str
    names: Names = NAMES
    carried: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])
    asked: int = -1
    said: str | None = None
    tried: int = 0
    walked: int = 0


def views(text: str, names: Names = NAMES) -> Views:
    """Return *text* with its copies, to be read by the rules of *names*."""
    raw = text.encode("latin-1", "replace")
    marks = raw.translate(_ROUND, _COMMON).decode("latin-1")
    if "\\" in marks:
        for escape in _ESCAPES:
            raw = raw.replace(escape, b"  ")
    return Views(text, raw, raw.translate(_LOWER), raw.translate(_SHAPES), raw.translate(_WORDS), marks, names)


def opens(seen: Views, at: int) -> bool:
    """Tell whether a word may begin at *at*."""
    return at == 0 or not seen.raw[at - 1 : at].isalnum()


def closes(seen: Views, at: int) -> bool:
    """Tell whether a word may end before *at*."""
    return not seen.raw[at : at + 1].isalnum()
