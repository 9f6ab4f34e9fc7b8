"""How a model is asked: every provider's spelling of the parameters, as the conventions know them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, TypeVar

from agent_callbacks.reading.shape import Loose, count, fraction, is_text, sequence
from agent_callbacks.recording.values import ModelParameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ASKED", "NESTED", "parameters"]

_T = TypeVar("_T")


def _words(value: object) -> tuple[str, ...] | None:
    found = (value,) if is_text(value) else tuple(word for word in sequence(value) if is_text(word))
    return found or None


_TOP_P: Final = ("top_p", "topP")
_TOP_K: Final = ("top_k", "topK")
_MAX_TOKENS: Final = (
    "max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens", "maxOutputTokens", "max_new_tokens",
    "max_tokens_to_sample", "num_predict",
)  # fmt: skip
_STOP: Final = ("stop", "stop_sequences", "stopSequences")
_CHOICES: Final = ("n", "candidate_count")
NESTED: Final = ("model_kwargs", "generation_config", "inferenceConfig", "inference_config", "options")
ASKED: Final = frozenset({
    "temperature", *_TOP_P, *_TOP_K, *_MAX_TOKENS, *_STOP, "frequency_penalty", "presence_penalty", "seed", *_CHOICES,
    "stream", "streaming",
})  # fmt: skip


def parameters(said: Loose) -> ModelParameters:
    """Return the parameters *said* holds, whatever the provider calls them; other entries are not looked at."""
    values = tuple(said.values())
    kinds = tuple(map(type, values))
    if _HASHED.issuperset(kinds):
        return _known_parameters(tuple(said), values, kinds)
    return _spelled_out(said)


# What is equal and has an equal hash whenever it means the same, given that the types are equal too.
_HASHED: Final = frozenset({str, int, float, bool, type(None)})


@functools.lru_cache(maxsize=256)
def _known_parameters(names: tuple[str, ...], values: tuple[object, ...], _kinds: tuple[type, ...]) -> ModelParameters:
    """Return the parameters of a call like an earlier one: a model is asked the same way each time."""
    return _spelled_out(dict(zip(names, values, strict=True)))


def _spelled_out(said: Loose) -> ModelParameters:
    streams = said.get("stream") is True or said.get("streaming") is True
    return ModelParameters(
        temperature=fraction(said.get("temperature")),
        top_p=_first(said, _TOP_P, fraction),
        top_k=_first(said, _TOP_K, count),
        max_tokens=_first(said, _MAX_TOKENS, count),
        stop_sequences=_first(said, _STOP, _words) or (),
        frequency_penalty=fraction(said.get("frequency_penalty")),
        presence_penalty=fraction(said.get("presence_penalty")),
        seed=count(said.get("seed")),
        choice_count=_first(said, _CHOICES, count),
        stream=True if streams else None,  # False is a client's default even while it streams
    )


def _first(said: Loose, names: Iterable[str], read: Callable[[object], _T | None]) -> _T | None:
    for name in names:
        if (value := said.get(name)) is not None and (found := read(value)) is not None:
            return found
    return None
