"""Text as tokens: tiktoken's encoders, found on this machine and never fetched, and what has been counted already."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
import os
import tempfile
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent_callbacks.tokens.estimate import estimated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DEFAULT_ENCODING", "Counter", "cache_directory", "directories", "encoding_of", "load"]

DEFAULT_ENCODING: Final = "o200k_base"
# What tiktoken's own table does not know in the versions we allow; prefixes, the longest first.
_NEWER: Final = (
    ("gpt-4.1", DEFAULT_ENCODING), ("gpt-4.5", DEFAULT_ENCODING), ("gpt-4o", DEFAULT_ENCODING),
    ("chatgpt-4o", DEFAULT_ENCODING), ("gpt-5", DEFAULT_ENCODING), ("gpt-oss", DEFAULT_ENCODING),
    ("o1", DEFAULT_ENCODING), ("o3", DEFAULT_ENCODING), ("o4", DEFAULT_ENCODING),
)  # fmt: skip
# The same text gives the same tokens: only the special tokens differ, which no text is read as.
_SAME_TEXT: Final = {"o200k_harmony": DEFAULT_ENCODING, "p50k_edit": "p50k_base"}
# A regular expression or a merge over one endless word takes time above linear, and once a stack overflow.
_SLICE: Final = 8192
_MAX_TEXTS: Final = 8192
_LINES_AT_ONCE: Final = 1000
_PAUSE_SECONDS: Final = 0.0005


class Encoder(Protocol):
    """What tiktoken's encodings can."""

    def encode_ordinary(self, text: str) -> list[int]:
        """Return *text* as tokens, special tokens read as text."""
        ...


@functools.lru_cache(maxsize=256)
def encoding_of(model: str | None) -> tuple[str, bool]:
    """Return the encoding of *model*, and whether that is known; the default one, and False, where it is not."""
    name = (model or "").rpartition("/")[2].lower()
    for start, encoding in _NEWER:
        if name.startswith(start):
            return encoding, True
    from tiktoken.model import encoding_name_for_model

    try:
        found = encoding_name_for_model(name)
    except KeyError:
        return DEFAULT_ENCODING, False
    return _SAME_TEXT.get(found, found), True


def directories() -> Iterator[Path]:
    """Yield where an encoder's file may be: in llama-index-core (which is not imported), then tiktoken's cache."""
    try:
        spec = importlib.util.find_spec("llama_index")
    except (ImportError, ValueError):  # a module of that name that is half loaded, or none
        spec = None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(place) / "core" / "_static" / "tiktoken_cache"
    yield cache_directory()


def cache_directory() -> Path:
    """Return the directory tiktoken keeps what it fetched in."""
    told = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    return Path(told) if told else Path(tempfile.gettempdir()) / "data-gym-cache"


class _Missing(Exception):
    """An encoder's file is not on this machine."""


def load(encoding: str, pause: Callable[[], None] = lambda: None) -> Encoder | None:
    """Return the encoder called *encoding* from a file on this machine; None where there is none.

    The file is checked against tiktoken's own hash of it. Nothing is fetched.

    Args:
        encoding: tiktoken's name.
        pause: Called before the one part that cannot be divided, a quarter of a second in which no Python runs.
    """
    import tiktoken
    from tiktoken_ext import openai_public

    constructor = getattr(openai_public, "ENCODING_CONSTRUCTORS", {}).get(encoding)
    if not isinstance(constructor, types.FunctionType):
        return None
    # tiktoken's constructors call a loader that would fetch what it does not find: the same code, with ours instead.
    local = types.FunctionType(constructor.__code__, {**constructor.__globals__, "load_tiktoken_bpe": _ranks})
    try:
        described: dict[str, Any] = local()
    except _Missing:
        return None
    pause()
    return tiktoken.Encoding(**described)


def _ranks(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
    name = hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    for directory in directories():
        try:
            data = (directory / name).read_bytes()
        except OSError:
            continue
        if expected_hash is None or hashlib.sha256(data).hexdigest() == expected_hash:
            return _parsed(data)
    raise _Missing(url)


def _parsed(data: bytes) -> dict[bytes, int]:
    """Return the ranks in a file, leaving the processor to others every few milliseconds."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines()):
        token, _, rank = line.partition(b" ")
        if rank:
            ranks[base64.b64decode(token)] = int(rank)
        if number % _LINES_AT_ONCE == 0:
            time.sleep(_PAUSE_SECONDS)
    return ranks


class Counter:
    """Counts texts, each once as long as it is remembered; for one thread."""

    def __init__(self) -> None:
        """Begin without an encoder."""
        self._encoders: dict[str, Encoder | None] = {}
        self._known: dict[tuple[str, int, int], int] = {}

    def add(self, encoding: str, encoder: Encoder | None) -> None:
        """Count with *encoder* what is in *encoding*; None says that there is none to be had."""
        self._encoders[encoding] = encoder

    def missing(self, encoding: str) -> bool:
        """Say whether nobody has looked for *encoding* yet."""
        return encoding not in self._encoders

    def exact(self, encoding: str) -> bool:
        """Say whether texts are counted with *encoding* itself."""
        return self._encoders.get(encoding) is not None

    def count(self, encoding: str, text: str) -> int:
        """Return how many tokens *text* is, estimated where the encoder is not at hand."""
        encoder = self._encoders.get(encoding)
        if encoder is None:
            return estimated(text)
        # The text itself is not kept: a conversation can be large and a hash of 64 bits and a length will do.
        key = (encoding, len(text), hash(text))
        found = self._known.get(key)
        if found is None:
            found = _encoded(encoder, text)
            if len(self._known) >= _MAX_TEXTS:
                self._known.clear()
            self._known[key] = found
        return found


def _encoded(encoder: Encoder, text: str) -> int:
    if len(text) <= _SLICE:
        return len(encoder.encode_ordinary(text))
    return sum(len(encoder.encode_ordinary(text[at : at + _SLICE])) for at in range(0, len(text), _SLICE))
