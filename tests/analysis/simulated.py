"""Runs made of simulated spans, whose times are known: a clock that is moved by hand, and spans around it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_callbacks.analysis import Span, Trace
from agent_callbacks.analysis.trace import traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.analysis.span import Value

START = 1_700_000_000 * 10**9
NS = 10**9


@dataclass
class Run:
    """One trace under construction; ``wait`` lets time pass in the span that is open."""

    now: int = START
    spans: list[Span] = field(default_factory=list[Span])
    open: list[str] = field(default_factory=list[str])
    numbers: int = 0

    def wait(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += round(seconds * NS)

    @contextlib.contextmanager
    def span(self, name: str, kind: str = "INTERNAL", **attributes: Value) -> Iterator[dict[str, Value]]:
        """Open a span for the block; gives its attributes, to be added to."""
        self.numbers += 1
        identifier, parent, start = f"{self.numbers:016x}", self.open[-1] if self.open else None, self.now
        known: dict[str, Value] = {key.replace("__", "."): value for key, value in attributes.items()}
        self.open.append(identifier)
        yield known
        self.open.pop()
        self.spans.append(Span("ab" * 16, identifier, parent, name, kind, start, self.now, attributes=known))

    def step(self, number: int) -> contextlib.AbstractContextManager[dict[str, Value]]:
        """Open step *number*."""
        return self.span(f"agent.step.{number}", agent_callbacks__step__index=number)

    def model(self, first: float, output: float = 0.0, *, serialization: float = 0.0, tokens: int = 100) -> None:
        """Call a model, with *serialization* seconds before the HTTP request if there are any; streamed if *output*."""
        with self.span("llm.chat", "CLIENT", gen_ai__usage__output_tokens=tokens) as attributes:
            self.wait(serialization)
            with self.span("POST", "CLIENT") if serialization else contextlib.nullcontext():
                self.wait(first)
                self.wait(output)
            if output:
                attributes["gen_ai.response.time_to_first_chunk"] = serialization + first
                attributes["agent_callbacks.llm.generation_duration"] = output

    def tool(self, name: str, marshaling: float = 0.0, downstream: float = 0.0, host: str = "", **more: Value) -> None:
        """Call a tool that works, then waits."""
        with self.span(f"tool.{name}", gen_ai__operation__name="execute_tool", **more):
            self.wait(marshaling)
            if downstream:
                with self.span("GET", "CLIENT", server__address=host or "example.com"):
                    self.wait(downstream)

    @property
    def trace(self) -> Trace:
        """The trace so far."""
        (found,) = traces(self.spans)
        return found
