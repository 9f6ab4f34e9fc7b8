"""Real receivers on 127.0.0.1, and a process-wide configuration that each test starts without."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from concurrent import futures
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
import trustme
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
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
    complaint: str = ""
    kind: str = "application/x-protobuf"
    headers: dict[str, str] = field(default_factory=dict)
    refusal: bytes = b""
    garbage: bool = False
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
        if self.garbage:
            return b"\xff"
        response = ExportTraceServiceResponse()
        if self.rejected or self.complaint:
            response.partial_success.rejected_spans = self.rejected
            response.partial_success.error_message = self.complaint
        return response.SerializeToString()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Say nothing: a client that speaks another language than the port is what is tried."""


@contextlib.contextmanager
def receiving(certificate=None):
    """Run an OTLP/HTTP receiver, with TLS where there is a *certificate*."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if state.hangs:
                state.release.wait(600)
                return
            if state.status == 200:
                state.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            content = state.reply() if state.status == 200 else state.refusal
            self.send_response(state.status)
            headers = {"content-type": state.kind, "content-length": str(len(content)), **state.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http{'' if certificate is None else 's'}://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        state.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver():
    """Run an OTLP/HTTP receiver for the test."""
    with receiving() as state:
        yield state


@pytest.fixture(scope="session")
def authority():
    """Give an authority that nobody trusts who is not told to."""
    return trustme.CA()


@pytest.fixture
def authority_file(authority, tmp_path):
    """Give the file with the certificate of the authority."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def secure_receiver(authority):
    """Run an OTLP/HTTP receiver with TLS."""
    with receiving(authority.issue_cert("127.0.0.1")) as state:
        yield state


class TraceService(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans, or refuses them with a status."""

    def __init__(self, status, rejected):
        self.status, self.rejected = status, rejected

    def Export(self, request, context):  # noqa: N802 - the name in the protocol
        """Take or refuse the spans."""
        if self.status is not None:
            context.abort(self.status, "no")
        response = ExportTraceServiceResponse()
        if self.rejected:
            response.partial_success.rejected_spans = self.rejected
        return response


@pytest.fixture
def grpc_url():
    """Run OTLP/gRPC receivers that answer a status, and return their address."""
    servers = []

    def run(status=None, rejected=0):
        server = grpc.server(futures.ThreadPoolExecutor(1))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(TraceService(status, rejected), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"http://127.0.0.1:{port}"

    yield run
    for server in servers:
        server.stop(0).wait()


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
