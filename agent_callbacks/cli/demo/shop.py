"""The shop the demo's agent works for: a database, a carrier's HTTP service, a few text files; all of it invented."""

from __future__ import annotations

import contextlib
import http.client
import importlib.resources
import itertools
import json
import re
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["carrier", "find_policies", "parcel_status", "query_shop"]

_HOST: Final = "127.0.0.1"
_FILES: Final = importlib.resources.files(__package__ or "")
_MOST_ROWS: Final = 20
_LATENCY_SECONDS: Final = 0.03
_TIMEOUT_SECONDS: Final = 5.0
_PARCELS: Final = {
    "P-5217": {"status": "in transit", "place": "Lyon", "expected": "2026-03-13"},
    "P-5218": {"status": "delivered", "place": "Paris", "expected": "2026-03-06"},
}


def query_shop(sql: str) -> list[dict[str, Any]]:
    """Return the rows of one SQL query; each runs on a copy of its own, so nothing can be broken.

    Raises:
        sqlite3.Error: The query is wrong.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_FILES.joinpath("shop.sql").read_text(encoding="utf-8"))
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql).fetchmany(_MOST_ROWS)]


def find_policies(words: str) -> dict[str, str]:
    """Return the policies, by file name, that contain one of *words*."""
    wanted = set(re.findall(r"\w+", words.lower()))
    policies = sorted(_FILES.joinpath("policies").iterdir(), key=lambda file: file.name)
    texts = {file.name: file.read_text(encoding="utf-8") for file in policies if file.name.endswith(".txt")}
    return {name: text for name, text in texts.items() if wanted & set(re.findall(r"\w+", text.lower()))}


def parcel_status(port: int, parcel: str) -> dict[str, str]:
    """Ask the carrier's service on *port* where *parcel* is.

    Raises:
        ConnectionError: It did not answer with 200.
    """
    with contextlib.closing(http.client.HTTPConnection(_HOST, port, timeout=_TIMEOUT_SECONDS)) as connection:
        connection.request("GET", f"/parcels/{parcel.encode('ascii', 'ignore').decode()}")
        response = connection.getresponse()
        body = response.read()
    if response.status != http.HTTPStatus.OK:
        raise ConnectionError(f"the carrier's service answered {response.status} {response.reason}")
    found: dict[str, str] = json.loads(body)
    return found


@contextlib.contextmanager
def carrier() -> Generator[int]:
    """Run the carrier's service on a free port of this machine, and give the port; its first answer is a 503."""
    server = ThreadingHTTPServer((_HOST, 0), _handler())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="demo-carrier")
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler() -> type[BaseHTTPRequestHandler]:
    requests = itertools.count()

    class Carrier(BaseHTTPRequestHandler):
        """Tells where parcels are, but for the first request."""

        def do_GET(self) -> None:
            """Answer after what a network would take."""
            time.sleep(_LATENCY_SECONDS)
            status = _PARCELS.get(self.path.rpartition("/")[2])
            if next(requests) == 0:
                self.send_error(http.HTTPStatus.SERVICE_UNAVAILABLE)
            elif status is None:
                self.send_error(http.HTTPStatus.NOT_FOUND)
            else:
                body = json.dumps(status).encode()
                self.send_response(http.HTTPStatus.OK)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
            """Keep the demo's output to the demo."""

    return Carrier
