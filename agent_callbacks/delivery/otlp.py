"""OTLP receivers: the exporters of the SDK, and what the other side answered.

The exporters return FAILURE and log; the reason is to be found elsewhere. Over HTTP it is the response, seen by a
``requests`` session of ours (``session`` is a public argument). A gRPC channel cannot be given from outside, so there
the reason is read from the record the exporter logs; ``tests/delivery/test_canary.py`` holds what this relies on.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from opentelemetry.sdk.trace.export import SpanExportResult

from agent_callbacks.delivery.accounting import Answer, Receiver
from agent_callbacks.delivery.fence import SanitizingSpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import requests
    from opentelemetry.sdk.trace import ReadableSpan

    from agent_callbacks.privacy.sanitizer import Sanitizer

__all__ = [
    "Reply", "chain", "connection_cause", "endpoint", "endpoint_is_set", "is_address", "observed_session",
    "open_receiver", "protocol",
]  # fmt: skip

logger = logging.getLogger("agent_callbacks")

_PROTOCOLS: Final = ("grpc", "http/protobuf")
_GRPC_LOGGER: Final = "opentelemetry.exporter.otlp.proto.grpc.exporter"
# With one of these the exporter builds a session of its own, which authenticates; ours would take its place.
_CREDENTIAL_PROVIDERS: Final = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
)  # fmt: skip
_GRPC_CAUSES: Final[Mapping[str, str]] = {"DEADLINE_EXCEEDED": "timeout"}
# A word in the name of an error in the chain -> the cause; the first that fits counts.
_CONNECTION_CAUSES: Final = (
    ("ProxyError", "proxy"),
    ("ConnectionRefusedError", "refused"),
    ("NameResolutionError", "unknown host"),
    ("gaierror", "unknown host"),
    ("SSL", "tls"),
    ("Timeout", "timeout"),
    ("NewConnectionError", "unreachable"),
    ("ConnectionError", "connection lost"),
)


def endpoint_is_set(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the environment names an OTLP receiver for traces, and does not switch exporting off."""
    return bool(endpoint(environ)[1]) and environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() != "none"


def endpoint(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that names the receiver, and what it says."""
    own, general = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
    return (own, named) if (named := environ.get(own)) else (general, environ.get(general, ""))


def is_address(named: str, *, grpc: bool) -> bool:
    """Return whether *named* can be sent to; gRPC takes a host without a scheme, and schemes of its own."""
    try:
        parts = urlsplit(f"http://{named}" if grpc and "://" not in named else named)
        whole = parts.port != 0 and bool(parts.hostname) and not re.search(r"\s", parts.netloc)
    except ValueError:  # of the port, or of the brackets of an IPv6 address
        return False
    return whole if parts.scheme in {"http", "https"} else grpc


def open_receiver(sanitizer: Sanitizer) -> Receiver:
    """Open the OTLP exporter the environment describes, with all of the exporter's own variables in force."""
    variable, named = endpoint(os.environ)
    grpc = protocol(os.environ) == "grpc"
    if not is_address(named, grpc=grpc):
        logger.warning("%s is no address: no span can be sent to it; agent-callbacks doctor says more", variable)
        return _NoReceiver()
    return _GrpcReceiver(sanitizer) if grpc else _HttpReceiver(sanitizer)


def protocol(environ: Mapping[str, str]) -> str:
    """Return the protocol asked for; http/protobuf is the standard's default."""
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if named := environ.get(variable, "").strip().lower():
            if named in _PROTOCOLS:
                return named
            logger.warning("%s: not one of %s; http/protobuf is used", variable, ", ".join(_PROTOCOLS))
    return "http/protobuf"


class _NoReceiver:
    """What is at no address: all that is sent there is lost."""

    def send(self, spans: Sequence[ReadableSpan]) -> Answer:
        return Answer(lost=len(spans), cause="address")

    def close(self) -> None:
        pass


class _HttpReceiver:
    """OTLP over HTTP: the answer is the last response, or the error instead of one."""

    def __init__(self, sanitizer: Sanitizer) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        self._reply = Reply()
        own_session = any(os.environ.get(name) for name in _CREDENTIAL_PROVIDERS)
        session = None if own_session else observed_session(self._reply)
        self._exporter = SanitizingSpanExporter(OTLPSpanExporter(session=session), sanitizer)

    def send(self, spans: Sequence[ReadableSpan]) -> Answer:
        self._reply.clear()
        result = self._exporter.export(spans)
        # The exporter takes a redirect, which it does not follow, for a success.
        if (cause := self._reply.failure()) or result is not SpanExportResult.SUCCESS:
            return Answer(lost=len(spans), cause=cause or "unknown")
        if rejected := min(self._reply.rejected(), len(spans)):
            return Answer(lost=rejected, cause="rejected")
        return Answer()

    def close(self) -> None:
        self._exporter.shutdown()


class Reply:
    """What came back from the last request."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.response: requests.Response | None = None
        self.error: BaseException | None = None

    def clear(self) -> None:
        """Forget it, before the next."""
        self.response = self.error = None

    def note(self, response: requests.Response | None = None, error: BaseException | None = None) -> None:
        """Note what came: of a request and its repetitions the last that came to anything, for time may run out."""
        if response is not None or self.response is None:
            self.response, self.error = response, error

    def failure(self) -> str:
        """Return why the request failed, empty when it did not or was never made."""
        if self.error is not None:
            return connection_cause(self.error)
        if self.response is not None and not 200 <= self.response.status_code < 300:  # noqa: PLR2004 - RFC 9110, 15.3
            return str(self.response.status_code)
        return ""

    def rejected(self) -> int:
        """Return how many spans a receiver that answered 200 says it left out (OTLP: partial success)."""
        return self.partial()[0]

    def partial(self) -> tuple[int, str]:
        """Return how many spans were left out of what was taken, and what the receiver says about it."""
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        if self.response is None or "protobuf" not in self.response.headers.get("content-type", ""):
            return 0, ""
        try:
            decoded = ExportTraceServiceResponse.FromString(self.response.content)
        except DecodeError:
            return 0, ""
        return int(decoded.partial_success.rejected_spans), str(decoded.partial_success.error_message)


def observed_session(reply: Reply) -> requests.Session:
    """Return a session that notes every response and every error in *reply*."""
    import requests

    class ObservedSession(requests.Session):
        def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
            # Where OTEL_EXPORTER_OTLP_CERTIFICATE names a file, the exporter has put it into the session, where it
            # would lose against REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE: those are for the whole process, it for this.
            if verify is None and isinstance(self.verify, str):
                verify = self.verify
            return super().merge_environment_settings(url, proxies, stream, verify, cert)

        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            reply.url = request.url
            # Spans and the key of a backend go where the endpoint says; earlier exporters followed wherever told.
            options["allow_redirects"] = False
            try:
                response = super().send(request, **options)
            except (requests.RequestException, OSError) as error:
                reply.note(error=error)
                raise
            reply.note(response)
            return response

    return ObservedSession()


def connection_cause(error: BaseException) -> str:
    """Return a word for why no response came, from the types in the chain of *error*."""
    names = [kind.__name__ for inner in chain(error) for kind in type(inner).__mro__]
    for word, cause in _CONNECTION_CAUSES:
        if any(word in name for name in names):
            return cause
    return f"error: {type(error).__name__}"


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it wraps; urllib3 keeps the inner error in ``reason``, requests in ``args``."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        inner = waiting.pop()
        if not isinstance(inner, BaseException) or id(inner) in seen:
            continue
        seen.add(id(inner))
        yield inner
        waiting += [inner.__cause__, inner.__context__, getattr(inner, "reason", None), *inner.args]


class _GrpcReceiver:
    """OTLP over gRPC: the answer is the status in the record the exporter logs when it gives up."""

    def __init__(self, sanitizer: Sanitizer) -> None:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        _status_log.install()
        self._exporter = SanitizingSpanExporter(OTLPSpanExporter(), sanitizer)

    def send(self, spans: Sequence[ReadableSpan]) -> Answer:
        result, cause = _status_log.watch(lambda: self._exporter.export(spans))
        if result is SpanExportResult.SUCCESS:
            return Answer()
        return Answer(lost=len(spans), cause=cause or "unknown")

    def close(self) -> None:
        self._exporter.shutdown()


class _StatusLog(logging.Filter):
    """Reads the gRPC status from the exporter's log records, on the thread that is exporting, and lets all pass."""

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()

    def install(self) -> None:
        """Read before the exporter's own filter, which swallows repetitions."""
        exporter_logger = logging.getLogger(_GRPC_LOGGER)
        if self not in exporter_logger.filters:
            exporter_logger.filters.insert(0, self)

    def watch(self, export: Callable[[], SpanExportResult]) -> tuple[SpanExportResult, str]:
        """Run *export*; return its result and the last status logged meanwhile, as a cause."""
        self._here.cause = ""
        result = export()
        return result, cast("str", self._here.cause)

    def filter(self, record: logging.LogRecord) -> bool:
        """Note the status in *record*."""
        arguments: tuple[object, ...] = record.args if isinstance(record.args, tuple) else ()
        for value in arguments:
            if type(value).__name__ == "StatusCode":
                name = str(getattr(value, "name", "unknown"))
                refused = name == "UNAVAILABLE" and "refused" in str(arguments[-1:]).lower()
                self._here.cause = "refused" if refused else _GRPC_CAUSES.get(name, name)
        return True


_status_log: Final = _StatusLog()
