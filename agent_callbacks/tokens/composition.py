"""What one model call sends, counted: messages weighed piece by piece, tools, and what the provider wraps around. Pure.

A message is weighed once (``Weight``); a call adds up the weights of its messages (``Composition``) and, when the
provider's own count is there, is made to agree with it (``Composition.split``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from agent_callbacks.tokens.buckets import BUCKETS, Buckets, Estimate, cached, reconciled
from agent_callbacks.tokens.message import HISTORY, OTHER, TOOL_OUTPUTS, TOOL_SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_callbacks.tokens.counter import Counter
    from agent_callbacks.tokens.message import Pieces
    from agent_callbacks.tokens.wire import Format

__all__ = ["Composition", "Split", "ToolWeight", "Weight", "composed", "roughly", "weighed"]


class Weight(NamedTuple):
    """A message in tokens: (bucket, tokens) in the order they stand.

    ``counter`` is what counted it; the rest is as in ``Pieces``.
    """

    counter: Counter | None
    segments: tuple[tuple[int, int], ...]
    bucket: int = HISTORY
    named: bool = False
    media: bool = False
    acts: bool = False
    observes: bool = False


class ToolWeight(NamedTuple):
    """The definitions of a call's tools in tokens, in each form a provider may send them."""

    json: int
    spaced: int
    typescript: int
    listed: int


class Split(NamedTuple):
    """The input tokens of a call by what they are.

    ``cached`` is what of them came from the provider's cache, None where none is reported. ``method`` is ``reconciled``
    where counts were made to agree with a report, ``estimated`` where there was no report or no encoder.
    ``mismatch`` says that the report is not explained by what was sent.
    """

    buckets: Buckets
    cached: Buckets | None
    method: str
    mismatch: bool
    assumed: bool


def weighed(pieces: Pieces, counter: Counter) -> Weight:
    """Return *pieces* counted with *counter*."""
    segments = tuple([(bucket, counter.count(text)) for bucket, text in pieces.texts if text])
    return Weight(counter, segments, pieces.bucket, pieces.named, pieces.media, pieces.acts, pieces.observes)


def roughly(bucket: int, tokens: int) -> Weight:
    """Return the weight of a message of which only the role and about how many tokens it has are known."""
    return Weight(None, ((bucket, tokens),), bucket)


class Composition(NamedTuple):
    """What a call sends, ready to be split.

    ``segments`` is (bucket, tokens) of the text in the order it is sent. ``estimates`` is what it comes to in each form
    the provider may give it, by its total, the likeliest first. ``exact`` says that the text was counted with an
    encoder, ``assumed`` that it may not be the model's own, ``media`` that there is more than text.
    """

    segments: Sequence[tuple[int, int]]
    estimates: Mapping[int, Estimate]
    exact: bool
    assumed: bool
    media: bool

    def split(self, reported: int | None, cache_read: int | None) -> Split:
        """Return the buckets, summing to *reported*, the provider's input tokens, where it reports them.

        Args:
            reported: Input tokens, those read from a cache included; None where nothing is reported.
            cache_read: Those read from a cache; None where nothing is reported.
        """
        estimates = self.estimates
        if reported is None:
            likeliest = next(iter(estimates.values()))
            return Split(likeliest.whole, None, _ESTIMATED, mismatch=False, assumed=self.assumed)
        estimate = estimates.get(reported) or estimates[min(estimates, key=lambda total: abs(reported - total))]
        buckets, mismatch = reconciled(
            estimate, reported, certain=self.exact and not self.assumed, exact=self.exact, media=self.media
        )
        from_cache = None
        if cache_read is not None:
            order = ((TOOL_SCHEMAS, estimate.format.tool_schemas), *self.segments)
            from_cache = cached(order, buckets, cache_read)
        return Split(buckets, from_cache, _RECONCILED if self.exact else _ESTIMATED, mismatch, self.assumed)


_RECONCILED: Final = "reconciled"
_ESTIMATED: Final = "estimated"


def composed(
    weights: Sequence[Weight], tools: ToolWeight | None, formats: Sequence[Format], *, exact: bool, assumed: bool
) -> Composition:
    """Return what a call sends.

    Args:
        weights: Its messages, in order.
        tools: Its tools; None where it has none.
        formats: How its provider may put them, the likeliest first.
        exact: Whether an encoder counted them.
        assumed: Whether that may not be the model's own.
    """
    segments: list[tuple[int, int]] = []
    text, messages, names = ([0] * len(BUCKETS) for _ in range(3))
    acting = media = False
    for weight in weights:
        # In ReAct a user's message that answers an action is what a tool gave back.
        observed = acting and weight.observes
        for bucket, tokens in weight.segments:
            at = TOOL_OUTPUTS if observed else bucket
            segments.append((at, tokens))
            text[at] += tokens
        messages[weight.bucket] += 1
        names[weight.bucket] += weight.named
        acting = weight.acts
        media = media or weight.media
    last = weights[-1].bucket if weights else OTHER
    counted = Buckets(*text)
    headers: dict[tuple[int, int, int], list[int]] = {}
    estimates: dict[int, Estimate] = {}
    for form in formats:
        if (around := headers.get(form.header)) is None:
            around = headers[form.header] = _headers(form.header, messages, names, last)
        if tools is not None:
            around = list(around)
            around[TOOL_SCHEMAS] += form.with_tools + getattr(tools, form.tools)
        estimate = Estimate.of(counted, Buckets(*around))
        estimates.setdefault(estimate.total, estimate)
    return Composition(segments, estimates, exact, assumed, media)


def _headers(header: tuple[int, int, int], messages: Sequence[int], names: Sequence[int], last: int) -> list[int]:
    """Return the tokens around *messages* with *names*, each so many in each bucket; the *last* is in its bucket."""
    message, name, priming = header
    found = [message * here + name * named for here, named in zip(messages, names, strict=True)]
    found[last] += priming
    return found
