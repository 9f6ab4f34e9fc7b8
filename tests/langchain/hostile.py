"""Values and objects that no handler expects, and what must hold of the spans whatever came in."""

from __future__ import annotations

import datetime as dt
import inspect
import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn
from unittest.mock import MagicMock

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from agent_callbacks import AgentCallbackHandler, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Spans

LIMIT: Final = 64 * 1024
OVERHEAD: Final = 8 * 1024
SURROGATE: Final = "half\ud800pair"


def bounded(spans: Spans, **settings: Any) -> AgentCallbackHandler:
    """Return a handler whose spans are small."""
    given = Settings(max_span_bytes=LIMIT, max_attribute_bytes=LIMIT // 4, **settings)
    return AgentCallbackHandler(tracer_provider=spans.provider, settings=given)


def check(spans: Spans, handler: AgentCallbackHandler, *, at_least: int = 1) -> None:
    """Assert that what was exported can be encoded, is bounded, and cost no failure of ours."""
    assert handler.internal_errors == 0
    assert handler.open_runs == 0
    assert len(spans.finished()) >= at_least
    for span in spans.finished():
        assert encode_spans([span]).ByteSize() <= LIMIT + OVERHEAD
        assert span.to_json()


# --- values ----------------------------------------------------------------------------------------------------------
class Refuses:
    """An object that raises at every word a curious handler might ask."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError("asked")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __format__ = __contains__ = __getitem__ = __int__ = _refuse
    model_dump = dict = json = to_json = _refuse


class Incomparable:
    """An object that raises when it is compared or hashed, as arrays and query builders do."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __hash__(self) -> int:
        raise RuntimeError("hashed")


class Unbound:
    """A proxy without its object: every attribute raises, ``__class__`` too, as a web framework's does."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("working outside of a request")


class Lazy:
    """An object that loads what it does not have, and cannot."""

    def __getattr__(self, name: str) -> Any:
        raise ConnectionError(name)


class Echo:
    """An object that answers every word with itself: what is linked to it never ends."""

    def __getattr__(self, name: str) -> Echo:
        return self


class Ticking:
    """An object whose properties, named as those of messages and commands, raise."""

    @property
    def type(self) -> str:
        """Raise."""
        raise LookupError

    content = update = resume = goto = messages = status = tool_calls = page_content = metadata = type  # noqa: A003 - the frameworks' name


class BadDict(dict[str, Any]):
    """A mapping whose methods raise."""

    def _refuse(self, *_: Any) -> NoReturn:
        raise RuntimeError("asked")

    items = keys = values = get = __iter__ = __len__ = __getitem__ = __contains__ = _refuse  # type: ignore[assignment]


@dataclass
class Node:
    """A dataclass that holds itself."""

    inner: Any = None


def circle() -> Any:
    """Return a mapping that holds itself."""
    found: dict[str, Any] = {"list": []}
    found["list"].append(found)
    return found


def own_circle() -> Node:
    """Return a dataclass that holds itself."""
    found = Node()
    found.inner = found
    return found


def deep(levels: int = 10_000) -> Any:
    """Return containers in containers."""
    found: Any = "bottom"
    for number in range(levels):
        found = {"k": found} if number % 2 else [found]
    return found


VALUES: Final[dict[str, Callable[[], Any]]] = {
    "refuses": Refuses, "incomparable": Incomparable, "unbound": Unbound, "lazy": Lazy, "ticking": Ticking,
    "bad dict": lambda: BadDict(a=1), "circle": circle, "own circle": own_circle, "deep": deep,
    "generator": lambda: (number for number in range(3)), "bytes": lambda: b"\xff\x00", "buffer": lambda: bytearray(9),
    "date": lambda: dt.date(2026, 1, 2), "datetime": lambda: dt.datetime.now(dt.UTC), "decimal": lambda: Decimal("NaN"),
    "set": lambda: {1, "a"}, "lock": threading.Lock, "nan": lambda: {"n": float("nan"), "i": float("-inf")},
    "surrogate": lambda: SURROGATE, "surrogate key": lambda: {SURROGATE: {SURROGATE: [SURROGATE]}},
    "mock": MagicMock, "class": lambda: Refuses, "module": lambda: inspect, "error": lambda: ValueError(SURROGATE),
    "long": lambda: "word " * 600_000, "long list": lambda: ["x" * 100] * 30_000, "huge int": lambda: 10**5000,
    "wide": lambda: {f"key {number}": number for number in range(60_000)},
    "odd keys": lambda: {None: 1, 2: 2, (3, 4): 5, b"6": 6, frozenset({7}): 8},
}  # fmt: skip
