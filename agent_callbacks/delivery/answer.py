"""What an OTLP receiver's answer means, and what to do: tables from answers to words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from agent_callbacks.delivery.speaking import Spoken

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Attempt", "Explanation", "explained"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, and all that is known of its end."""

    protocol: str
    url: str
    cause: str
    """Why there is no answer, or the gRPC status; empty when all went well or HTTP answered."""
    status: int | None
    """Of HTTP."""
    headers: Mapping[str, str]
    said: str
    rejected: int
    complaint: str
    """Of a partial success."""
    heard: Spoken | None
    """What the port speaks, where that was asked."""

    @property
    def place(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def secure(self) -> bool:
        """Whether TLS was used."""
        return self.url.startswith("https:")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened, and the way out; *kind* is a word for programs."""

    good: bool
    kind: str
    what: str
    way_out: str = ""


_TO_GRPC: Final = "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or name the port for HTTP (usually 4318)"
_TO_HTTP: Final = "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or name the port for gRPC (usually 4317)"
_TO_PLAIN: Final = "write http:// in the endpoint, or name the port that speaks TLS"
_TO_TLS: Final = "write https:// in the endpoint"
_HEADERS: Final = "put the key your backend gave you into OTEL_EXPORTER_OTLP_HEADERS (name=value, value URL-encoded)"
_TRUST: Final = (
    "name the authority that signed it in OTEL_EXPORTER_OTLP_CERTIFICATE (a PEM file), and use the host name that is in"
    " it"
)

# HTTP status -> kind, what happened, way out.
_STATUSES: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("bad request", "the receiver calls the request wrong", "see what it said; does it take OTLP traces?"),
    401: ("unauthorized", "the receiver wants a key, or does not know the one it got", _HEADERS),
    403: ("forbidden", "the key is not allowed to write traces here", f"check its project and rights; {_HEADERS}"),
    405: ("wrong path", "something else than OTLP lives at this path", "check the path of the endpoint"),
    407: ("proxy", "the proxy wants credentials", "put them into HTTPS_PROXY, or the host into NO_PROXY"),
    413: ("too large", "a single span is too large for the receiver", "raise its limit; check what stands before it"),
    415: (
        "unsupported media type",
        "the receiver does not take binary protobuf over HTTP",
        "use its gRPC port with OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or send through an OpenTelemetry collector",
    ),
    429: ("rate limited", "the receiver takes no more for now", "send less (OTEL_TRACES_SAMPLER), or raise your plan"),
    502: ("unavailable", "a proxy stands before a receiver that does not answer", "start the receiver behind it"),
    503: ("unavailable", "the receiver is there and cannot take spans now", "try again; see its own log"),
    504: ("unavailable", "a proxy stands before a receiver that does not answer", "start the receiver behind it"),
}  # fmt: skip

# Cause without an answer -> what happened, way out.
_CAUSES: Final[Mapping[str, tuple[str, str]]] = {
    "refused": ("nobody listens on {place}", "start the receiver, or correct the port (4318 for HTTP, 4317 for gRPC)"),
    "unknown host": ("the name of {place} is not known to DNS", "correct the host in the endpoint"),
    "timeout": ("{place} did not answer in time", "is a firewall in between, or the wrong port?"),
    "unreachable": ("there is no way to {place}", "check network, firewall and port"),
    "connection lost": ("{place} closed the connection without an answer", "is it an OTLP receiver?"),
    "proxy": (
        "the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY does not lead to {place}",
        "correct it, or put the host into NO_PROXY",
    ),
    "tls": ("{place} and we found no way to speak TLS", "check the certificates on both sides"),
    "trust file": (
        "a file of certificates cannot be read",
        "correct the path in OTEL_EXPORTER_OTLP_CERTIFICATE, or in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE",
    ),
    "address": (
        "the endpoint is no address of a receiver",
        "write http://HOST:PORT or https://HOST:PORT into OTEL_EXPORTER_OTLP_ENDPOINT",
    ),
    "certificate": ("the certificate of {place} is not trusted", _TRUST),
}  # fmt: skip

# gRPC status -> kind, what happened, way out (https://grpc.io/docs/guides/status-codes/).
_CODES: Final[Mapping[str, tuple[str, str, str]]] = {
    "UNAUTHENTICATED": _STATUSES[401],
    "PERMISSION_DENIED": _STATUSES[403],
    "UNIMPLEMENTED": ("wrong service", "the server speaks gRPC and takes no OTLP traces", "check host and port"),
    "RESOURCE_EXHAUSTED": _STATUSES[429],
    "INVALID_ARGUMENT": _STATUSES[400],
    "UNAVAILABLE": _STATUSES[503],
    "DEADLINE_EXCEEDED": ("timeout", _CAUSES["timeout"][0], _CAUSES["timeout"][1]),
}  # fmt: skip

# What the port speaks, when that alone tells -> cause.
_SILENCES: Final[Mapping[Spoken, str]] = {
    Spoken.REFUSED: "refused", Spoken.UNKNOWN_HOST: "unknown host", Spoken.UNREACHABLE: "unreachable",
}  # fmt: skip
# Cause, where what was said is about certificates -> a better one.
_OF_CERTIFICATES: Final[Mapping[str, str]] = {"tls": "certificate", "error: OSError": "trust file"}
_TRACES_PATH: Final = "/v1/traces"


def explained(attempt: Attempt) -> Explanation:
    """Return what *attempt* means."""
    if (mixed := _mixed_up(attempt)) is not None:
        return mixed
    if attempt.status is not None:
        return _of_status(attempt, attempt.status)
    if attempt.protocol == "grpc":
        return _of_code(attempt)
    return _of_cause(attempt, attempt.cause)


def _mixed_up(attempt: Attempt) -> Explanation | None:
    """Return what is told by a port that speaks another language than it is spoken to."""
    grpc, heard = attempt.protocol == "grpc", attempt.heard
    if not attempt.cause and attempt.status != 400:  # noqa: PLR2004 - what a server of TLS may answer to plain HTTP
        return None
    if heard in {Spoken.HTTP1, Spoken.HTTP2} and attempt.secure:
        return _failed("no tls here", f"https is spoken to {attempt.place}, which has no TLS", _TO_PLAIN)
    if heard is Spoken.TLS and not attempt.secure:
        return _failed("tls wanted", f"{attempt.place} wants TLS and is spoken to without", _TO_TLS)
    if heard is Spoken.HTTP2 and not grpc:
        return _failed("wrong protocol", f"{attempt.place} speaks gRPC and is spoken to by HTTP", _TO_GRPC)
    if heard is Spoken.HTTP1 and grpc:
        return _failed("wrong protocol", f"{attempt.place} speaks HTTP and is spoken to by gRPC", _TO_HTTP)
    return None


def _of_status(attempt: Attempt, status: int) -> Explanation:
    if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110, 15.3
        return _of_success(attempt)
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, 15.4
        target = attempt.headers.get("location", "")
        return _failed("redirect", f"the endpoint has moved ({status})", f"name {target or 'the new address'} instead")
    if status == 404:  # noqa: PLR2004 - RFC 9110, 15.5.5
        return _of_path(attempt)
    if status in _STATUSES:
        kind, what, way_out = _STATUSES[status]
        wait = attempt.headers.get("retry-after", "")
        return _failed(
            kind, f"{what} ({status})", way_out + (f"; it asks to wait {wait} s" if wait.isdecimal() else "")
        )
    return _failed(f"http {status}", f"the receiver answered {status}", "see what it said, and its own log")


def _of_success(attempt: Attempt) -> Explanation:
    if "html" in attempt.headers.get("content-type", ""):
        return _failed(
            "not a receiver",
            f"{attempt.place} answered with a page for people: it is no OTLP receiver",
            "name its port for OTLP (usually 4318), not that of its user interface",
        )
    if attempt.rejected:
        why = f": {attempt.complaint}" if attempt.complaint else ""
        return _failed(
            "rejected", f"the receiver answered and left {attempt.rejected} span out{why}", "see its own log"
        )
    if attempt.complaint:
        return Explanation(
            good=True, kind="delivered", what=f"the receiver took the span and says: {attempt.complaint}"
        )
    return Explanation(good=True, kind="delivered", what="the receiver took the span")


def _of_path(attempt: Attempt) -> Explanation:
    path = urlsplit(attempt.url).path.rstrip("/")
    if path.endswith(_TRACES_PATH * 2):
        return _failed(
            "path doubled",
            f"nothing at {path} (404): the path is in it twice",
            f"leave {_TRACES_PATH} out of OTEL_EXPORTER_OTLP_ENDPOINT, which is the base of all signals",
        )
    if not path.endswith(_TRACES_PATH):
        return _failed(
            "path missing",
            f"nothing at {path or '/'} (404): OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used as it is",
            f"end it with {_TRACES_PATH}, or set OTEL_EXPORTER_OTLP_ENDPOINT, to which the path is added",
        )
    return _failed(
        "not found",
        f"nothing at {path} (404): another program, or a backend with a path of its own before {_TRACES_PATH}",
        "check host and port; see your backend's page on OTLP for its path",
    )


def _of_code(attempt: Attempt) -> Explanation:
    if not attempt.cause:
        return _of_success(attempt)
    if attempt.heard is not None and attempt.heard in _SILENCES:
        return _of_cause(attempt, _SILENCES[attempt.heard])
    if attempt.cause in _CAUSES:
        return _of_cause(attempt, attempt.cause)
    if attempt.cause == "UNAVAILABLE" and attempt.heard is Spoken.TLS:
        return _of_cause(attempt, "certificate")
    if attempt.cause in _CODES:
        kind, what, way_out = _CODES[attempt.cause]
        return _failed(kind, f"{what.format(place=attempt.place)} ({attempt.cause})", way_out)
    return _failed(
        f"grpc {attempt.cause}", f"the receiver answered {attempt.cause}", "see what it said, and its own log"
    )


def _of_cause(attempt: Attempt, cause: str) -> Explanation:
    if "certificate" in attempt.said.lower():
        cause = _OF_CERTIFICATES.get(cause, cause)
    if cause not in _CAUSES:
        return _failed(cause, f"no answer from {attempt.place} ({cause})", "check the OTEL_EXPORTER_OTLP_* variables")
    what, way_out = _CAUSES[cause]
    return _failed(cause, what.format(place=attempt.place), way_out)


def _failed(kind: str, what: str, way_out: str) -> Explanation:
    return Explanation(good=False, kind=kind, what=what, way_out=way_out)
