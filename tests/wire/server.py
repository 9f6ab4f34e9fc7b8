"""A server on 127.0.0.1 that answers as a model provider does: JSON, server-sent events, errors, broken streams."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LONGEST_WAIT = 30  # seconds


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: ``body`` as JSON, or ``frames`` as server-sent events."""

    body: Mapping[str, Any] | None = None
    frames: tuple[str, ...] = ()
    status: int = 200
    gate: int | None = None
    """The frame that waits for ``WireServer.resume()``: what the client timed before it, it timed in time."""
    cut: bool = False
    """Drop the connection after the last frame, as a network failure does."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request the server got."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(slots=True)
class WireServer:
    """Answers each request with the next reply of its script and remembers what it was asked."""

    replies: list[Reply] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    """When each frame of the last stream was written, in microseconds of Unix time, rounded up."""
    port: int = 0
    _resumed: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, *replies: Reply) -> None:
        """Append to the script."""
        self.replies.extend(replies)

    def resume(self) -> None:
        """Let the frame go that waits at its reply's gate, now or later."""
        self._resumed.set()

    def play(self, reply: Reply) -> Iterator[bytes]:
        """Yield the frames of *reply* as they are to be written; a client that never resumes loses the stream."""
        self.sent.clear()
        for number, text in enumerate(reply.frames):
            if number == reply.gate and not self._resumed.wait(_LONGEST_WAIT):
                raise TimeoutError("nobody resumed the stream that waits at its gate")
            self.sent.append(-(-time.time_ns() // 1000))
            yield text.encode()


def frame(payload: Mapping[str, Any] | str, event: str | None = None) -> str:
    """Return one server-sent event; OpenAI names none, Anthropic repeats the payload's type."""
    data = payload if isinstance(payload, str) else json.dumps(payload)
    return (f"event: {event}\n" if event else "") + f"data: {data}\n\n"


class _Server(ThreadingHTTPServer):
    """Takes it that clients go when they like: the base class writes a stack to stderr, whose test it is or not."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that the client has closed; the server's own faults are told as ever."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serving() -> Iterator[WireServer]:
    """Run a server in a thread for the time of the block."""
    wire = WireServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a frame leaves when it is written, or time to first chunk measures the kernel

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = json.loads(self.rfile.read(length) or b"{}")
            wire.received.append(Received(self.path, dict(self.headers), body))
            if not wire.replies:
                wire.replies.append(Reply({"error": {"message": "the script is over", "type": "script"}}, status=418))
            reply = wire.replies.pop(0)
            if reply.frames:
                self._stream(reply)
            else:
                self._json(reply)

        def _json(self, reply: Reply) -> None:
            payload = json.dumps(reply.body or {}).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            if reply.status == 429:
                self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(payload)

        def _stream(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for payload in wire.play(reply):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(payload), payload))
            if not reply.cut:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = reply.cut

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Stay quiet: the base class writes each request to stderr."""

    server = _Server(("127.0.0.1", 0), Handler)
    wire.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
