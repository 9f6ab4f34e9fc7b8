"""A token estimate where the provider reports none: from the length of the text, always flagged as an estimate."""

from __future__ import annotations

from typing import Final

__all__ = ["estimate"]

# Characters per token of English prose with the o200k encoding, measured; JSON and other scripts need more tokens.
_CHARS_PER_TOKEN: Final = 4.0


def estimate(chars: int) -> int:
    """Return about how many tokens *chars* characters of text are."""
    return round(chars / _CHARS_PER_TOKEN + 0.499) if chars > 0 else 0
