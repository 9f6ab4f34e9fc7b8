"""What a model's input is made of, as token counts that sum exactly to what the provider reports. Pure.

Text is counted with the model's own encoding where that is known, so it is certain; what the provider wraps around it
(message headers, tool schemas in a form of its own) is modelled. When the report differs, what is modelled gives first;
only when that cannot explain it does everything scale. A difference too large to be a matter of tokenizers is tokens of
another kind (images, a provider's hidden instructions): it goes to ``other`` and is flagged.
"""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BUCKETS", "Buckets", "Estimate", "apportioned", "cached", "reconciled", "shares"]

BUCKETS: Final = ("system_prompt", "tool_schemas", "history", "tool_outputs", "other")
"""The buckets, in the order of the fields of ``Buckets``."""
LOWEST: Final = 0.8
HIGHEST: Final = 1.25
# Counted without an encoder, text of an unusual kind is that far off.
_ROUGHLY: Final = (0.5, 2.0)


class Buckets(NamedTuple):
    """Input tokens by what they are; the counts stand in the order of ``BUCKETS``.

    ``system_prompt`` is instructions, ``tool_schemas`` the tools' definitions, ``history`` what user and assistant said
    and the arguments of past tool calls, ``tool_outputs`` what tools gave back, ``other`` images, audio, files and what
    the provider counts beside all that.
    """

    system_prompt: int = 0
    tool_schemas: int = 0
    history: int = 0
    tool_outputs: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return sum(self)

    def __add__(self, more: Buckets) -> Buckets:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the sums, bucket by bucket; nobody wants them one after the other."""
        return Buckets(*map(operator.add, self, more))


class Estimate(NamedTuple):
    """What a call was counted to send: ``text`` as encoded, ``format`` what its provider wraps around, as modelled.

    ``whole`` is both together, ``total`` their sum: what can be worked out before the provider's report is there.
    """

    text: Buckets
    format: Buckets
    whole: Buckets
    total: int

    @classmethod
    def of(cls, text: Buckets, form: Buckets) -> Estimate:
        """Return the estimate of *text* with *form* around it."""
        whole = text + form
        return cls(text, form, whole, sum(whole))


def reconciled(
    estimate: Estimate, reported: int, *, certain: bool = False, exact: bool = True, media: bool = False
) -> tuple[Buckets, bool]:
    """Make *estimate* sum to *reported* exactly; return its buckets, and whether what was sent does not explain them.

    That is so where the report is outside 0.8 to 1.25 times what was counted.

    Args:
        estimate: What was counted.
        reported: The provider's input tokens, those read from a cache included.
        certain: Whether the text was counted with the model's own encoding.
        exact: Whether it was counted with an encoder at all.
        media: Whether images, audio or files were sent, which no text encoding counts.
    """
    text, modelled, whole, counted = estimate
    if reported == counted:
        return whole, False
    if counted == 0:
        return Buckets(other=reported), True
    ratio = reported / counted
    lowest, highest = (LOWEST, HIGHEST) if exact else _ROUGHLY
    if reported > counted and (media or ratio > highest):
        return whole + Buckets(other=reported - counted), ratio > highest and not media
    around = sum(modelled)
    room = reported - counted + around
    if certain and LOWEST * around <= room <= HIGHEST * around:
        return text + _scaled(modelled, room), False
    return _scaled(whole, reported), ratio < lowest


def _scaled(buckets: Buckets, total: int) -> Buckets:
    return Buckets(*apportioned(total, buckets))


def apportioned(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divide *total* by *weights* into integers that sum to it: the largest remainder method (Hamilton's).

    A weight of 0 gets nothing. Weights that are all 0 get nothing but the last, which gets all.
    """
    whole = sum(weights)
    if whole == total:
        return tuple(weights)
    if whole == 0:
        return (*(0 for _ in weights[1:]), total)
    floors: list[int] = []
    remainders: list[int] = []
    for weight in weights:
        floor, remainder = divmod(weight * total, whole)
        floors.append(floor)
        remainders.append(remainder)
    for _ in range(total - sum(floors)):
        # Equal remainders: the first bucket wins, so that the same input gives the same answer.
        place = remainders.index(max(remainders))
        floors[place] += 1
        remainders[place] = 0
    return tuple(floors)


def cached(segments: Iterable[tuple[int, int]], buckets: Buckets, cache_read: int) -> Buckets:
    """Return which tokens of *buckets* came from the provider's cache, which holds a prefix of what is sent.

    Args:
        segments: (Index of the bucket, tokens counted), in the order they are sent: tools, instructions, messages.
        buckets: The call's buckets as reconciled; no bucket has more cached tokens than tokens.
        cache_read: The tokens the provider reports as read from its cache.
    """
    left = min(cache_read, buckets.total)
    room = list(buckets)
    # Behind the segments: what counting and report disagree on. In the buckets there is room for all that is left.
    for place, tokens in itertools.chain(segments, enumerate(buckets)):  # pragma: no branch
        # min() would take as long as all the rest, and a long history has many messages.
        share = tokens if tokens < left else left  # noqa: FURB136
        free = room[place]
        if share > free:  # noqa: PLR1730
            share = free
        room[place] = free - share
        left -= share
        if not left:
            break
    return Buckets(*map(operator.sub, buckets, room))


def shares(buckets: Buckets) -> tuple[float, ...]:
    """Return each bucket's share of all tokens, 0 to 1, in the order of ``BUCKETS``; all 0 where there are none."""
    total = buckets.total
    return tuple(count / total if total else 0.0 for count in buckets)
