"""What counting tokens costs the agent's own thread: ``python -m tests.benchmarks.counting``.

A loop of 20 steps whose history grows to 100 KB is run with and without counting, in turn: with a model that answers at
once, so that its end has to wait for the worker, and with one that takes a moment, as every model does. Said are the
CPU time of the thread that runs the agent (the middle of all runs), the difference, and the longest that a callback was
held.
"""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING, Any, Final

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from opentelemetry.sdk.trace import TracerProvider

from agent_callbacks import AgentCallbackHandler, Settings
from tests.langchain.models import ScriptedChat, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS: Final = 20
RUNS: Final = 40
DELAYS: Final = (0.0, 0.003)
"""How long the model takes, in seconds."""
OUTPUT_BYTES: Final = 4_500
SENTENCE: Final = "Order {0} of customer {1} left the house on Monday and is {2} km away from its destination. "


def script(seed: int) -> Iterator[AIMessage]:
    """Yield the answers of a run: as many calls of a tool as there are steps, each with words around it, and a last."""
    for step in range(STEPS - 1):
        message = calls(
            ("look_up", {"order": str(seed * 1000 + step)}), input_tokens=1000 * step + 900, output_tokens=90
        )
        yield message.model_copy(update={"content": SENTENCE.format(step, seed, step * 7) * 4})
    yield AIMessage("done", usage_metadata={"input_tokens": 26_000, "output_tokens": 9, "total_tokens": 26_009})


def look_up(order: str) -> str:
    """Look an order up; no two texts are the same."""
    sentences = (SENTENCE.format(order, number, number * 3) for number in range(200))
    return "".join(sentences)[:OUTPUT_BYTES]


def timed(method: Callable[..., None], longest: list[float]) -> Callable[..., None]:
    """Return *method*, noting in *longest* how long it held its caller, in seconds."""

    def noting(*args: Any, **given: Any) -> None:
        began = time.perf_counter()
        method(*args, **given)
        longest.append(time.perf_counter() - began)

    return noting


def run(*, count: bool, seed: int, held: list[float], delay: float = 0.0) -> float:
    """Return the CPU seconds this thread needs for a run."""
    handler = AgentCallbackHandler(tracer_provider=TracerProvider(), settings=Settings(count_tokens=count))
    handler.on_llm_end = timed(handler.on_llm_end, held)  # type: ignore[method-assign]
    model = ScriptedChat(script=list(script(seed)), model_name="gpt-4o", provider="openai", delay=delay)
    graph = create_agent(model, [look_up], system_prompt="Be kind. " * 300, name="support")
    began = time.thread_time()
    graph.invoke({"messages": [("user", "hi")]}, {"callbacks": [handler], "recursion_limit": 100})
    return time.thread_time() - began


def main() -> None:
    """Run and say."""
    run(count=True, seed=2 * RUNS * len(DELAYS), held=[])
    # A full collection of all that is imported takes longer than any of this, and falls anywhere.
    gc.collect()
    gc.freeze()
    for place, delay in enumerate(DELAYS):
        held: dict[bool, list[float]] = {True: [], False: []}
        took: dict[bool, list[float]] = {True: [], False: []}
        for seed in range(2 * RUNS * place, 2 * RUNS * (place + 1)):
            count = bool(seed % 2)
            took[count].append(run(count=count, seed=seed, held=held[count], delay=delay))
        with_it, without = (statistics.median(took[count]) * 1e3 for count in (True, False))
        hold, usual = (max(held[count]) * 1e3 for count in (True, False))
        print(f"model of {delay * 1e3:.0f} ms, {STEPS} steps, {RUNS} runs each:")  # noqa: T201
        print(f"  {with_it:.2f} ms with counting, {without:.2f} without: {with_it - without:+.2f} ms of the caller")  # noqa: T201
        print(f"  longest hold at a model's end: {hold:.1f} ms, without {usual:.1f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
