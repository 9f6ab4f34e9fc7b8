"""From any raw text to one segment of a span name: personal data and ids out, snake_case in, every change reported.

A segment is ``[a-z][a-z0-9]*(_[a-z0-9]+)*`` of 1 to 64 characters. The result is deterministic, idempotent and total;
the work is bounded because only the first 512 characters of a raw name are looked at.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "LONGEST_RAW",
    "LONGEST_SEGMENT",
    "RULES",
    "UNNAMED",
    "Slug",
    "is_segment",
    "masked_personal",
    "ordered",
    "prepared",
    "slug",
    "tidy",
    "without_ids",
    "without_personal",
]

LONGEST_RAW: Final = 512
LONGEST_SEGMENT: Final = 64
UNNAMED: Final = "unnamed"

RULES: Final[dict[str, str]] = {
    "SPN202": "pii-in-name",
    "SPN201": "high-cardinality-token",
    "SPN112": "unresolved-placeholder",
    "SPN102": "missing-segment",
    "SPN103": "extra-segment",
    "SPN104": "bad-step-number",
    "SPN101": "unknown-namespace",
    "SPN110": "empty-name",
    "SPN111": "control-or-invisible-character",
    "SPN109": "name-too-long",
    "SPN107": "bad-character",
    "SPN108": "leading-digit",
    "SPN106": "bad-separator",
    "SPN105": "not-snake-case",
    "SPN203": "name-cardinality-budget",
    "SPN301": "name-collision",
    "SPN303": "unregistered-tool",
}
"""What a name can be reported for, gravest first: code -> short name."""

_ORDER: Final = {code: place for place, code in enumerate(RULES)}
_SEGMENT: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_EMPTYING: Final = frozenset({"SPN112", "SPN201", "SPN202"})
_EMPTY_VALUES: Final = frozenset({"none", "null", "undefined"})
# A pass can only shorten the segment of the pass before it; two are the rule, three the most seen.
_PASSES: Final = 8
# Where something was removed. Control characters are dropped first, so the mark cannot stand in a raw name.
_MARK: Final = "\0"
_MARKS: Final = re.compile(r"_*\0[_\0]*")


@dataclass(frozen=True, slots=True)
class Slug:
    """A segment of a span name, and what had to be changed to get it."""

    segment: str
    """``[a-z][a-z0-9]*(_[a-z0-9]+)*``, 1 to 64 characters."""
    rules: tuple[str, ...]
    """Codes of the rules the raw name broke, gravest first; empty when it was a segment already."""


def ordered(codes: Iterable[str]) -> tuple[str, ...]:
    """Return *codes* without repeats, gravest first; that a name is empty is not said where what went is."""
    found = set(codes)
    return tuple(sorted(found - {"SPN110"} if found & _EMPTYING else found, key=_ORDER.__getitem__))


def is_segment(text: str) -> bool:
    """Tell whether *text* is in the grammar of a segment (ids and personal data are not looked for)."""
    return len(text) <= LONGEST_SEGMENT and _SEGMENT.fullmatch(text) is not None


def slug(raw: str) -> Slug:
    """Return the segment for *raw* and the rules it broke.

    Args:
        raw: Any text: a tool, retriever, agent or chain name, lone surrogates included; longer than 512 characters
            is cut.

    Returns:
        The segment and its rules. The same text always gives the same segment, and a segment gives itself.
    """
    return _slug(raw[: LONGEST_RAW + 1])


@lru_cache(maxsize=1024)
def _slug(raw: str) -> Slug:
    if is_segment(raw) and raw.replace("_", "").isalpha() and "_at_" not in raw and raw not in _EMPTY_VALUES:
        return Slug(raw, ())
    text, rules = prepared(raw)
    for _ in range(_PASSES):  # pragma: no branch - the bound only keeps a mistake of ours from hanging an agent
        segment, found = _pass(text)
        rules |= found
        if segment == text:
            break
        text = segment
    return Slug(text, ordered(rules))


def _pass(text: str) -> tuple[str, set[str]]:
    text, rules = without_ids(text)
    text, placeholder = _without_placeholders(text)
    rules |= placeholder | _shape_rules(text)
    segment = _snake(_latin(text))
    if segment[:1].isdigit():
        rules.add("SPN108")
        segment = f"n_{segment}"
    if len(segment) > LONGEST_SEGMENT:
        rules.add("SPN109")
        segment = f"{segment[:55].rstrip('_')}_{_letters(segment)}"
    if not segment:
        rules.add("SPN110")
        segment = UNNAMED
    return segment, rules


# --- characters ------------------------------------------------------------------------------------------------------
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs"})
# fmt: off
_LATIN: Final = str.maketrans({
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D",
    "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L", "ħ": "h", "Ħ": "H", "\u0131": "i",
})
# fmt: on
_SEPARATORS: Final = re.compile(r"[ \-./:]|__|\A_|_\Z")
_BAD_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9_ \-./:]")
_OTHERS: Final = re.compile(r"[^A-Za-z0-9]+")
# Between lower case or digit and capital, and between an acronym and a word; a plural (`URLs`) is one acronym.
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?![A-Z]s(?![a-z]))")


def prepared(raw: str) -> tuple[str, set[str]]:
    """Return *raw* cut, tidied and without its plain personal data, and the codes of what was found."""
    text, rules = tidy(raw)
    if len(raw) > LONGEST_RAW:
        rules.add("SPN109")
    text, personal = without_personal(text)
    return text, rules | personal


def tidy(raw: str) -> tuple[str, set[str]]:
    """Return at most 512 characters of *raw* in NFKC without control, format and surrogate characters."""
    text = _cut(raw)
    if text.isascii() and text.isprintable():
        return text, set()
    compatible = "".join(map(_decimal, unicodedata.normalize("NFKC", text)))
    kept = "".join(c for c in _cut(compatible) if unicodedata.category(c) not in _INVISIBLE)
    rules = {"SPN111"} if any(unicodedata.category(c) in _INVISIBLE for c in compatible) else set[str]()
    return kept, rules | ({"SPN107"} if compatible != text else set())


def _cut(text: str) -> str:
    # The last word goes whole: half an address is one that no detector knows.
    return text if len(text) <= LONGEST_RAW else re.sub(r"\S{1,128}\Z", "", text[:LONGEST_RAW])


def _decimal(character: str) -> str:
    return str(unicodedata.decimal(character)) if not character.isascii() and character.isdecimal() else character


def _shape_rules(text: str) -> set[str]:
    found: set[str] = set()
    if text != text.lower():
        found.add("SPN105")
    if _SEPARATORS.search(text):
        found.add("SPN106")
    if _BAD_CHARACTERS.search(text):
        found.add("SPN107")
    return found


def _latin(text: str) -> str:
    """Fold Latin diacritics; other scripts become a suffix of letters, which no id detector can take for an id."""
    if text.isascii():
        return text
    base = ""
    kept: list[str] = []
    for character in unicodedata.normalize("NFD", text).translate(_LATIN):
        if unicodedata.combining(character) and base.isascii():
            continue
        base = character
        kept.append(character)
    folded = "".join(kept)
    if not any(c.isalnum() and not c.isascii() for c in folded):
        return folded
    # The suffix is taken after ids and personal data went: one of the raw name would be as many names as there are ids.
    return f"{_OTHERS.sub('_', folded).strip('_') or 'x'}_{_letters(unicodedata.normalize('NFC', text))}"


def _snake(text: str) -> str:
    return _OTHERS.sub("_", _CAMEL.sub("_", text)).strip("_").lower()


def _letters(text: str) -> str:
    """Return eight letters that stand for *text* (BLAKE2s)."""
    number = int.from_bytes(hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    found = ""
    for _ in range(8):
        number, place = divmod(number, 26)
        found += chr(ord("a") + place)
    return found


# --- personal data: SPN202 -------------------------------------------------------------------------------------------
# Words before an e-mail address that belong to the name: `lookup_user_bob@example.com`. Any other word may be part of
# the address and goes with it.
# fmt: off
_NAME_WORDS: Final = frozenset({
    "account", "address", "agent", "by", "check", "contact", "create", "customer", "delete", "docs", "email",
    "emails", "fetch", "find", "for", "from", "get", "inbox", "index", "list", "lookup", "mail", "mailbox",
    "message", "notify", "of", "profile", "query", "read", "report", "resolve", "retriever", "search", "send",
    "source", "store", "sync", "tenant", "ticket", "to", "tool", "update", "user", "users", "verify", "write",
})
# fmt: on
_EMAIL: Final = re.compile(
    r"""(?P<local>[^\s@\0/:;,()<>\[\]"'|=&?]{1,96})(?:@|%40)[\w\-]{1,63}(?:\.[\w\-]{1,63}){0,4}\.[^\W\d_]{2,24}"""
)
_SPELLED_EMAIL: Final = re.compile(r"(?i)(?<![0-9a-z])[0-9a-z]+_at_[0-9a-z]+_(?:com|org|net|edu)(?![0-9a-z])")
_NUMBERS: Final = (
    re.compile(r"\+\d{1,3}(?:[ .\-_()]{0,2}\d){6,13}(?!\d)"),  # +1-415-555-0137
    re.compile(r"(?<![0-9A-Za-z])\(?\d{3}\)?[ .\-_]\d{3}[ .\-_]\d{4}(?![0-9A-Za-z])"),  # 415-555-0137
    re.compile(r"(?<![0-9A-Za-z])\d{3}([ .\-_])\d{2}\1\d{4}(?![0-9A-Za-z])"),  # 123-45-6789
    re.compile(r"(?<![0-9A-Za-z])\d{4}([ .\-_])\d{4}\1\d{4}\1\d{4}(?![0-9A-Za-z])"),  # 4111 1111 1111 1111
    re.compile(r"(?<![0-9A-Za-z])3\d{3}([ .\-_])\d{6}\1\d{5}(?![0-9A-Za-z])"),  # 3782 822463 10005
)
_CARD: Final = re.compile(r"(?<!\d)[3-6]\d{12,18}(?!\d)")


def without_personal(text: str) -> tuple[str, set[str]]:
    """Return tidied *text* without e-mail addresses, telephone, social security and card numbers."""
    found = _personal_marked(text)
    return (text, set()) if found == text else (_closed(found), {"SPN202"})


def masked_personal(text: str) -> str:
    """Return *text* with a marker in place of the personal data that :func:`without_personal` removes."""
    return _personal_marked(text).replace(_MARK, "[REDACTED]")


def _personal_marked(text: str) -> str:
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(lambda match: _name_words(match["local"]) + _MARK, text)
    if "_at_" in text:
        text = _SPELLED_EMAIL.sub(_MARK, text)
    for pattern in _NUMBERS:
        text = pattern.sub(_MARK, text)
    return _CARD.sub(lambda match: _MARK if _luhn(match[0]) else match[0], text)


def _name_words(local: str) -> str:
    parts = re.split(r"([_\-.+ ])", local)
    kept = ""
    for word, separator in zip(parts[:-1:2], parts[1::2], strict=True):
        if word.lower() not in _NAME_WORDS:
            break
        kept += word + separator
    return kept


def _luhn(digits: str) -> bool:
    """Check a card number (ISO/IEC 7812-1, annex B)."""
    doubled = (sum(divmod(2 * int(c), 10)) if place % 2 else int(c) for place, c in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0


def _closed(text: str) -> str:
    """Join what stood around the removed places with one underscore."""
    return _MARKS.sub(lambda match: "_" if match.start() and match.end() < len(text) else "", text)


# --- ids: SPN201 -----------------------------------------------------------------------------------------------------
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_OCTET_FROM_10: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]\d)"
_IDS: Final = (
    re.compile(r"(?i)(?:[a-z][a-z0-9+.\-]{0,20}://|www\.)\S+"),
    re.compile(r"(?i)(?<![0-9a-z])arn:[a-z0-9\-]*:\S+"),
    re.compile(r"(?<![0-9A-Za-z])[A-Za-z]:\\\S*|\\\\\S+"),
    re.compile(r"(?<![A-Za-z0-9.])~?/[^\s/]+(?:/[^\s/]*)+"),
    re.compile(r"(?i)[0-9a-f]{8}(?:[\-_][0-9a-f]{4}){3}[\-_][0-9a-f]{12}"),
    re.compile(
        r"(?<!\d)(?:19|20)\d\d([\-_./ ]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)"
        r"(?:[Tt_ \-]\d\d[:_\-.]?\d\d(?:[:_\-.]?\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+\-]\d\d:?\d\d)?(?![0-9A-Za-z]))?"
    ),
    re.compile(r"(?<!\d)(?:0?[1-9]|[12]\d|3[01])([\-_./])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)\d\d(?!\d)"),
    re.compile(r"(?<![0-9:])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![0-9:])"),
    re.compile(r"(?i)(?<![0-9a-z])0x[0-9a-f]{4,}"),
    re.compile(rf"(?<![0-9A-Za-z.]){_OCTET}(?:\.{_OCTET}){{3}}(?![0-9A-Za-z])"),
    re.compile(rf"(?<![0-9A-Za-z]){_OCTET_FROM_10}([\-_]){_OCTET}\1{_OCTET}\1{_OCTET}(?![0-9A-Za-z])"),
    re.compile(r"(?i)(?<![0-9a-z:])(?=[0-9a-f:]*\d)[0-9a-f]{0,4}(?:::?[0-9a-f]{1,4}){3,7}(?![0-9a-z:])"),
)
# Names of pods end in two words of Kubernetes' alphabet without vowels and look-alikes: `search-7d9f8b6c5d-x2x4z`.
_POD: Final = re.compile(
    r"(?<![0-9A-Za-z])(?=[a-z]*\d[a-z]*\d)[bcdf-hj-np-tv-xz24-9]{8,10}[\-_][bcdf-hj-np-tv-xz24-9]{5}(?![0-9A-Za-z])"
)
# NanoId writes `_` and `-` inside its 21 characters, so that no single token shows it: `V1StGXR8_Z5jdHi6B-myT`.
_NANOID: Final = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z_\-]{21}(?![0-9A-Za-z_\-])")
_VENDOR: Final = re.compile(
    r"(?<![0-9A-Za-z])(?P<prefix>(?:call|toolu|asst|chatcmpl|msg|resp|thread|run|step|req)[_\-])"
    r"(?P<id>[0-9A-Za-z]{16,})(?![0-9A-Za-z])"
)
_TOKEN: Final = re.compile(r"[0-9A-Za-z]{5,}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{7,}")
# `decade80`, `facade2024`: a word of hexadecimal letters and a small number.
_WORD_NUMBER: Final = re.compile(r"[A-Za-z]{5,7}\d{1,4}")
_MIXED: Final = re.compile(r"(?=.{12})(?:\d*[A-Za-z]){3}")
_LONG_NUMBER: Final = re.compile(r"\d{5,}")
_CHANGE: Final = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
# Standards have numbers of five digits that everybody's tool has too: `iso_27001_audit`, `ed25519_sign`.
_STANDARD: Final = re.compile(r"(?i)(?:iso|iec|rfc)\d{5}|(?:ed|x|curve)25519")
_FIVE_DIGITS: Final = re.compile(r"\d{5}")
_STANDARD_BEFORE: Final = re.compile(r"(?i)(?<![a-z])(?:iso|iec|rfc)[ _\-]\Z")


def without_ids(text: str) -> tuple[str, set[str]]:
    """Return *text* without what makes a name one of many: ids, hashes, dates, addresses, paths, personal data."""
    text, rules = without_personal(text)
    if not text.isalpha():
        found = text
        for pattern in _IDS:
            found = pattern.sub(_MARK, found)
        found = _VENDOR.sub(_vendor_id, found)
        found = _NANOID.sub(_nanoid, _POD.sub(_MARK, found))
        found = _TOKEN.sub(_token, found)
        if found != text:
            return _closed(found), rules | {"SPN201"}
    return text, rules


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _random(token: str, *, digits: int, changes: int) -> bool:
    """Tell whether letters and digits are mixed as no word mixes them."""
    return _digits(token) >= digits and len(_CHANGE.findall(token)) >= changes


def _vendor_id(match: re.Match[str]) -> str:
    token = match["id"]
    return match["prefix"] + _MARK if _random(token, digits=2, changes=3) else match[0]


def _nanoid(match: re.Match[str]) -> str:
    token = match[0]
    both_cases = token != token.lower() and token != token.upper()
    return _MARK if both_cases and _random(token, digits=3, changes=6) else token


def _token(match: re.Match[str]) -> str:
    token = match[0]
    if _STANDARD.fullmatch(token) or (
        _FIVE_DIGITS.fullmatch(token) and _STANDARD_BEFORE.search(match.string[: match.start()])
    ):
        return token
    if _is_id(token):
        return _MARK
    parts = _LONG_NUMBER.split(token)
    return token if len(parts) == 1 else _MARK.join(part if len(part) > 1 else "" for part in parts)


def _is_id(token: str) -> bool:
    """Tell whether *token* (letters and digits) is a hash, an address or a random id rather than a word."""
    if _HEX.fullmatch(token):
        return _digits(token) > 1 and not token.isdigit() and not _WORD_NUMBER.fullmatch(token)
    return _MIXED.match(token) is not None and _random(token, digits=3, changes=4)


# --- templates nobody filled in: SPN112 ------------------------------------------------------------------------------
_PLACEHOLDERS: Final = re.compile(
    r"\$?\{\{?[^{}]*\}?\}|<[^<>]*>|%\([^()]*\)[sdrifx]|%(?:\.\d+)?[sdrifx](?![0-9A-Za-z])|\[object \w+\]"
    r"|(?<![0-9A-Za-z])None(?![0-9A-Za-z])"
)


def _without_placeholders(text: str) -> tuple[str, set[str]]:
    found = "" if text.lower() in _EMPTY_VALUES else _PLACEHOLDERS.sub(_MARK, text)
    return (text, set()) if found == text else (_closed(found), {"SPN112"})
