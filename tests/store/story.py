"""One agent run with fixed ids and a fixed clock, made by the real SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

START: Final = 1_764_000_000_000_000_000  # 2025-11-24 16:00:00 UTC
MS: Final = 1_000_000
TRACE_ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
WHO: Final = {
    keys.USER_ID: "u-17",
    keys.SESSION_ID: "s-9",
    keys.CONVERSATION_ID: "t-3",
    keys.FEATURE_FLAG_KEY: "variant",
    keys.FEATURE_FLAG_VARIANT: "prompt-b",
}


class Ids(IdGenerator):
    """Trace ids as given, span ids counted from 1."""

    def __init__(self, trace_id: str) -> None:
        self.trace_id = int(trace_id, 16)
        self.spans = 0

    def generate_trace_id(self) -> int:
        """Give the one trace id."""
        return self.trace_id

    def generate_span_id(self) -> int:
        """Give the next span id."""
        self.spans += 1
        return self.spans


class Teller:
    """Makes finished spans: name, milliseconds from and to, attributes, and the spans below."""

    def __init__(self, trace_id: str = TRACE_ID, start_ns: int = START, who: dict[str, Any] | None = None) -> None:
        self._memory = InMemorySpanExporter()
        self._ids = Ids(trace_id)
        self._provider = TracerProvider(
            resource=Resource({"service.name": "support"}), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self._tracer = self._provider.get_tracer("agent_callbacks", "1")
        self._start = start_ns
        self._who = WHO if who is None else who

    def tell(self, name: str, begin: int, end: int, attributes: dict[str, Any], *below: Any, **more: Any) -> None:
        """Open and close one span, and below it the spans in *below*, each given as arguments of this method."""
        failed = more.pop("failed", False)
        span = self._tracer.start_span(
            name, attributes={**attributes, **self._who}, start_time=self._start + begin * MS, **more
        )
        with otel.use_span(span, end_on_exit=False):
            for arguments in below:
                self.tell(*arguments[:-1], **arguments[-1]) if isinstance(arguments[-1], _More) else self.tell(
                    *arguments
                )
        if failed:
            span.set_status(Status(StatusCode.ERROR, "no such order"))
            span.add_event("exception", {keys.EXCEPTION_TYPE: "ValueError"}, timestamp=self._start + end * MS)
        span.end(end_time=self._start + end * MS)

    def judge(self, name: str, score: float) -> None:
        """Record an outcome, as ``record_outcome`` does: a span of its own below one of another process."""
        above = SpanContext(self._ids.trace_id, 1, is_remote=True, trace_flags=TraceFlags(1))
        self._ids.spans += 1000
        span = self._tracer.start_span(
            keys.EVALUATION_SPAN, otel.set_span_in_context(otel.NonRecordingSpan(above)), start_time=self._start
        )
        said = {keys.EVALUATION_NAME: name, keys.EVALUATION_SCORE: score}
        span.add_event(keys.EVALUATION_EVENT, said, timestamp=self._start)
        span.end(end_time=self._start)

    def spans(self) -> tuple[ReadableSpan, ...]:
        """Return what was told."""
        return self._memory.get_finished_spans()


class _More(dict[str, Any]):
    """Keyword arguments at the end of a span's description."""


def model(begin: int, end: int, tokens_in: int, tokens_out: int, first_chunk: float) -> tuple[Any, ...]:
    """Describe a streaming model call."""
    return (
        "llm.chat", begin, end,
        {
            keys.OPERATION_NAME: "chat",
            keys.USAGE_INPUT_TOKENS: tokens_in,
            keys.USAGE_OUTPUT_TOKENS: tokens_out,
            keys.TIME_TO_FIRST_CHUNK: first_chunk,
            keys.RESPONSE_FINISH_REASONS: ["stop"],
            keys.OUTCOME: "success",
        },
        _More(kind=SpanKind.CLIENT),
    )  # fmt: skip


def tool(name: str, begin: int, end: int, **more: Any) -> tuple[Any, ...]:
    """Describe a tool."""
    attributes = {keys.OPERATION_NAME: "execute_tool", keys.OUTCOME: "failure" if more.get("failed") else "success"}
    if more.get("failed"):
        attributes[keys.ERROR_TYPE] = "ValueError"
    return (f"tool.{name}", begin, end, attributes, _More(more))


def step(index: int, begin: int, end: int, tokens: tuple[int, int], *below: Any) -> tuple[Any, ...]:
    """Describe a step."""
    attributes = {
        keys.STEP_INDEX: index,
        keys.STEP_INPUT_TOKENS: tokens[0],
        keys.STEP_OUTPUT_TOKENS: tokens[1],
        keys.OUTCOME: "success",
    }
    return (f"agent.step.{index}", begin, end, attributes, *below)


def support(
    trace_id: str = TRACE_ID, start_ns: int = START, outcome: str = "success", **who: str
) -> tuple[ReadableSpan, ...]:
    """Tell the run of DESIGN's picture: two steps, two tools side by side, one of which fails."""
    teller = Teller(trace_id, start_ns, {**WHO, **who})
    other = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    teller.tell(
        "agent.run.support", 0, 3420,
        {
            keys.OPERATION_NAME: "invoke_agent",
            keys.AGENT_NAME: "support",
            keys.RUN_TOTAL_INPUT_TOKENS: 3120,
            keys.RUN_TOTAL_OUTPUT_TOKENS: 188,
            keys.OUTCOME: outcome,
        },
        step(
            1, 12, 1900, (1200, 90),
            model(15, 800, 1200, 90, 0.4),
            tool("search_web", 810, 1900),
            tool("lookup_order", 815, 830, failed=True),
        ),
        step(2, 1910, 3415, (1920, 98), model(1912, 3415, 1920, 98, 0.5)),
        links=[Link(other, {keys.LINK_KIND: "resume"})],
    )  # fmt: skip
    return teller.spans()


def told(number: int, *, resolved: float | None = None, start_ns: int = START, **more: Any) -> list[Any]:
    """Tell run *number*, of one model call with a price, as its batches: the run, then what was said of it.

    Args:
        number: Makes the trace id.
        resolved: The score of the outcome ``resolved``, recorded a minute after the run.
        start_ns: When it started.
        more: ``seconds``, ``cost``, ``tokens``, ``model``, ``agent``, ``variant``, ``experiment``, ``variants`` of
            several experiments, ``failed``, ``user``, ``session``; ``rooted=False`` leaves the root out.
    """
    said = {"agent": "support", "variant": "a", "experiment": "tone", "user": "u-17", "session": "s-9", **more}
    who = {
        keys.USER_ID: said["user"], keys.SESSION_ID: said["session"], keys.FEATURE_FLAG_KEY: said["experiment"],
        keys.FEATURE_FLAG_VARIANT: said["variant"],
    }  # fmt: skip
    if "variants" in more:
        who[keys.METADATA] = json.dumps({"variants": more["variants"]})
    end = round(1000 * said.get("seconds", 1.0))
    call: dict[str, Any] = {
        keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: said.get("model", "gpt-x"), keys.PROVIDER_NAME: "acme",
        keys.USAGE_INPUT_TOKENS: said.get("tokens", 100), keys.USAGE_OUTPUT_TOKENS: 10,
    }  # fmt: skip
    if said.get("cost", 0.01) is not None:
        call[keys.LLM_COST] = said.get("cost", 0.01)
    failed = bool(said.get("failed"))
    run = {keys.OPERATION_NAME: "invoke_agent", keys.AGENT_NAME: said["agent"]}
    run[keys.OUTCOME] = "failure" if failed else "success"
    trace_id = f"{number:032x}"
    teller = Teller(trace_id, start_ns, {key: value for key, value in who.items() if value is not None})
    inner = (
        "agent.step.1",
        0,
        end,
        {keys.STEP_INDEX: 1, keys.STEP_AGENT: said["agent"]},
        ("llm.chat", 0, end, call, _More(failed=failed)),
    )
    teller.tell(f"agent.run.{said['agent']}", 0, end, run, inner)
    spans = [span for span in teller.spans() if span.parent is not None or said.get("rooted", True)]
    if resolved is None:
        return [spans]
    later = Teller(trace_id, start_ns + 60_000 * MS, {})
    later.judge("resolved", resolved)
    return [spans, later.spans()]
