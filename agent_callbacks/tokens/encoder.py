"""tiktoken's encoders: which one a model has, where its file is on this machine, and how it is loaded.

Nothing is fetched but by ``fetch``, on the user's command: llama-index-core ships the files of o200k_base and
cl100k_base, and ``agent-callbacks warmup`` puts them where they are found without it.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import importlib.util
import os
import tempfile
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DEFAULT_ENCODING", "SHIPPED", "Encoder", "cache_directory", "encoding_of", "fetch", "find", "load"]

DEFAULT_ENCODING: Final = "o200k_base"
SHIPPED: Final = (DEFAULT_ENCODING, "cl100k_base")
"""The encodings that llama-index-core brings and ``warmup`` fetches: those of every OpenAI model in use."""
# What tiktoken's own table does not know in all versions we allow.
_NEWER: Final = ("gpt-4.1", "gpt-4.5", "gpt-4o", "chatgpt-4o", "gpt-5", "gpt-oss", "o1", "o3", "o4")
# The same text gives the same tokens: only the special tokens differ, which no text is read as.
_SAME_TEXT: Final = {"o200k_harmony": DEFAULT_ENCODING, "p50k_edit": "p50k_base"}
_FIELDS_AT_ONCE: Final = 4000
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
    if name.removeprefix("ft:").startswith(_NEWER):
        return DEFAULT_ENCODING, True
    from tiktoken.model import encoding_name_for_model

    try:
        found = encoding_name_for_model(name)
    except KeyError:
        return DEFAULT_ENCODING, False
    return _SAME_TEXT.get(found, found), True


def cache_directory() -> Path:
    """Return where ``fetch`` puts files: ``$TIKTOKEN_CACHE_DIR``, else a directory of the user's own that stays."""
    told = os.environ.get("TIKTOKEN_CACHE_DIR")
    if told:
        return Path(told)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path("~/.cache").expanduser()) / "agent-callbacks" / "tiktoken"


def _directories() -> Iterator[Path]:
    """Yield where a file may be: in llama-index-core (which is not imported), then where it was fetched to."""
    try:
        spec = importlib.util.find_spec("llama_index")
    except (ImportError, ValueError):  # a module of that name that is half loaded, or none
        spec = None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(place) / "core" / "_static" / "tiktoken_cache"
    yield cache_directory()
    told = os.environ.get("DATA_GYM_CACHE_DIR")
    yield Path(told) if told else Path(tempfile.gettempdir()) / "data-gym-cache"


class _Sources(Exception):  # noqa: N818 - it carries an answer out of tiktoken's code
    """Where tiktoken would have an encoder's file from."""

    def __init__(self, url: str, expected: str | None) -> None:
        super().__init__(url)
        self.url = url
        self.expected = expected


def _described(encoding: str, ranks: Callable[..., dict[bytes, int]]) -> dict[str, Any] | None:
    """Return tiktoken's description of *encoding*, its ranks read with *ranks*; None where tiktoken knows no such one.

    tiktoken's constructors call a loader that would fetch what it does not find: the same code, with ours instead.
    """
    from tiktoken_ext import openai_public  # type: ignore[import-untyped]

    constructor = getattr(openai_public, "ENCODING_CONSTRUCTORS", {}).get(encoding)
    if not isinstance(constructor, types.FunctionType):
        return None
    local = types.FunctionType(constructor.__code__, {**constructor.__globals__, "load_tiktoken_bpe": ranks})
    described: dict[str, Any] = local()
    return described


def _source(encoding: str) -> tuple[str, str | None] | None:
    def asked(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        raise _Sources(url, expected_hash)

    try:
        _described(encoding, asked)
    except _Sources as found:
        return found.url, found.expected
    return None


def find(encoding: str) -> Path | None:
    """Return the file of *encoding* on this machine, checked against tiktoken's own hash of it; None: there is none."""
    source = _source(encoding)
    if source is None:
        return None
    url, expected = source
    name = hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    for directory in _directories():
        try:
            data = (directory / name).read_bytes()
        except OSError:
            continue
        if expected is None or hashlib.sha256(data).hexdigest() == expected:
            return directory / name
    return None


def load(encoding: str, pause: Callable[[], None] | None = None) -> Encoder | None:
    """Return the encoder called *encoding* from a file on this machine; None where there is none. Nothing is fetched.

    Args:
        encoding: tiktoken's name.
        pause: Given where others run meanwhile: the work then leaves the processor to them every few milliseconds, and
            this is called before the one part that cannot be divided, about a quarter of a second in which no other
            Python code runs.
    """
    path = find(encoding)
    if path is None:
        return None

    def ranks(_url: str, expected_hash: str | None = None) -> dict[bytes, int]:  # noqa: ARG001 - tiktoken's keyword
        return _parsed(path.read_bytes(), politely=pause is not None)

    described = _described(encoding, ranks)
    if described is None:
        return None
    if pause is not None:
        pause()
    import tiktoken

    encoder = tiktoken.Encoding(**described)
    encoder.encode_ordinary("a")  # compiles its regular expressions
    return encoder


def _parsed(data: bytes, *, politely: bool) -> dict[bytes, int]:
    """Return the ranks in a file: lines of a token in base 64 and its rank."""
    ranks: dict[bytes, int] = {}
    fields = data.split()
    for at in range(0, len(fields), _FIELDS_AT_ONCE):
        some = fields[at : at + _FIELDS_AT_ONCE]
        ranks.update(zip(map(binascii.a2b_base64, some[::2]), map(int, some[1::2]), strict=True))
        if politely:
            time.sleep(_PAUSE_SECONDS)
    return ranks


def fetch(encoding: str) -> Path:
    """Fetch the file of *encoding* from where tiktoken has it, into ``cache_directory()``, and return where it is.

    Raises:
        ValueError: tiktoken knows no such encoding, or what came is not what tiktoken expects.
        OSError: The network or the directory cannot be used; ``requests``' exceptions are of this kind.
    """
    source = _source(encoding)
    if source is None:
        raise ValueError(f"tiktoken knows no encoding {encoding!r}")
    from tiktoken.load import check_hash, read_file

    url, expected = source
    data = read_file(url)
    if expected is not None and not check_hash(data, expected):
        raise ValueError(f"what was fetched for {encoding} is not the file tiktoken expects: a proxy may have answered")
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(data)
    unfinished.replace(path)
    return path
