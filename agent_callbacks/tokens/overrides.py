"""Prices of the user's own: a TOML file that goes before every other source."""

from __future__ import annotations

import difflib
import fnmatch
import tomllib
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from agent_callbacks.tokens.provider import listed
from agent_callbacks.tokens.rate import Amount, Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Override", "PricesError", "read"]


class PricesError(ValueError):
    """A file of prices cannot be used; the message names the file, the entry, the rule and the way out."""


@dataclass(frozen=True, slots=True)
class Override:
    """One ``[[price]]`` of a file: what *model* costs, with *provider* only or, if that is None, with any."""

    model: str
    """In lower case; ``*`` and ``?`` stand for any text and any character."""
    provider: str | None
    rate: Rate
    context_window: int | None = None
    """How many tokens the model takes at once."""

    def holds(self, provider: str | None, model: str) -> bool:
        """Say whether this is the price of *model*, in lower case, of *provider*, by the name it has in price lists."""
        return self.provider in {None, provider} and fnmatch.fnmatchcase(model, self.model)


_PRICES: Final = tuple(field.name for field in fields(Rate))
_REQUIRED: Final = ("input", "output")
_ABOVE: Final = "above"
_ABOVE_TOKENS: Final = "input_tokens"
_TIER_KEYS: Final = (_ABOVE_TOKENS, *_PRICES)
_WINDOW: Final = "context_window"
_KEYS: Final = ("model", "provider", *_PRICES, _WINDOW, _ABOVE)
_EXAMPLE: Final = '[[price]] with model = "my-model", input = 0.5, output = 1.5 (USD per million tokens)'


def read(path: str | Path) -> tuple[Override, ...]:
    """Return the prices in the TOML file *path*, in its order; the first that holds for a model is used.

    ::

        [[price]]
        model = "llama-3.3-*"    # a name, or a pattern
        provider = "groq"        # optional
        input = 0.10             # USD per million tokens
        output = 0.40
        cache_read = 0.01        # optional, as are cache_write, cache_write_1h and reasoning
        context_window = 131_072 # optional: how many tokens the model takes at once

        [[price.above]]          # optional: prices of calls with more input than this
        input_tokens = 200_000
        input = 0.20
        output = 0.80

    Raises:
        PricesError: The file cannot be read, is no TOML, or has an entry that says nothing sensible.
    """
    path = Path(path).expanduser()
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except OSError as error:
        raise PricesError(
            f"{path} cannot be read ({error.strerror or type(error).__name__}); expected a TOML file of prices: "
            f"{_EXAMPLE}"
        ) from error
    except ValueError as error:  # TOML's error, or bytes that are no UTF-8
        raise PricesError(f"{path} is no valid TOML: {error}; expected {_EXAMPLE}") from error
    _check_keys(str(path), document, ("price",))
    entries = document.get("price", [])
    if not isinstance(entries, list):
        raise PricesError(f"{path}: price must be an array of tables; write {_EXAMPLE}")
    return tuple(_entry(f"{path}: price {at}", each) for at, each in enumerate(cast("list[object]", entries), 1))


def _entry(where: str, entry: object) -> Override:
    table = _table(where, entry)
    model = _name(where, "model", table.get("model"))
    where = f"{where} ({model})"
    _check_keys(where, table, _KEYS)
    if missing := [key for key in _REQUIRED if key not in table]:
        raise PricesError(
            f"{where}: no {' and no '.join(missing)}; give both in USD per million tokens, 0 for what costs nothing"
        )
    provider = listed(_name(where, "provider", table["provider"])) if "provider" in table else None
    tiers = _tiers(where, table.get(_ABOVE, []))
    for above, tier in tiers:
        if new := [key for key in _PRICES if key in tier and key not in table]:
            raise PricesError(f"{where}, above {above}: {new[0]} has no price below; give it in the entry itself, too")
    prices = {key: _amount(where, key, table, tiers) for key in _PRICES if key in table}
    window = table.get(_WINDOW)
    if window is not None and (type(window) is not int or window < 1):
        raise PricesError(f"{where}: {_WINDOW} must be a whole number of tokens above 0, such as {_WINDOW} = 131072")
    return Override(model.lower(), provider, Rate(**prices), window)


def _tiers(where: str, items: object) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the tiers of an entry, highest first."""
    if not isinstance(items, list):
        raise PricesError(f"{where}: {_ABOVE} must be an array of tables; write [[price.above]] with input_tokens")
    found: dict[int, Mapping[str, Any]] = {}
    for at, each in enumerate(cast("list[object]", items), 1):
        inside = f"{where}, above {at}"
        table = _table(inside, each)
        _check_keys(inside, table, _TIER_KEYS)
        above = table.get(_ABOVE_TOKENS)
        if type(above) is not int or above < 1 or above in found:
            raise PricesError(f"{inside}: {_ABOVE_TOKENS} must be a whole number above 0, another in each tier")
        found[above] = table
    return sorted(found.items(), reverse=True)


def _amount(where: str, key: str, table: Mapping[str, Any], tiers: Iterable[tuple[int, Mapping[str, Any]]]) -> Amount:
    higher = tuple((above, _price(f"{where}, above {above}", key, tier[key])) for above, tier in tiers if key in tier)
    return (*higher, (-1, _price(where, key, table[key])))


def _price(where: str, key: str, value: object) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    if isinstance(value, Decimal) and value.is_finite() and value >= 0:
        return value
    raise PricesError(f"{where}: {key} must be a number of 0 or more, in USD per million tokens, such as {key} = 0.5")


def _table(where: str, value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise PricesError(f"{where}: must be a table; write {_EXAMPLE}")


def _name(where: str, key: str, value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise PricesError(f'{where}: {key} must be a name, such as {key} = "my-{key}"')


def _check_keys(where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1, 0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
            raise PricesError(f"{where}: unknown key {key!r}; {hint}")
