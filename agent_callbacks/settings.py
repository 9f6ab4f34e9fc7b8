"""Settings: one frozen value, built once from arguments and ``AGENT_CALLBACKS_*``."""

from __future__ import annotations

import difflib
import functools
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, cast, get_args

from agent_callbacks.convention.keys import ENVIRONMENT_PREFIX
from agent_callbacks.convention.names import NamingConvention, NamingMode
from agent_callbacks.metadata import CONTENT_LEVELS, ContentLevel
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.tokens.overrides import PricesError
from agent_callbacks.tokens.prices import PriceBook, open_book

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

__all__ = ["Settings", "check_arguments"]

logger = logging.getLogger("agent_callbacks")

SpanNames = Literal["agent", "otel_genai"]
AttributeSet = Literal["bridged", "genai", "openinference"]
History = Literal["full", "delta"]

_CONTENT_CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is recorded and how; unknown names are errors, values are checked once, here.

    Raises:
        TypeError: An unknown setting, with the nearest known name.
        ValueError: A value outside what the setting allows; ``PricesError``, one of them, for the file of prices.
    """

    naming: NamingConvention = field(default_factory=NamingConvention)
    """The naming convention: aliases, namespaces, ``max_named_steps``, mode ``normalize``, ``strict`` or ``off``."""
    span_names: SpanNames = "agent"
    """``"agent"``: ``tool.search_web``; ``"otel_genai"``: the standard's ``execute_tool search_web``."""
    attributes: AttributeSet = "bridged"
    """``"bridged"`` adds what Phoenix and MLflow need; ``"genai"`` has only registered keys and ours;
    ``"openinference"`` adds all of its keys."""
    inner_spans: bool = False
    """Show graph nodes and inner chains as ``node.*``."""
    content: ContentLevel = "arguments"
    """``"off"``, ``"arguments"`` (tool arguments), ``"tools"`` (and results), ``"all"`` (and messages); sanitized."""
    history: History = "full"
    """``"delta"``: each message once per run."""
    sanitizer: Sanitizer = field(default_factory=Sanitizer)
    """What removes personal data and secrets; ``Sanitizer.disabled(reason=...)`` turns it off, visibly."""
    count_tokens: bool = True
    """Estimate tokens where the provider reports none."""
    prices: str | Path | None = None
    """A TOML file of prices of your own, in USD per million tokens, that goes before all others."""
    baggage_keys: tuple[str, ...] = ("user_id", "session_id", "variant", "user.id", "session.id")
    """Which OpenTelemetry baggage entries are read as request metadata; ``()`` reads none. Never written."""
    max_attribute_bytes: int = 32 * 1024
    """Longest attribute value, in bytes of UTF-8."""
    max_span_bytes: int = 256 * 1024
    """All attributes of one span, in bytes of UTF-8."""
    max_idle_seconds: float = 3600.0
    """An operation nobody ended closes as abandoned this long after its last event, in seconds."""
    marginal_ratio_alert: float = 0.20
    """Alert when a step's input grows by more than this share, twice in a row."""
    context_multiple_alert: float = 10.0
    """Alert when a run's input tokens exceed the first call's this many times."""
    enabled: bool = True
    """False makes every handler a no-op (``AGENT_CALLBACKS_ENABLED=0``, ``OTEL_SDK_DISABLED=true``)."""

    def __new__(cls, **given: object) -> Self:
        """Refuse unknown names before the dataclass does, to say which name was meant."""
        for name in given:
            if name not in cls.__dataclass_fields__:
                raise TypeError(unknown_setting(name, cls.__dataclass_fields__))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Check every value."""
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                message = f"Settings({name}={value!r}): use one of {', '.join(map(repr, allowed))}"
                close = difflib.get_close_matches(str(value), allowed, 1)
                raise ValueError(message + (f"; did you mean {close[0]!r}?" if close else ""))
        for name in _POSITIVE:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                message = f"Settings({name}={value!r}): must be a number above 0"
                raise ValueError(message)
        for name in ("inner_spans", "count_tokens", "enabled"):
            if not isinstance(getattr(self, name), bool):
                message = f"Settings({name}={getattr(self, name)!r}): must be True or False"
                raise ValueError(message)  # noqa: TRY004 - all bad values raise the same error
        for name, (kind, called) in _KINDS.items():
            if not isinstance(getattr(self, name), kind):
                message = f"Settings({name}=...): must be a {called}, not {type(getattr(self, name)).__name__}"
                raise TypeError(message)
        _ = self.price_book

    @functools.cached_property
    def price_book(self) -> PriceBook:
        """What calls cost; the file that ``prices`` names was read when the settings were made, and never again."""
        return open_book(self.prices)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """Return settings from *given* and, for what it leaves open, ``AGENT_CALLBACKS_*``.

        An unreadable or unknown variable is reported once, by name and never by value, and the default holds. No file
        is read but that of prices.
        """
        found: dict[str, Any] = {**_from_environment(os.environ if environ is None else environ), **given}
        try:
            return cls(**found)
        except PricesError as error:
            if "prices" in given:
                raise
            del found["prices"]
            what = f"{Sanitizer().clean(str(error))}; only the prices that are known otherwise hold"
            _report(f"{ENVIRONMENT_PREFIX}PRICES", what)
            return cls(**found)


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "span_names": get_args(SpanNames),
    "attributes": get_args(AttributeSet),
    "content": CONTENT_LEVELS,
    "history": get_args(History),
}
_KINDS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "naming": ((NamingConvention,), "NamingConvention"),
    "sanitizer": ((Sanitizer,), "Sanitizer"),
    "baggage_keys": ((tuple,), "tuple"),
    "prices": ((str, Path, type(None)), "path"),
}
_POSITIVE: Final = (
    "max_attribute_bytes", "max_span_bytes", "max_idle_seconds", "marginal_ratio_alert", "context_multiple_alert",
)  # fmt: skip


def unknown_setting(name: str, known: Collection[str]) -> str:
    """Return the message for a setting that does not exist, naming the nearest one that does."""
    close = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known settings: {', '.join(sorted(known))}"
    return f"unknown setting {name!r}; {hint}"


HANDLER_ARGUMENTS: Final = ("tracer_provider", "meter_provider", "settings")
"""What a handler of either framework takes."""


def check_arguments(owner: str, unknown: Iterable[str], known: Sequence[str], settings: object) -> None:
    """Refuse what *owner* is called with and does not take.

    Raises:
        TypeError: An unknown name, with where it belongs or the nearest known one; settings that are no ``Settings``.
    """
    for name in unknown:
        if name in Settings.__dataclass_fields__:
            raise TypeError(
                f"{owner}() has no argument {name!r}, it is a setting: {owner}(settings=Settings({name}=...))"
            )
        close = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known arguments: {', '.join(known)}"
        raise TypeError(f"{owner}() has no argument {name!r}; {hint}")
    if settings is not None and not isinstance(settings, Settings):
        raise TypeError(f"{owner}(settings=...): must be a Settings, not {type(settings).__name__}")


def _flag(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off"}:
        return False
    raise ValueError


def _choice(name: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if (value := text.strip().lower()) in _CHOICES[name]:
            return value
        raise ValueError

    return read


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        if (value := kind(text)) > 0:
            return value
        raise ValueError

    return read


def _mode(text: str) -> NamingMode:
    if (mode := text.strip().lower()) in get_args(NamingMode):
        return cast("NamingMode", mode)
    raise ValueError


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    **{name: _choice(name) for name in _CHOICES},
    **dict.fromkeys(("inner_spans", "count_tokens", "enabled"), _flag),
    "baggage_keys": _names,
    "max_attribute_bytes": _positive(int),
    "max_span_bytes": _positive(int),
    "max_idle_seconds": _positive(float),
    "marginal_ratio_alert": _positive(float),
    "context_multiple_alert": _positive(float),
    "naming": lambda text: NamingConvention(mode=_mode(text)),
    "prices": str,
}
# Read by other rooms: the key of pseudonyms, the store's place.
_NOT_SETTINGS: Final = frozenset({"PSEUDONYM_KEY", "STORE"})
_VARIABLES: Final = (*_READERS, *(name.lower() for name in _NOT_SETTINGS))
_CAPTURES: Final[Mapping[str, ContentLevel]] = {
    "NO_CONTENT": "off", "SPAN_ONLY": "all", "SPAN_AND_EVENT": "all", "EVENT_ONLY": "off",
}  # fmt: skip
_reported: set[str] = set()


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    if capture := _CAPTURES.get(environ.get(_CONTENT_CAPTURE, "").strip().upper()):
        found["content"] = capture
    for variable in sorted(environ):
        suffix = variable.removeprefix(ENVIRONMENT_PREFIX)
        if suffix == variable or suffix in _NOT_SETTINGS:
            continue
        name = suffix.lower()
        if name not in _READERS:
            _report(variable, unknown_setting(name, _VARIABLES))
            continue
        try:
            found[name] = _READERS[name](environ[variable])
        except ValueError:
            _report(variable, "unreadable value; the default holds")
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        found["enabled"] = False
    return found


def _report(variable: str, message: str) -> None:
    if variable not in _reported:
        _reported.add(variable)
        logger.warning("%s: %s", variable, message)
