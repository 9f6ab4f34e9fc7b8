"""Spans to an OTLP backend, and what it answered."""

from __future__ import annotations

import gzip
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from langchain_core.runnables import RunnableLambda
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent_callbacks import AgentCallbackHandler, configure
from agent_callbacks.cli.demo.model import ScriptedModel
from examples._shared import says

arrived: list[str] = []


class Receiver(BaseHTTPRequestHandler):
    """Stands for the backend: takes OTLP/HTTP and keeps the names of the spans."""

    def do_POST(self) -> None:
        """Count what one request brings."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        arrived.extend(span.name for one in request.resource_spans for two in one.scope_spans for span in two.spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
        """Say nothing."""


def main() -> None:
    """Run a chain while the backend is there, and once more when it is gone."""
    backend = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=backend.serve_forever, daemon=True).start()

    # In a deployment these two come from the environment.
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{backend.server_port}"
    os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "1"
    handle = configure(service_name="otlp-backend", store=False)
    chain = RunnableLambda(str) | ScriptedModel(script=[says("one"), says("two")])
    config = {"run_name": "greeting", "callbacks": [AgentCallbackHandler()]}

    chain.invoke("first", config)
    print(f"everything arrived: {handle.flush()}")
    print(f"the backend has: {', '.join(sorted(arrived))}")
    print(f"delivery says: sent {handle.delivery.sent}, failed {dict(handle.delivery.failed)}")

    backend.shutdown()
    backend.server_close()
    chain.invoke("second", config)
    print(f"everything arrived: {handle.flush()}")
    print(f"delivery says: sent {handle.delivery.sent}, failed {dict(handle.delivery.failed)}")


if __name__ == "__main__":
    main()
