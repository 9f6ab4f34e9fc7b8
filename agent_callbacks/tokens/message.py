"""A message as the pieces of text the model reads, each in its bucket. Pure.

A message comes in the GenAI conventions' shape, as an adapter's reader makes it. In ReAct everything is text: what a
tool gave back stands in a user's message behind ``Observation:``, the tools' definitions in the instructions behind
"access to the following tools:". Both count as what they are when they have that form; a user's own message that only
begins with the word is told apart by the conversation (``Pieces.observes`` and ``acts``).
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["HISTORY", "OTHER", "SYSTEM_PROMPT", "TOOL_OUTPUTS", "TOOL_SCHEMAS", "Pieces", "bucket_of", "left", "pieces"]

SYSTEM_PROMPT, TOOL_SCHEMAS, HISTORY, TOOL_OUTPUTS, OTHER = range(5)
"""Places of the buckets, as in ``BUCKETS``."""
_BUCKET_OF: Final = {"system": SYSTEM_PROMPT, "tool": TOOL_OUTPUTS}
_MEDIA: Final = frozenset({"blob", "uri", "file"})

_TOOL_LIST: Final = re.compile(
    r"(access to the following tools:\s*\n)(?P<tools>.+?)(?=\n\s*\n\s*(?:#|Use |To use |The way |Here is ))", re.DOTALL
)
_BEGIN: Final = "\nBegin!"
_ACTS: Final = re.compile(r"^Action: ?.*?$(?:\s*)^Action Input:", re.MULTILINE)
_OBSERVATION: Final = re.compile(
    r"^(?P<text>Observation:.*?)(?=^(?:Thought|Action|Question|Answer|Final Answer|Observation):|\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Pieces:
    """One message: (bucket, text) in the order they stand, and what its header costs.

    ``bucket`` is where the header belongs, ``named`` whether it carries a name, ``media`` whether something in it is no
    text. ``acts`` says that it asks for a tool in ReAct's words, ``observes`` that it has a user's role and begins as
    the answer to that.
    """

    texts: tuple[tuple[int, str], ...]
    bucket: int = HISTORY
    named: bool = False
    media: bool = False
    acts: bool = False
    observes: bool = False


def bucket_of(shape: Mapping[str, object]) -> int:
    """Return the bucket of a message in the conventions' shape, by its role."""
    role = shape.get("role")
    return _BUCKET_OF.get(role, HISTORY) if isinstance(role, str) else HISTORY


def left(room: int, value: object) -> int:
    """Return how many of *room* characters are left when *value* is written out, about; less than 0 when it is not."""
    if isinstance(value, str):
        return room - len(value)
    room -= _EACH
    inside: Iterable[object] = ()
    if isinstance(value, dict):
        inside = itertools.chain.from_iterable(cast("dict[object, object]", value).items())
    elif isinstance(value, (list, tuple)):
        inside = cast("Sequence[object]", value)
    for each in inside:
        if room < 0:  # it may be deep, or have no end
            break
        room = left(room, each)
    return room


_EACH: Final = 8
"""What everything that is no text counts as."""


def pieces(shape: Mapping[str, object]) -> Pieces:
    """Return the pieces of a message in the conventions' shape: role, parts and name.

    Reasoning is left out: providers do not take it back, or do not count it.
    """
    role, bucket = shape.get("role"), bucket_of(shape)
    found: list[tuple[int, str]] = []
    media = False
    parts = shape.get("parts")
    for part in cast("Sequence[Mapping[str, object]]", parts if isinstance(parts, (list, tuple)) else ()):
        kind = part.get("type")
        media = media or kind in _MEDIA or (kind == "tool_call_response" and _has_media(part.get("response")))
        found += _READERS.get(kind if isinstance(kind, str) else "", _unknown)(part, bucket)
    name = shape.get("name")
    named = isinstance(name, str) and bool(name) and role != "tool"
    if named:
        found.append((bucket, str(name)))
    first = found[0][1] if found else ""
    acts = bucket == HISTORY and any(_acts(text) for _, text in found)
    return Pieces(tuple(found), bucket, named, media, acts, role == "user" and first.startswith("Observation:"))


def _text(part: Mapping[str, object], bucket: int) -> list[tuple[int, str]]:
    text = part.get("content")
    if not isinstance(text, str) or not text:
        return []
    if bucket == HISTORY and ("\nObservation:" in text or _BEGIN in text):
        return list(_react(text))
    return list(_instructions(text)) if bucket == SYSTEM_PROMPT else [(bucket, text)]


def _react(text: str) -> Iterator[tuple[int, str]]:
    """Yield the pieces of a ReAct prompt: instructions and tools until "Begin!", then thoughts and observations."""
    start = text.find(_BEGIN)
    if start >= 0 and _TOOL_LIST.search(text, 0, start + 1):
        yield from _instructions(text[:start])
        text = text[start:]
    if not _acts(text):
        yield HISTORY, text
        return
    yield from _cut(text, _OBSERVATION, HISTORY, TOOL_OUTPUTS)


def _acts(text: str) -> bool:
    # Looking for a word is a hundred times as fast as trying each line.
    return "Action Input:" in text and _ACTS.search(text) is not None


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    yield from _cut(text, _TOOL_LIST, SYSTEM_PROMPT, TOOL_SCHEMAS)


def _cut(text: str, pattern: re.Pattern[str], outside: int, inside: int) -> Iterator[tuple[int, str]]:
    """Yield *text* cut at what *pattern* finds: its last group is *inside*, the rest *outside*."""
    reached = 0
    for match in pattern.finditer(text):
        begin, end = match.span(match.lastgroup or 0)
        yield from ((outside, text[reached:begin]), (inside, text[begin:end]))
        reached = end
    yield outside, text[reached:]


def _call(part: Mapping[str, object], _: int) -> list[tuple[int, str]]:
    name, arguments = part.get("name"), part.get("arguments")
    found = [(HISTORY, name)] if isinstance(name, str) and name else []
    return found if arguments is None else [*found, (HISTORY, _json(arguments))]


def _response(part: Mapping[str, object], _: int) -> list[tuple[int, str]]:
    return [(TOOL_OUTPUTS, text) for text in _spoken(part.get("response"))]


def _spoken(response: object) -> list[str]:
    """Return the text a tool gave back: parts of text where it is parts, JSON where it is anything else."""
    parts = _dicts(response)
    texts = [part.get("content", part.get("text")) for part in parts if part.get("type") == "text"]
    if texts or _has_media(response):
        return [text for text in texts if isinstance(text, str)]
    return [] if response is None else [_json(response)]


def _has_media(response: object) -> bool:
    return any(part.get("type") in _MEDIA for part in _dicts(response))


def _dicts(value: object) -> list[dict[str, object]]:
    """Return *value* where it is a list of dicts and of nothing else, else nothing."""
    return value if _are_dicts(value) else []


def _are_dicts(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and all(isinstance(part, dict) for part in cast("list[object]", value))


def _server(key: str, bucket: int) -> Callable[[Mapping[str, object], int], list[tuple[int, str]]]:
    def read(part: Mapping[str, object], _: int) -> list[tuple[int, str]]:
        return [(bucket, _json(part.get(key)))]

    return read


def _nothing(_part: Mapping[str, object], _bucket: int) -> list[tuple[int, str]]:
    return []


def _unknown(part: Mapping[str, object], _: int) -> list[tuple[int, str]]:
    return [(OTHER, _json({key: value for key, value in part.items() if key != "type"}))] if len(part) > 1 else []


def _json(value: object) -> str:
    """Return *value* as the JSON that is sent; of what is none only the type, and of what never ends nothing."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=_type_name, skipkeys=True)
    except (ValueError, RecursionError):
        return ""


def _type_name(value: object) -> str:
    return type(value).__name__


_READERS: Final[Mapping[str, Callable[[Mapping[str, object], int], list[tuple[int, str]]]]] = {
    "text": _text,
    "tool_call": _call,
    "tool_call_response": _response,
    "server_tool_call": _server("server_tool_call", HISTORY),
    "server_tool_call_response": _server("server_tool_call_response", TOOL_OUTPUTS),
    "reasoning": _nothing,
    **dict.fromkeys(_MEDIA, _nothing),
}
