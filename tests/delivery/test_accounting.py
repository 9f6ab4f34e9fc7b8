"""The counts are what the receivers answered, against real receivers."""

from __future__ import annotations

import logging
import threading
import time

import grpc
import pytest
import trustme
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from agent_callbacks.delivery.accounting import Answer, Counts, Destination, Ledger, Snapshot, flush_all
from agent_callbacks.delivery.configure import configure
from agent_callbacks.delivery.otlp import connection_cause
from agent_callbacks.store import file
from tests.features import GRPC_DETAILS


def record(number=1, provider=None):
    """End *number* spans on *provider*, by default the global one."""
    tracer = (provider or trace.get_tracer_provider()).get_tracer("app")
    for index in range(number):
        tracer.start_span(f"span {index}").end()


class Scripted:
    """A receiver that answers what it is told, when it is let."""

    def __init__(self, answer=None, *, error=None):
        self.answer, self.error = answer or Answer(), error
        self.sent = 0
        self.open = threading.Event()
        self.open.set()
        self.closed = False

    def send(self, spans):
        """Answer, when let."""
        self.open.wait(20)
        if self.error:
            raise self.error
        self.sent += len(spans)
        return self.answer

    def close(self):
        """Note the end."""
        self.closed = True


@pytest.fixture
def place_of():
    """Build destinations on providers of their own, and end them."""
    made = []

    def build(receiver, queue=2048, batch=512):
        place = Destination(lambda: receiver, queue=queue, batch=batch)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(place)
        made.append((place, receiver))
        return place, provider

    yield build
    for place, receiver in made:
        receiver.open.set()
        place.close(5)


# --- what each receiver's answer is called ---------------------------------------------------------------------------
def test_an_accepted_batch_is_sent(receiver, monkeypatch):
    """Spans a receiver takes are sent, and flush() says so."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    with configure(store=False) as handle:
        record(3)
        assert handle.flush(30)
        assert Counts(sent=3) == handle.delivery["otlp"]
        assert ["span 0", "span 1", "span 2"] == receiver.names


@pytest.mark.logs_expected
@pytest.mark.parametrize("status", [302, 400, 401, 404, 415, 500])
def test_a_refusing_receiver_is_named_by_its_status(receiver, monkeypatch, status):
    """A status other than 2xx is the cause; a redirect is none of the success the exporter takes it for."""
    receiver.status = status
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")  # older exporters repeat what had a 500
    with configure(store=False) as handle:
        record(2)
        assert not handle.flush(5)
        assert Counts(failed={str(status): 2}) == handle.delivery["otlp"]


@pytest.mark.logs_expected
def test_an_unavailable_receiver_is_named_after_the_retries(receiver, monkeypatch):
    """A 503 is retried until the exporter's timeout, then it is the cause."""
    receiver.status = 503
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    with configure(store=False) as handle:
        record()
        assert not handle.flush(5)
        assert {"503": 1} == handle.delivery.failed


@pytest.mark.logs_expected
def test_a_hanging_receiver_is_a_timeout(receiver, monkeypatch):
    """A receiver that never answers is a timeout."""
    receiver.hangs = True
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    with configure(store=False) as handle:
        record()
        assert not handle.flush(5)
        assert {"timeout": 1} == handle.delivery.failed


@pytest.mark.logs_expected
def test_a_closed_port_is_refused(closed_port, monkeypatch):
    """A port nobody listens on is refused."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", closed_port)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    with configure(store=False) as handle:
        record()
        assert not handle.flush(5)
        assert {"refused": 1} == handle.delivery.failed


@pytest.mark.logs_expected
def test_an_unknown_host_is_said(monkeypatch):
    """A host that does not resolve is no refusal."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://nowhere.invalid:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    with configure(store=False) as handle:
        record()
        assert not handle.flush(10)
        assert {"unknown host": 1} == handle.delivery.failed


def test_the_certificate_meant_for_the_receiver_counts(secure_receiver, authority_file, monkeypatch, tmp_path):
    """OTEL_EXPORTER_OTLP_CERTIFICATE wins over the bundle that ``requests`` takes for the whole process."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(other))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", secure_receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", authority_file)
    with configure(store=False) as handle:
        record(2)
        assert handle.flush(30)
        assert Counts(sent=2) == handle.delivery["otlp"]


def test_the_bundle_of_the_process_counts_without_one(secure_receiver, authority_file, monkeypatch):
    """Where no certificate is meant for the receiver, that of the process holds, as for any other request."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority_file)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", secure_receiver.url)
    with configure(store=False) as handle:
        record(2)
        assert handle.flush(30)


@pytest.mark.logs_expected
def test_spans_the_receiver_rejects_are_not_sent(receiver, monkeypatch):
    """A 200 that rejects two of three spans counts one as sent (OTLP partial success)."""
    receiver.rejected = 2
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    with configure(store=False) as handle:
        record(3)
        assert not handle.flush(5)
        assert Counts(sent=1, failed={"rejected": 2}) == handle.delivery["otlp"]


def test_an_answer_that_cannot_be_read_is_a_success(receiver, monkeypatch):
    """A 200 is a 200, whatever stands in its body."""
    receiver.garbage = True
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    with configure(store=False) as handle:
        record(2)
        assert handle.flush(30)
        assert Counts(sent=2) == handle.delivery["otlp"]


def test_an_error_of_no_known_kind_is_named_by_its_type():
    """Its text may be personal."""
    assert "error: LookupError" == connection_cause(LookupError("bob@example.com"))


@pytest.mark.logs_expected
def test_one_receiver_failing_makes_the_flush_fail(tmp_path, closed_port, monkeypatch):
    """flush() is True only if every receiver took everything; the other's count stays right."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", closed_port)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    with configure(store=tmp_path / "t.db") as handle:
        record()
        assert not handle.flush(5)
        assert (1, {"refused": 1}) == (handle.delivery["store"].sent, handle.delivery["otlp"].failed)


@pytest.mark.logs_expected
def test_a_store_that_cannot_be_written_is_named(tmp_path):
    """What a file that cannot be written costs is dropped, by what is wrong with it; nothing has failed on a way."""
    (tmp_path / "t.db").write_text("no database")
    with configure(store=tmp_path / "t.db") as handle:
        record()
        assert not handle.flush(5)
        assert Counts(drop_causes={"not ours": 1}) == handle.delivery["store"]


@pytest.fixture
def full_disk(tmp_path, monkeypatch):
    """Give a store in which SQLite finds no room for more than it holds already."""
    path, opened = tmp_path / "t.db", file.open_for_writing

    def without_room(*arguments):
        connection = opened(*arguments)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        return connection

    monkeypatch.setattr(file, "open_for_writing", without_room)
    return path


@pytest.mark.logs_expected
def test_a_full_disk_drops_spans_with_one_warning(full_disk, caplog):
    """Spans a full disk has no room for are dropped, with the cause, and one warning names the way out."""
    caplog.set_level(logging.WARNING, "agent_callbacks")
    with configure(store=full_disk) as handle:
        for _ in range(3):
            record(500)
            assert not handle.flush(20)
        counts = handle.delivery["store"]
        assert Counts(sent=1500 - counts.dropped, drop_causes={"disk full": counts.dropped}) == counts
        assert (counts.dropped, {"disk full": counts.dropped}) == (handle.delivery.dropped, handle.delivery.drop_causes)
    (warning,) = caplog.records
    assert "the disk is full" in warning.getMessage()
    assert "free some space" in warning.getMessage()


# --- gRPC ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def over_grpc(monkeypatch):
    """Have spans exported over gRPC to a URL."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    return lambda url: monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)


def test_grpc_delivers(grpc_url, over_grpc):
    """Over gRPC, spans a receiver takes are sent."""
    over_grpc(grpc_url())
    with configure(store=False) as handle:
        record(2)
        assert handle.flush(30)
        assert Counts(sent=2) == handle.delivery["otlp"]


@pytest.mark.logs_expected
def test_grpc_is_named_by_its_status_every_time(grpc_url, over_grpc):
    """A gRPC status is the cause, also when the exporter's log swallows the repetition."""
    over_grpc(grpc_url(grpc.StatusCode.UNAUTHENTICATED))
    with configure(store=False) as handle:
        for _ in range(2):
            record()
            assert not handle.flush(5)
        assert {"UNAUTHENTICATED": 2} == handle.delivery.failed


@pytest.mark.logs_expected
def test_grpc_refused(closed_port, over_grpc):
    """Over gRPC too, a port nobody listens on is refused, as far as the exporter tells."""
    over_grpc(closed_port)
    with configure(store=False) as handle:
        record()
        assert not handle.flush(10)
        assert {"refused" if GRPC_DETAILS.there else "UNAVAILABLE": 1} == handle.delivery.failed


# --- the queue -------------------------------------------------------------------------------------------------------
@pytest.mark.logs_expected
def test_every_span_of_a_burst_is_in_exactly_one_count(place_of):
    """6,000 spans against a stalled receiver: what the queue cannot hold is dropped and counted, the rest arrives."""
    receiver = Scripted()
    receiver.open.clear()
    place, provider = place_of(receiver)
    record(6000, provider)
    stalled = place.ledger.counts
    assert 6000 == stalled.dropped + stalled.queued
    receiver.open.set()
    assert not flush_all([place], 10)
    counts = place.ledger.counts
    assert 6000 == counts.sent + counts.dropped
    assert receiver.sent == counts.sent
    assert counts.dropped > 0


def test_flush_keeps_its_time(place_of):
    """A receiver that does not answer costs a flush its limit, and the answer is no."""
    receiver = Scripted()
    receiver.open.clear()
    place, provider = place_of(receiver)
    record(2, provider)
    began = time.monotonic()
    assert not provider.force_flush(300)
    assert 0.2 < time.monotonic() - began
    assert 2 == place.ledger.counts.queued
    receiver.open.set()
    assert provider.force_flush(5000)
    assert Counts(sent=2) == place.ledger.counts


def test_where_no_thread_can_be_had_the_flush_runs_here(place_of, monkeypatch):
    """Late in the interpreter's life a thread cannot start; the flush then runs on the caller."""
    place, provider = place_of(Scripted())

    def refuse(thread):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    record(2, provider)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert flush_all([place], 30)
    assert Counts(sent=2) == place.ledger.counts


def test_flushes_against_a_stalled_receiver_share_a_thread(place_of):
    """Ten impatient flushes start one thread, not ten."""
    receiver = Scripted()
    receiver.open.clear()
    place, provider = place_of(receiver)
    record(1, provider)
    before = threading.active_count()
    for _ in range(10):
        assert not flush_all([place], 0.01)
    assert threading.active_count() <= before + 1
    receiver.open.set()
    assert flush_all([place], 30)


@pytest.mark.logs_expected
def test_an_exporter_that_raises_is_counted(place_of):
    """An exporter that raises has lost its batch; the cause is the error's type, never its text."""
    place, provider = place_of(Scripted(error=KeyError("bob@example.com")))
    record(2, provider)
    assert not flush_all([place], 5)
    assert Counts(failed={"error: KeyError": 2}) == place.ledger.counts


def test_what_a_receiver_leaves_out_is_dropped(place_of):
    """Spans a receiver says it gave up are dropped for its cause, not sent; the queue is not blamed."""
    place, provider = place_of(Scripted(Answer(dropped=1, cause="no room")))
    record(3, provider)
    assert not flush_all([place], 5)
    assert Counts(sent=2, drop_causes={"no room": 1}) == place.ledger.counts


def test_after_the_end_spans_are_dropped(place_of):
    """A span that ends after the end is dropped and counted."""
    receiver = Scripted()
    place, provider = place_of(receiver)
    record(1, provider)
    place.close(5)
    record(2, provider)
    assert Counts(sent=1, drop_causes={"shut down": 2}) == place.ledger.counts
    assert receiver.closed


def test_what_has_no_answer_at_the_end_failed(place_of):
    """What is still under way at the end is lost, and a late answer changes nothing."""
    receiver = Scripted()
    receiver.open.clear()
    place, provider = place_of(receiver)
    record(2, provider)
    place.close(0.2)
    receiver.open.set()
    place._batch_processor._worker_thread.join(5)
    assert Counts(failed={"timeout": 2}) == place.ledger.counts


def test_unsampled_spans_do_not_count(place_of):
    """A span that is not sampled is not delivered, and not missed."""
    place, _ = place_of(Scripted())
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(place)
    record(2, provider)
    assert flush_all([place], 30)
    assert Counts() == place.ledger.counts


def test_a_span_ended_inside_the_ledger_does_not_block():
    """A destructor may end a span while the same thread is counting another."""
    ledger = Ledger(10)
    with ledger._changed:
        assert ledger.admit()
    assert 1 == ledger.counts.queued


def test_a_snapshot_adds_up_and_says_what_was_lost():
    """The totals are the sums over the destinations, and the line names each loss."""
    snapshot = Snapshot(
        {"store": Counts(2, {"x": 1}, {}, 3), "otlp": Counts(1, {"x": 1, "401": 2}, {"y": 4}, 1), "c": Counts(1)}
    )
    assert (4, {"x": 2, "401": 2}, 4, 4) == (snapshot.sent, snapshot.failed, snapshot.dropped, snapshot.queued)
    assert "store: 1 failed (x); otlp: 2 failed (401), 1 failed (x), 4 dropped (y)" == snapshot.losses()
    assert "" == Snapshot({"store": Counts(1)}).losses()


def test_a_forked_child_starts_from_zero_with_a_receiver_of_its_own():
    """After a fork the counts are empty, the next span opens a receiver, and the parent's stays open."""
    opened = []

    def open_receiver():
        opened.append(Scripted())
        return opened[-1]

    place = Destination(open_receiver, queue=10, batch=10)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(place)
    record(2, provider)
    assert flush_all([place], 30)
    place.renew()
    assert Counts() == place.ledger.counts
    assert 1 == len(opened)
    record(1, provider)
    assert flush_all([place], 30)
    place.shutdown()
    assert [2, 1] == [receiver.sent for receiver in opened]
    assert [False, True] == [receiver.closed for receiver in opened]


def test_a_child_that_forks_before_its_first_span_opens_nothing():
    """Nothing was opened, so there is nothing to keep and nothing to close."""
    opened = []
    place = Destination(lambda: opened.append(Scripted()) or opened[-1], queue=10, batch=10)
    place.renew()
    place.renew()
    place.shutdown()
    assert [False] == [receiver.closed for receiver in opened]


@pytest.mark.parametrize(("variable", "expected"), [(None, 1000), ("60000", None)])
def test_a_span_waits_a_second_at_most_unless_the_operator_says_otherwise(variable, expected, monkeypatch):
    """Who looks at a trace of now should find it, and SIGKILL takes little along; the SDK's own variable wins."""
    asked = {}
    original = BatchSpanProcessor.__init__

    def noting(self, *args, **given):
        asked.update(given)
        original(self, *args, **given)

    monkeypatch.setattr(BatchSpanProcessor, "__init__", noting)
    if variable is not None:
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", variable)
    Destination(Scripted, queue=10, batch=10).shutdown()
    assert expected == asked["schedule_delay_millis"]
