"""What the end of an operation adds up: token counts, the clock of a stream, a tool's waiting, a run's totals. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.recording.values import Embedding, ModelCall, ModelResult, Retrieval, Usage
from agent_callbacks.tokens.economics import cached_share
from agent_callbacks.tokens.estimate import estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.convention.attributes import Attributes, Cleaner
    from agent_callbacks.recording.operation import AgentScope, Operation, Step, Stream
    from agent_callbacks.recording.sent import Growth
    from agent_callbacks.recording.waits import Waits
    from agent_callbacks.tokens.composition import Split

_NS: Final = 1e9
_MAX_PEER: Final = 128  # bytes
_UNKNOWN: Final = "unknown"
BLOCKS: Final = "blocks"
"""``TOOL_DOWNSTREAM_METHOD`` where spans of others cannot be seen, so that only what is marked by hand counts."""


def counted(
    result: ModelResult, prompt_chars: int, split: Split | None, *, may_estimate: bool
) -> tuple[Usage | None, bool]:
    """Return the call's tokens, and whether any are an estimate: what is not reported is, if allowed.

    Args:
        result: What the model answered.
        prompt_chars: How much text it was sent.
        split: What that was counted to be; None where it was not counted.
        may_estimate: Whether to estimate.
    """
    usage = result.usage or Usage()
    complete = usage.input is not None and usage.output is not None
    if complete or not may_estimate or not (prompt_chars or result.output_chars):
        return result.usage, False
    given = usage.input
    if given is None:
        given = estimate(prompt_chars) if split is None else split.buckets.total
    made = estimate(result.output_chars) if usage.output is None else usage.output
    return replace(usage, input=given, output=made), True


def stream_times(stream: Stream, start_ns: int, usage: Usage | None) -> Attributes:
    """Return when a streamed answer came, in seconds.

    ``time_to_first_chunk`` runs from the start of the model call to its first chunk of any kind, reasoning included;
    ``time_to_first_content`` to the first text or tool-call argument; ``time_per_output_token`` is the time from first
    to last chunk over the tokens seen in it after the first, without reasoning that was not streamed. A chunk before
    the content of a model that did not reason held no token: some servers send the role alone at once.
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
        first_ns = stream.first_ns if usage.reasoning else stream.first_content_ns or stream.first_ns
        reasoning_streamed = stream.first_content_ns is None or stream.first_content_ns > stream.first_ns
        hidden = 0 if reasoning_streamed else usage.reasoning or 0
        if (seen := usage.output - hidden - 1) > 0:
            found[keys.TIME_PER_OUTPUT_TOKEN] = max(0, stream.last_ns - first_ns) / _NS / seen
    return found


def peer(value: ModelCall | Embedding | Retrieval) -> str:
    """Return whom a call of ours waits for: the model's host or provider, the retriever's source."""
    if isinstance(value, Retrieval):
        return value.source
    return value.server_address or value.provider or _UNKNOWN


def tool_times(operation: Operation, waits: Waits, end_ns: int, clean: Cleaner) -> Attributes:
    """Return how long a tool queued, waited for others, for whom, and what is left.

    Waiting is the union of what *waits* was told, clipped to the tool: client spans at any depth, a sub-agent's model
    calls among them, and ``downstream()`` blocks. Marshaling is the rest. Queuing runs from when the model had asked
    for it to its start. Peers are in the order of their time, the longest first; where one was waited for inside a wait
    for another, both have that time.
    """
    for child in operation.running():
        if isinstance(child.value, ModelCall | Embedding | Retrieval):
            waits.end(child.key, child.start_ns, end_ns, peer(child.value))
    waited, peers = waits.close(end_ns)
    found: Attributes = {
        keys.TOOL_DOWNSTREAM_DURATION: waited / _NS,
        keys.TOOL_MARSHALING_DURATION: max(0, end_ns - operation.start_ns - waited) / _NS,
    }
    if peers:
        ranked = sorted(_cleaned(peers, clean).items(), key=lambda pair: (-pair[1], pair[0]))
        found[keys.TOOL_DOWNSTREAM_PEERS] = tuple(name for name, _ in ranked)
        found[keys.TOOL_DOWNSTREAM_PEER_DURATIONS] = tuple(length / _NS for _, length in ranked)
    if operation.recorder.shared.processor is None:
        found[keys.TOOL_DOWNSTREAM_METHOD] = BLOCKS
    if operation.asked_ns is not None:
        found[keys.TOOL_QUEUE_DURATION] = max(0, operation.start_ns - operation.asked_ns) / _NS
    return found


def _cleaned(peers: Mapping[str, int], clean: Cleaner) -> dict[str, int]:
    """Return *peers* by their cleaned names; of two that read alike, the longer time: a sum could count one twice."""
    found: dict[str, int] = {}
    for name, length in peers.items():
        shown = clean.text(name, _MAX_PEER) or _UNKNOWN
        found[shown] = max(length, found.get(shown, 0))
    return found


def step_totals(step: Step, growth: Growth) -> Attributes:
    """Return what a step used, of what its input was, and how much more that was than the step before."""
    found: Attributes = {keys.STEP_INPUT_TOKENS: step.sent.input, keys.STEP_OUTPUT_TOKENS: step.output_tokens}
    found.update(step.sent.attributes(keys.STEP_TOKENS))
    if (share := cached_share(step.sent.cached, step.sent.input)) is not None:
        found[keys.STEP_CACHED_SHARE] = share
    found.update(growth.step(step.index))
    return found


def run_totals(scope: AgentScope) -> Attributes:
    """Return what an agent run used, alone and with everything it called."""
    return {
        keys.RUN_STEPS: scope.state.last,
        keys.RUN_MODEL_CALLS: scope.model_calls,
        keys.RUN_TOOL_CALLS: scope.tool_calls,
        keys.RUN_INPUT_TOKENS: scope.sent.input,
        keys.RUN_OUTPUT_TOKENS: scope.output_tokens,
        keys.RUN_TOTAL_INPUT_TOKENS: scope.total_input_tokens,
        keys.RUN_TOTAL_OUTPUT_TOKENS: scope.total_output_tokens,
        **scope.sent.attributes(keys.RUN_TOKENS),
        **scope.growth.run(),
    }
