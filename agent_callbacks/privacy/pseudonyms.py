"""Tags that stand for a value: the same for the same value under one key, and no way back without the key."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import unicodedata
from dataclasses import dataclass, field
from typing import Final

__all__ = ["VARIABLE", "Pseudonyms"]

logger = logging.getLogger("agent_callbacks")

VARIABLE: Final = "AGENT_CALLBACKS_PSEUDONYM_KEY"
"""The environment variable that holds the key when no argument does."""

_PROCESS_KEY: Final = os.urandom(32)
_DIGITS: Final = 8
_NUMBERS: Final = frozenset({"PHONE", "CREDIT_CARD", "US_SSN", "IBAN", "ID"})
_warned: Final[set[str]] = set()


def canonical(kind: str, value: str) -> str:
    """Return *value* in the one spelling that its tag is made of: no separators in numbers, mailboxes in lower case."""
    folded = unicodedata.normalize("NFKC", value)
    if kind in _NUMBERS:
        return "".join(filter(str.isalnum, folded)).upper()
    return folded.strip().lower() if kind == "EMAIL" else folded.strip()


@dataclass(slots=True)
class Pseudonyms:
    """Makes tags with HMAC-SHA256 (RFC 2104).

    Attributes:
        given: The key from the settings; None: the environment's, read when the first tag is made, else one of this
            process, whose tags are marked ``~`` because another process gives other ones.
    """

    given: str | None = None
    _key: bytes = field(default=b"", repr=False)
    _mark: str = ""

    def tag(self, kind: str, value: str) -> str:
        """Return the marker of *value* as in ``[EMAIL:9f3a2c1b]``."""
        if not self._key:
            self._load()
        text = f"{kind}\0{canonical(kind, value)}".encode("utf-8", "replace")
        return f"[{kind}:{self._mark}{hmac.new(self._key, text, hashlib.sha256).hexdigest()[:_DIGITS]}]"

    def _load(self) -> None:
        key = self.given or os.environ.get(VARIABLE, "")
        if key:
            self._key = key.encode("utf-8", "surrogateescape")
            return
        self._key, self._mark = _PROCESS_KEY, "~"
        if VARIABLE not in _warned:
            _warned.add(VARIABLE)
            logger.warning("%s is not set: tags of this process (marked ~) do not match those of others", VARIABLE)
