"""What a port speaks, found by listening to its answer: the cause behind most failures between two programs.

An exporter says "connection lost" or ``UNAVAILABLE`` alike for a port that wants TLS, one that does not, one of gRPC
and one of plain HTTP.
"""

from __future__ import annotations

import enum
import socket
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Spoken", "spoken"]

# The client's connection preface with an empty SETTINGS frame (RFC 9113, 3.4).
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_REQUEST: Final = b"HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
_SETTINGS: Final = 4
_FRAME_TYPE_AT: Final = 3
_HEADER_BYTES: Final = 9
_ALERT: Final = b"\x15\x03"  # a TLS record of type alert (RFC 8446, 5.1)


class Spoken(enum.Enum):
    """What a port answered."""

    HTTP1 = "HTTP/1.1 without TLS"
    HTTP2 = "HTTP/2 without TLS, as gRPC does"
    TLS = "TLS"
    SILENT = "nothing we know"
    REFUSED = "no connection: refused"
    UNKNOWN_HOST = "no such host"
    UNREACHABLE = "no connection"


def spoken(host: str, port: int, timeout: float) -> Spoken:
    """Return what *port* of *host* speaks, within about three times *timeout* seconds."""
    try:
        for greeting in (_PREFACE, _REQUEST % host.encode("idna")):
            with socket.create_connection((host, port), timeout) as connection:
                if (heard := _named(_answer(connection, greeting))) is not Spoken.SILENT:
                    return heard
        with socket.create_connection((host, port), timeout) as connection:
            return Spoken.TLS if _shakes_hands(connection, host) else Spoken.SILENT
    except OSError as error:
        return _ERRORS.get(type(error), Spoken.UNREACHABLE)


_ERRORS: Final[Mapping[type[OSError], Spoken]] = {
    ConnectionRefusedError: Spoken.REFUSED,
    socket.gaierror: Spoken.UNKNOWN_HOST,
}


def _named(answer: bytes) -> Spoken:
    if answer.startswith(b"HTTP/"):
        return Spoken.HTTP1
    if len(answer) == _HEADER_BYTES and answer[_FRAME_TYPE_AT] == _SETTINGS:
        return Spoken.HTTP2
    return Spoken.TLS if answer.startswith(_ALERT) else Spoken.SILENT


def _answer(connection: socket.socket, greeting: bytes) -> bytes:
    try:
        connection.sendall(greeting)
        return connection.recv(_HEADER_BYTES)
    except OSError:  # closed on us, or silent: it may still speak TLS
        return b""


def _shakes_hands(connection: socket.socket, host: str) -> bool:
    # Nothing is sent but the greeting: whose certificate it is does not matter here.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(connection, server_hostname=host).close()
    except OSError:
        return False
    return True
