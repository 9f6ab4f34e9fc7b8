"""Messages as cleaned JSON, each serialized, counted and sanitized once however often the history is sent again.

An agent resends its whole history at every step, so what is done per message and step grows with the square of the
steps. A message object that comes again is known by its identity (a weak reference tells when it is gone); one that a
checkpointer has loaded anew is built again, but its text is known to the sanitizer's memo.
"""

from __future__ import annotations

import functools
import re
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent_callbacks.tokens.composition import Weight

__all__ = ["Fragment", "MessageCache", "MessageReader", "joined"]

# Plain strings and dicts cannot be weakly referenced; they are rare as messages and simply built each time.
_MAX_ENTRIES: Final = 16_384
_TYPE_AND_TEXT: Final = 2
_TYPE_TEXT_AND_ID: Final = 3
# What nearly every message is made of: where its text is, by type.
_TEXT_OF: Final = {"text": "content", "tool_call_response": "response"}
_ROLES: Final = {role: f'"{role}"' for role in ("system", "user", "assistant", "tool")}
_JSON_LIKE: Final = re.compile(r"\s*[\[{]").match


class MessageReader(Protocol):
    """What knows a framework's message objects."""

    def parts(self, message: object) -> Mapping[str, object]:
        """Return an input message in the GenAI conventions' shape (role, parts and name), not cleaned."""
        ...

    def output(self, said: object) -> Mapping[str, object]:
        """Return an answer that has no message in the GenAI conventions' shape, not cleaned."""
        ...

    def answer(self, said: object) -> object:
        """Return the message of an answer, None where it has none."""
        ...

    def chars(self, message: object) -> int:
        """Return the length of the message's text."""
        ...

    def definition(self, tool: object) -> Mapping[str, object]:
        """Return a tool's definition in the GenAI conventions' shape, not cleaned."""
        ...

    def is_message(self, value: object) -> bool:
        """Say whether *value* is a message object."""
        ...

    def content(self, message: object) -> object:
        """Return what the message holds: another object when the message is changed in place."""
        ...


@dataclass(slots=True)
class Fragment:
    """One message: its cleaned JSON (made when first wanted), the JSON's bytes, the length of its text, its tokens.

    ``shape`` is the message in the conventions' shape, kept from the making of the JSON until the tokens are counted.
    """

    chars: int
    json: str | None = None
    size: int = 0
    weight: Weight | None = None
    shape: Mapping[str, object] | None = None


class MessageCache:
    """Fragments by message object, for as long as the object lives."""

    def __init__(
        self,
        reader: MessageReader,
        clean: Callable[[str], str],
        to_json: Callable[[object], str],
        limit: int,
        *,
        counted: bool,
    ) -> None:
        """Use *reader* to understand messages, *clean* for text and *to_json* to clean and bound the rest.

        A message longer than *limit* bytes is shortened. *counted* says that their tokens will be.
        """
        self._reader = reader
        self._clean = clean
        self._to_json = to_json
        self._limit = limit
        self._counted = counted
        self._known: dict[int, tuple[weakref.ref[object], object, Fragment]] = {}

    def read(self, messages: Sequence[object], *, content: bool) -> list[Fragment]:
        """Return *messages* as fragments, with their cleaned JSON if *content* is wanted."""
        if not messages:
            return []
        known, content_of = self._known, self._reader.content
        found: list[Fragment] = []
        for message in messages:
            entry = known.get(id(message))
            if entry is None or entry[0]() is not message or entry[1] is not content_of(message):
                fragment = self._learnt(message)
            else:
                fragment = entry[2]
            if content and fragment.json is None:
                shape = self._reader.parts(message)
                fragment.json, fragment.size = self._rendered(shape)
                if self._counted and fragment.weight is None:
                    fragment.shape = shape
            found.append(fragment)
        return found

    def shape(self, message: object, fragment: Fragment) -> Mapping[str, object]:
        """Return *message* in the conventions' shape, not cleaned; its *fragment* does not keep it any longer."""
        kept, fragment.shape = fragment.shape, None
        return self._reader.parts(message) if kept is None else kept

    def definition(self, tool: object) -> Mapping[str, object]:
        """Return a tool's definition in the GenAI conventions' shape, not cleaned."""
        return self._reader.definition(tool)

    def readable(self, messages: Sequence[object]) -> bool:
        """Say whether all *messages* are message objects of the framework, not its shorthand for them."""
        return all(self._reader.is_message(message) for message in messages)

    def output(self, said: object, reason: str | None) -> Fragment:
        """Return an answer as cleaned JSON, with why it ended; the next call sends it again as part of the history."""
        message = self._reader.answer(said)
        if message is None:
            known, _ = self._rendered(self._reader.output(said))
        else:
            known = self.read((message,), content=True)[0].json or "{}"
        text = f'{known[:-1]},"finish_reason":{self._quoted(reason or "unknown")}}}'
        return Fragment(0, text, len(text) if text.isascii() else len(text.encode()))

    def _rendered(self, shape: Mapping[str, object]) -> tuple[str, int]:
        """Return a message as cleaned JSON, and its bytes: what nearly every message is made of is written directly."""
        parts = [self._part(part) for part in cast("Sequence[Mapping[str, object]]", shape["parts"])]
        said, name = str(shape["role"]), shape.get("name")
        role = _ROLES.get(said) or self._quoted(said)
        named = "" if name is None else f',"name":{self._quoted(str(name))}'
        text = f'{{"role":{role},"parts":[{",".join(parts)}]{named}}}'
        size = len(text) if text.isascii() else len(text.encode())
        if size > self._limit:
            text = self._to_json(shape)
            size = len(text.encode())
        return text, size

    def _part(self, part: Mapping[str, object]) -> str:
        kind = part.get("type")
        name = _TEXT_OF.get(kind) if type(kind) is str else None
        said = None if name is None else part.get(name)
        # Text that may be JSON itself is left to the walk, which keeps it valid.
        if type(said) is str and len(part) <= _TYPE_TEXT_AND_ID and not _JSON_LIKE(said):
            text = f'{{"type":"{kind}","{name}":{self._quoted(said)}'
            if len(part) == _TYPE_AND_TEXT:
                return text + "}"
            if type(call_id := part.get("id")) is str:
                return f'{text},"id":{self._quoted(call_id)}}}'
        return self._to_json(part)

    def _quoted(self, text: str) -> str:
        return orjson.dumps(self._clean(text)).decode()

    def _learnt(self, message: object) -> Fragment:
        fragment = Fragment(self._reader.chars(message))
        key = id(message)
        try:
            reference = weakref.ref(message, functools.partial(self._forget, key))
        except TypeError:
            return fragment
        if len(self._known) >= _MAX_ENTRIES:
            self._known.clear()
        self._known[key] = (reference, self._reader.content(message), fragment)
        return fragment

    def _forget(self, key: int, gone: weakref.ref[object]) -> None:
        known = self._known.get(key)
        # Another thread may have learnt a new message under the old one's id.
        if known is not None and known[0] is gone:  # pragma: no branch
            del self._known[key]


def joined(fragments: Sequence[Fragment], limit: int) -> tuple[str, int]:
    """Return *fragments* as one JSON array of at most *limit* bytes, and how many bytes were left out.

    The oldest go first; what is missing is said by a message in their place, so the array stays valid.
    """
    total = sum([fragment.size for fragment in fragments]) + len(fragments) + 1
    if total <= limit:
        return _listed([fragment.json or "" for fragment in fragments]), 0
    kept: list[str] = []
    room = limit - _NOTE_ROOM
    for fragment in reversed(fragments):  # pragma: no branch - they do not all fit
        if fragment.size + 1 > room:
            break
        room -= fragment.size + 1
        kept.append(fragment.json or "")
    left_out = len(fragments) - len(kept)
    missing = sum([fragment.size for fragment in fragments[:left_out]])
    note = _NOTE % (left_out, "" if left_out == 1 else "s", missing)
    return _listed([note, *reversed(kept)]), missing


def _listed(items: list[str]) -> str:
    """Return JSON *items* as a JSON array; a long history is copied once, not again for its brackets."""
    if not items:
        return "[]"
    items[0] = f"[{items[0]}"
    items[-1] += "]"
    return ",".join(items)


_NOTE: Final = '{"role":"system","parts":[{"type":"text","content":"[TRUNCATED: %d message%s, %d bytes]"}]}'
_NOTE_ROOM: Final = 140
