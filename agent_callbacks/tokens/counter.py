"""Text as tokens: counted with an encoder where there is one, estimated where there is none, each text once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.tokens.estimate import estimated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.tokens.encoder import Encoder

__all__ = ["Counter"]

# A regular expression or a merge over one endless word takes time above linear, and once a stack overflow.
_SLICE: Final = 8192
_NEAR: Final = 256
_BETWEEN_WORDS: Final = re.compile(r"[^\W\d_](?= [^\W\d_])")
_MAX_TEXTS: Final = 8192


class Counter:
    """Counts the tokens of texts in one encoding; several threads may, each text may then be encoded twice.

    ``encoding`` is tiktoken's name. ``exact`` says that there is an encoder; without one, counts are estimates.
    """

    __slots__ = ("_encoder", "_known", "encoding", "exact")

    def __init__(self, encoding: str, encoder: Encoder | None) -> None:
        """Count in *encoding* with *encoder*."""
        self.encoding = encoding
        self.exact = encoder is not None
        self._encoder = encoder
        self._known: dict[tuple[int, int], int] = {}

    def count(self, text: str) -> int:
        """Return how many tokens *text* is; a checkpointer loads a text anew, which is not counted anew."""
        encoder = self._encoder
        if encoder is None:
            return estimated(text)
        # The text itself is not kept: a conversation can be large, and a hash of 64 bits and a length will do.
        key = (len(text), hash(text))
        found = self._known.get(key)
        if found is None:
            found = _encoded(encoder, text)
            if len(self._known) >= _MAX_TEXTS:
                self._known.clear()
            self._known[key] = found
        return found


def _encoded(encoder: Encoder, text: str) -> int:
    return sum([len(encoder.encode_ordinary(part)) for part in _sliced(text)])


def _sliced(text: str) -> Iterator[str]:
    """Yield *text* in slices, cut where the encoder would: before a blank between words, if there is one near."""
    begin = 0
    while len(text) - begin > _SLICE:
        end = begin + _SLICE
        for match in _BETWEEN_WORDS.finditer(text, end - _NEAR, end):
            end = match.end()
        yield text[begin:end]
        begin = end
    yield text[begin:]
