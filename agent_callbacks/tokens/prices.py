"""What model calls cost: prices of the user's own first, then those of genai-prices, else nothing.

genai-prices (the extra ``cost``) carries its prices with it and is never asked to fetch any. Importing it takes a good
part of a second, so ``PriceBook.load`` does that on a thread of its own; a price is looked up once for a model and
remembered, and a call costs a look-up and a few multiplications of exact decimals.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agent_callbacks.tokens import overrides
from agent_callbacks.tokens.overrides import PricesError
from agent_callbacks.tokens.provider import ANY_HOST, UNPRICED, listed, references
from agent_callbacks.tokens.rate import Amount, Cost, Rate, flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal
    from pathlib import Path

    from agent_callbacks.recording.values import Usage
    from agent_callbacks.tokens.overrides import Override

__all__ = ["NOT_INSTALLED", "Call", "Cost", "PriceBook", "PricesError", "Rate", "open_book"]

logger = logging.getLogger("agent_callbacks")

NOT_INSTALLED: Final = "genai-prices is not installed: pip install 'agent-callbacks[cost]'"
_LOAD_SECONDS: Final = 30.0
_MAX_REMEMBERED: Final = 1024
_MINUTE_NS: Final = 60_000_000_000
_PATTERN: Final = frozenset("*?[")
# Our names of the kinds of token -> genai-prices' keys.
_KEYS: Final[Mapping[str, str]] = {
    "input": "input_mtok", "output": "output_mtok", "cache_read": "cache_read_mtok", "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok", "reasoning": "output_reasoning_mtok",
}  # fmt: skip


class Call(NamedTuple):
    """What was called: everything a price depends on but the tokens.

    ``model`` is what answered, ``asked`` what was asked for, which is tried where no price of the first is known;
    ``provider`` in any spelling; ``address`` the server's host; ``tier`` the service tier that was used
    (``"priority"``).
    """

    provider: str | None
    model: str | None
    asked: str | None = None
    address: str | None = None
    tier: str | None = None


class PriceBook:
    """Knows what calls cost. Safe to share between threads; never imports, reads or waits unless asked to."""

    def __init__(self, given: Iterable[Override] = ()) -> None:
        """Begin with the prices in *given*, which go before all others."""
        self._given = tuple(given)
        self._known: dict[Call, _Priced | None] = {}
        self._source: object = None

    def load(self) -> None:
        """Start loading genai-prices on a thread of its own, unless that was done."""
        _library.load()

    def wait(self, seconds: float = _LOAD_SECONDS) -> bool:
        """Load what there is to load, wait for it at most *seconds*, and say whether it is there."""
        _library.load()
        return _library.wait(seconds)

    @property
    def loaded(self) -> bool:
        """Whether everything that can be known is: False before ``load`` has come to its end."""
        return _library.loaded

    @property
    def missing(self) -> str | None:
        """Why only prices of the user's own are known, with the way out; None where that is not so."""
        return NOT_INSTALLED if _library.loaded and _library.module is None else None

    def cost(self, call: Call, usage: Usage, at_ns: int) -> Decimal | None:
        """Return what *call* cost in USD; None where its price or its tokens are not known.

        Args:
            call: What was called.
            usage: Its tokens.
            at_ns: When, in nanoseconds of Unix time: prices change.
        """
        rate = self.rate(call, at_ns)
        return None if rate is None or usage.input is None else rate.total(usage)

    def rate(self, call: Call, at_ns: int) -> Rate | None:
        """Return the prices of *call* at *at_ns* (nanoseconds of Unix time); None where none are known."""
        source = _library.snapshot()
        if source is not self._source:  # the user has newer prices in place, or they were loaded only now
            self._known, self._source = {}, source
        known = self._known
        try:
            priced = known[call]
        except KeyError:
            if len(known) >= _MAX_REMEMBERED:
                known.clear()
            priced = known[call] = self._looked_up(call, source)
        return None if priced is None else priced.rate(at_ns)

    def window(self, call: Call) -> int | None:
        """Return how many tokens *call*'s model takes at once; None where that is not known."""
        for given in self._of_user(call):
            if given.context_window is not None:
                return given.context_window
        model = self._listed(call, _library.snapshot())
        window = getattr(model, "context_window", None)
        return window if isinstance(window, int) and window > 0 else None

    def models(self) -> tuple[str, ...]:
        """Return the names of all models whose price is known, in order; patterns of the user's are left out."""
        source = _library.snapshot()
        found = {given.model for given in self._given if not _PATTERN & set(given.model)}
        if source is not None:
            found.update(str(model.id) for provider in source.providers for model in provider.models)
        return tuple(sorted(found))

    def _looked_up(self, call: Call, source: Any) -> _Priced | None:
        for given in self._of_user(call):
            return _Fixed(given.rate)
        model = self._listed(call, source)
        return None if model is None else _Listed.of(model, call.tier)

    def _of_user(self, call: Call) -> Iterator[Override]:
        """Yield the user's own entries for *call*, the one that counts first."""
        provider = listed(call.provider or "unknown")
        for name in _called(call):
            for given in self._given:
                if any(given.holds(provider, reference) for reference in references(name)):
                    yield given

    @staticmethod
    def _listed(call: Call, source: Any) -> Any:
        """Return what genai-prices knows of *call*, None where it knows nothing."""
        provider = listed(call.provider or "unknown")
        if source is None or provider in UNPRICED:
            return None
        found = (_found(source, provider, name, call.address) for name in _called(call))
        return next((model for model in found if model is not None), None)


def _called(call: Call) -> list[str]:
    return [name.lower() for name in (call.model, call.asked) if name]


class _Fixed:
    """A price that never changes."""

    __slots__ = ("_rate",)

    def __init__(self, rate: Rate) -> None:
        self._rate = rate

    def rate(self, at_ns: int) -> Rate | None:
        """Return the price."""
        del at_ns
        return self._rate


class _Listed:
    """A price of genai-prices that depends on the time: by date, or by time of day. Asked once a minute."""

    __slots__ = ("_context", "_last", "_model")

    def __init__(self, model: Any, context: dict[str, str] | None) -> None:
        self._model = model
        self._context = context
        self._last: tuple[int, Rate | None] = (-1, None)

    @classmethod
    def of(cls, model: Any, tier: str | None) -> _Priced | None:
        """Return *model*'s price, which most often never changes."""
        variants = tier is not None and bool(getattr(model, "price_variants", None))
        if variants or isinstance(model.prices, list):
            return cls(model, {"service_tier": str(tier)} if variants else None)
        rate = _compiled(model.prices)
        return None if rate is None else _Fixed(rate)

    def rate(self, at_ns: int) -> Rate | None:
        """Return the price at *at_ns*, None where it is not by tokens then."""
        minute, last = self._last
        if minute != at_ns // _MINUTE_NS:
            at = datetime.fromtimestamp(at_ns / 1e9, UTC)
            prices = self._model.get_prices(at, self._context) if self._context else self._model.get_prices(at)
            last = _compiled(prices)
            self._last = (at_ns // _MINUTE_NS, last)
        return last


_Priced = _Fixed | _Listed


def _compiled(prices: Any) -> Rate | None:
    """Return *prices* of genai-prices as a rate; None where the model is not paid by tokens."""
    found = {ours: _amount(value) for ours, key in _KEYS.items() if (value := getattr(prices, key, None)) is not None}
    return Rate(**found) if "input" in found or "output" in found else None


def _amount(value: Any) -> Amount:
    tiers = getattr(value, "tiers", None)
    if tiers is None:
        return flat(value)
    return (*((tier.start, tier.price) for tier in reversed(tiers)), (-1, value.base))


def _found(source: Any, provider: str, name: str, address: str | None) -> Any:
    """Return what genai-prices knows under *name*: of the provider, of that at the address, or by the name alone."""
    for asked, reference in _candidates(source, provider, name, address):
        try:
            return source.find_provider_model(reference, None, asked, None)[1]
        except LookupError:
            continue
    return None


def _candidates(source: Any, provider: str, name: str, address: str | None) -> Iterator[tuple[str | None, str]]:
    """Yield pairs of provider and model to look for; a provider nobody lists is left to the model's name."""
    ids = {each.id for each in source.providers}
    first: list[str | None] = []
    if provider in ANY_HOST and address and (there := _at(source, address)) is not None:
        first.append(there)
    elif provider in ids:
        first.append(provider)
    elif provider not in ANY_HOST and (known := _matched(source, provider)) is not None:
        first.append(known)
    prefix = listed(name.partition("/")[0]) if "/" in name else None
    if prefix in ids and not first:
        first.append(prefix)
    for asked in first or [None]:
        for reference in references(name):
            yield asked, reference


def _at(source: Any, address: str) -> str | None:
    """Return the provider whose server *address* is."""
    url = f"https://{address}/"
    return next((each.id for each in source.providers if re.match(each.api_pattern, url)), None)


def _matched(source: Any, provider: str) -> str | None:
    """Return the provider that genai-prices itself takes *provider* for."""
    for each in source.providers:
        if each.provider_match is not None and each.provider_match.is_match(provider):
            return str(each.id)
    return None


# --- genai-prices ----------------------------------------------------------------------------------------------------


class _Library:
    """The one import of genai-prices in this process."""

    def __init__(self) -> None:
        self.module: Any = None
        self.loaded = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Start the import, once. The process waits for it at its end: a thread cannot be stopped inside an import."""
        if self.loaded:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._import, name="agent-callbacks-prices")
                self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the import at most *seconds*; say whether it is over."""
        thread = self._thread
        if not self.loaded and thread is not None and thread is not threading.current_thread():
            thread.join(seconds)
        return self.loaded

    def snapshot(self) -> Any:
        """Return the prices in use, None without genai-prices or before it is loaded."""
        return None if self.module is None else self.module.get_snapshot()

    def _import(self) -> None:
        try:
            from genai_prices import data_snapshot

            data_snapshot.get_snapshot()  # reads the prices themselves
            self.module = data_snapshot
        except ImportError:
            logger.info("costs are known for prices of your own only: %s", NOT_INSTALLED)
        finally:
            self.loaded = True

    def before_fork(self) -> None:
        """Let the import come to its end: a child would inherit its half, and a lock that nobody gives back."""
        self.wait(_LOAD_SECONDS)

    def after_fork(self) -> None:
        """Begin anew in a child where the parent had not come to an end."""
        self._lock = threading.Lock()
        if not self.loaded:
            self._thread = None


_library = _Library()
_books: dict[str | None, PriceBook] = {}


def open_book(path: str | Path | None = None) -> PriceBook:
    """Return the price book with the user's prices in the file *path*, one for each file and state of it.

    Raises:
        PricesError: The file cannot be used.
    """
    if path is None:
        return _books.setdefault(None, PriceBook())
    given = overrides.read(path)
    return _books.setdefault(f"{path}\n{given!r}", PriceBook(given))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_library.before_fork, after_in_child=_library.after_fork)
