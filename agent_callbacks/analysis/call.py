"""What one model call of a trace cost: as it says itself, else by its tokens at the prices of the time it ran."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.recording.values import Usage
from agent_callbacks.tokens.prices import Call, open_book

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent_callbacks.analysis.span import Span
    from agent_callbacks.tokens.prices import PriceBook
    from agent_callbacks.tokens.rate import Cost

__all__ = [
    "BucketCosts",
    "CallCost",
    "asked_of",
    "is_call",
    "is_embedding",
    "model_of",
    "price_book",
    "priced",
    "says_cost",
]

PRICES_VARIABLE: Final = f"{keys.ENVIRONMENT_PREFIX}PRICES"
ZERO: Final = Decimal(0)
_CALLS: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
_EMBEDDINGS: Final = "embeddings"
UNNAMED: Final = "unknown"


@dataclass(frozen=True, slots=True)
class BucketCosts:
    """What was paid for input, in USD, by what it was; the fields are those of ``tokens.buckets.Buckets``."""

    system_prompt: Decimal = ZERO
    tool_schemas: Decimal = ZERO
    history: Decimal = ZERO
    tool_outputs: Decimal = ZERO
    other: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """All input."""
        return sum((getattr(self, field.name) for field in fields(self)), ZERO)

    def __add__(self, more: BucketCosts) -> BucketCosts:
        return BucketCosts(*(getattr(self, each.name) + getattr(more, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class CallCost:
    """One model call.

    ``cost`` is USD, None where it is not known. ``parts`` are the same by the kind of token and ``buckets`` the input's
    by what it was; None where the price, or the split, is not known. ``saving`` is what caching saved: what the call
    would have cost without, less what it cost; negative where writing to the cache cost more than reading saved.
    """

    span_id: str
    name: str
    provider: str | None
    model: str
    internal: bool
    usage: Usage | None
    cost: Decimal | None
    parts: Cost | None = None
    buckets: BucketCosts | None = None
    saving: Decimal | None = None


def price_book(prices: str | Path | None = None) -> PriceBook:
    """Return the price list, with a file of prices of the user's own: *prices*, else what the environment names.

    It may still be loading: ``wait`` for it before asking it.

    Raises:
        PricesError: The file cannot be used.
    """
    return open_book(prices or os.environ.get(PRICES_VARIABLE) or None)


def is_call(span: Span) -> bool:
    """Say whether *span* is a call that costs something, as far as it tells: it has tokens or a price."""
    return span.text(keys.OPERATION_NAME) in _CALLS and (_usage(span) is not None or says_cost(span))


def says_cost(span: Span) -> bool:
    """Say whether the call *span* says what it cost, or that it was not known."""
    return keys.LLM_COST in span.attributes or keys.UNPRICED_MODELS in span.attributes


def is_embedding(span: Span) -> bool:
    """Say whether *span* is a call of an embedding model."""
    return span.attributes.get(keys.OPERATION_NAME) == _EMBEDDINGS


def priced(span: Span, book: PriceBook, other: Call | None = None) -> CallCost:
    """Return what the call *span* cost, or would have cost as *other*, at the prices in *book*."""
    usage = _usage(span)
    rate = None if usage is None else book.rate(other or asked_of(span), span.start_ns)
    parts = None if rate is None or usage is None else rate.cost(usage)
    saving = None if rate is None or usage is None or parts is None else rate.uncached(usage) - parts.total
    recorded = span.number(keys.LLM_COST)
    cost = None if parts is None else parts.total
    if (other is None or span.attributes.get(keys.CACHE_HIT)) and recorded is not None:
        cost = Decimal(str(recorded))  # the shortest text of a float is what was written
        parts = None if parts is None else parts.scaled(cost)
    return CallCost(
        span.span_id,
        span.name,
        other.provider if other is not None else span.text(keys.PROVIDER_NAME),
        str(other.model) if other is not None else model_of(span),
        bool(span.attributes.get(keys.INTERNAL_CALL)),
        usage,
        cost,
        parts,
        None if parts is None else _bucket_costs(span, parts),
        saving,
    )


def asked_of(span: Span) -> Call:
    """Return what the call *span* asked, as price lists are asked for it."""
    return Call(
        span.text(keys.PROVIDER_NAME),
        span.text(keys.RESPONSE_MODEL) or span.text(keys.REQUEST_MODEL),
        span.text(keys.REQUEST_MODEL),
        span.text(keys.SERVER_ADDRESS),
        span.text(keys.SERVICE_TIER),
    )


def model_of(span: Span) -> str:
    """Return the name of the model that was asked, ``"unknown"`` where *span* has none."""
    return span.text(keys.REQUEST_MODEL) or span.text(keys.RESPONSE_MODEL) or UNNAMED


def _usage(span: Span) -> Usage | None:
    given = span.count(keys.USAGE_INPUT_TOKENS)
    if given is None:
        return None
    write = span.count(keys.USAGE_CACHE_WRITE)
    return Usage(
        given,
        span.count(keys.USAGE_OUTPUT_TOKENS),
        span.count(keys.USAGE_CACHE_READ),
        span.count(keys.USAGE_CACHE_CREATION) if write is None else write,
        span.count(keys.USAGE_REASONING),
        span.count(keys.USAGE_CACHE_WRITE_1H),
    )


def _bucket_costs(span: Span, parts: Cost) -> BucketCosts | None:
    """Return the input's cost by bucket: what came from the cache at its price, the rest at the rest's mean price."""
    tokens = _counts(span, keys.LLM_TOKENS)
    if tokens is None or not sum(tokens):
        return None
    cached = _counts(span, keys.LLM_CACHED_TOKENS)
    if cached is None or not parts.cache_read or not sum(cached):
        return _exact(_shares(parts.all_input, tokens), parts.all_input)
    fresh = [max(all_of - read, 0) for all_of, read in zip(tokens, cached, strict=True)]
    read = _shares(parts.cache_read, cached)
    rest = _shares(parts.input + parts.cache_write, fresh)
    return _exact([one + other for one, other in zip(read, rest, strict=True)], parts.all_input)


def _shares(amount: Decimal, weights: Sequence[int]) -> list[Decimal]:
    whole = sum(weights)
    return [amount * weight / whole if whole else ZERO for weight in weights]


def _exact(costs: list[Decimal], total: Decimal) -> BucketCosts:
    """Return *costs* with what division rounded off in the largest, so that they sum to *total*."""
    largest = costs.index(max(costs))
    costs[largest] += total - sum(costs)
    return BucketCosts(*costs)


def _counts(span: Span, names: Sequence[str]) -> list[int] | None:
    found = [span.count(name) for name in names]
    return None if all(each is None for each in found) else [each or 0 for each in found]
