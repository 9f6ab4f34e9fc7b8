"""What the doctor's probe says of each way a receiver can fail to get a span, against real servers."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing

import grpc
import pytest
import requests
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from agent_callbacks.delivery import otlp
from agent_callbacks.delivery.probe import _ahead, probe


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Reach 127.0.0.1 without the proxies and certificates of the machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}:
            monkeypatch.delenv(name)


@pytest.fixture
def probed(monkeypatch):
    """Send a span to *url* over *protocol*; return what became of it."""

    def send(url, protocol="http/protobuf", **environment):
        for name, value in {"PROTOCOL": protocol, "ENDPOINT": url, **environment}.items():
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
        return probe(3)

    return send


def at(host, url):
    """Return *url* with another host."""
    return url.replace("127.0.0.1", host)


# --- answers over HTTP -----------------------------------------------------------------------------------------------
def test_delivered(probed, receiver):
    """A receiver that takes the span has it, and that is said."""
    outcome = probed(receiver.url)
    assert (True, "delivered") == (outcome.delivered, outcome.explanation.kind)
    assert ["chain.doctor_probe"] == receiver.names


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, "redirect"),
        (400, "bad request"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not found"),
        (415, "unsupported media type"),
        (418, "http 418"),
        (429, "rate limited"),
        (502, "unavailable"),
        (503, "unavailable"),
        (504, "unavailable"),
    ],
)
def test_a_status(probed, receiver, status, kind):
    """Each status is called what it is, with a way out."""
    receiver.status = status
    outcome = probed(receiver.url)
    assert (False, kind) == (outcome.delivered, outcome.explanation.kind)
    assert outcome.explanation.way_out


def test_what_was_answered_before_time_ran_out_counts(receiver):
    """A repetition that is given up before it is sent takes nothing back."""
    receiver.status = 502
    reply = otlp.Reply()
    with otlp.observed_session(reply) as session:
        session.post(receiver.url, b"")
        with pytest.raises(ValueError, match="timeout"):
            session.post(receiver.url, b"", timeout=0)
    assert "502" == reply.failure()


def test_a_rate_limit_that_says_how_long(probed, receiver):
    """A receiver that asks to wait is quoted with its seconds."""
    receiver.status, receiver.headers = 429, {"retry-after": "17"}
    assert probed(receiver.url).explanation.way_out.endswith("; it asks to wait 17 s")


def test_a_redirect_that_says_where(probed, receiver):
    """The new address is named."""
    receiver.status, receiver.headers = 307, {"location": "https://new.example.com/v1/traces"}
    assert "name https://new.example.com/v1/traces instead" == probed(receiver.url).explanation.way_out


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("application/x-protobuf", Status(message="no such project").SerializeToString(), "no such project"),
        ("application/x-protobuf", b"\xff", ""),
        ("text/plain", b" no such project \n", "no such project"),
    ],
)
def test_a_refusal_is_quoted(probed, receiver, kind, body, said):
    """What a receiver says with its refusal is shown: as text, or as the message of OTLP's own error."""
    receiver.status, receiver.kind, receiver.refusal = 403, kind, body
    assert said == probed(receiver.url).answer


def test_a_page_for_people_is_no_receiver(probed, receiver):
    """A user interface answers 200 to anything."""
    receiver.kind = "text/html; charset=utf-8"
    assert "not a receiver" == probed(receiver.url).explanation.kind


def test_a_partial_success(probed, receiver):
    """A receiver that answers 200 and leaves the span out has not taken it, and is quoted."""
    receiver.rejected, receiver.complaint = 1, "span is too old"
    outcome = probed(receiver.url)
    assert (False, "rejected") == (outcome.delivered, outcome.explanation.kind)
    assert "left 1 span out: span is too old" in outcome.explanation.what


def test_a_receiver_that_takes_and_complains(probed, receiver):
    """A warning beside a success is a success, and is shown."""
    receiver.complaint = "attribute x is deprecated"
    outcome = probed(receiver.url)
    assert outcome.delivered
    assert outcome.explanation.what.endswith("and says: attribute x is deprecated")


def test_the_path_twice(probed, receiver):
    """The base of all signals with the path of traces in it is the commonest wrong path."""
    receiver.status = 404
    assert "path doubled" == probed(f"{receiver.url}/v1/traces").explanation.kind


def test_the_path_missing(probed, receiver):
    """The variable for traces alone is used as it is, without a path."""
    receiver.status = 404
    assert "path missing" == probed("http://ignored", TRACES_ENDPOINT=receiver.url).explanation.kind


# --- no answer over HTTP ---------------------------------------------------------------------------------------------
def test_refused(probed, closed_port):
    """Nobody listens."""
    assert "refused" == probed(closed_port).explanation.kind


def test_an_unknown_host(probed):
    """The name does not resolve."""
    assert "unknown host" == probed("http://nowhere.invalid:4318").explanation.kind


def test_an_answer_outlives_a_repetition_that_ran_out_of_time():
    """A receiver that was busy, and that there was no time to ask again, is busy: not out of reach."""
    reply, busy = otlp.Reply(), requests.Response()
    busy.status_code = 503
    reply.note(busy)
    reply.note(error=requests.ReadTimeout())
    assert "503" == reply.failure()
    reply.clear()
    reply.note(error=requests.ReadTimeout())
    assert "timeout" == reply.failure()


def test_a_silent_receiver(probed, receiver):
    """A receiver that takes the request and never answers is a timeout."""
    receiver.hangs = True
    assert "timeout" == probed(receiver.url).explanation.kind


def test_a_receiver_that_never_ends(probed, receiver, monkeypatch):
    """A receiver whose answer has no end is given up, over either protocol."""
    waits = threading.Event()

    def wait(*given, **named):
        waits.wait()

    monkeypatch.setattr(OTLPSpanExporter, "export", wait)
    monkeypatch.setattr(otlp, "observed_session", lambda reply: None)
    monkeypatch.setattr("agent_callbacks.delivery.probe._ROUNDS", 0.01)
    monkeypatch.setattr("agent_callbacks.delivery.probe._over_grpc", wait)
    kinds = [probed(receiver.url, protocol).explanation.kind for protocol in ("http/protobuf", "grpc")]
    waits.set()
    assert ["timeout", "timeout"] == kinds


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    "endpoint", ["http://[::1", "http://host:port", "http://127.0.0.1:99999", "http://ho st:4318", "https://"]
)
def test_no_address(probed, endpoint, protocol):
    """What is no address is told as such, and nothing is sent; it is not repeated, as it may hold a key."""
    outcome = probed(endpoint, protocol)
    assert ("address", "", True) == (
        outcome.explanation.kind,
        outcome.endpoint,
        "http://HOST:PORT" in outcome.explanation.way_out,
    )


def test_no_scheme(probed, closed_port):
    """Over HTTP an address needs its scheme, gRPC does without, and has schemes of its own."""
    host = closed_port.removeprefix("http://")
    kinds = [probed(host).explanation.kind, probed(host, "grpc", INSECURE="true").explanation.kind]
    assert ["address", "refused"] == kinds
    assert "address" != probed("unix:///nowhere.sock", "grpc", INSECURE="true").explanation.kind


def test_an_exporter_that_lets_its_error_out(probed, closed_port, monkeypatch):
    """Older exporters raise what newer ones return; either is explained."""

    def refuse(self, spans):
        raise requests.ConnectionError(ConnectionRefusedError(111, "Connection refused"))

    monkeypatch.setattr(OTLPSpanExporter, "export", refuse)
    assert "refused" == probed(closed_port).explanation.kind


def test_an_error_of_no_known_kind(probed, closed_port, monkeypatch):
    """What nobody foresaw is named by its type, with where to look."""

    def fail(self, spans):
        raise requests.exceptions.InvalidHeader("odd")

    monkeypatch.setattr(OTLPSpanExporter, "export", fail)
    told = probed(closed_port).explanation
    assert ("error: InvalidHeader", True) == (told.kind, "OTEL_EXPORTER_OTLP_" in told.way_out)


def test_a_proxy_that_leads_nowhere(probed, receiver, closed_port, monkeypatch):
    """A proxy of the environment that does not answer is blamed, not the receiver."""
    monkeypatch.setenv("http_proxy", closed_port)
    assert "proxy" == probed(at("127.0.0.2", receiver.url)).explanation.kind


# --- TLS -------------------------------------------------------------------------------------------------------------
def test_a_trusted_certificate(probed, secure_receiver, authority_file):
    """With the authority's certificate in the variable, the span arrives."""
    assert probed(secure_receiver.url, CERTIFICATE=authority_file).delivered
    assert ["chain.doctor_probe"] == secure_receiver.names


def test_a_certificate_nobody_trusts(probed, secure_receiver):
    """Without it, the certificate is the cause, and the variable the way out."""
    outcome = probed(secure_receiver.url)
    assert "certificate" == outcome.explanation.kind
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE" in outcome.explanation.way_out


def test_a_certificate_of_another_host(probed, secure_receiver, authority_file):
    """A certificate that names another host is the cause, too."""
    outcome = probed(at("localhost", secure_receiver.url), CERTIFICATE=authority_file)
    assert "certificate" == outcome.explanation.kind


def test_a_certificate_file_that_is_not_there(probed, secure_receiver, tmp_path):
    """A wrong path in the variable is told as what it is; no secret and no stack is shown."""
    outcome = probed(secure_receiver.url, CERTIFICATE=str(tmp_path / "none.pem"))
    assert (False, "trust file") == (outcome.delivered, outcome.explanation.kind)
    assert "none.pem" in outcome.answer


def test_tls_spoken_to_a_port_without(probed, receiver):
    """TLS spoken to a port that has no TLS."""
    outcome = probed(receiver.url.replace("http:", "https:"))
    assert ("no tls here", True) == (outcome.explanation.kind, "http://" in outcome.explanation.way_out)


def test_no_tls_spoken_to_a_port_with(probed, secure_receiver):
    """HTTP without TLS to a port that wants it."""
    outcome = probed(secure_receiver.url.replace("https:", "http:"))
    assert ("tls wanted", True) == (outcome.explanation.kind, "https://" in outcome.explanation.way_out)


# --- gRPC ------------------------------------------------------------------------------------------------------------
def test_grpc_delivered(probed, grpc_url):
    """Over gRPC, a receiver that takes the span has it."""
    assert probed(grpc_url(), "grpc").delivered


def test_grpc_partial_success(probed, grpc_url):
    """Over gRPC, too, a span that was left out was not taken."""
    assert "rejected" == probed(grpc_url(rejected=1), "grpc").explanation.kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UNAUTHENTICATED", "unauthorized"),
        ("PERMISSION_DENIED", "forbidden"),
        ("UNIMPLEMENTED", "wrong service"),
        ("RESOURCE_EXHAUSTED", "rate limited"),
        ("INVALID_ARGUMENT", "bad request"),
        ("UNAVAILABLE", "unavailable"),
        ("ABORTED", "grpc ABORTED"),
    ],
)
def test_a_grpc_status(probed, grpc_url, code, kind):
    """Each gRPC status is called what it is, with a way out."""
    outcome = probed(grpc_url(grpc.StatusCode[code]), "grpc")
    assert (False, kind) == (outcome.delivered, outcome.explanation.kind)
    assert outcome.explanation.way_out


def test_grpc_refused(probed, closed_port):
    """Nobody listens, over gRPC."""
    assert "refused" == probed(closed_port, "grpc").explanation.kind


def test_grpc_to_an_unknown_host(probed):
    """The name does not resolve, over gRPC."""
    assert "unknown host" == probed("http://nowhere.invalid:4317", "grpc").explanation.kind


def test_grpc_to_a_silent_port(probed):
    """A port that takes connections and says nothing, over gRPC."""
    with closing(socket.socket()) as port:
        port.bind(("127.0.0.1", 0))
        port.listen(8)
        outcome = probed(f"http://127.0.0.1:{port.getsockname()[1]}", "grpc")
    assert "timeout" == outcome.explanation.kind


# --- one protocol spoken to the other --------------------------------------------------------------------------------
def test_http_spoken_to_grpc(probed, grpc_url):
    """HTTP to a port of gRPC names the variable."""
    outcome = probed(grpc_url())
    assert ("wrong protocol", True) == (outcome.explanation.kind, "PROTOCOL=grpc" in outcome.explanation.way_out)


def test_grpc_spoken_to_http(probed, receiver):
    """Over gRPC to a port of HTTP; the variable is named."""
    outcome = probed(receiver.url, "grpc")
    assert ("wrong protocol", True) == (outcome.explanation.kind, "http/protobuf" in outcome.explanation.way_out)


def test_grpc_with_tls_to_a_port_without(probed, grpc_url):
    """Over gRPC with TLS to a port that has none."""
    assert "no tls here" == probed(grpc_url().replace("http:", "https:"), "grpc").explanation.kind


def test_grpc_without_tls_to_a_port_with(probed, secure_receiver):
    """Over gRPC without TLS to a port that wants it."""
    assert "tls wanted" == probed(secure_receiver.url.replace("https:", "http:"), "grpc").explanation.kind


def test_grpc_and_a_certificate_nobody_trusts(probed, secure_receiver):
    """Over gRPC to a port whose certificate is not trusted."""
    assert "certificate" == probed(secure_receiver.url, "grpc").explanation.kind


# --- clocks ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("headers", "ahead"),
    [
        ({"date": "Thu, 01 Jan 1970 00:02:00 GMT"}, 20.0), ({"date": "Thu, 01 Jan 1970 00:01:00 GMT"}, -40.0),
        ({"date": "yesterday"}, 0.0), ({"date": ""}, 0.0), ({}, 0.0),
    ],
)  # fmt: skip
def test_how_far_the_clocks_are_apart(headers, ahead):
    """The header that dates an answer says it; without one, or a date in it, nothing is said."""
    assert ahead == _ahead(headers, 100.0)


def test_the_clocks_of_one_machine(probed, receiver):
    """A receiver on this machine has our clock."""
    assert abs(probed(receiver.url).ahead) < 60
