"""One span through the configured OTLP endpoint, and what became of it in words.

The exporters and every variable of theirs are those of ``otlp``: what a probe meets, an application meets.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from agent_callbacks.convention import keys
from agent_callbacks.delivery import otlp
from agent_callbacks.delivery.answer import Attempt, Explanation, explained
from agent_callbacks.delivery.speaking import Spoken, spoken
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Outcome", "probe"]

SPAN_NAME: Final = "chain.doctor_probe"
_PORTS: Final = {"http": 80, "https": 443, "grpc": 4317}
_EXPORTER_LOGGERS: Final = ("opentelemetry.exporter", "opentelemetry.exporter.otlp.proto", "urllib3")
_ROUNDS: Final = 3  # the request, then up to three looks at what the port speaks, of a third each; and some air
_LONGEST: Final = 300  # bytes
_LOCATION: Final = "location"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the probe."""

    protocol: str
    endpoint: str
    """Where it went, without credentials."""
    explanation: Explanation
    answer: str = ""
    """What the other side said, sanitized and shortened."""
    ahead: float = 0.0
    """How many seconds the other side's clock is ahead of ours, as its answer says it; 0 where it does not."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver took the span."""
        return self.explanation.good


def probe(timeout: float) -> Outcome:
    """Send one span to the configured endpoint and explain the answer, within three times *timeout* seconds."""
    _, endpoint = otlp.endpoint(os.environ)
    protocol = otlp.protocol(os.environ)
    grpc = protocol == "grpc"
    if not otlp.is_address(endpoint, grpc=grpc):
        return Outcome(protocol, "", explained(_unanswered(protocol, "", "address")))
    loggers = [logging.getLogger(name) for name in _EXPORTER_LOGGERS]
    levels = [each.level for each in loggers]
    for each in loggers:  # their records would say in their words what we explain in ours
        each.setLevel(logging.CRITICAL + 1)
    try:
        send = _over_grpc if grpc else _over_http
        attempt = _in_time(lambda: send(_span(), timeout), timeout * _ROUNDS)
        attempt = attempt or _unanswered(protocol, endpoint, "timeout")
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
    attempt = _cleaned(attempt, Sanitizer())
    return Outcome(
        attempt.protocol, attempt.url, explained(attempt), attempt.said, _ahead(attempt.headers, time.time())
    )


def _ahead(headers: Mapping[str, str], now: float) -> float:
    """Return how far the clock behind the header ``Date`` (RFC 9110, 6.6.1) is ahead of *now*, both in seconds."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0


def _unanswered(protocol: str, url: str, cause: str) -> Attempt:
    return Attempt(protocol, url, cause, None, {}, "", 0, "", None)


def _in_time(send: Callable[[], Attempt], seconds: float) -> Attempt | None:
    """Return what *send* does; None where it takes longer: a receiver may never come to the end of its answer."""
    answers: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(send()), daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return None


def _cleaned(attempt: Attempt, sanitizer: Sanitizer) -> Attempt:
    """Return *attempt* fit to be shown: what comes from the other side, or may carry a key, sanitized and shortened."""
    headers = dict(attempt.headers)
    if _LOCATION in headers:
        headers[_LOCATION] = sanitizer.clean(_shown(headers[_LOCATION]), _LONGEST)
    return replace(
        attempt,
        url=sanitizer.clean(_shown(attempt.url), _LONGEST),
        headers=headers,
        said=sanitizer.clean(attempt.said, _LONGEST),
        complaint=sanitizer.clean(attempt.complaint, _LONGEST),
    )


def _span() -> ReadableSpan:
    ids, now = RandomIdGenerator(), time.time_ns()
    return ReadableSpan(
        name=SPAN_NAME,
        context=SpanContext(
            ids.generate_trace_id(), ids.generate_span_id(), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
        ),
        resource=Resource.create({}),
        start_time=now,
        end_time=now,
        instrumentation_scope=InstrumentationScope(keys.SCOPE_NAME, __version__, keys.SCHEMA_URL),
    )


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _heard(url: str, timeout: float) -> Spoken:
    """Return what the port behind *url* speaks; a proxy on the way is left out."""
    parts = urlsplit(url)
    return spoken(parts.hostname or "localhost", parts.port or _PORTS.get(parts.scheme, 80), timeout)


# --- HTTP ------------------------------------------------------------------------------------------------------------
def _over_http(span: ReadableSpan, timeout: float) -> Attempt:
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    reply = otlp.Reply()
    exporter: Any = OTLPSpanExporter(session=otlp.observed_session(reply), timeout=timeout)
    try:
        exporter.export([span])
    except (requests.RequestException, OSError) as error:
        reply.error = error
    finally:
        exporter.shutdown()
    url = str(reply.url or getattr(exporter, "_endpoint", ""))
    said, status, headers = "", None, dict[str, str]()
    if reply.response is not None:
        status, headers = reply.response.status_code, {k.lower(): v for k, v in reply.response.headers.items()}
        said = _words(reply.response.content, headers.get("content-type", ""))
    elif reply.error is not None:  # pragma: no branch - an exporter that neither sent nor says why
        said = next((str(each) for each in _innermost(reply.error)), "")
    cause = "" if reply.response is not None else otlp.connection_cause(reply.error) if reply.error else "unknown"
    heard = _heard(url, timeout / 3) if reply.response is None or status == 400 else None  # noqa: PLR2004 - RFC 9110
    return Attempt("http/protobuf", url, cause, status, headers, said, *reply.partial(), heard)


def _innermost(error: BaseException) -> Iterator[BaseException]:
    yield from list(otlp.chain(error))[::-1]


def _words(content: bytes, kind: str) -> str:
    """Return the text of a response's body; of an OTLP error (a protobuf ``Status``) its message."""
    if "protobuf" not in kind:
        return content.decode("utf-8", "replace").strip()
    from google.protobuf.message import DecodeError
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # googleapis ships no types

    try:
        return str(Status.FromString(content).message)
    except DecodeError:
        return ""


# --- gRPC ------------------------------------------------------------------------------------------------------------
def _over_grpc(span: ReadableSpan, timeout: float) -> Attempt:
    """Call the exporter's own client once: the exporter itself would hide the answer and try again."""
    import grpc  # type: ignore[import-untyped] # grpcio ships no types
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter: Any = OTLPSpanExporter()
    url = f"{'http' if exporter._insecure else 'https'}://{exporter._endpoint}"  # noqa: SLF001 - see the canary test
    try:
        response = exporter._client.Export(  # noqa: SLF001
            request=encode_spans([span]),
            metadata=exporter._headers,  # noqa: SLF001
            timeout=timeout,
        )
    except grpc.RpcError as error:
        failed: Any = error
        port = urlsplit(url).port
        heard = _heard(url if port else f"{url}:{_PORTS['grpc']}", timeout / 3)
        return Attempt("grpc", url, failed.code().name, None, {}, str(failed.details() or ""), 0, "", heard)
    finally:
        exporter.shutdown()
    partial = response.partial_success
    return Attempt("grpc", url, "", None, {}, "", partial.rejected_spans, partial.error_message, None)
