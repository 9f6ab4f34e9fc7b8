"""What every test of a real provider SDK gets: a server, and the certainty that no key left the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.wire.server import WireServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Spans


@pytest.fixture
def wire() -> Iterator[WireServer]:
    """Give a server that answers as scripted; each reply must have been asked for."""
    with serving() as server:
        yield server
    assert not server.replies, "the script was not played to its end"


@pytest.fixture(autouse=True)
def no_key_leaves(spans: Spans, wire: WireServer) -> Iterator[None]:
    """Look for the keys that the server was sent in everything that was exported."""
    yield
    told = [received.headers for received in wire.received]
    keys = {value.removeprefix("Bearer ") for headers in told for name, value in headers.items() if _is_key(name)}
    exported = "".join(span.to_json() for span in spans.finished())
    assert keys, "the client sent no key"
    assert not [key for key in keys if key in exported], "an API key was exported"


def _is_key(header: str) -> bool:
    return header.lower() in {"authorization", "x-api-key"}
