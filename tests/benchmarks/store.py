"""How long each command takes on a store of 60,000 runs: 1,000 a minute for an hour, written by several processes.

``python -m tests.benchmarks.store [--runs 60000] [--processes 4] [--store PATH]``; a store that is there is used again.
Runs have seven spans (an agent, two steps, two model calls, two tools), two variants, 500 users and 5,000 sessions; one
in twenty fails, every ninth has an outcome recorded.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

from agent_callbacks.convention import keys
from agent_callbacks.store.write import StoreExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

HOUR_NS: Final = 3600 * 10**9
LIMIT_BYTES: Final = 8 * 1024**3
BATCH_RUNS: Final = 70  # about a batch of the SDK's processor: 512 spans
COMMANDS: Final = (
    ("ls", "--limit", "20"),
    ("ls", "--limit", "20", "--user", "u-17"),
    ("ls", "--limit", "20", "--min-cost", "0.02", "--failed"),
    ("ls", "--limit", "20", "--sort", "cost"),
    ("show", "last"),
    ("compare", "--by", "variant"),
    ("compare", "--by", "variant", "--last", "1000"),
    ("compare", "--by", "model"),
    ("tail", "--last", "20", "--once"),
    ("gc", "--dry-run", "--user", "u-17"),
)


class Runs:
    """Makes runs with the real SDK; the same number and seed make the same runs, but for their ids."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - made-up runs
        self._memory = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({"service.name": "support"}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self._tracer = provider.get_tracer(keys.SCOPE_NAME, "1")

    def make(self, number: int, start_ns: int) -> Sequence[ReadableSpan]:
        """Return the spans of one run."""
        self._memory.clear()
        draw = self._random
        dear = number % 2
        scale = draw.lognormvariate(0, 0.4)
        failed = draw.random() < 0.05  # one in twenty
        who = {
            keys.USER_ID: f"u-{number % 500}", keys.SESSION_ID: f"s-{number % 5000}", keys.FEATURE_FLAG_KEY: "prompt",
            keys.FEATURE_FLAG_VARIANT: "long" if dear else "short",
        }  # fmt: skip
        tokens = round(1500 * scale * (1.2 if dear else 1))
        cost = tokens * 2.5e-6
        seconds = 2 * scale
        end = start_ns + round(seconds * 1e9)

        def span(name: str, begin: float, until: float, attributes: dict[str, Any], parent: Any = None) -> Any:
            context = otel.set_span_in_context(parent) if parent is not None else None
            made = self._tracer.start_span(
                name, context, attributes={**attributes, **who}, start_time=start_ns + round(begin * (end - start_ns))
            )
            return made, start_ns + round(until * (end - start_ns))

        root = span("agent.run.support", 0, 1, {keys.OPERATION_NAME: "invoke_agent", keys.AGENT_NAME: "support"})
        opened = [root]
        for index in (1, 2):
            begin, until = (index - 1) / 2, index / 2
            step = span(f"agent.step.{index}", begin, until, {keys.STEP_INDEX: index}, root[0])
            call = {
                keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: "gpt-4o" if dear else "gpt-4o-mini",
                keys.PROVIDER_NAME: "openai", keys.USAGE_INPUT_TOKENS: tokens * index, keys.USAGE_OUTPUT_TOKENS: 60,
                keys.LLM_COST: cost * index, keys.TIME_TO_FIRST_CHUNK: 0.3,
            }  # fmt: skip
            arguments = {keys.TOOL_NAME: "search_web", keys.TOOL_ARGUMENTS: '{"query": "order 4711", "limit": 5}'}
            opened += [
                step,
                span("llm.chat", begin, begin + 0.2, call, step[0]),
                span(
                    "tool.search_web", begin + 0.2, until, {keys.OPERATION_NAME: "execute_tool", **arguments}, step[0]
                ),
            ]
        for place, (made, at) in enumerate(reversed(opened)):
            bad = failed and place in {0, len(opened) - 1}
            made.set_attribute(keys.OUTCOME, "failure" if bad else "success")
            if bad:
                made.set_attribute(keys.ERROR_TYPE, "TimeoutError")
                made.set_status(Status(StatusCode.ERROR))
            made.end(at)
        if number % 9 == 0:
            score = float(not failed)
            event = (keys.EVALUATION_EVENT, {keys.EVALUATION_NAME: "resolved", keys.EVALUATION_SCORE: score}, end)
            said, _ = span(keys.EVALUATION_SPAN, 1, 1, {}, root[0])
            said.add_event(*event)
            said.end(end)
        return self._memory.get_finished_spans()


def write(path: Path, worker: int, workers: int, count: int, from_ns: int) -> None:
    """Write this worker's share of *count* runs."""
    runs, exporter = Runs(worker), StoreExporter(path, max_bytes=LIMIT_BYTES)
    waiting: list[ReadableSpan] = []
    numbers = range(worker, count, workers)
    for place, number in enumerate(numbers, 1):
        waiting += runs.make(number, from_ns + number * HOUR_NS // count)
        if place % BATCH_RUNS == 0 or place == len(numbers):
            exporter.export(waiting)
            waiting = []
    exporter.shutdown()
    if exporter.dropped:
        sys.exit(f"{exporter.dropped} spans were dropped ({exporter.last_error})")


def filled(path: Path, count: int, workers: int) -> None:
    """Write the store."""
    from_ns = time.time_ns() - HOUR_NS
    started = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(path, each, workers, count, from_ns)) for each in range(workers)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    if any(each.exitcode for each in writers):
        sys.exit("a writer failed")
    took = time.perf_counter() - started
    say(f"writing {count:,} runs in {workers} processes   {took:8.1f} s   {count / took * 60:,.0f} runs a minute")


def say(line: str) -> None:
    """Print a line of the table at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def timed(action: Callable[[], object], times: int = 3) -> str:
    """Return how long *action* takes, the median of some times, and the longest."""
    taken: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return f"{statistics.median(taken) * 1000:8.0f} ms   (longest {max(taken) * 1000:.0f} ms)"


def command(path: Path, *arguments: str) -> None:
    """Run one command of the command line as a new process."""
    program = [sys.executable, "-c", "from agent_callbacks.cli import main; main()", *arguments, "--store", str(path)]
    done = subprocess.run(program, env=os.environ, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: {done.stderr.decode()}")


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=60_000)
    options.add_argument("--processes", type=int, default=4)
    options.add_argument("--store", type=Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.store or Path(folder) / "traces.db"
        if not path.exists():
            filled(path, given.runs, given.processes)
        say(f"{path.stat().st_size / 1024**2:,.0f} MiB")
        say(f"{'a process that only imports':<52}{timed(lambda: command(path, 'ls', '--help'))}")
        for each in COMMANDS:
            say(f"{' '.join(each):<52}{timed(lambda each=each: command(path, *each))}")
        exporter, runs = StoreExporter(path, max_bytes=LIMIT_BYTES), Runs(99)
        made = [runs.make(number, time.time_ns()) for number in range(BATCH_RUNS)]
        batch = [span for run in made for span in run]
        say(f"{'writing one run':<52}{timed(lambda: exporter.export(made[0]), 20)}")
        say(f"{f'writing a batch of {len(batch)} spans':<52}{timed(lambda: exporter.export(batch), 20)}")
        exporter.shutdown()
        say(f"{'gc --user u-17':<52}{timed(lambda: command(path, 'gc', '--user', 'u-17'), 1)}")


if __name__ == "__main__":
    main()
