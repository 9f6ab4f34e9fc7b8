"""What tests of clients read from a span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["picked", "stream_moments", "tokens"]

_COUNTS = {
    "input": keys.USAGE_INPUT_TOKENS,
    "output": keys.USAGE_OUTPUT_TOKENS,
    "cached": keys.USAGE_CACHE_READ,
    "written": keys.USAGE_CACHE_WRITE,
    "reasoning": keys.USAGE_REASONING,
}


def tokens(span: dict[str, Any]) -> dict[str, int]:
    """Return the token counts of a span, those of zero left out."""
    return {name: span[key] for name, key in _COUNTS.items() if span.get(key)}


def picked(span: dict[str, Any], *names: str) -> list[Any]:
    """Return the attributes under *names*."""
    return [span.get(name) for name in names]


def stream_moments(span: ReadableSpan) -> tuple[int, int]:
    """Return when *span* says its first chunk and its first content came, in microseconds of Unix time, rounded up."""
    seconds = (span.attributes[key] for key in (keys.TIME_TO_FIRST_CHUNK, keys.TIME_TO_FIRST_CONTENT))
    first, content = (-(-(span.start_time + round(after * 1e9)) // 1000) for after in seconds)
    return first, content
