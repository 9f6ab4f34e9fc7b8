"""A token count where none is reported and no encoder is at hand: from bytes by kind of text, always flagged."""

from __future__ import annotations

from typing import Final

__all__ = ["estimate", "estimated"]

# Characters per token of English prose with the o200k encoding, measured; JSON and other scripts need more tokens.
_CHARS_PER_TOKEN: Final = 4.0

# UTF-8 bytes per token, measured with tiktoken 0.14 and o200k_base on licence texts and Python's library (200 kB each),
# generated JSON, logs and CSV (16 to 34 kB each) and a paragraph in each language.
_DIGITS: Final = 2.0  # CSV 1.7, JSON rows of ids and numbers 1.9, logs 2.3
_DATA: Final = 3.8  # JSON with text in it, tool schemas
_PROSE: Final = 4.7  # prose and source alike
# By the first byte of a character, which tells the script: bytes of the range per token.
_SCRIPTS: Final = (
    (bytes(range(0xC2, 0xCE)), 2, 4.6),  # Latin with accents: German 5.3, French 4.5
    (bytes(range(0xCE, 0xD6)), 2, 6.7),  # Greek 5.0, Cyrillic 7.4
    (bytes(range(0xD6, 0xE0)), 2, 6.1),  # Hebrew, Arabic
    (b"\xe0", 3, 8.3),  # Devanagari, Thai
    (b"\xe1\xe2", 3, 4.2),  # typographic signs
    (bytes(range(0xE3, 0xF0)), 3, 4.2),  # Chinese 3.9, Japanese 4.4, Korean 4.3
    (bytes(range(0xF0, 0xF8)), 4, 2.8),  # emoji
)
_NOT_ASCII: Final = bytes(range(0x80, 0x100))
_DIGIT: Final = b"0123456789"
_WORDS: Final = bytes(range(0x41, 0x5B)) + bytes(range(0x61, 0x7B)) + _DIGIT + b" \t\r\n"
_MANY_DIGITS: Final = 0.25
_MANY_SIGNS: Final = 0.15


def estimate(chars: int) -> int:
    """Return about how many tokens *chars* characters of text are."""
    return round(chars / _CHARS_PER_TOKEN + 0.499) if chars > 0 else 0


def estimated(text: str) -> int:
    """Return about how many tokens *text* is, by the kind of text it is; linear, and fast in C."""
    if not text:
        return 0
    data = text.encode("utf-8", "replace")
    if text.isascii():
        return _rounded(_ascii(data))
    tokens = _ascii(data.translate(None, _NOT_ASCII))
    for first, size, per_token in _SCRIPTS:
        tokens += (len(data) - len(data.translate(None, first))) * size / per_token
    return _rounded(tokens)


def _ascii(data: bytes) -> float:
    size = len(data)
    if not size:
        return 0.0
    if size - len(data.translate(None, _DIGIT)) > size * _MANY_DIGITS:
        return size / _DIGITS
    return size / (_DATA if len(data.translate(None, _WORDS)) > size * _MANY_SIGNS else _PROSE)


def _rounded(tokens: float) -> int:
    return max(1, round(tokens))
