"""What a sanitizer would replace, said without saying it: types, positions and rules, never the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.privacy.sanitizer import Sanitizer

__all__ = ["Finding", "Report", "in_pair", "in_text", "in_value"]


class Finding(NamedTuple):
    """One value that would be replaced."""

    kind: str
    """Its type, as markers name it."""
    place: str
    """Where it stands, itself cleaned."""
    start: int
    """Its first character in the text there, counted from 0."""
    end: int
    """The character behind its last."""
    rule: str
    """What it was found by."""


class Report(NamedTuple):
    """What a sanitizer has done."""

    replaced: Mapping[str, int]
    """How many values were replaced, by type; of a text that comes again while it is remembered, once."""
    failures: int
    """How many values became ``[REDACTED:error]``."""
    oversized: int
    """How many texts lost their end to ``[REDACTED:size]``."""


_RULES: Final[Mapping[str, str]] = {
    "EMAIL": "an address around '@', or spelled out",
    "PHONE": "a number of the form of a country, with its prefix, its separators or a word before it",
    "CREDIT_CARD": "12 to 19 digits of a card issuer that pass the Luhn check",
    "IBAN": "a country's form and length, and the remainder 1 by 97 (ISO 13616)",
    "US_SSN": "a number of the form 000-00-0000, or nine digits behind a word that says so",
    "ID": "a national number that passes its checksum, or a number behind a word that says so",
    "IP": "an IPv4 or IPv6 address",
    "MAC": "an address of six bytes in hexadecimal",
    "URL_CREDENTIALS": "name and password before the host of an address",
    "SECRET": "a vendor's form of key, a random word, or what a name like 'password' is given",
    "JWT": "three parts in base64url, of which the first is a header",
    "PRIVATE_KEY": "a block between BEGIN and END",
    "CRYPTO": "an address of a coin that passes its checksum",
    "DATE_OF_BIRTH": "a date behind a word that says so",
    "PERSON": "what stands under a name like 'full_name'",
    "ADDRESS": "what stands under a name like 'street'",
}
_KEY_RULE: Final = "the key says what stands under it"
_OWN: Final = "a recognizer of your own"


def in_text(text: str, sanitizer: Sanitizer, place: str = "", *, identity: bool = False) -> Iterator[Finding]:
    """Yield what *sanitizer* would replace in *text*, in order.

    Args:
        text: Any text.
        sanitizer: What looks.
        place: Where the text stands, for the reader.
        identity: Whether the text is an id, which is checked for unmistakable forms only.
    """
    for match in sanitizer.matches(text, identity=identity):
        yield Finding(match.kind, place, match.start, match.end, _RULES.get(match.kind, _OWN))


def in_value(value: object, sanitizer: Sanitizer, place: str = "", *, identity: bool = False) -> Iterator[Finding]:
    """Yield what *sanitizer* would replace in plain data: in its keys, under keys that say so, and in its texts."""
    if isinstance(value, str):
        yield from in_text(value, sanitizer, place, identity=identity)
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            yield from in_pair(key, inner, sanitizer, place)
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        for index, inner in enumerate(cast("Sequence[object]", value)):
            yield from in_value(inner, sanitizer, f"{place}[{index}]", identity=identity)
    elif isinstance(value, (int, float)) and sanitizer.clean_value(value) != value:
        yield from in_text(str(int(value)), sanitizer, place)


def in_pair(
    key: str, value: object, sanitizer: Sanitizer, place: str = "", *, identity: bool = False
) -> Iterator[Finding]:
    """Yield what *sanitizer* would replace of one pair of a mapping."""
    inner = f"{place} {sanitizer.clean(key)}".lstrip()
    yield from in_text(key, sanitizer, f"{place} key".lstrip())
    found = list(in_value(value, sanitizer, inner, identity=identity))
    yield from found
    if not found and not identity and (kind := sanitizer.kind(key, value)) is not None:
        yield Finding(kind, inner, 0, len(str(value)), _KEY_RULE)
