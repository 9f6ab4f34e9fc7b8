"""Who asked: user, session and variant of one request, as one frozen value carried in the OpenTelemetry context.

A value is replaced, never mutated, so two requests that interleave in one process cannot mix.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, ParamSpec, TypeVar, cast
from uuid import UUID

from opentelemetry import baggage
from opentelemetry import context as otel_context
from opentelemetry.context import Context, create_key

from agent_callbacks.scope import Entry, entered, left, wrapped

__all__ = ["EMPTY", "Request", "baggage_request", "current_request", "identity", "request_metadata", "with_request"]

ContentLevel = Literal["off", "arguments", "tools", "all"]
CONTENT_LEVELS: Final[tuple[ContentLevel, ...]] = ("off", "arguments", "tools", "all")

_KEY: Final = create_key("agent_callbacks-request")
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Request:
    """What is known about who asked; every field may be unknown.

    ``variants`` maps an experiment to the variant served (the experiment is ``"variant"`` when none was named),
    ``content`` narrows the content level for this request, ``metadata`` is everything else the caller gave.
    """

    user_id: str | None = field(default=None, repr=False)
    session_id: str | None = field(default=None, repr=False)
    thread_id: str | None = field(default=None, repr=False)
    variants: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    content: ContentLevel | None = None
    metadata: tuple[tuple[str, object], ...] = field(default=(), repr=False)
    tags: tuple[str, ...] = field(default=(), repr=False)

    def over(self, base: Request | None) -> Request:
        """Return this request with what it leaves open taken from *base*: the nearest word wins, key by key."""
        if base is None or base == EMPTY:
            return self
        if self == EMPTY:
            return base
        return Request(
            user_id=self.user_id if self.user_id is not None else base.user_id,
            session_id=self.session_id if self.session_id is not None else base.session_id,
            thread_id=self.thread_id if self.thread_id is not None else base.thread_id,
            variants=_merge(base.variants, self.variants),
            content=narrower(self.content, base.content),
            metadata=_merge(base.metadata, self.metadata),
            tags=(*base.tags, *(tag for tag in self.tags if tag not in base.tags)),
        )


EMPTY: Final = Request()
_T = TypeVar("_T")


def _merge(base: tuple[tuple[str, _T], ...], over: tuple[tuple[str, _T], ...]) -> tuple[tuple[str, _T], ...]:
    if not over:
        return base
    return tuple({**dict(base), **dict(over)}.items())


def narrower(one: ContentLevel | None, other: ContentLevel | None) -> ContentLevel | None:
    """Return the level that lets less content through; None says nothing."""
    if one is None or other is None:
        return one or other
    return one if CONTENT_LEVELS.index(one) < CONTENT_LEVELS.index(other) else other


def current_request(context: Context | None = None) -> Request | None:
    """Return the request that travels in *context* (default: the current one)."""
    found: Any = (otel_context.get_current() if context is None else context).get(_KEY)
    return found  # type: ignore[no-any-return]  # only requests stand there


def with_request(request: Request | None, context: Context) -> Context:
    """Return *context* carrying *request*."""
    return otel_context.set_value(_KEY, request, context)


def baggage_request(context: Context, allowed: tuple[str, ...]) -> Request | None:
    """Return what OpenTelemetry baggage in *context* says, restricted to the *allowed* keys.

    It is cut where it is written, after it was cleaned; the propagator bounds what a header may bring in.
    """
    if not allowed or not (entries := baggage.get_all(context)):
        return None
    said = {
        key.replace(".", "_"): value
        for key, value in entries.items()
        if key in allowed and isinstance(value, str) and value
    }
    if not said:
        return None
    return Request(
        user_id=said.pop("user_id", None),
        session_id=said.pop("session_id", None),
        variants=variants(said.pop("variant", None), said.pop("experiment", None)),
        metadata=tuple(said.items()),
    )


_NAMES: Final = ("user_id", "session_id", "variant", "experiment", "content")


class request_metadata:  # noqa: N801 - reads as a verb where it is used, like contextlib's own
    """Say who asks, for everything that runs inside: a context manager and a decorator, sync and async.

    Nested calls merge, the inner word wins.

    Args:
        user_id: Who asks; exported as ``user.id``.
        session_id: The session; exported as ``session.id``.
        variant: The experiment's variant, or a mapping experiment -> variant; exported as ``feature_flag.*``.
        experiment: The experiment a plain *variant* belongs to (default ``"variant"``).
        content: ``"off"``, ``"arguments"``, ``"tools"`` or ``"all"``: narrows what is exported, never widens it.
        **metadata: Anything else, exported sanitized as JSON under ``metadata``.

    Raises:
        ValueError: *content* is not a known level.
    """

    def __init__(
        self,
        user_id: str | None = None,
        session_id: str | None = None,
        variant: str | Mapping[str, str] | None = None,
        experiment: str | None = None,
        content: ContentLevel | None = None,
        **metadata: object,
    ) -> None:
        if content is not None and content not in CONTENT_LEVELS:
            message = f"content={content!r} is not a content level; use one of {', '.join(CONTENT_LEVELS)}"
            raise ValueError(message)
        for name in metadata:
            if close := difflib.get_close_matches(name, _NAMES, 1, 0.75):
                warnings.warn(
                    f"request_metadata({name}=...) is exported as plain metadata; did you mean {close[0]!r}?",
                    stacklevel=2,
                )
        self._request = Request(
            user_id=_said("user_id", user_id),
            session_id=_said("session_id", session_id),
            variants=variants(variant, experiment),
            content=content,
            metadata=tuple(metadata.items()),
        )
        self._entries: list[Entry] = []

    def __enter__(self) -> Request:
        # Another object than any other block's, so that leaving finds its own.
        merged = replace(self._request.over(current_request()))
        self._entries.append(entered(_KEY, merged))
        return merged

    def __exit__(self, *_: object) -> None:
        current = current_request()
        own = next((entry for entry in reversed(self._entries) if entry.value is current), self._entries[-1])
        self._entries.remove(own)
        left(own)

    async def __aenter__(self) -> Request:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Wrap *function* (a generator function too) so that each of its calls runs with this metadata."""
        return wrapped(function, self._fresh)

    def _fresh(self) -> request_metadata:
        """Return a twin with its own entries: a decorated function may run many times at once."""
        twin = object.__new__(request_metadata)
        twin._request = self._request
        twin._entries = []
        return twin


def variants(variant: object, experiment: object = None) -> tuple[tuple[str, str], ...]:
    """Return *variant* (a string, or a mapping experiment -> variant) as pairs, without what is no `identity`."""
    if issubclass(type(variant), Mapping):
        pairs = cast("Mapping[object, object]", variant).items()
        return tuple((key, value) for one, other in pairs if (key := identity(one)) and (value := _variant(other)))
    named = _variant(variant)
    return () if named is None else ((identity(experiment) or "variant", named),)


_LARGEST_ID: Final = 2**128  # a UUID as a number; beyond, str() of an int may be refused


def identity(value: object) -> str | None:
    """Return the name of somebody or something: a string with something in it, a whole number, a UUID; else None."""
    kind = type(value)
    if issubclass(kind, str):
        return cast("str", value) or None
    if kind is int or kind is float:
        number = cast("float", value)
        return str(value) if -_LARGEST_ID < number < _LARGEST_ID and number == int(number) else None
    return str(value) if issubclass(kind, UUID) else None


def _variant(value: object) -> str | None:
    """Return the variant served; a switch's is true or false, a share's a fraction."""
    kind = type(value)
    return str(cast("float", value)).lower() if kind is bool or kind is float else identity(value)


def _said(name: str, value: object) -> str | None:
    """Return *value* as an identity; what is none is left out, and the caller of the block told."""
    found = identity(value)
    if found is None and type(value) not in _NOTHING:
        warnings.warn(
            f"request_metadata({name}=...) got {type(value).__name__}, which names nobody, and is left out; "
            "give a string, a whole number or a UUID",
            stacklevel=3,
        )
    return found


_NOTHING: Final = (type(None), str)
