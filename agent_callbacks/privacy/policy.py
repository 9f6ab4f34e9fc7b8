"""What stands for a match: a marker, a keyed tag, a part of it, nothing, or itself."""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent_callbacks.privacy.match import Match
    from agent_callbacks.privacy.pseudonyms import Pseudonyms
    from agent_callbacks.privacy.sanitizer import Sanitizer

__all__ = [
    "KIND",
    "MARKER",
    "MODES",
    "Mode",
    "Networks",
    "Recognizer",
    "check",
    "hint",
    "marked",
    "networks",
    "outside_markers",
    "stands_for",
]

Mode: TypeAlias = Literal["replace", "tag", "partial", "drop", "keep"]
"""``replace``: ``[EMAIL]``. ``tag``: ``[EMAIL:9f3a2c1b]``, the same for the same value under one key. ``partial``: the
last four digits of a number of at least eight, else as ``replace``. ``drop``: nothing; under a key, the pair goes.
``keep``: the value itself."""
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
KIND: Final = re.compile(r"[A-Z][A-Z_]{1,31}")
MARKER: Final = re.compile(r"\[[A-Z][A-Z_]{1,31}(?::~?[0-9a-z]{1,16})?\]")
"""What stands in cleaned text; nothing is looked for inside."""

Networks: TypeAlias = "tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]"


class Recognizer(Protocol):
    """Finds what patterns cannot: names, addresses, words of one company; for ``Sanitizer(recognizers=...)``."""

    def recognize(self, text: str) -> Iterable[tuple[int, int, str]]:
        """Return what *text* holds.

        It is called on the caller's thread for each text that is not known yet, with the text as it came, and must be
        safe to call from several threads. What it raises, a wrong answer, or taking longer than
        ``Sanitizer(recognizer_seconds=...)`` replaces the whole text by ``[REDACTED:error]``.

        Args:
            text: Any text, up to ``Sanitizer(max_characters=...)`` long.

        Returns:
            Start and end of each find as positions in *text*, and its type in capitals (``PERSON``).
        """
        ...


def networks(named: Sequence[str]) -> Networks:
    """Return the networks *named*.

    Raises:
        ValueError: One of them is none.
    """
    try:
        return tuple(map(ipaddress.ip_network, named))
    except ValueError as error:
        message = f"Sanitizer(allow_networks=...): {error}; write networks like '10.0.0.0/8'"
        raise ValueError(message) from None


_LAST: Final = 4
_FEWEST: Final = 8


def marked(kind: str, value: str, mode: Mode, pseudonyms: Pseudonyms) -> str:
    """Return what stands for *value* of type *kind*."""
    if mode == "tag":
        return pseudonyms.tag(kind, value)
    if mode == "partial":
        digits = [str(digit) for digit in (unicodedata.decimal(sign, None) for sign in value) if digit is not None]
        if len(digits) >= _FEWEST:
            return f"[{kind}:{''.join(digits[-_LAST:])}]"
    return "" if mode == "drop" else f"[{kind}]"


def hint(name: str, known: tuple[str, ...]) -> str:
    """Return what may have been meant by *name*, or what is known."""
    close = difflib.get_close_matches(name, known, 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


_ENDING: Final = re.compile(r"(?::(?:~?[0-9a-f]{8}|[0-9]{4}))?\]")


def stands_for(kind: str, text: str) -> bool:
    """Tell whether *text* is what replaced a value of type *kind* before: a tag of a tag would join nothing."""
    return text.startswith(f"[{kind}") and _ENDING.fullmatch(text, len(kind) + 1) is not None


def check(options: Sanitizer) -> None:
    """Refuse options that say nothing.

    Raises:
        ValueError: Always with what the option may be.
    """
    for option, kinds in (
        ("keys", options.keys.values()),
        ("modes", options.modes),
        ("allow_types", options.allow_types),
    ):
        for kind in kinds:
            if not KIND.fullmatch(kind):
                message = (
                    f"Sanitizer({option}=...): a type is 2 to 32 capitals and underscores, as in {{'badge': 'BADGE'}}"
                )
                raise ValueError(message)
    for mode in options.modes.values():
        if mode not in MODES:
            message = f"Sanitizer(modes=...): unknown mode {mode!r}; {hint(str(mode), MODES)}"
            raise ValueError(message)
    for option, number in (
        ("max_characters", options.max_characters),
        ("recognizer_seconds", options.recognizer_seconds),
    ):
        if not number > 0:
            message = f"Sanitizer({option}={number!r}): must be a number above 0"
            raise ValueError(message)
    for recognizer in options.recognizers:
        if not callable(getattr(recognizer, "recognize", None)):
            message = f"Sanitizer(recognizers=...): a {type(recognizer).__name__} has no method recognize(text)"
            raise ValueError(message)  # noqa: TRY004 - all bad values raise the same error


def outside_markers(text: str, found: list[Match]) -> list[Match]:
    """Return *found* without what lies inside a marker: a tag may look like anything."""
    markers = [marker.span() for marker in MARKER.finditer(text)] if found else []
    if not markers:
        return found
    starts = [start for start, _ in markers]
    kept: list[Match] = []
    for one in found:
        place = bisect_right(starts, one.start) - 1
        if place < 0 or one.end > markers[place][1]:
            kept.append(one)
    return kept
