"""``configure()``: from nothing to spans that are stored, exported and counted, in one call."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
import weakref
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from agent_callbacks.convention import keys
from agent_callbacks.delivery import otlp
from agent_callbacks.delivery.accounting import Answer, Destination, Snapshot, flush_all
from agent_callbacks.delivery.fence import SanitizingSpanExporter
from agent_callbacks.delivery.shutdown import ProcessEnd, close_operations
from agent_callbacks.recording import counting, process
from agent_callbacks.settings import Settings, check_arguments
from agent_callbacks.store.read import Store
from agent_callbacks.store.schema import StoreError, default_path
from agent_callbacks.store.write import StoreExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Never, Self

    from opentelemetry.sdk.trace import ReadableSpan

    from agent_callbacks.delivery.accounting import Receiver
    from agent_callbacks.privacy.sanitizer import Sanitizer

__all__ = ["Delivery", "configure"]

logger = logging.getLogger("agent_callbacks")

_ARGUMENTS: Final = ("service_name", "store", "tracer_provider", "settings")
_QUEUE: Final = ("OTEL_BSP_MAX_QUEUE_SIZE", 2048)
_BATCH: Final = ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)


@dataclass(frozen=True, slots=True)
class _Arguments:
    """What ``configure()`` was asked for, as far as a second call must agree."""

    service_name: str | None
    store: Path | None
    tracer_provider: TracerProvider | None
    settings: Settings

    def differences(self, other: _Arguments) -> list[str]:
        """Name what *other* has differently; settings field by field."""
        named = [name for name in _ARGUMENTS[:3] if getattr(self, name) != getattr(other, name)]
        changed = [
            f"settings.{field.name}"
            for field in fields(Settings)
            if getattr(self.settings, field.name) != getattr(other.settings, field.name)
        ]
        return named + changed


class Delivery:
    """The handle ``configure()`` returns: what was delivered, and the end of it.

    A context manager: leaving it shuts down.
    """

    def __init__(self, destinations: Mapping[str, Destination], store_path: Path | None = None) -> None:
        self._destinations = MappingProxyType(dict(destinations))
        self._store_path = store_path
        self._at_shutdown: list[Callable[[], None]] = []
        self._closed = False

    @property
    def store_path(self) -> Path | None:
        """The local store's file, None without one."""
        return self._store_path

    @property
    def delivery(self) -> Snapshot:
        """What was sent, failed, dropped and is queued at this moment, in total and by destination."""
        return Snapshot(MappingProxyType({name: place.ledger.counts for name, place in self._destinations.items()}))

    def flush(self, timeout: float = 10.0) -> bool:
        """Deliver what is queued; judged by what the receivers answered, not by the SDK's word.

        Args:
            timeout: How long to wait, in seconds.

        Returns:
            True only if every span recorded since the last flush has been answered positively by every receiver.
        """
        return flush_all(self._destinations.values(), timeout)

    def shutdown(self, timeout: float = 10.0) -> None:
        """Close what is open as abandoned, deliver what is queued, and stop; ``configure()`` may be called again.

        Args:
            timeout: How long to try, in seconds.
        """
        if self._closed:
            return
        close_operations("shutdown")
        self.close(timeout)
        for undo in self._at_shutdown:
            undo()

    def close(self, timeout: float) -> None:
        """Deliver what is queued within *timeout* seconds and stop, starting no thread; say what was lost."""
        if self._closed:
            return
        self._closed = True
        deadline = time.monotonic() + timeout
        for place in self._destinations.values():  # the store first: it is local and never far behind
            place.close(max(0.0, deadline - time.monotonic()))
        if losses := (delivery := self.delivery).losses():
            # Who drops spans says so when it begins: a failure on the way nobody has told of yet.
            logger.log(logging.WARNING if delivery.failed else logging.INFO, "not everything was delivered: %s", losses)

    def renew(self) -> None:
        """Begin anew in a forked child: the parent delivers what the parent recorded."""
        for place in self._destinations.values():
            place.renew()

    def at_shutdown(self, undo: Callable[[], None]) -> None:
        """Have *undo* called by ``shutdown()``."""
        self._at_shutdown.append(undo)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


class _OwnProvider(TracerProvider):
    """The provider we make: it can be described anew, because it outlives a shutdown."""

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Give the spans from now on a fresh resource with *attributes*."""
        fresh = Resource.create(dict(attributes))
        if keys.SANITIZER_DISABLED in self.resource.attributes and keys.SANITIZER_DISABLED not in attributes:
            fresh = fresh.merge(Resource({keys.SANITIZER_DISABLED: ""}))  # merging cannot remove
        if not hasattr(self, "_update_resource"):  # an SDK before 1.44: only tracers made from now on can know
            self._resource = self._resource.merge(fresh)
            return
        self._update_resource(fresh)


class _Relay(SpanProcessor):
    """The one processor of ours on a provider, which cannot be asked to forget one: it forwards, or does nothing."""

    def __init__(self) -> None:
        self.places: tuple[Destination, ...] = ()

    def on_end(self, span: ReadableSpan) -> None:
        for place in self.places:
            place.on_end(span)

    def shutdown(self) -> None:
        for place in self.places:
            place.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return flush_all(self.places, timeout_millis / 1e3)


class _StoreReceiver:
    """The local store: what a fault of its file costs is dropped, and the store has said so once."""

    def __init__(self, path: Path, sanitizer: Sanitizer) -> None:
        self._store = StoreExporter(path)
        self._exporter = SanitizingSpanExporter(self._store, sanitizer)

    def send(self, spans: Sequence[ReadableSpan]) -> Answer:
        from opentelemetry.sdk.trace.export import SpanExportResult

        if self._exporter.export(spans) is SpanExportResult.SUCCESS:
            return Answer()
        return Answer(dropped=len(spans), cause=self._store.last_fault or "")

    def close(self) -> None:
        self._exporter.shutdown()


_lock = threading.RLock()
_current: tuple[_Arguments, Delivery] | None = None
_own: _OwnProvider | None = None
_relays: weakref.WeakKeyDictionary[TracerProvider, _Relay] = weakref.WeakKeyDictionary()
_warned: weakref.WeakSet[TracerProvider] = weakref.WeakSet()
_OFF: Final = Delivery({})


def configure(
    *,
    service_name: str | None = None,
    store: bool | str | Path = True,
    tracer_provider: TracerProvider | None = None,
    settings: Settings | None = None,
    **unknown: Never,
) -> Delivery:
    """Set tracing up: a local store, and OTLP when ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set.

    A provider that stands already (the global one, or *tracer_provider*) is added to, never replaced, and gets no
    second OTLP exporter. While ``AGENT_CALLBACKS_ENABLED=0`` or ``OTEL_SDK_DISABLED=true`` nothing is created.

    Args:
        service_name: The service in every span (default: ``OTEL_SERVICE_NAME``).
        store: True for the default place of the local store, a path for another, False for none.
        tracer_provider: An SDK provider of yours.
        settings: What is recorded and how (default: ``Settings.load()``).
        **unknown: Refused.

    Returns:
        The handle to flush, to shut down and to see what arrived; the same one for the same arguments.

    Raises:
        TypeError: An unknown argument, with the nearest known one, or a *tracer_provider* that is not the SDK's.
        RuntimeError: It is configured already, with other arguments.
    """
    global _current  # noqa: PLW0603 - one configuration per process, as there is one global provider
    check_arguments("configure", unknown, _ARGUMENTS, settings)
    _check(tracer_provider)
    settings = Settings.load() if settings is None else settings
    if not (settings.enabled and Settings.load().enabled):
        return _OFF
    asked = _Arguments(service_name, _store_path(store), tracer_provider, settings)
    with _lock:
        if _current is not None:
            return _same(_current, asked)
        provider = tracer_provider or _standing_provider() or _own_provider(asked)
        if provider is None:
            return _OFF
        _current = asked, _deliver(asked, provider)
        return _current[1]


def _check(tracer_provider: object) -> None:
    if tracer_provider is not None and not isinstance(tracer_provider, TracerProvider):
        raise TypeError(
            f"configure(tracer_provider=...): must be an opentelemetry.sdk.trace.TracerProvider, "
            f"not {type(tracer_provider).__name__}"
        )


def _store_path(store: bool | str | Path) -> Path | None:  # noqa: FBT001 - configure()'s argument, handed on
    if isinstance(store, bool):
        return default_path() if store else None
    try:
        return Path(store).expanduser()
    except TypeError as error:
        raise TypeError(f"configure(store=...): must be True, False or a path, not {type(store).__name__}") from error


def _same(current: tuple[_Arguments, Delivery], asked: _Arguments) -> Delivery:
    before, handle = current
    if differences := before.differences(asked):
        raise RuntimeError(
            f"configure() was called before with another {', '.join(differences)}; "
            "call shutdown() on the handle it returned, then configure() again"
        )
    return handle


def _standing_provider() -> TracerProvider | None:
    """Return the global provider when the application has set one of the SDK's."""
    found = trace.get_tracer_provider()
    return found if isinstance(found, TracerProvider) and found is not _own else None


def _own_provider(asked: _Arguments) -> TracerProvider | None:
    """Return the provider we make the global one; None when the application's is neither ours nor the SDK's.

    A global provider can be set once in a process, so after a shutdown ours is used again, with the new resource.
    """
    global _own  # noqa: PLW0603 - see above
    attributes: dict[str, Any] = {SERVICE_NAME: asked.service_name} if asked.service_name else {}
    if not asked.settings.sanitizer.enabled:
        attributes[keys.SANITIZER_DISABLED] = asked.settings.sanitizer.reason or "disabled"
    if _own is not None:
        _own.describe(attributes)
        return _own
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        logger.warning(
            "the global tracer provider is a %s, which takes no processors: nothing is delivered; "
            "configure(tracer_provider=...) takes one of the SDK's",
            type(trace.get_tracer_provider()).__name__,
        )
        return None
    _own = _OwnProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    trace.set_tracer_provider(_own)
    return _own


def _deliver(asked: _Arguments, provider: TracerProvider) -> Delivery:
    """Open the destinations, add them to *provider*, and tie them to the process.

    The processor for other instrumentations' spans is not installed here: the handler does so, on its own provider.
    """
    sanitizer = asked.settings.sanitizer
    if provider is not _own:
        _explain_fence(provider)
        _explain_name(provider, asked.service_name)
    openers: dict[str, Callable[[], Receiver]] = {}
    if (path := asked.store) is not None:
        openers["store"] = lambda: _StoreReceiver(path, sanitizer)
    if provider is _own and otlp.endpoint_is_set():
        openers["otlp"] = lambda: otlp.open_receiver(sanitizer)
    queue, batch = _size(*_QUEUE), _size(*_BATCH)
    places = {name: Destination(opener, queue=queue, batch=batch) for name, opener in openers.items()}
    handle = Delivery(places, path)
    relay = _relay(provider)
    relay.places = tuple(places.values())
    end = ProcessEnd(handle)
    end.install()
    handle.at_shutdown(end.uninstall)
    handle.at_shutdown(lambda: _forget(relay))
    handle.at_shutdown(process.use_settings(asked.settings))
    if asked.settings.count_tokens:
        counting.load()  # at start-up, not with the first handler, which may be made inside a request
    if path is not None:
        handle.at_shutdown(process.find_interrupted_with(functools.partial(_interrupted, path, sanitizer)))
    return handle


def _interrupted(path: Path, sanitizer: Sanitizer, thread_id: str) -> tuple[str, str] | None:
    """Return the run of conversation *thread_id* that waits for a human, as the store knows it."""
    try:
        with Store(path) as store:
            return store.find_interrupted(sanitizer.clean_identity(thread_id))
    except StoreError:
        return None


def _forget(relay: _Relay) -> None:
    global _current  # noqa: PLW0603 - see configure()
    with _lock:
        relay.places = ()
        _current = None


def _relay(provider: TracerProvider) -> _Relay:
    """Return our processor on *provider*, added at the first call."""
    if (relay := _relays.get(provider)) is None:
        relay = _relays[provider] = _Relay()
        provider.add_span_processor(relay)
    return relay


def _size(variable: str, default: int) -> int:
    """Return the positive number in *variable*; the SDK would refuse some combinations with an error."""
    text = os.environ.get(variable, "")
    if not text:
        return default
    if text.strip().isdecimal() and int(text) > 0:
        return int(text)
    logger.warning("%s: not a number above 0; %d is used", variable, default)
    return default


def _explain_fence(provider: TracerProvider) -> None:
    """Say once what we cannot do: wrap the exporters *provider* has already."""
    found = _open_exporters(provider)
    if provider in _warned or not found:
        return
    _warned.add(provider)
    logger.warning(
        "the tracer provider has exporters of its own (%s), through which spans other than ours pass unchecked; wrap "
        "each: SanitizingSpanExporter(your_exporter)",
        ", ".join(found),
    )


def _open_exporters(provider: TracerProvider) -> list[str]:
    """Return the classes of the exporters of *provider* that are not fenced; a processor's own where it has none."""
    active: Any = getattr(provider, "_active_span_processor", None)
    processors: tuple[SpanProcessor, ...] = getattr(active, "_span_processors", ())
    others = [found for found in processors if type(found).__module__.partition(".")[0] != "agent_callbacks"]
    exporters = [getattr(found, "span_exporter", found) for found in others]
    return [type(found).__name__ for found in exporters if not isinstance(found, SanitizingSpanExporter)]


def _explain_name(provider: TracerProvider, service_name: str | None) -> None:
    """Say that the name of a provider that stands is its own."""
    if service_name is not None and service_name != provider.resource.attributes.get(SERVICE_NAME):
        logger.warning(
            "configure(service_name=...) has no effect: the standing tracer provider names the service; set %s there",
            SERVICE_NAME,
        )
