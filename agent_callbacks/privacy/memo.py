"""What was cleaned lately, without what it was: a message is sent again with every step of an agent."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Final

__all__ = ["UNKNOWN", "Memo"]

UNKNOWN: Final = "\0"
"""What stands for a text that is not kept; compared by identity."""

_KEYED: Final = hashlib.blake2b(key=os.urandom(32), digest_size=16)
"""A hash that has read its key and nothing else."""
_SLOT: Final = 160
"""What an entry takes beside its text, in bytes: measured on CPython 3.12, rounded up."""


@dataclass(slots=True)
class Memo:
    """Cleaned texts by a keyed hash of the original, bounded by entries and bytes; the older half goes first.

    The key is random in each process and the hash cryptographic: nobody finds two texts that share an entry, and the
    entries do not tell what the originals were. A text that had nothing to change is not kept, only that it had not.
    """

    entries: int = 4096
    size: int = 8 * 1024 * 1024
    young: dict[bytes, str | None] = field(default_factory=dict[bytes, "str | None"])
    old: dict[bytes, str | None] = field(default_factory=dict[bytes, "str | None"])
    used: int = 0

    @staticmethod
    def key(text: str) -> bytes:
        """Return the key of *text*, which must encode to UTF-8."""
        digest = _KEYED.copy()
        digest.update(text.encode())
        return digest.digest()

    def known(self, key: bytes) -> str | None:
        """Return the cleaned text, None when nothing had to change, ``UNKNOWN`` when the text is not kept."""
        known = self.young.get(key, UNKNOWN)
        if known is UNKNOWN:
            known = self.old.get(key, UNKNOWN)
            if known is not UNKNOWN:
                self.keep(key, known)
        return known

    def keep(self, key: bytes, cleaned: str | None) -> None:
        """Remember *cleaned* (None: nothing had to change); half of what is kept goes when a bound is reached."""
        size = _SLOT if cleaned is None else _SLOT + 4 * len(cleaned)
        if size > self.size // 2:
            return
        if len(self.young) >= self.entries // 2 or self.used + size > self.size // 2:
            self.old, self.young, self.used = self.young, {}, 0
        self.young[key] = cleaned
        self.used += size
