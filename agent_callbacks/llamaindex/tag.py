"""Who asked, from LlamaIndex's ``instrument_tags``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from agent_callbacks.metadata import EMPTY
from agent_callbacks.reading.asker import request
from agent_callbacks.reading.shape import mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.metadata import Request

__all__ = ["asked_by"]

_ALIASES: Final[Mapping[str, str]] = {"user.id": "user_id", "session.id": "session_id"}
_FRAMEWORK: Final = "llamaindex."


def asked_by(tags: object) -> Request:
    """Return who asked; what the framework itself puts among the tags is text of the user's and stays out."""
    given = mapping(tags)
    kept = _kept(tuple(given)) if given else ()
    return request({key: given[name] for name, key in kept}, None) if kept else EMPTY


@functools.lru_cache(maxsize=512)
def _kept(names: tuple[object, ...]) -> tuple[tuple[str, str], ...]:
    """Return the tags that are the user's, each with the name it has here: a run passes the same ones to all spans."""
    words = [name for name in names if isinstance(name, str) and not name.startswith(_FRAMEWORK)]
    return tuple((name, _ALIASES.get(name, name)) for name in words)
