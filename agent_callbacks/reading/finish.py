"""Why a model stopped: every provider's word, as the GenAI conventions say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["finish_reason"]

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "stop": ("stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed", "finished", "done"),
    "length": (
        "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length", "token_limit",
        "model_context_window_exceeded",
    ),
    "content_filter": (
        "content_filter", "content_filtered", "safety", "image_safety", "refusal", "recitation", "blocklist",
        "prohibited_content", "spii", "guardrail_intervened", "error_toxic",
    ),
    "tool_call": ("tool_call", "tool_calls", "tool_use", "function_call", "function_calls"),
    "error": (
        "error", "failed", "network_error", "malformed_function_call", "unexpected_tool_call", "malformed_tool_use",
        "malformed_model_output", "insufficient_system_resource",
    ),
    "compaction": ("compaction",),
}  # fmt: skip
_STANDARD: Final[Mapping[str, str]] = {word: standard for standard, words in _WORDS.items() for word in words}


def finish_reason(raw: str) -> str:
    """Return the standard's word for *raw*, or *raw* itself where no provider we know says it.

    Args:
        raw: The provider's word in any case, also as Gemini's enum prints it (``FinishReason.MAX_TOKENS``).
    """
    return _STANDARD.get(raw.lower().removeprefix("finishreason."), raw)
