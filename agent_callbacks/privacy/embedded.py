"""Replacing pieces of a text so that what the text is, it stays: JSON, within its bound."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_callbacks.privacy.match import Match
    from agent_callbacks.privacy.plain import Plain

__all__ = ["UNPARSED", "Piece", "fitted", "is_glued", "keeps_json", "parsed", "quoted", "spliced"]

Piece: TypeAlias = tuple[int, int, str]
"""Where a piece lies, and what stands for it."""


class Unparsed(Enum):
    """What stands for text that is no JSON: JSON has a null of its own."""

    UNPARSED = auto()


UNPARSED: Final = Unparsed.UNPARSED
_OPENERS: Final = ("{", "[")
_BEFORE: Final = re.compile(r"[:\[,]\s{0,64}\Z")
_AFTER: Final = re.compile(r"\s{0,64}[,}\]]")
_QUOTE: Final = re.compile(r"(?:\A|[^\\])(\\{0,31}\")")
_NEAR: Final = 512


def parsed(text: str) -> Plain | Unparsed:
    """Return what JSON *text* says, ``UNPARSED`` where it is none."""
    try:
        return cast("Plain", orjson.loads(text))
    except orjson.JSONDecodeError:
        return UNPARSED


def keeps_json(before: Plain | Unparsed, after: Plain | Unparsed) -> bool:
    """Tell whether *after* is still JSON where *before* was, also in its strings."""
    if after is UNPARSED:
        return False
    if type(before) is str and type(after) is str and before[:1] in _OPENERS:
        inner = parsed(before)
        return inner is UNPARSED or keeps_json(inner, parsed(after))
    if isinstance(before, list) and isinstance(after, list):
        return _all_keep(before, after)
    if isinstance(before, dict) and isinstance(after, dict) and len(before) != len(after):
        return False
    return not isinstance(before, dict) or not isinstance(after, dict) or _all_keep(before.values(), after.values())


def _all_keep(before: Iterable[Plain], after: Iterable[Plain]) -> bool:
    """Tell whether all that can be JSON in itself still is; most leaves cannot, and are not worth a call."""
    return all(
        keeps_json(old, new)
        for old, new in zip(before, after, strict=False)
        if (old[:1] in _OPENERS if type(old) is str else type(old) in _CONTAINERS)
    )


_CONTAINERS: Final = frozenset({dict, list})


def quoted(text: str, match: Match, marker: str) -> str:
    """Return *marker* in the quotes that it needs where *match* is a bare number of JSON, also of JSON in a string."""
    start, end = match.start, match.end
    if not _BEFORE.search(text, max(0, start - 65), start) or not _AFTER.match(text, end):
        return marker
    quotes = _QUOTE.findall(text, max(0, start - _NEAR), start)
    quote = quotes[-1] if quotes else '"'
    return f"{quote}{marker}{quote}"


def spliced(text: str, pieces: list[Piece]) -> str:
    """Return *text* with *pieces*, which are in order and touch nowhere, replaced."""
    parts: list[str] = []
    done = 0
    for start, end, marker in pieces:
        parts += (text[done:start], marker)
        done = end
    parts.append(text[done:])
    return "".join(parts)


def fitted(text: str, pieces: list[Piece], visible: int, room: int) -> str:
    """Return the first *visible* characters of *text* cleaned, in at most *room* bytes, without a match on the edge."""
    parts: list[str] = []
    done = 0
    for start, end, marker in pieces:
        piece = text[done : min(start, visible)]
        kept = piece.encode()[:room].decode("utf-8", "ignore")
        parts.append(kept)
        room -= len(kept.encode())
        if kept != piece or end > visible or start >= visible or len(marker) > room:
            return "".join(parts)
        parts.append(marker)
        room -= len(marker)
        done = end
    parts.append(text[done:visible].encode()[:room].decode("utf-8", "ignore"))
    return "".join(parts)


_GLUE: Final = re.compile(r"[\w+\-]|[./'\"\\]\w|[\"'\\]{0,2}\s{0,3}[:=]|[ \t]\d")


def is_glued(text: str, match: Match) -> bool:
    """Tell whether a word goes on right behind *match*, or before it: without the match it may read differently."""
    if _GLUE.match(text, match.end):
        return True
    return match.start > 0 and text[match.start - 1].isalnum()
