"""Who asked, out of the metadata and tags a framework passes around, without what the frameworks put there."""

from __future__ import annotations

import functools
from typing import Final

from agent_callbacks.metadata import EMPTY, Request, identity, variants
from agent_callbacks.reading.shape import Loose, is_text, mapping, sequence

__all__ = ["request"]

_NAMED: Final = frozenset({"user_id", "session_id", "variant", "experiment", "experiment_variant"})
_FRAMEWORK_KEYS: Final = frozenset({"thread_id", "run_id", "agent_name", "agent_kind", "revision_id"})
_FRAMEWORK_KEY_STARTS: Final = ("langgraph_", "checkpoint", "ls_", "lc_", "llamaindex.", "__")
_FRAMEWORK_TAG_STARTS: Final = ("graph:step:", "seq:step:", "map:key:", "branch:", "condition:", "retry:", "langsmith:")


def request(metadata: object, tags: object) -> Request:
    """Return who asked, from a run's metadata and tags, without what the frameworks put there.

    A graph passes the same dozen keys to each of its nodes, so which are the user's is remembered by the set of keys,
    and the request by its values where they are plain strings.
    """
    if not metadata and not tags:
        return EMPTY
    given = mapping(metadata)
    labels = _own_tags(tuple([tag for tag in sequence(tags) if is_text(tag)])) if tags else ()
    keys = _own_keys(tuple(given))
    thread = given.get("thread_id")
    if thread is not None and type(thread) is not str:
        thread = identity(thread)
    values = tuple([given[key] for key in keys])
    if _STRINGS.issuperset(map(type, values)):
        return _plain_request(keys, values, thread, labels)
    return _request(keys, values, thread, labels)


_STRINGS: Final = frozenset({str})


def _request(keys: tuple[str, ...], values: tuple[object, ...], thread: object, tags: tuple[str, ...]) -> Request:
    if not (keys or thread or tags):
        return EMPTY
    given = dict(zip(keys, values, strict=True))
    return Request(
        user_id=identity(given.get("user_id")),
        session_id=identity(given.get("session_id")),
        thread_id=identity(thread),
        variants=_variants(given),
        metadata=tuple((key, value) for key, value in given.items() if key not in _NAMED),
        tags=tags,
    )


_plain_request: Final = functools.lru_cache(maxsize=128)(_request)


@functools.lru_cache(maxsize=512)
def _own_keys(keys: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(
        key for key in keys if is_text(key) and key not in _FRAMEWORK_KEYS and not key.startswith(_FRAMEWORK_KEY_STARTS)
    )


@functools.lru_cache(maxsize=512)
def _own_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(tag for tag in tags if not tag.startswith(_FRAMEWORK_TAG_STARTS))


def _variants(given: Loose) -> tuple[tuple[str, str], ...]:
    found = given.get("variant")
    if found is None:
        found = given.get("experiment_variant")
    return variants(mapping(found) or found, given.get("experiment"))
