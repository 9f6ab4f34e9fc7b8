"""The components of latency, and how the time of one model call divides into them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_callbacks.analysis.span import Span

__all__ = ["Component", "phases", "seconds_ns"]


class Component(StrEnum):
    """Where time goes. Together they are the whole of a run; no time belongs to two."""

    REQUEST_SERIALIZATION = "request_serialization"
    """From the start of a model call to its first HTTP request: building and serializing it, getting a connection."""
    TIME_TO_FIRST_TOKEN = "time_to_first_token"  # noqa: S105 - no password
    """From the request to the first token of a streamed answer."""
    OUTPUT_TOKENS = "output_tokens"
    """From the first token to the last chunk of a streamed answer."""
    MODEL_ANSWER = "model_answer"
    """The answer of a call that was not streamed: first and further tokens cannot be told apart."""
    TOOL_DOWNSTREAM = "tool_downstream"
    """A tool or retriever waiting for something outside."""
    TOOL_MARSHALING = "tool_marshaling"
    """A tool's own work: everything in it that is not waiting."""
    TOOL_QUEUE = "tool_queue"
    """From when the model had asked for a tool to when the tool began, as far as nothing else ran."""
    CONTEXT_INJECTION = "context_injection"
    """From the end of a tool or retriever to the model call that gets to see what came out."""
    FRAMEWORK_OVERHEAD = "framework_overhead"
    """The framework's and the user's code between calls, for all that is neither of the two around this line."""
    COORDINATION = "coordination"
    """From one step to the next, and from one agent to another."""
    UNATTRIBUTED = "unattributed"
    """Time in spans of which it is not known what they are."""


_MAX_SECONDS: Final = 1e9
_FIRST: Final = (keys.TIME_TO_FIRST_CHUNK, keys.SERVER_TIME_TO_FIRST_TOKEN)
_FIRST_CONTENT: Final = (keys.TIME_TO_FIRST_CONTENT, *_FIRST)
# Events of other instrumentations at the first token: OpenInference's, OpenLLMetry's (one a chunk).
_FIRST_EVENTS: Final = frozenset({"First Token Stream Event", "llm.content.completion.chunk"})


def phases(call: Span, end_ns: int, requests: Sequence[tuple[int, int]]) -> list[tuple[int, Component]]:
    """Return the phases of a model call as (end, component), in the order of time; the last ends with the call.

    Args:
        call: The model call.
        end_ns: Its end, in nanoseconds of Unix time.
        requests: Start and end of the HTTP requests in it, as far as those are recorded.
    """
    marks: list[tuple[int, Component]] = []
    if requests:
        marks.append((min(start for start, _ in requests), Component.REQUEST_SERIALIZATION))
    first = first_token_ns(call)
    if first is not None:
        begun, generated = seconds_ns(call, keys.TIME_TO_FIRST_CHUNK), seconds_ns(call, keys.GENERATION_DURATION)
        last = end_ns if generated is None else (first if begun is None else call.start_ns + begun) + generated
        marks.append((first, Component.TIME_TO_FIRST_TOKEN))
        marks.append((last, Component.OUTPUT_TOKENS))
    else:
        marks.append((max((end for _, end in requests), default=end_ns), Component.MODEL_ANSWER))
    marks.append((end_ns, Component.FRAMEWORK_OVERHEAD))
    found: list[tuple[int, Component]] = []
    reached = call.start_ns
    for until, component in marks:
        reached = min(end_ns, max(reached, until))
        found.append((reached, component))
    return found


def first_token_ns(call: Span) -> int | None:
    """Return when the first token of a streamed answer came, nanoseconds of Unix time; None if it was not streamed.

    A chunk before the content, of a model that did not reason, held none: some servers send the role alone at once.
    """
    for key in _FIRST if call.number(keys.USAGE_REASONING) else _FIRST_CONTENT:
        if (wait := seconds_ns(call, key)) is not None:
            return call.start_ns + wait
    return next((event.time_ns for event in call.events if event.name in _FIRST_EVENTS), None)


def seconds_ns(span: Span, key: str) -> int | None:
    """Return the duration under *key*, which is in seconds, in nanoseconds; None where there is no sensible one."""
    value = span.number(key)
    return None if value is None or not 0 <= value < _MAX_SECONDS else round(value * 1e9)
