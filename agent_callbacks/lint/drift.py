"""Names that look like one name which has drifted: the same words, other order, other spelling.

Edit distance on whole names is no use here: in published registries every pair it finds alone is two tools
(``get``/``put``, ``export``/``import``). Tokens are compared instead.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["Pair", "near_duplicates"]

_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_DROPPED: Final = frozenset({"a", "for", "func", "function", "my", "of", "the", "tool"})
# With one of these the order of the words is the meaning: text_to_speech, speech_to_text.
_DIRECTIONS: Final = frozenset({"2", "as", "by", "for", "from", "in", "into", "on", "to", "via", "with"})
_SHORTEST: Final = 5
# One letter apart, and both the words of what tools do.
_TWINS: Final = frozenset(
    map(frozenset, (
        ("upload", "unload"), ("store", "score"), ("stack", "stock"), ("share", "shard"), ("state", "stats"),
        ("price", "prize"),
    ))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """Two names that are probably one; ``why`` says how they are alike."""

    first: str
    second: str
    why: str


def near_duplicates(names: Iterable[str], accepted: Collection[frozenset[str]] = ()) -> list[Pair]:
    """Return the pairs of *names* of one registry that look like the same name.

    Args:
        names: Segments, such as ``search_web``.
        accepted: Pairs that are known to be two things.
    """
    listed = sorted(set(names))
    tokens = {name: tuple(word.lower() for word in _WORDS.findall(name)) for name in listed}
    counted = Counter(word for words in tokens.values() for word in set(words))
    found: list[Pair] = []
    for one, other in _candidates(listed, tokens):
        why = _alike(tokens[one], tokens[other], counted)
        if why and frozenset((one, other)) not in accepted:
            found.append(Pair(one, other, why))
    return found


def _candidates(names: Sequence[str], tokens: Mapping[str, tuple[str, ...]]) -> Iterable[tuple[str, str]]:
    """Yield the pairs worth a look: those that share their letters, their words, or all words but one."""
    groups: dict[object, list[str]] = {}
    for name in names:
        words = tokens[name]
        keys: set[object] = {"".join(words), tuple(sorted(_essence(words)))}
        keys.update((len(words), at, words[:at], words[at + 1 :]) for at in range(len(words)))
        for key in keys:
            groups.setdefault(key, []).append(name)
    pairs = {pair for group in groups.values() for pair in combinations(group, 2)}
    return sorted(pairs)


def _essence(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(_singular(word) for word in words if word not in _DROPPED)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > _SHORTEST - 1:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > _SHORTEST - 2 else word


def _alike(one: Sequence[str], other: Sequence[str], counted: Mapping[str, int]) -> str:
    if "".join(one) == "".join(other):
        return "the same letters"
    essence = _essence(one)
    if essence and sorted(essence) == sorted(_essence(other)):
        if len(one) == len(other) and tuple(map(_singular, one)) == tuple(map(_singular, other)):
            return ""  # get_user and get_users: one and many are two tools
        same_order = essence == _essence(other) or _DIRECTIONS.isdisjoint({*one, *other})
        return "the same words" if same_order else ""
    return "one letter apart" if _typo(one, other, counted) else ""


def _typo(one: Sequence[str], other: Sequence[str], counted: Mapping[str, int]) -> bool:
    if len(one) != len(other):
        return False
    differing = [(left, right) for left, right in zip(one, other, strict=True) if left != right]
    if len(differing) != 1:
        return False
    left, right = differing[0]
    if min(len(left), len(right)) < _SHORTEST or frozenset((left, right)) in _TWINS:
        return False
    rare = counted[left] == 1 or counted[right] == 1
    return rare and _singular(left) != _singular(right) and _one_apart(left, right)


def _one_apart(left: str, right: str) -> bool:
    """Tell whether one insertion, deletion, substitution or swap of neighbours makes *right* of *left*."""
    start = 0  # another first letter makes another word: email and gmail, mount and count, asearch and search
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    rest_left, rest_right = left[start:], right[start:]
    return start > 0 and (
        rest_left[1:] == rest_right
        or rest_left == rest_right[1:]
        or rest_left[1:] == rest_right[1:]
        or (rest_left[1:2] + rest_left[:1] + rest_left[2:] == rest_right)
    )
