"""Token counts out of every spelling providers use, with one meaning: input with cache, output with reasoning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from agent_callbacks.reading.shape import LARGEST_COUNT, Loose, count, mapping
from agent_callbacks.recording.values import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["reported_usage", "usage"]

_Path: TypeAlias = tuple[str, str]  # the entry that holds the count ("" for the report itself), the count's key

_INPUT: Final[tuple[_Path, ...]] = tuple(("", name) for name in (
    "input_tokens", "prompt_tokens", "inputTokens", "prompt_token_count", "promptTokenCount", "input_token_count",
    "inputTokenCount", "prompt_eval_count",
))  # fmt: skip
_OUTPUT: Final[tuple[_Path, ...]] = tuple(("", name) for name in (
    "output_tokens", "completion_tokens", "outputTokens", "candidates_token_count", "candidatesTokenCount",
    "generated_token_count", "outputTokenCount", "output_token_count", "eval_count",
))  # fmt: skip
_TOTAL: Final[tuple[_Path, ...]] = tuple(("", name) for name in (
    "total_tokens", "totalTokens", "total_token_count", "totalTokenCount",
))  # fmt: skip
# langchain-openai puts the service tier before a detail's name where the tier has its own price.
_TIERS: Final = ("", "priority_", "flex_")
_CACHE_READ: Final[tuple[_Path, ...]] = (
    *(("input_token_details", f"{tier}cache_read") for tier in _TIERS),
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("", "cache_read_input_tokens"),
    ("", "cacheReadInputTokens"),
    ("", "cacheReadInputTokenCount"),
    ("", "cached_content_token_count"),
    ("", "cachedContentTokenCount"),
    ("", "prompt_cache_hit_tokens"),
)
_CACHE_WRITE: Final[tuple[_Path, ...]] = (
    *(("input_token_details", f"{tier}cache_creation") for tier in _TIERS),
    ("prompt_tokens_details", "cache_write_tokens"),
    ("input_tokens_details", "cache_write_tokens"),
    ("", "cache_creation_input_tokens"),
    ("", "cacheWriteInputTokens"),
    ("", "cacheWriteInputTokenCount"),
)
# langchain-anthropic zeroes cache_creation where it knows the cache's lifetime; others repeat the sum in it.
_CACHE_WRITE_PARTS: Final[tuple[_Path, ...]] = (
    ("input_token_details", "ephemeral_5m_input_tokens"),
    ("input_token_details", "ephemeral_1h_input_tokens"),
)
_CACHE_WRITE_1H: Final[tuple[_Path, ...]] = (
    ("input_token_details", "ephemeral_1h_input_tokens"),
    ("cache_creation", "ephemeral_1h_input_tokens"),
)
_REASONING: Final[tuple[_Path, ...]] = (
    *(("output_token_details", f"{tier}reasoning") for tier in _TIERS),
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "thinking_tokens"),
    ("", "thoughts_token_count"),
    ("", "thoughtsTokenCount"),
    ("", "reasoning_tokens"),
)
# Counts that come beside the ones they belong to, by the spelling of the count they are missing from: Anthropic and
# Bedrock report fresh input only, Gemini reports candidates without thoughts. A proxy that says prompt_tokens includes.
_OUTSIDE: Final[Mapping[str, frozenset[str]]] = {
    "input_tokens": frozenset({"cache_read_input_tokens", "cache_creation_input_tokens"}),
    "inputTokens": frozenset({"cacheReadInputTokens", "cacheWriteInputTokens"}),
    "inputTokenCount": frozenset({"cacheReadInputTokenCount", "cacheWriteInputTokenCount"}),
    "candidates_token_count": frozenset({"thoughts_token_count"}),
    "candidatesTokenCount": frozenset({"thoughtsTokenCount"}),
}
_LANGCHAIN: Final = {"input_tokens", "output_tokens", "total_tokens"}
_NOWHERE: Final[frozenset[str]] = frozenset()


def usage(reports: Iterable[object]) -> Usage | None:
    """Return what the first of *reports* that tells the input says, else the first that tells anything.

    One report is used and none is added to another: frameworks repeat the same counts in several places.
    """
    partial: Usage | None = None
    for report in reports:
        found = reported_usage(mapping(report))
        if found is not None and found.input is not None:
            return found
        partial = partial or found
    return partial


def reported_usage(report: Loose) -> Usage | None:
    """Return the tokens of one report; None where it tells nothing, which a report of zeros is too.

    No input at all is read as not reported (older Anthropic streams say 0), cached tokens make up for it.
    """
    if not report:
        return None
    if report.keys() == _LANGCHAIN and (plain := _plain(report)) is not None:
        return plain
    given_key, given = _first(report, _INPUT)
    output_key, output = _first(report, _OUTPUT)
    read_key, read = _first(report, _CACHE_READ)
    write_key, write = _first(report, _CACHE_WRITE)
    reasoning_key, reasoning = _first(report, _REASONING)
    parts = [found for _, found in (_first(report, (path,)) for path in _CACHE_WRITE_PARTS) if found is not None]
    write = max(sum(parts), write or 0) if parts else write
    long = _first(report, _CACHE_WRITE_1H)[1] or None
    outside = _OUTSIDE.get(given_key, _NOWHERE)
    beside = ((read or 0) if read_key in outside else 0) + ((write or 0) if write_key in outside else 0)
    given = (given or 0) + beside
    output = _sum(output, reasoning if reasoning_key in _OUTSIDE.get(output_key, _NOWHERE) else None)
    given, output = _inclusive(given, output, (read or 0) + (write or 0), reasoning or 0, _first(report, _TOTAL)[1])
    if not given and not output:
        return None
    return Usage(given or None, output, read, write, reasoning, long)


def _plain(report: Loose) -> Usage | None:
    """Return LangChain's own three counts, the commonest report, where none of them needs a second look."""
    given, made = report["input_tokens"], report["output_tokens"]
    if type(given) is int and type(made) is int and 0 < given <= LARGEST_COUNT and 0 < made <= LARGEST_COUNT:
        return Usage(given, made)
    return None


def _inclusive(
    given: int, output: int | None, cached: int, reasoning: int, total: int | None
) -> tuple[int, int | None]:
    """Return input and output with their parts inside, where the sums prove that they were counted beside.

    A part cannot exceed its whole, and a total that is larger than input and output by exactly a part counted it apart.
    """
    missing = 0 if total is None else total - given - (output or 0)
    both = cached + reasoning
    if cached and (cached > given or missing in {cached, both}):
        given += cached
        missing -= cached
    if output is not None and reasoning and (reasoning > output or missing == reasoning):
        output += reasoning
    return given, output


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else (one or 0) + other


def _first(report: Loose, paths: Iterable[_Path]) -> tuple[str, int | None]:
    """Return the first count above zero under *paths* with its key, else a zero that was reported."""
    reported: tuple[str, int | None] = ("", None)
    for holder, key in paths:
        value = mapping(report.get(holder)).get(key) if holder else report.get(key)
        if value is not None and (found := count(value)) is not None:
            if found:
                return key, found
            if reported[1] is None:
                reported = (key, found)
    return reported
