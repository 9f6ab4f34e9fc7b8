"""Delivery accounting: what every destination answered, span by span.

``force_flush()`` of the SDK is no proof: it returns True after a refused connection, a 401 and a full queue alike. So
each destination has a ledger. A span enters it when it ends, and leaves it as sent, failed (with the receiver's answer
as the cause) or dropped; nothing is counted as sent that the receiver has not answered positively.

The ledger also admits spans to the SDK's queue, never more than fit, so the SDK has nothing to drop unseen.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from opentelemetry.sdk.environment_variables import OTEL_BSP_SCHEDULE_DELAY
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Answer", "CountingExporter", "Counts", "Destination", "Ledger", "Receiver", "Snapshot", "flush_all"]

logger = logging.getLogger("agent_callbacks")

_POLL_SECONDS: Final = 0.1
# The SDK waits five seconds: too long for who looks at a trace of now, and for what SIGKILL takes along.
_DELAY_MILLIS: Final = 1000
_QUEUE_FULL: Final = "queue full"
_SHUT_DOWN: Final = "shut down"


@dataclass(frozen=True, slots=True)
class Counts:
    """The spans of one destination: each that has ended is in exactly one of these."""

    sent: int = 0
    """Answered positively by the receiver."""
    failed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Lost on the way, by cause: ``"refused"``, ``"401"``, ``"timeout"``, ..."""
    drop_causes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Given up here, by cause: ``"queue full"``, ``"shut down"``; by the store ``"disk full"``, ``"locked"``, ..."""
    queued: int = 0
    """Waiting, or on their way and not yet answered."""

    @property
    def dropped(self) -> int:
        """Return how many spans were dropped, for whatever cause."""
        return sum(self.drop_causes.values())

    @property
    def lost(self) -> int:
        """Return how many spans failed or were dropped."""
        return self.dropped + sum(self.failed.values())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was delivered so far: the totals over all destinations, and each of them.

    A span that goes to two destinations counts twice in the totals.
    """

    destinations: Mapping[str, Counts] = field(default_factory=lambda: MappingProxyType({}))
    """The counts of ``"store"`` and ``"otlp"``, as far as they are in use."""

    def __getitem__(self, destination: str) -> Counts:
        return self.destinations[destination]

    @property
    def sent(self) -> int:
        """Return how many spans the receivers answered positively."""
        return sum(counts.sent for counts in self.destinations.values())

    @property
    def failed(self) -> Mapping[str, int]:
        """Return how many spans were lost on the way, by cause."""
        return _total(counts.failed for counts in self.destinations.values())

    @property
    def drop_causes(self) -> Mapping[str, int]:
        """Return how many spans were dropped, by cause."""
        return _total(counts.drop_causes for counts in self.destinations.values())

    @property
    def dropped(self) -> int:
        """Return how many spans were dropped, for whatever cause."""
        return sum(counts.dropped for counts in self.destinations.values())

    @property
    def queued(self) -> int:
        """Return how many spans have no answer yet."""
        return sum(counts.queued for counts in self.destinations.values())

    def losses(self) -> str:
        """Return one line about what was lost, empty when nothing was."""
        return "; ".join(
            f"{name}: " + ", ".join(_losses(counts)) for name, counts in self.destinations.items() if counts.lost
        )


def _total(each: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for counts in each:
        total.update(counts)
    return MappingProxyType(dict(total))


def _losses(counts: Counts) -> list[str]:
    return [
        f"{number} {fate} ({cause})"
        for fate, causes in (("failed", counts.failed), ("dropped", counts.drop_causes))
        for cause, number in sorted(causes.items())
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one batch: *lost* of its spans failed, *dropped* were given up, for *cause*; the rest arrived."""

    lost: int = 0
    cause: str = ""
    dropped: int = 0


class Receiver(Protocol):
    """An open exporter that can say what its receiver answered."""

    def send(self, spans: Sequence[ReadableSpan]) -> Answer:
        """Export *spans* and return the answer."""
        ...

    def close(self) -> None:
        """Close the exporter."""
        ...


class Ledger:
    """The counts of one destination, kept by many threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.reset()

    def reset(self) -> None:
        """Start from zero with a lock of our own: in a forked child, whose spans these are not."""
        # Re-entrant: a destructor may end a span while this thread is inside.
        self._changed = threading.Condition(threading.RLock())
        self._ended = self._waiting = self._sent = 0
        self._failed: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._closed = False

    def admit(self) -> bool:
        """Count a span that ended; return whether it may enter the queue."""
        with self._changed:
            self._ended += 1
            if self._closed or self._waiting >= self._capacity:
                self._dropped[_SHUT_DOWN if self._closed else _QUEUE_FULL] += 1
                return False
            self._waiting += 1
            return True

    def take(self, spans: int) -> None:
        """Count *spans* that left the queue for the receiver."""
        with self._changed:
            self._waiting -= spans

    def settle(self, spans: int, answer: Answer) -> None:
        """Count the *answer* to a batch of *spans*, unless it comes after the end."""
        with self._changed:
            if self._closed:
                return
            self._sent += spans - answer.lost - answer.dropped
            for counts, spans_of_it in ((self._failed, answer.lost), (self._dropped, answer.dropped)):
                if spans_of_it:
                    counts[answer.cause] += spans_of_it
            self._changed.notify_all()

    def close(self, cause: str = "timeout") -> None:
        """Admit nothing more; what has no answer by now has failed for *cause*, whatever still happens to it."""
        with self._changed:
            self._closed = True
            if unanswered := self._unanswered():
                self._failed[cause] += unanswered

    def _unanswered(self) -> int:
        return self._ended - self._sent - self._dropped.total() - self._failed.total()

    def wait(self, spans: int, timeout: float) -> bool:
        """Return whether as many as *spans* have an answer, after at most *timeout* seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended - self._unanswered() >= spans, timeout)

    @property
    def ended(self) -> int:
        """Return how many spans have ended so far."""
        return self._ended

    @property
    def counts(self) -> Counts:
        """Return the counts of this moment."""
        with self._changed:
            failed, dropped = MappingProxyType(dict(self._failed)), MappingProxyType(dict(self._dropped))
            return Counts(self._sent, failed, dropped, max(self._unanswered(), 0))


class CountingExporter(SpanExporter):
    """Send spans to a receiver and enter its answers in a ledger.

    Args:
        open_receiver: Returns the receiver; called at once, and again in a forked child, at its first span, because
            connections and channels do not survive a fork.
        ledger: Where the answers are counted.
    """

    def __init__(self, open_receiver: Callable[[], Receiver], ledger: Ledger) -> None:
        self._open = open_receiver
        self._ledger = ledger
        self._receiver: Receiver | None = open_receiver()
        self._inherited: list[Receiver] = []
        self._reported_drops = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send *spans*; return SUCCESS only if the receiver took all of them."""
        self._ledger.take(len(spans))
        with _Attempt(self._ledger, len(spans)) as attempt:
            if self._receiver is None:
                self._receiver = self._open()
            attempt.answer = self._receiver.send(spans)
        self._report_drops()
        answer = attempt.answer
        return SpanExportResult.FAILURE if answer.lost or answer.dropped else SpanExportResult.SUCCESS

    def _report_drops(self) -> None:
        if not self._reported_drops and (dropped := self._ledger.counts.drop_causes.get(_QUEUE_FULL, 0)):
            self._reported_drops = True
            logger.warning(
                "%d spans dropped so far: they end faster than they are delivered; raise OTEL_BSP_MAX_QUEUE_SIZE, or"
                " sample",
                dropped,
            )

    def renew(self) -> None:
        """Open a receiver of our own at the next span; the parent's is kept, as closing it could disturb the parent."""
        if self._receiver is not None:
            self._inherited.append(self._receiver)
            self._receiver = None

    def shutdown(self) -> None:
        """Close the receiver."""
        if self._receiver is not None:
            self._receiver.close()


class _Attempt:
    """One batch on its way: whatever happens to it, its spans are counted, and an error goes on its way."""

    def __init__(self, ledger: Ledger, spans: int) -> None:
        self._ledger = ledger
        self._spans = spans
        self.answer = Answer(lost=spans, cause="error")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.answer = Answer(lost=self._spans, cause=f"error: {kind.__name__}")
        self._ledger.settle(self._spans, self.answer)


class Destination(BatchSpanProcessor):
    """The SDK's batch processor with a ledger, a flush that keeps its time and tells the truth, and an end.

    Args:
        open_receiver: Returns the receiver of this destination.
        queue: How many spans may wait.
        batch: How many go at once, at most.
    """

    def __init__(self, open_receiver: Callable[[], Receiver], *, queue: int, batch: int) -> None:
        self.ledger: Final = Ledger(queue)
        self._counting = CountingExporter(open_receiver, self.ledger)
        self._flusher: threading.Thread | None = None
        self._lost_before = 0
        self._closed = False
        delay = None if OTEL_BSP_SCHEDULE_DELAY in os.environ else _DELAY_MILLIS
        super().__init__(
            self._counting,
            max_queue_size=queue,
            schedule_delay_millis=delay,
            max_export_batch_size=min(batch, queue),
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Queue *span*, if it is sampled and there is room."""
        if span.context is not None and span.context.trace_flags.sampled and self.ledger.admit():
            super().on_end(span)

    def start_flush(self) -> None:
        """Have the queue exported by a thread of its own, unless one is at it: the SDK's flush knows no time limit."""
        if self._closed or (self._flusher is not None and self._flusher.is_alive()):
            return
        flusher = threading.Thread(target=super().force_flush, name="agent-callbacks-flush", daemon=True)
        try:
            flusher.start()
        except RuntimeError:  # the interpreter is ending, or the system has no thread left
            super().force_flush()
        else:
            self._flusher = flusher

    def finish_flush(self, deadline: float) -> bool:
        """Return whether every span that ended since the last flush was delivered by *deadline* (monotonic seconds)."""
        ended, before = self.ledger.ended, self._lost_before
        while not self.ledger.wait(ended, max(0.0, min(_POLL_SECONDS, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                return False
            self.start_flush()
        lost, self._lost_before = self.ledger.counts.lost, self.ledger.counts.lost
        return lost == before

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Export what is queued within *timeout_millis* (default 30 s); return whether everything was delivered."""
        return flush_all([self], (30_000 if timeout_millis is None else timeout_millis) / 1e3)

    def close(self, timeout: float) -> None:
        """Export what is queued and stop, within *timeout* seconds and without starting a thread."""
        if self._closed:
            return
        self._closed = True
        # BatchSpanProcessor.shutdown() waits for half a minute; the one beneath it takes a limit.
        self._batch_processor.shutdown(timeout_millis=max(1, int(timeout * 1e3)))
        if self._flusher is not None:
            self._flusher.join(0 if self.ledger.counts.queued else _POLL_SECONDS)
        self.ledger.close()

    def shutdown(self) -> None:
        """Export what is queued and stop, within ten seconds."""
        self.close(10.0)

    def renew(self) -> None:
        """Begin anew in a forked child: own counts, own receiver; the parent's spans stay the parent's."""
        self.ledger.reset()
        self._counting.renew()
        self._flusher = None


def flush_all(places: Iterable[Destination], timeout: float) -> bool:
    """Flush *places* side by side within *timeout* seconds; return whether every one of them delivered everything."""
    deadline = time.monotonic() + timeout
    waiting = list(places)
    for place in waiting:
        place.start_flush()
    delivered = [place.finish_flush(deadline) for place in waiting]
    return all(delivered)
