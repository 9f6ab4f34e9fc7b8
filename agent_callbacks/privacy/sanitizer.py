"""The sanitizer: what every text and every value passes before it reaches a span. It never raises and fails closed."""

from __future__ import annotations

import difflib
import logging
import os
import re
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar, cast

import orjson

from agent_callbacks.privacy import plain
from agent_callbacks.privacy.detectors import Match, find
from agent_callbacks.privacy.normalize import encodable, key_kind, key_name
from agent_callbacks.privacy.plain import Plain, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FAILED", "Sanitizer"]

logger = logging.getLogger("agent_callbacks")

FAILED: Final = "[REDACTED:error]"
"""What stands for a value that the sanitizer could not read."""

_LOOK_AHEAD: Final = 1024
_LONGEST_TOKEN: Final = 4096
_FAST: Final = 20
# Words without a digit or a sign hold nothing that is looked for; below this length not even a key made of letters.
# Too short and too plain for any detector: the shortest key of a vendor made of letters and underscores is longer.
_PLAIN_WORDS: Final = re.compile(r"[A-Za-z ,.!?()]{0,32}|[A-Za-z_]{0,20}")
_PLAIN_LENGTH: Final = 32
_CUT: Final = "[TRUNCATED]"
_FLAT: Final = 16
_NESTED: Final = 2
_JSON_OPENERS: Final = ("{", "[")
_SAFE_NUMBER: Final = 10**12
_TOKEN_SIGNS: Final = string.ascii_letters + string.digits + "_-.~+/=%@"
_T = TypeVar("_T")
_A = TypeVar("_A")


_Digest: TypeAlias = tuple[int, int, int]


@dataclass(slots=True)
class _Memo:
    """What was cleaned lately: a message is sent again with every step.

    Keys are digests; a text that had nothing to change is not kept.
    """

    entries: int = 4096
    size: int = 8 * 1024 * 1024
    young: dict[_Digest, str | None] = field(default_factory=dict[_Digest, "str | None"])
    old: dict[_Digest, str | None] = field(default_factory=dict[_Digest, "str | None"])
    used: int = 0

    def keep(self, key: _Digest, cleaned: str | None) -> None:
        """Remember *cleaned* (None: nothing had to change); half of what is kept goes when the bound is reached."""
        if len(self.young) >= self.entries // 2 or self.used >= self.size // 2:
            self.old, self.young, self.used = self.young, {}, 0
        self.young[key] = cleaned
        self.used += 0 if cleaned is None else len(cleaned)


_SALT: Final = os.urandom(16).hex()
_SAMPLE: Final = 64
_UNKNOWN: Final = "\0"


@dataclass(slots=True)
class _State:
    """What changes in a sanitizer that does not."""

    failures: int = 0
    reported: bool = False
    memo: _Memo = field(default_factory=_Memo)
    keys: set[str] = field(default_factory=set[str])
    """Keys that need no cleaning and say nothing of their values: the same few come with every message."""


@dataclass(frozen=True, kw_only=True)
class Sanitizer:
    """Removes personal data and secrets that patterns, checksums and key rules can find.

    Raises:
        TypeError: An unknown option, with the nearest known name.
        ValueError: A key rule whose type is not a word in capitals.
    """

    keys: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """More key rules: key (any spelling) to the type its value is replaced by, as in ``{"badge": "BADGE"}``."""
    allow_keys: frozenset[str] = frozenset()
    """Keys whose values no key rule replaces; what stands in the values is still looked for."""
    allow_values: frozenset[str] = frozenset()
    """Texts that are never replaced where a detector finds exactly them, as a public support address."""
    reason: str | None = field(default=None, init=False)
    """Why nothing is removed; None while everything is."""
    _state: _State = field(default_factory=_State, init=False, repr=False, compare=False)

    def __new__(cls, **given: object) -> Self:
        """Refuse unknown options before the dataclass does, to say which one was meant."""
        for name in given:
            if name not in _OPTIONS:
                close = difflib.get_close_matches(name, _OPTIONS, 1, 0.5)
                hint = f"did you mean {close[0]!r}?" if close else f"known options: {', '.join(_OPTIONS)}"
                message = f"unknown sanitizer option {name!r}; {hint}"
                raise TypeError(message)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Bring the key rules to one spelling."""
        for kind in self.keys.values():
            if not re.fullmatch(r"[A-Z][A-Z_]{1,31}", kind):
                message = "Sanitizer(keys=...): a type is 2 to 32 capitals and underscores, as in {'badge': 'BADGE'}"
                raise ValueError(message)
        object.__setattr__(self, "keys", {key_name(key): kind for key, kind in self.keys.items()})
        object.__setattr__(self, "allow_keys", frozenset(map(key_name, self.allow_keys)))
        object.__setattr__(self, "allow_values", frozenset(self.allow_values))

    @classmethod
    def disabled(cls, reason: str) -> Sanitizer:
        """Return a sanitizer that removes nothing, and says why: the reason is exported with the spans.

        Raises:
            ValueError: *reason* is empty.
        """
        if not str(reason or "").strip():
            message = "Sanitizer.disabled(reason=...): say why, in a few words; it is exported with the spans"
            raise ValueError(message)
        sanitizer = cls()
        object.__setattr__(sanitizer, "reason", encodable(reason.strip()))
        return sanitizer

    @property
    def enabled(self) -> bool:
        """Tell whether anything is removed."""
        return self.reason is None

    @property
    def failures(self) -> int:
        """How many values were replaced by ``[REDACTED:error]`` because reading them failed."""
        return self._state.failures

    def clean(self, text: str, max_bytes: int | None = None) -> str:
        """Return *text* with personal data and secrets replaced by markers; it always encodes to UTF-8.

        Args:
            text: Any text; what stands outside a match is not touched.
            max_bytes: Longest result, in bytes of UTF-8; a match that reaches the cut is removed whole.
        """
        if max_bytes is None and type(text) is str and len(text) < _FAST and text.isalpha() and text.isascii():
            return text
        return self._guarded(self._clean, text, max_bytes)

    def clean_identity(self, text: str) -> str:
        """Return an identifier with only unmistakable matches replaced: e-mail, JWT, keys of vendors, +country phones.

        A bare digit string is never touched: user 4111111111111111 stays that user.
        """
        return self._guarded(self._clean_identity, text, None)

    def clean_value(self, value: object, max_bytes: int | None = None) -> Plain:
        """Return any object as bounded plain data with every key and leaf cleaned.

        Args:
            value: Any object; none of its code is run.
            max_bytes: Longest result as JSON, in bytes; what is missing is said in a ``[TRUNCATED: ...]`` leaf.
        """
        return self._guarded(self._clean_value, value, max_bytes)

    def clean_json(self, value: object, max_bytes: int | None = None) -> str:
        """Return any object as compact JSON, cleaned and bounded like ``clean_value``."""
        return self._guarded(self._clean_json, value, max_bytes)

    def _guarded(self, work: Callable[[_A, int | None], _T], value: _A, bound: int | None) -> _T | str:
        try:
            return work(value, bound)
        # The redaction's own guard: what cannot be cleaned must not pass, whatever failed.
        except Exception as error:  # noqa: BLE001 - as said above
            self._state.failures += 1
            if not self._state.reported:
                self._state.reported = True
                logger.warning("sanitizer failed (%s); values are replaced by %s", type(error).__name__, FAILED)
            return FAILED

    def _clean(self, text: str, bound: int | None) -> str:
        if type(text) is not str or not text.isascii():
            text = encodable(text)
        size = len(text)
        if bound is not None and size * 4 > bound:
            return self._shortened(text, bound)
        if self.reason is not None or (size <= _PLAIN_LENGTH and _PLAIN_WORDS.fullmatch(text)):
            return text
        # A key that does not give the text back: the interpreter's keyed hash, and one of both ends with our salt.
        return self._remembered(text, (hash(text), size, hash(f"{_SALT}{text[:_SAMPLE]}{text[-_SAMPLE:]}")))

    def _remembered(self, text: str, key: _Digest) -> str:
        memo = self._state.memo
        known = memo.young.get(key, _UNKNOWN)
        if known is _UNKNOWN:
            known = memo.old.get(key, _UNKNOWN)
            if known is _UNKNOWN:
                cleaned = self._replaced(text)
                known = None if cleaned == text else cleaned
            memo.keep(key, known)
        return text if known is None else known

    def _replaced(self, text: str) -> str:
        """Return *text* with its matches replaced; what stood glued to one is looked at again, in new surroundings."""
        for _ in range(_ROUNDS):
            matches = self._matches(text)
            if not matches:
                break
            glued = any(_is_glued(text, match) for match in matches)
            text = _replaced(text, matches)
            if not glued:
                break
        return text

    def _matches(self, text: str, *, unmistakable: bool = False) -> list[Match]:
        found = find(text, unmistakable=unmistakable)
        if self.allow_values:
            return [match for match in found if text[match.start : match.end] not in self.allow_values]
        return found

    def _clean_identity(self, text: str, _bound: int | None) -> str:
        text = encodable(text)
        return _replaced(text, self._matches(text, unmistakable=True)) if self.enabled else text

    def _shortened(self, text: str, bound: int) -> str:
        """Return *text* cleaned and cut: it is read a little beyond the cut, so that no match is cut in half."""
        encoded = text.encode()
        window = encoded[: bound + _LOOK_AHEAD].decode("utf-8", "ignore")
        visible = len(encoded[:bound].decode("utf-8", "ignore"))
        if self.enabled and len(window) < len(text):
            # A token that runs out of the window may be a key no pattern knows without its end.
            torn = len(window.rstrip(_TOKEN_SIGNS))
            visible = min(visible, max(torn, visible - _LONGEST_TOKEN))
        matches = self._matches(window) if self.enabled else []
        return _fitted(window, matches, visible, bound)

    def _clean_value(self, value: object, bound: int | None) -> Plain:
        if bound is None:
            return self._walked(value, plain.BYTES)
        return self._fitting(value, bound)[0]

    def _clean_json(self, value: object, bound: int | None) -> str:
        small = _small_dict(value)
        if small is not None and (flat := self._flat(small, _NESTED)) is not None:
            text = orjson.dumps(flat)
            if bound is None or len(text) <= bound:
                return text.decode()
        return self._fitting(value, plain.BYTES if bound is None else bound)[1].decode()

    def _flat(self, value: dict[object, Any], depth: int) -> dict[str, Plain] | None:
        """Return a small dict of known keys and plain leaves cleaned, without a walk; None if it is not one.

        *depth* is how deep dicts of the same kind may stand in it.
        """
        keys, found = self._state.keys, dict[str, Plain]()
        for key, leaf in tuple(value.items()):  # in one go: another thread may change it
            kind = cast("type[object]", type(leaf))
            if type(key) is not str or key not in keys:
                return None
            if kind is str and not leaf[:1].isspace() and leaf[:1] not in _JSON_OPENERS:
                found[key] = self._clean(leaf, None)
            elif leaf is None or kind is bool or (kind is int and -_SAFE_NUMBER < leaf < _SAFE_NUMBER):
                found[key] = leaf
            elif kind is dict and depth and len(leaf) <= _FLAT and (inner := self._flat(leaf, depth - 1)) is not None:
                found[key] = inner
            else:
                return None
        return found

    def _fitting(self, value: object, bound: int) -> tuple[Plain, bytes]:
        """Return *value* cleaned and as JSON of at most *bound* bytes."""
        room = bound
        for _ in range(_TRIES):
            result = self._walked(value, room)
            text = orjson.dumps(result)
            if len(text) <= bound:
                return result, text
            room = min(room * bound // len(text), room * 3 // 4)
        return _CUT, orjson.dumps(_CUT)

    def _walked(self, value: object, room: int) -> Plain:
        if not self.enabled:
            return Walk(_only_encodable, _no_kind, room).plain(value)
        return Walk(self._clean, self._kind, room, self._state.keys).plain(value)

    def _kind(self, key: str) -> str | None:
        if len(key) > _LONGEST_KEY or ("[" in key and _MARKER.search(key)):  # a marker says what was in the key
            return None
        if self.keys or self.allow_keys:
            name = key_name(key)
            if name in self.allow_keys:
                return None
            if name in self.keys:
                return self.keys[name]
        return key_kind(key)


_OPTIONS: Final = ("keys", "allow_keys", "allow_values")
_LONGEST_KEY: Final = 64
_TRIES: Final = 8
_MARKER: Final = re.compile(r"\[[A-Z][A-Z_]{1,31}\]")
_ROUNDS: Final = 8
_GLUE: Final = re.compile(r"[\w+\-]|[./'\"\\]\w|[\"'\\]{0,2}\s{0,3}[:=]|\s\d")


def _is_glued(text: str, match: Match) -> bool:
    """Tell whether a word goes on right behind *match*, or before it: without the match it may read differently."""
    if _GLUE.match(text, match.end):
        return True
    return match.start > 0 and text[match.start - 1].isalnum()


def _only_encodable(text: str, bound: int | None) -> str:
    text = encodable(text)
    return text if bound is None else text.encode()[:bound].decode("utf-8", "ignore")


def _no_kind(_key: str) -> None:
    return None


def _replaced(text: str, matches: list[Match]) -> str:
    if not matches:
        return text
    parts: list[str] = []
    done = 0
    for match in matches:
        parts += (text[done : match.start], "[", match.kind, "]")
        done = match.end
    parts.append(text[done:])
    return "".join(parts)


def _fitted(text: str, matches: list[Match], visible: int, room: int) -> str:
    """Return the first *visible* characters of *text* cleaned, in at most *room* bytes, without a match on the edge."""
    parts: list[str] = []
    done = 0
    for start, end, kind, _ in [*matches, Match(visible, visible, "", 0)]:
        piece = text[done : min(start, visible)]
        kept = piece.encode()[:room].decode("utf-8", "ignore")
        parts.append(kept)
        room -= len(kept.encode())
        if kept != piece or end > visible or start >= visible or len(kind) + 2 > room:
            break
        parts.append(f"[{kind}]")
        room -= len(kind) + 2
        done = end
    return "".join(parts)


def _small_dict(value: object) -> dict[object, Any] | None:
    """Return *value* where it is a plain dict of a few entries."""
    found: Any = value
    return found if type(found) is dict and len(found) <= _FLAT else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of whatever
