"""What a model charges for tokens, as exact decimals of USD. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from agent_callbacks.recording.values import frozen

if TYPE_CHECKING:
    from agent_callbacks.recording.values import Usage

__all__ = ["Amount", "Cost", "Rate", "flat"]

MILLION: Final = Decimal(1_000_000)
ZERO: Final = Decimal(0)

Amount: TypeAlias = "tuple[tuple[int, Decimal], ...]"
"""USD per million tokens by tier, highest first: ``(above, price)``, where *above* is the input tokens of the call
that must be exceeded; the last tier is above -1. A tier's price holds for all tokens of the call."""


def flat(price: Decimal) -> Amount:
    """Return the amount of a price without tiers, in USD per million tokens."""
    return ((-1, price),)


@frozen
class Cost:
    """What one or more calls cost, in USD, by the kind of token; the parts do not overlap."""

    input: Decimal = ZERO
    """Input tokens that neither came from a cache nor were written to one."""
    cache_read: Decimal = ZERO
    cache_write: Decimal = ZERO
    output: Decimal = ZERO
    """Output tokens without reasoning where that has a price of its own, else with it."""
    reasoning: Decimal = ZERO

    @property
    def all_input(self) -> Decimal:
        """What was sent: fresh, read from a cache and written to one."""
        return self.input + self.cache_read + self.cache_write

    @property
    def total(self) -> Decimal:
        """Everything."""
        return self.all_input + self.output + self.reasoning

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.input + other.input,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )

    def scaled(self, total: Decimal) -> Cost:
        """Return the same shares of another *total*."""
        if not self.total or self.total == total:
            return self
        by = total / self.total
        return Cost(self.input * by, self.cache_read * by, self.cache_write * by, self.output * by, self.reasoning * by)


@dataclass(frozen=True, slots=True)
class Rate:
    """The prices of one model, in USD per million tokens.

    What has no price of its own costs what it is a part of: cached tokens what input costs, reasoning what output
    costs, the longer-lived cache what the ordinary one costs. Input or output without a price is not charged for.
    """

    input: Amount | None = None
    output: Amount | None = None
    cache_read: Amount | None = None
    cache_write: Amount | None = None
    cache_write_1h: Amount | None = None
    reasoning: Amount | None = None

    def total(self, usage: Usage) -> Decimal:
        """Return what *usage* costs, in USD."""
        return self.cost(usage).total

    def cost(self, usage: Usage) -> Cost:
        """Return what *usage* costs, in USD, by the kind of token."""
        given, made = usage.input or 0, usage.output or 0
        read = (usage.cache_read or 0) if self.cache_read else 0
        long = (usage.cache_write_1h or 0) if self.cache_write_1h else 0
        write = max((usage.cache_write or 0) - long, 0) if self.cache_write else 0
        thought = (usage.reasoning or 0) if self.reasoning else 0
        if not (read or long or write or thought):
            return Cost(_charge(self.input, given, given), output=_charge(self.output, made, given))
        return Cost(
            _charge(self.input, max(given - read - write - long, 0), given),
            _charge(self.cache_read, read, given),
            _charge(self.cache_write, write, given) + _charge(self.cache_write_1h, long, given),
            _charge(self.output, max(made - thought, 0), given),
            _charge(self.reasoning, thought, given),
        )

    def uncached(self, usage: Usage) -> Decimal:
        """Return what *usage* would cost had nothing been read from a cache or written to one, in USD."""
        return self.cost(replace(usage, cache_read=None, cache_write=None, cache_write_1h=None)).total


def _charge(amount: Amount | None, tokens: int, given: int) -> Decimal:
    if not tokens or amount is None:
        return ZERO
    return next(price for above, price in amount if given > above) * tokens / MILLION
