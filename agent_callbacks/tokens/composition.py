"""What one model call sends, counted: messages weighed piece by piece, tools, and what the provider wraps around. Pure.

A message is weighed once (``Weight``); a call adds up the weights of its messages (``Composition``) and, when the
provider's own count is there, is made to agree with it (``Composition.split``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from agent_callbacks.tokens.buckets import BUCKETS, Buckets, Estimate, cached, reconciled
from agent_callbacks.tokens.message import HISTORY, OTHER, TOOL_OUTPUTS, TOOL_SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    """What a call sends.

    ``segments`` is (bucket, tokens) of the text in the order it is sent, ``text`` the same summed. ``messages`` and
    ``names`` say how many there are in each bucket, ``last`` in which the last is: what the provider wraps around
    depends on that, on the ``tools``, and on which of the ``formats`` it has, the likeliest first; ``totals`` is text
    and wrapping together in each of these. ``exact`` says that the text was counted with an encoder, ``assumed`` that
    it may not be the model's own, ``media`` that there is more than text.
    """

    segments: tuple[tuple[int, int], ...]
    text: Buckets
    messages: Buckets
    names: Buckets
    last: int
    tools: ToolWeight | None
    formats: Sequence[Format]
    totals: Sequence[int]
    exact: bool
    assumed: bool
    media: bool

    def split(self, reported: int | None, cache_read: int | None) -> Split:
        """Return the buckets, summing to *reported*, the provider's input tokens, where it reports them.

        Args:
            reported: Input tokens, those read from a cache included; None where nothing is reported.
            cache_read: Those read from a cache; None where nothing is reported.
        """
        if reported is None:
            whole = self.text + self._wrapped(self.formats[0])
            return Split(whole, None, _ESTIMATED, mismatch=False, assumed=self.assumed)
        off = [abs(reported - total) for total in self.totals]
        wrapped = self._wrapped(self.formats[off.index(min(off))])
        found = reconciled(
            Estimate(self.text, wrapped), reported,
            certain=self.exact and not self.assumed, exact=self.exact, media=self.media,
        )  # fmt: skip
        from_cache = None
        if cache_read is not None:
            order = ((TOOL_SCHEMAS, wrapped.tool_schemas), *self.segments)
            from_cache = cached(order, found.buckets, cache_read)
        method = _RECONCILED if self.exact else _ESTIMATED
        return Split(found.buckets, from_cache, method, found.mismatch, self.assumed)

    def _wrapped(self, form: Format) -> Buckets:
        """Return what is wrapped around the text in *form*."""
        counts = [
            form.message * here + form.name * named for here, named in zip(self.messages, self.names, strict=True)
        ]
        counts[self.last] += form.priming
        if self.tools is not None:
            counts[TOOL_SCHEMAS] += form.with_tools + getattr(self.tools, form.tools)
        return Buckets(*counts)


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
    segments = tuple(_segments(weights))
    text, messages, names = ([0] * len(BUCKETS) for _ in range(3))
    for bucket, tokens in segments:
        text[bucket] += tokens
    media = False
    for weight in weights:
        messages[weight.bucket] += 1
        names[weight.bucket] += weight.named
        media = media or weight.media
    last = weights[-1].bucket if weights else OTHER
    counts = Buckets(*text), Buckets(*messages), Buckets(*names)
    totals = [sum(text) + _around(form, len(weights), sum(names), tools) for form in formats]
    return Composition(segments, *counts, last, tools, formats, totals, exact, assumed, media)


def _around(form: Format, messages: int, names: int, tools: ToolWeight | None) -> int:
    """Return how many tokens *form* wraps around."""
    tokens = form.message * messages + form.name * names + form.priming
    return tokens if tools is None else tokens + form.with_tools + int(getattr(tools, form.tools))


def _segments(weights: Sequence[Weight]) -> Iterator[tuple[int, int]]:
    """Yield all segments; in ReAct a user's message that answers an action is what a tool gave back."""
    acting = False
    for weight in weights:
        if acting and weight.observes:
            yield from ((TOOL_OUTPUTS, tokens) for _, tokens in weight.segments)
        else:
            yield from weight.segments
        acting = weight.acts
