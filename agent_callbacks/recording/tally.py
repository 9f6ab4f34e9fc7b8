"""What the end of an operation adds up: token counts, the clock of a stream, a tool's waiting, a run's totals. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.recording.values import ModelResult, Usage
from agent_callbacks.tokens.estimate import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.recording.operation import AgentScope, Step, Stream

_NS: Final = 1e9


def counted(result: ModelResult, prompt_chars: int, *, may_estimate: bool) -> tuple[Usage | None, str]:
    """Return the call's tokens and the method: as reported; what is missing is estimated from the text, if allowed."""
    usage = result.usage or Usage()
    complete = usage.input is not None and usage.output is not None
    if complete or not may_estimate or not (prompt_chars or result.output_chars):
        return result.usage, "reported"
    given = estimate(prompt_chars) if usage.input is None else usage.input
    made = estimate(result.output_chars) if usage.output is None else usage.output
    return replace(usage, input=given, output=made), "estimated"


def stream_times(stream: Stream, start_ns: int, usage: Usage | None) -> Attributes:
    """Return when a streamed answer came, in seconds.

    ``time_to_first_chunk`` runs from the start of the model call to its first chunk of any kind, reasoning included;
    ``time_to_first_content`` to the first text or tool-call argument; ``time_per_output_token`` is the time from first
    to last chunk over the tokens seen in it after the first, without reasoning that was not streamed.
    """
    found: Attributes = {
        keys.REQUEST_STREAM: True,
        keys.CHUNKS: stream.chunks,
        keys.TIME_TO_FIRST_CHUNK: max(0, stream.first_ns - start_ns) / _NS,
        keys.GENERATION_DURATION: max(0, stream.last_ns - stream.first_ns) / _NS,
    }
    if stream.first_content_ns is not None:
        found[keys.TIME_TO_FIRST_CONTENT] = max(0, stream.first_content_ns - start_ns) / _NS
    if usage is not None and usage.output is not None:
        reasoning_streamed = stream.first_content_ns is None or stream.first_content_ns > stream.first_ns
        hidden = 0 if reasoning_streamed else usage.reasoning or 0
        if (seen := usage.output - hidden - 1) > 0:
            found[keys.TIME_PER_OUTPUT_TOKEN] = max(0, stream.last_ns - stream.first_ns) / _NS / seen
    return found


def tool_times(
    intervals: Iterable[tuple[int, int]], start_ns: int, end_ns: int, asked_ns: int | None, ran_ns: int | None
) -> Attributes:
    """Return how long a tool queued, waited for others and was handed in and out.

    Waiting is the union of *intervals*, clipped to the tool. Queuing runs from *asked_ns*, when the model had asked for
    it, to *start_ns*. Marshaling is what is left of the tool beside its own function, which ran for *ran_ns*
    nanoseconds, or beside its waiting where the framework does not tell the function from itself.
    """
    waited, reached = 0, start_ns
    for begin, end in sorted(intervals):
        begin, end = max(begin, reached), min(end, end_ns)  # noqa: PLW2901 - clipped
        if end > begin:
            waited += end - begin
            reached = end
    found: Attributes = {
        keys.TOOL_DOWNSTREAM_DURATION: waited / _NS,
        keys.TOOL_MARSHALING_DURATION: max(0, end_ns - start_ns - (waited if ran_ns is None else ran_ns)) / _NS,
    }
    if asked_ns is not None:
        found[keys.TOOL_QUEUE_DURATION] = max(0, start_ns - asked_ns) / _NS
    return found


def step_totals(step: Step) -> Attributes:
    """Return what a step used."""
    return {keys.STEP_INPUT_TOKENS: step.input_tokens, keys.STEP_OUTPUT_TOKENS: step.output_tokens}


def run_totals(scope: AgentScope) -> Attributes:
    """Return what an agent run used, alone and with everything it called."""
    return {
        keys.RUN_STEPS: scope.state.last,
        keys.RUN_MODEL_CALLS: scope.model_calls,
        keys.RUN_TOOL_CALLS: scope.tool_calls,
        keys.RUN_INPUT_TOKENS: scope.input_tokens,
        keys.RUN_OUTPUT_TOKENS: scope.output_tokens,
        keys.RUN_TOTAL_INPUT_TOKENS: scope.total_input_tokens,
        keys.RUN_TOTAL_OUTPUT_TOKENS: scope.total_output_tokens,
    }
