"""Real receivers on 127.0.0.1, and a process-wide configuration that each test starts without."""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.util._once import Once

from agent_callbacks.delivery import configure as configuring


@dataclass
class Receiver:
    """An OTLP/HTTP receiver that answers what it is told."""

    status: int = 200
    rejected: int = 0
    hangs: bool = False
    names: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def take(self, body: bytes) -> None:
        """Note the names of the spans in *body*."""
        request = ExportTraceServiceRequest.FromString(body)
        self.names += [
            span.name for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
        ]

    def reply(self) -> bytes:
        """Return the body of a 200."""
        response = ExportTraceServiceResponse()
        if self.rejected:
            response.partial_success.rejected_spans = self.rejected
        return response.SerializeToString()


@pytest.fixture
def receiver():
    """Run an OTLP/HTTP receiver for the test."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if state.hangs:
                state.release.wait(600)
                return
            if state.status == 200:
                state.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            content = state.reply() if state.status == 200 else b""
            self.send_response(state.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    state.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def closed_port():
    """Return the URL of a port nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch):
    """Start without a global provider and without a configuration; put both back."""
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(configuring, "_own", None)
    monkeypatch.setattr(configuring, "_current", None)
    yield
    if configuring._current is not None:
        configuring._current[1].shutdown(1)
