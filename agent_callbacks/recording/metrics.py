"""Metrics of the operations that end: the standard's histograms, and ours for what no standard one says.

Recorded for every run, sampled or not, with the span's context passed along so that an exemplar finds its trace. No
user, session or content is ever an attribute. Names of tools and agents are those of the naming convention; of what it
does not bound (models, providers, error types) a meter provider sees at most ``MOST_VALUES`` different values each.

Source of names, units and boundaries: OpenTelemetry GenAI semantic conventions. ``gen_ai.client.token.usage`` is that
of releases up to 1.41, which dashboards and every other instrumentation use; its successors, five counters and two
histograms under ``gen_ai.client.inference.``, would be seven more series for the same numbers. The other new names
under that prefix, of durations, are a proposal so far (semantic-conventions-genai#521). An estimate is never recorded.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.trace import set_span_in_context

from agent_callbacks.convention import keys
from agent_callbacks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Histogram, Meter, MeterProvider
    from opentelemetry.trace import Span

    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.convention.names import Namer

__all__ = ["MOST_VALUES", "Metrics", "bind", "global_provider"]

MOST_VALUES: Final = 200
"""How many values of one attribute are told apart; what comes later is ``OTHER``."""
OTHER: Final = "_OTHER"
"""As the conventions call what is not told apart (attribute ``error.type``)."""

_EMPTY: Final = Context()
_NS: Final = 1e9
_SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
_RUN_SECONDS: Final = tuple(0.1 * 2**power for power in range(13))
_WORKFLOW_SECONDS: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
_TOKEN_SECONDS: Final = tuple(0.001 * 2**power for power in range(12))
_SHORT_SECONDS: Final = tuple(0.0001 * 4**power for power in range(11))
_TOKENS: Final = tuple(float(4**power) for power in range(14))
_USD: Final = tuple(0.0001 * 4**power for power in range(11))

_INSTRUMENTS: Final[Mapping[str, tuple[str, str, tuple[float, ...]]]] = {
    keys.METRIC_OPERATION_DURATION: ("s", "Duration of a call of a model or retriever", _SECONDS),
    keys.METRIC_TIME_TO_FIRST_CHUNK: ("s", "Time to the first chunk of a streamed answer", _SECONDS),
    keys.METRIC_TOKEN_USAGE: ("{token}", "Tokens of a model call, as the provider reports them", _TOKENS),
    keys.METRIC_TOOL_DURATION: ("s", "Duration of a tool call", _SECONDS),
    keys.METRIC_AGENT_DURATION: ("s", "Duration of an agent run", _RUN_SECONDS),
    keys.METRIC_WORKFLOW_DURATION: ("s", "Duration of a chain or workflow", _WORKFLOW_SECONDS),
    keys.METRIC_STEP_TOKENS: ("{token}", "Input tokens of an agent's step, by what they were", _TOKENS),
    keys.STEP_COST: ("{USD}", "Cost of an agent's step", _USD),
    keys.TOOL_DOWNSTREAM_DURATION: ("s", "Time a tool waited for something outside", _SECONDS),
    keys.TOOL_MARSHALING_DURATION: ("s", "Time a tool took beside its work", _SHORT_SECONDS),
    keys.TIME_PER_OUTPUT_TOKEN: ("s", "Time for each output token after the first", _TOKEN_SECONDS),
}
"""Unit, description and bucket boundaries of each metric."""

_DURATIONS: Final[Mapping[object, str]] = {
    "chat": keys.METRIC_OPERATION_DURATION,
    "text_completion": keys.METRIC_OPERATION_DURATION,
    "embeddings": keys.METRIC_OPERATION_DURATION,
    "retrieval": keys.METRIC_OPERATION_DURATION,
    "execute_tool": keys.METRIC_TOOL_DURATION,
    "invoke_agent": keys.METRIC_AGENT_DURATION,
    "invoke_workflow": keys.METRIC_WORKFLOW_DURATION,
}
"""The metric of an operation's duration, by ``gen_ai.operation.name``."""
_MEASURED: Final = (
    (keys.TIME_TO_FIRST_CHUNK, keys.METRIC_TIME_TO_FIRST_CHUNK),
    (keys.TIME_PER_OUTPUT_TOKEN, keys.TIME_PER_OUTPUT_TOKEN),
    (keys.TOOL_DOWNSTREAM_DURATION, keys.TOOL_DOWNSTREAM_DURATION),
    (keys.TOOL_MARSHALING_DURATION, keys.TOOL_MARSHALING_DURATION),
)
"""Which attribute of a span is recorded as which metric."""
_USAGE: Final = ((keys.USAGE_INPUT_TOKENS, "input"), (keys.USAGE_OUTPUT_TOKENS, "output"))
_BUCKETS: Final = tuple((key, key.rpartition(".")[2]) for key in keys.STEP_TOKENS)


class _Instruments:
    """The instruments of one meter provider, and the attribute values it has seen."""

    def __init__(self, meter: Meter) -> None:
        self.histograms: Mapping[str, Histogram] = {
            name: meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=list(bounds))
            for name, (unit, description, bounds) in _INSTRUMENTS.items()
        }
        self._seen: dict[str, set[str]] = {}

    def bounded(self, key: str, value: str) -> str:
        seen = self._seen.setdefault(key, set())
        if value not in seen:
            if len(seen) >= MOST_VALUES:
                return OTHER
            seen.add(value)
        return value


_known: weakref.WeakKeyDictionary[MeterProvider, _Instruments] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def global_provider() -> MeterProvider:
    """Return the global meter provider, which may be none that measures."""
    return metrics.get_meter_provider()


def bind(provider: MeterProvider, namer: Namer) -> Metrics | None:
    """Return what records to *provider*, naming with *namer*; None where nothing would be measured.

    The API's own stand-in for a provider that is still to come measures nothing either, until it has come.
    """
    if isinstance(provider, metrics.NoOpMeterProvider) or type(provider).__name__ == "_ProxyMeterProvider":
        return None
    with _lock:
        found = _known.get(provider)
        if found is None:
            meter = provider.get_meter(keys.SCOPE_NAME, __version__, keys.SCHEMA_URL)
            if isinstance(meter, metrics.NoOpMeter):
                return None
            found = _known[provider] = _Instruments(meter)
    return Metrics(found, namer)


class Metrics:
    """Records what spans of ours say when they close."""

    def __init__(self, instruments: _Instruments, namer: Namer) -> None:
        """Record with *instruments*; names come from *namer*."""
        self._histograms = instruments.histograms
        self._bounded = instruments.bounded
        self._names: Mapping[str, Callable[[str], str]] = {
            keys.TOOL_NAME: lambda raw: namer.tool(raw).name.removeprefix("tool."),
            keys.AGENT_NAME: lambda raw: namer.agent_run(raw).name.removeprefix("agent.run."),
            keys.STEP_AGENT: lambda raw: namer.agent_run(raw).name.removeprefix("agent.run."),
            keys.WORKFLOW_NAME: lambda raw: namer.chain(raw).name.removeprefix("chain."),
            keys.DATA_SOURCE_ID: lambda raw: namer.retriever(raw).name.removeprefix("retriever."),
        }

    def operation(self, span: Span, duration_ns: int, identity: Attributes, found: Attributes) -> None:
        """Record an operation that ended.

        Args:
            span: Its span, for exemplars.
            duration_ns: How long it took, in nanoseconds.
            identity: What identified it at its start.
            found: What was learnt, outcome and error included.
        """
        metric = _DURATIONS.get(identity.get(keys.OPERATION_NAME))
        if metric is None:
            return
        context = set_span_in_context(span, _EMPTY)
        attributes = self._attributes(identity, found, _OPERATION)
        self._histograms[metric].record(max(0, duration_ns) / _NS, attributes, context)
        for key, measured in _MEASURED:
            if isinstance(value := found.get(key), (int, float)):
                self._histograms[measured].record(value, attributes, context)
        if not found.get(keys.TOKENS_USAGE_ESTIMATED):
            usage = self._histograms[keys.METRIC_TOKEN_USAGE]
            for key, kind in _USAGE:
                if isinstance(count := found.get(key), int):
                    usage.record(count, {**attributes, keys.TOKEN_TYPE: kind}, context)

    def step(self, span: Span, identity: Attributes, found: Attributes) -> None:
        """Record a step that ended: its tokens by what they were, and its cost, where *found* says so."""
        context = set_span_in_context(span, _EMPTY)
        attributes = self._attributes(identity, found, _STEP)
        for key, bucket in _BUCKETS:
            if isinstance(count := found.get(key), int):
                labelled = {**attributes, keys.TOKEN_BUCKET: bucket}
                self._histograms[keys.METRIC_STEP_TOKENS].record(count, labelled, context)
        if isinstance(cost := found.get(keys.STEP_COST), (int, float)):
            self._histograms[keys.STEP_COST].record(cost, attributes, context)

    def _attributes(
        self, identity: Attributes, found: Attributes, wanted: tuple[tuple[str, str], ...]
    ) -> dict[str, str]:
        chosen: dict[str, str] = {}
        for key, called in wanted:
            value = found.get(key, identity.get(key))
            if isinstance(value, str):
                named = self._names.get(key)
                chosen[called] = self._bounded(called, value if named is None else named(value))
        return chosen


_OPERATION: Final = tuple(
    (key, key)
    for key in (
        keys.OPERATION_NAME, keys.PROVIDER_NAME, keys.REQUEST_MODEL, keys.RESPONSE_MODEL, keys.TOOL_NAME,
        keys.AGENT_NAME, keys.WORKFLOW_NAME, keys.DATA_SOURCE_ID, keys.ERROR_TYPE,
    )
)  # fmt: skip
_STEP: Final = ((keys.STEP_AGENT, keys.AGENT_NAME),)
