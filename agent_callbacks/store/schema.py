"""Where the trace store lives, how its file is told from others, and what can be wrong with it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "StoreError",
    "StoreForeignError",
    "StoreMissingError",
    "StoreUnreadableError",
    "default_path",
    "plain",
]

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

STORE_VARIABLE: Final = "AGENT_CALLBACKS_STORE"
APPLICATION_ID: Final = 0x41434254
"""``PRAGMA application_id`` of our files ("ACBT"): how a foreign SQLite file is told apart."""
VERSION: Final = 3
"""``PRAGMA user_version``: how many of ``layout.MIGRATIONS`` the file has seen."""
USER, SESSION = "user", "session"
"""Who is in ``askers``: the roles of an id."""

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100
_APPLICATION_ID_AT: Final = slice(68, 72)  # https://www.sqlite.org/fileformat.html#the_database_header
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class StoreError(Exception):
    """Something is wrong with the trace store; the message names the path and the way out."""


class StoreMissingError(StoreError):
    """There is no store at this path yet."""


class StoreForeignError(StoreError):
    """The file at this path is not a trace store of ours; it is never written to."""


class StoreUnreadableError(StoreError):
    """The store is there and cannot be read."""


def default_path() -> Path:
    """Return where traces are stored unless a path is given.

    ``$AGENT_CALLBACKS_STORE``, else ``$XDG_STATE_HOME/agent-callbacks/traces.db``, else the same below
    ``~/.local/state`` (XDG Base Directory Specification 0.8: a relative ``XDG_STATE_HOME`` is ignored).
    """
    if chosen := os.environ.get(STORE_VARIABLE):
        return Path(chosen).expanduser()
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = Path("~/.local/state").expanduser()
    return state / "agent-callbacks" / "traces.db"


def place(given: Path | str | None) -> Path:
    """Return the path of the store that was *given*; the default one where none was."""
    return default_path() if given is None else Path(given).expanduser()


def is_sqlite(path: Path) -> bool:
    """Return whether the file at *path* begins like a SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check_ours(path: Path) -> None:
    """Make sure that the file at *path* is a store of ours or empty, by its header alone.

    SQLite is not asked: opening a foreign database may already write to it (a hot journal, a WAL to recover).

    Raises:
        StoreForeignError: It is something else.
        OSError: The file cannot be read.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):  # to open a pipe would wait for its other end
        raise StoreForeignError(f"{path} is no file: name another path")
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    ours = header.startswith(_MAGIC) and int.from_bytes(header[_APPLICATION_ID_AT]) == APPLICATION_ID
    if header and not ours:
        raise StoreForeignError(f"{path} is not a trace store of agent-callbacks; it is left alone: name another path")


def check_version(version: int, path: Path) -> None:
    """Refuse a store written by a newer release.

    Raises:
        StoreForeignError: This release does not know *version*.
    """
    if version > VERSION:
        raise StoreForeignError(
            f"{path} was written by a newer agent-callbacks (store version {version}, this release knows {VERSION}): "
            "upgrade, or name another path"
        )


def plain(value: object, depth: int = 0) -> Plain:
    """Return *value* as JSON can hold it: what it cannot (bytes, NaN, 70-bit integers, lone surrogates) as text."""
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if _SMALLEST <= value <= _LARGEST else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _NOT_FINITE[str(value)]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return _plain_tree(value, depth + 1)


# As OTLP/JSON writes them: https://protobuf.dev/programming-guides/json/
_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_DEEPEST: Final = 100  # JSON writers and Python's own stack give up soon after


def _plain_tree(value: object, depth: int) -> Plain:
    if depth <= _DEEPEST and isinstance(value, (list, tuple)):
        return [plain(item, depth) for item in cast("Sequence[object]", value)]
    if depth <= _DEEPEST and isinstance(value, Mapping):
        return {text(str(key)): plain(item, depth) for key, item in cast("Mapping[object, object]", value).items()}
    return f"<{type(value).__name__}>"


def text(value: str) -> str:
    """Return *value* with lone surrogates, which UTF-8 cannot carry, replaced."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value
