"""What one recorder works with: its provider, its settings, its writer, and what it has open."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import trace

from agent_callbacks.convention import keys
from agent_callbacks.convention.names import Namer
from agent_callbacks.recording import counting, metrics, process
from agent_callbacks.recording.failure import error_type
from agent_callbacks.recording.guard import attempted
from agent_callbacks.recording.processor import install_processor
from agent_callbacks.recording.writer import SpanWriter
from agent_callbacks.settings import Settings
from agent_callbacks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import SpanContext, TracerProvider

    from agent_callbacks.recording.messages import MessageReader
    from agent_callbacks.recording.operation import Operation
    from agent_callbacks.recording.recorder import Recorder
    from agent_callbacks.recording.values import (
        Key,
    )

__all__ = ["Desk"]

_PRICES_SECONDS: Final = 5.0
_NO_PROVIDER: Final = (
    "no tracer provider is set up, so nothing is recorded: call agent_callbacks.configure() once, or set your own"
)


class Desk(abc.ABC):
    """The base of the recorder: everything that is not an event."""

    def __init__(
        self,
        reader: MessageReader,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Record to *tracer_provider* (None: whatever the global one is when a run starts) as *settings* say.

        *reader* knows the adapter's message objects; *settings* default to ``Settings.load()``.
        """
        self.settings = settings or process.settings() or Settings.load()
        self.enabled = self.settings.enabled
        self.internal_errors = 0
        """Failures of ours that were kept from the agent."""
        self.prices = self.settings.price_book
        if self.enabled:
            self.prices.load()
            if counting.alone():  # a first run would be held by the import, which other threads have to stand still for
                self.prices.wait(_PRICES_SECONDS)
            if self.settings.count_tokens:
                attempted(self, None, counting.load)
        self._inner_spans = self.settings.inner_spans
        self.unmatched: int = 0
        """Events without a run id, or of a run that was never started here."""
        self.last_root: SpanContext | None = None
        """The root opened last."""
        self._reader = reader
        self._given = tracer_provider
        self._meter_provider = meter_provider
        self._use(tracer_provider or trace.get_tracer_provider())
        process.enlist(cast("Recorder", self))

    def _use(self, provider: TracerProvider) -> None:
        """Record to *provider* from now on."""
        self._provider = provider
        self.shared = process.shared(provider)
        self._open = self.shared.open
        tracer = provider.get_tracer(keys.SCOPE_NAME, __version__, keys.SCHEMA_URL)
        sanitizer = self.settings.sanitizer
        namer = process.once(
            ("namer", self.settings.naming, sanitizer), lambda: Namer(self.settings.naming, sanitizer.clean)
        )
        install_processor(provider)
        self.writer = SpanWriter(tracer, self.settings, namer, self._reader)
        self._namer = namer
        self._measure(self._meter_provider or metrics.global_provider())

    def _measure(self, provider: MeterProvider) -> None:
        """Record metrics to *provider* from now on; ``metrics`` is None where nobody would read them."""
        self._measured = provider
        self.metrics = metrics.bind(provider, self._namer) if self.enabled else None

    @property
    def last_trace_id(self) -> str | None:
        """The trace id of the root opened last, as 32 hex digits."""
        return None if self.last_root is None else trace.format_trace_id(self.last_root.trace_id)

    def follow_global(self) -> None:
        """Use the provider that is the global one by now, and say once that there is none."""
        provider = trace.get_tracer_provider()
        if provider is not self._provider:
            self.abandon_all()
            self._use(provider)
        if self._meter_provider is None and metrics.global_provider() is not self._measured:
            self._measure(metrics.global_provider())
        if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            process.warn_once("provider", _NO_PROVIDER)

    def hides_chains(self, parent: Key | None) -> bool:
        """Say whether a chain or node below *parent* would have no span of its own."""
        return not self._inner_spans and parent is not None and parent in self._open

    # --- what is open --------------------------------------------------------------------------------------------

    @property
    def open_runs(self) -> int:
        """Return how many operations are open now."""
        return sum(1 for _ in self.open_operations())

    def open_operations(self) -> Iterator[Operation]:
        """Yield the operations this recorder has open."""
        return iter([operation for operation in list(self._open.values()) if operation.recorder is self])

    @abc.abstractmethod
    def abandon_all(self) -> int:
        """Close everything this recorder has open; return how many operations that were."""

    def swallowed(self, error: Exception) -> None:
        """Count a failure of ours and log its type, once per type."""
        self.internal_errors += 1
        kind = error_type(error)
        process.warn_once(f"internal:{kind}", "recording failed with %s; the agent is not affected", kind)

    def _unmatched(self, key: Key | None) -> None:
        if key is None or self.shared.repeated.get(key) is None:
            self.unmatched += 1
