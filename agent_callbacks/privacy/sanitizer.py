"""The sanitizer: what every text and every value passes before it reaches a span. It never raises and fails closed."""

from __future__ import annotations

import logging
import re
import string
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

import orjson

from agent_callbacks.privacy import embedded, plain
from agent_callbacks.privacy.detectors import Match, merged, search
from agent_callbacks.privacy.findings import Report
from agent_callbacks.privacy.keys import NAMES, Names, key_kind, key_name
from agent_callbacks.privacy.memo import UNKNOWN, Memo
from agent_callbacks.privacy.normalize import encodable
from agent_callbacks.privacy.plain import Plain, Walk, small_dict
from agent_callbacks.privacy.policy import (
    MARKER,
    Mode,
    Networks,
    Recognizer,
    check,
    hint,
    marked,
    networks,
    outside_markers,
    stands_for,
)
from agent_callbacks.privacy.pseudonyms import Pseudonyms
from agent_callbacks.privacy.recognition import outside_networks, recognized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FAILED", "OVERSIZED", "Sanitizer"]

logger = logging.getLogger("agent_callbacks")

FAILED: Final = "[REDACTED:error]"
"""What stands for a value that the sanitizer could not read."""
OVERSIZED: Final = "[REDACTED:size]"
"""What stands for the part of a text that is longer than the sanitizer reads."""

_LOOK_AHEAD: Final = 1024
_LONGEST_TOKEN: Final = 4096
_FAST: Final = 20
# Too short and too plain for any detector: the shortest key of a vendor made of letters and underscores is longer.
_PLAIN_WORDS: Final = re.compile(r"[A-Za-z_]{0,20}|[A-Za-z]{1,15} [A-Za-z]{1,15}[.!?]?")
_PLAIN_LENGTH: Final = 32
_CUT: Final = "[TRUNCATED]"
_FLAT: Final = 16
_FLAT_TEXT: Final = 4096  # so that all of a flat dict is within what a walk may produce
_NESTED: Final = 2
_JSON_OPENERS: Final = ("{", "[")
_SAFE_NUMBER: Final = 10**8
_TOKEN_SIGNS: Final = string.ascii_letters + string.digits + "_-.~+/=%@"
_T = TypeVar("_T")
_A = TypeVar("_A")


@dataclass(slots=True)
class _State:
    """What changes in a sanitizer that does not."""

    pseudonyms: Pseudonyms
    names: Names
    failures: int = 0
    oversized: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    reported: bool = False
    memo: Memo = field(default_factory=Memo)
    keys: set[str] = field(default_factory=set[str])
    """Keys that need no cleaning and say nothing of their values: the same few come with every message."""
    networks: Networks = ()


@dataclass(frozen=True, kw_only=True)
class Sanitizer:
    """Removes personal data and secrets that patterns, checksums and key rules can find.

    Raises:
        TypeError: An unknown option, with the nearest known name.
        ValueError: An option whose value says nothing, with what it may be.
    """

    keys: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """More key rules: key (any spelling) to the type its value is replaced by, as in ``{"badge": "BADGE"}``."""
    allow_keys: frozenset[str] = frozenset()
    """Keys whose values no key rule replaces; what stands in the values is still looked for."""
    allow_values: frozenset[str] = frozenset()
    """Texts that are never replaced where a detector finds exactly them, as a public support address."""
    allow_types: frozenset[str] = frozenset()
    """Types that are not replaced; the same as the mode ``keep``."""
    allow_networks: tuple[str, ...] = ()
    """Networks whose addresses are not replaced, as ``10.0.0.0/8``. Those of documentation (RFC 5737, RFC 3849) are no
    exception: data sets and test systems use them for people's machines."""
    modes: Mapping[str, Mode] = field(default_factory=dict[str, Mode], hash=False)
    """What stands for a type, as in ``{"EMAIL": "tag", "CREDIT_CARD": "partial"}``; ``replace`` for all others."""
    recognizers: tuple[Recognizer, ...] = ()
    """Own recognizers, asked after the detectors for every text but identifiers."""
    recognizer_seconds: float = 1.0
    """How long the recognizers may take for one text, in seconds; what took longer is replaced."""
    max_characters: int = 4 * 1024 * 1024
    """How much of one text is read; the rest is replaced by ``[REDACTED:size]``."""
    pseudonym_key: str | None = field(default=None, repr=False)
    """The key of tags; None: ``AGENT_CALLBACKS_PSEUDONYM_KEY``, else a random one of this process."""
    reason: str | None = field(default=None, init=False)
    """Why nothing is removed; None while everything is."""
    _state: _State = field(init=False, repr=False, compare=False)

    def __new__(cls, **given: object) -> Self:
        """Refuse unknown options before the dataclass does, to say which one was meant."""
        for name in given:
            if name not in _OPTIONS:
                message = f"unknown sanitizer option {name!r}; {hint(name, _OPTIONS)}"
                raise TypeError(message)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Check the options, and bring the key rules to one spelling."""
        check(self)
        modes: dict[str, Mode] = {**self.modes, **dict.fromkeys(self.allow_types, "keep")}
        state = _State(Pseudonyms(self.pseudonym_key), NAMES, networks=networks(self.allow_networks))
        for name, value in (
            ("keys", {key_name(key): kind for key, kind in self.keys.items()}),
            ("allow_keys", frozenset(map(key_name, self.allow_keys))),
            ("allow_values", frozenset(self.allow_values)),
            ("allow_types", frozenset(self.allow_types)),
            ("recognizers", tuple(self.recognizers)),
            ("modes", modes),
            ("_state", state),
        ):
            object.__setattr__(self, name, value)
        if self.keys or self.allow_keys:
            state.names = Names(self._kind)

    def __getstate__(self) -> dict[str, Any]:
        """Return the options: what was learnt on the way stays in its process."""
        return {name: value for name, value in vars(self).items() if name != "_state"}

    def __setstate__(self, options: dict[str, Any]) -> None:
        """Take the options of another sanitizer."""
        for name, value in options.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

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

    @property
    def oversized(self) -> int:
        """How many texts lost their end to ``[REDACTED:size]``."""
        return self._state.oversized

    # --- what is called ----------------------------------------------------------------------------------------------
    def clean(self, text: str, max_bytes: int | None = None) -> str:
        """Return *text* with personal data and secrets replaced by markers; it always encodes to UTF-8.

        JSON stays JSON, also in its strings; what stands outside a match keeps its form.

        Args:
            text: Any text; what stands outside a match is not touched.
            max_bytes: Longest result, in bytes of UTF-8; a match that reaches the cut is removed whole.
        """
        if max_bytes is None and type(text) is str and len(text) < _FAST and text.isalpha() and text.isascii():
            return text
        return self._guarded(self._clean, text, max_bytes)

    def clean_identity(self, text: str, max_bytes: int | None = None) -> str:
        """Return an identifier with what is unmistakable replaced: e-mail, JWT, keys, logins in URLs, +country phones.

        They become keyed tags, so that what belongs together can still be joined. A bare digit string is never touched:
        user 4111111111111111 stays that user.

        Args:
            text: The identifier.
            max_bytes: Longest result, in bytes of UTF-8; a match that reaches the cut is replaced whole.
        """
        return self._guarded(self._clean_identity, text, max_bytes)

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

    def matches(self, text: str, *, identity: bool = False) -> list[Match]:
        """Return what ``clean`` would replace in *text*: positions, types and ranks, in order.

        Args:
            text: Any text; where it does not encode to UTF-8, positions are those in the text that does.
            identity: Return what ``clean_identity`` would replace instead.

        Raises:
            Exception: What a recognizer raises; ``clean`` fails closed instead.
        """
        return self._matches(encodable(text), unmistakable=identity) if self.enabled else []

    def kind(self, key: str, value: object) -> str | None:
        """Return the type by which ``clean_value`` would replace *value* because of its *key*, None if it would not."""
        cleaned = self._clean_value({key: value}, None)
        kind = self._kind(key)
        kept = type(cleaned) is dict and value in cleaned.values()
        return None if kept else kind

    def report(self) -> Report:
        """Return what was done so far, for tests: what was replaced, by type, and what could not be read."""
        return Report(dict(self._state.counts), self.failures, self.oversized)

    # --- one text ----------------------------------------------------------------------------------------------------
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

    def _leaf(self, text: str, bound: int | None) -> str:
        """Return a leaf of a value cleaned: where that fails, its neighbours still pass."""
        return self._guarded(self._clean, text, bound)

    def _clean(self, text: str, bound: int | None) -> str:
        if type(text) is not str or not text.isascii():
            text = encodable(text)
        size = len(text)
        if bound is not None and size * 4 > bound:
            return self._shortened(text, bound)
        if self.reason is not None or (size <= _PLAIN_LENGTH and not self.recognizers and _PLAIN_WORDS.fullmatch(text)):
            return text
        memo = self._state.memo
        key = memo.key(text)
        known = memo.known(key)
        if known is UNKNOWN:
            cleaned = self._cleaned(text)
            known = None if cleaned == text else cleaned
            memo.keep(key, known)
        return text if known is None else known

    def _cleaned(self, text: str) -> str:
        if len(text) > self.max_characters:
            self._state.oversized += 1
            return self._shortened(text, self.max_characters) + OVERSIZED
        matches = self._matches(text)
        if not matches:
            return text
        if text.lstrip()[:1] in _JSON_OPENERS and (value := embedded.parsed(text)) is not embedded.UNPARSED:
            return self._json(text, value, matches)
        return self._replaced(text, matches)

    def _json(self, text: str, value: Plain, matches: list[Match]) -> str:
        """Return JSON *text* cleaned in place, so that it stays JSON; where that cannot be, it is written anew."""
        pieces = [
            (match.start, match.end, embedded.quoted(text, match, self._marked(text, match))) for match in matches
        ]
        result = embedded.spliced(text, pieces)
        if embedded.keeps_json(value, embedded.parsed(result)):
            return result
        return orjson.dumps(self._walk(plain.BYTES).plain(value, 1)).decode()

    def _replaced(self, text: str, matches: list[Match]) -> str:
        """Return *text* with its matches replaced; what stood glued to one is looked at again, in new surroundings."""
        rounds = 1
        while matches:
            glued = rounds < _ROUNDS and any(embedded.is_glued(text, match) for match in matches)
            text = embedded.spliced(text, [(match.start, match.end, self._marked(text, match)) for match in matches])
            matches = self._matches(text) if glued else []
            rounds += 1
        return text

    def _marked(self, text: str, match: Match) -> str:
        mode = self.modes.get(match.kind, "replace")
        self._state.counts[match.kind] += 1
        if mode == "replace":
            return f"[{match.kind}]"
        return marked(match.kind, text[match.start : match.end], mode, self._state.pseudonyms)

    def _matches(self, text: str, *, unmistakable: bool = False) -> list[Match]:
        found = search(text, unmistakable=unmistakable, names=self._state.names)
        if self.recognizers and not unmistakable:
            found += recognized(self.recognizers, text, self.recognizer_seconds)
        if not found:
            return found
        if self.modes:
            found = [match for match in found if self.modes.get(match.kind) != "keep"]
        if self.allow_values:
            found = [match for match in found if text[match.start : match.end] not in self.allow_values]
        if self._state.networks:
            found = outside_networks(text, found, self._state.networks)
        return outside_markers(text, merged(found)) if "[" in text else merged(found)

    def _clean_identity(self, text: str, bound: int | None) -> str:
        text = encodable(text)
        visible = len(text)
        if bound is not None and visible * 4 > bound:
            encoded = text.encode()
            visible = len(encoded[:bound].decode("utf-8", "ignore"))
            text = encoded[: bound + _LONGEST_TOKEN].decode("utf-8", "ignore")
        tags = self._state.pseudonyms
        pieces = [
            (match.start, match.end, tags.tag(match.kind, text[match.start : match.end]))
            for match in (self._matches(text, unmistakable=True) if self.enabled else ())
            if match.start < visible
        ]
        self._state.counts.update(marker[1:].partition(":")[0] for _, _, marker in pieces)
        # What begins before the cut is replaced whole: somebody whose id is a long token is still the same somebody.
        cleaned = embedded.spliced(text[: max([visible, *(end for _, end, _ in pieces)])], pieces)
        return cleaned if bound is None else cleaned.encode()[:bound].decode("utf-8", "ignore")

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
        return embedded.fitted(
            window, [(one.start, one.end, self._marked(window, one)) for one in matches], visible, bound
        )

    # --- one value ---------------------------------------------------------------------------------------------------
    def _clean_value(self, value: object, bound: int | None) -> Plain:
        if bound is not None:
            return self._fitting(value, bound)[0]
        small = small_dict(value, _FLAT)
        flat = self._flat(small, _NESTED) if small is not None else None
        return self._walk(plain.BYTES).plain(value) if flat is None else flat

    def _clean_json(self, value: object, bound: int | None) -> str:
        small = small_dict(value, _FLAT)
        if small is not None and (flat := self._flat(small, _NESTED)) is not None:
            text = orjson.dumps(flat)
            if bound is None or len(text) <= bound:
                return text.decode()
        return self._fitting(value, plain.BYTES if bound is None else bound)[1].decode()

    def _flat(self, value: dict[object, Any], depth: int) -> dict[str, Plain] | None:
        """Return a small dict of known keys and plain leaves cleaned, without a walk; None if it is not one.

        *depth* is how deep dicts of the same kind may stand in it.
        """
        keys = self._state.keys
        found: dict[str, Plain] = {}
        for key, leaf in tuple(value.items()):  # in one go: another thread may change it
            kind = cast("type[object]", type(leaf))
            if type(key) is not str or key not in keys:
                return None
            if kind is str and len(leaf) <= _FLAT_TEXT and not leaf[:1].isspace() and leaf[:1] not in _JSON_OPENERS:
                found[key] = self._leaf(leaf, None)
            elif leaf is None or kind is bool or (kind is int and -_SAFE_NUMBER < leaf < _SAFE_NUMBER):
                found[key] = leaf
            elif kind is float:
                found[key] = leaf if leaf - leaf == 0.0 else None  # no JSON for the others
            elif kind is dict and depth and len(leaf) <= _FLAT and (inner := self._flat(leaf, depth - 1)) is not None:
                found[key] = inner
            else:
                return None
        return found

    def _fitting(self, value: object, bound: int) -> tuple[Plain, bytes]:
        """Return *value* cleaned and as JSON of at most *bound* bytes."""
        room = bound
        for _ in range(_TRIES):
            result = self._walk(room).plain(value)
            text = orjson.dumps(result)
            if len(text) <= bound:
                return result, text
            room = min(room * bound // len(text), room * 3 // 4)
        return _CUT, orjson.dumps(_CUT)

    def _walk(self, room: int) -> Walk:
        if not self.enabled:
            return Walk(_only_encodable, _no_kind, self._mark, room)
        return Walk(self._leaf, self._kind, self._mark, room, self._state.keys)

    def _kind(self, key: str) -> str | None:
        if len(key) > _LONGEST_KEY or ("[" in key and MARKER.search(key)):  # a marker says what was in the key
            return None
        kind = key_kind(key)
        if self.keys or self.allow_keys:
            name = key_name(key)
            kind = None if name in self.allow_keys else self.keys.get(name, kind)
        return None if kind and self.modes.get(kind) == "keep" else kind

    def _mark(self, kind: str, value: object) -> str:
        """Return what stands for a *value* under a key that says it is of type *kind*."""
        mode = self.modes.get(kind, "replace")
        if type(value) is str and stands_for(kind, value):
            return value
        self._state.counts[kind] += 1
        if type(value) not in {str, int}:
            return "" if mode == "drop" else f"[{kind}]"
        return marked(kind, encodable(str(value)), mode, self._state.pseudonyms)


_OPTIONS: Final = tuple(option.name for option in fields(Sanitizer) if option.init)
_LONGEST_KEY: Final = 64
_TRIES: Final = 8
_ROUNDS: Final = 8


def _only_encodable(text: str, bound: int | None) -> str:
    text = encodable(text)
    return text if bound is None else text.encode()[:bound].decode("utf-8", "ignore")


def _no_kind(_key: str) -> None:
    return None
