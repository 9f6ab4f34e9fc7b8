"""What we rely on in the SDK and its exporters beyond their documented interfaces; a new release fails here first."""

from __future__ import annotations

import inspect
import logging

import requests
from opentelemetry.exporter.otlp.proto.grpc import exporter as grpc_exporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent_callbacks.delivery import otlp
from tests.features import DESCRIBING_ANEW, GRPC_DETAILS


def test_the_batch_processor_can_be_shut_down_in_time():
    """BatchSpanProcessor holds a processor whose shutdown takes a time limit."""
    processor = BatchSpanProcessor(InMemorySpanExporter())
    assert "timeout_millis" in inspect.signature(processor._batch_processor.shutdown).parameters
    processor.shutdown()


def test_a_forked_child_starts_with_an_empty_queue():
    """The SDK's own fork hook empties the queue and starts a worker: ours need not."""
    processor = BatchSpanProcessor(InMemorySpanExporter(), schedule_delay_millis=60_000)
    span = TracerProvider(shutdown_on_exit=False).get_tracer("x").start_span("x")
    span.end()
    processor.on_end(span)
    inner = processor._batch_processor
    first, awaken_first = inner._worker_thread, inner._worker_awaken
    inner._at_fork_reinit()
    assert (0, True) == (len(inner._queue), inner._worker_thread.is_alive())
    assert first is not inner._worker_thread
    processor.shutdown()
    awaken_first.set()
    first.join(5)


@DESCRIBING_ANEW.needed
def test_the_provider_can_be_described_anew():
    """A provider's resource, and that of its tracers, can be replaced by merging."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("x")
    provider._update_resource(Resource({"service.name": "new"}))
    assert "new" == tracer.start_span("x").resource.attributes["service.name"]


def test_the_http_exporter_sends_through_the_session_it_is_given(receiver):
    """The HTTP exporter takes a session and uses its send()."""
    sent = []

    class Session(requests.Session):
        def send(self, request, **options):
            sent.append(request.url)
            return super().send(request, **options)

    exporter = OTLPSpanExporter(receiver.url, session=Session())
    exporter.export([])
    exporter.shutdown()
    assert [receiver.url + "/"] == sent


def test_the_grpc_exporter_logs_its_status():
    """The gRPC exporter logs where we read, with the status among the arguments and the details, if any, last."""
    assert otlp._GRPC_LOGGER == grpc_exporter.logger.name
    source = inspect.getsource(grpc_exporter.OTLPExporterMixin._export)
    assert source.index("error.code(),") < source.index("error.details()," if GRPC_DETAILS.there else "exc_info=")


def test_reading_the_log_hides_nothing():
    """The filter that reads the status lets every record pass."""
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "%s", ("y",), None)
    assert otlp._status_log.filter(record)
    assert otlp._status_log.filter(logging.LogRecord("x", logging.ERROR, "x", 1, "plain", None, None))


def test_the_grpc_exporter_has_what_a_probe_reads(monkeypatch):
    """The doctor's probe calls the exporter's own client once: its place, its headers and whether it uses TLS."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=x")
    exporter = GrpcSpanExporter()
    try:
        assert ("127.0.0.1:4317", True) == (exporter._endpoint, exporter._insecure)
        assert ("api-key", "x") in tuple(exporter._headers)
        assert callable(exporter._client.Export)
    finally:
        exporter.shutdown()
