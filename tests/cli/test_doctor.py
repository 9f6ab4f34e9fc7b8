"""``doctor``: what is found, and that no secret is among it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from agent_callbacks.cli.doctor import installed, storage
from agent_callbacks.cli.root import root
from agent_callbacks.delivery import probe
from agent_callbacks.delivery.answer import Attempt, explained
from agent_callbacks.delivery.probe import _cleaned
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.store.write import StoreExporter
from tests.delivery.conftest import closed_port, receiver  # noqa: F401 - fixtures
from tests.store.story import support


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Give an environment of nothing but a store's path."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AGENT_CALLBACKS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(tmp_path / "traces.db"))


def run(*arguments):
    """Run the command line in this process."""
    return CliRunner().invoke(root, ["doctor", *arguments], prog_name="agent-callbacks")


def found(*arguments):
    """Give the exit code and the findings, by section and name."""
    done = run("--json", *arguments)
    told = json.loads(done.output)
    assert "agent_callbacks.doctor/1" == told["schema"]
    assert told["ok"] is (done.exit_code == 0)
    return done.exit_code, {(each["section"], each["name"]): each for each in told["findings"]}


def write(path, spans):
    """Make a store at *path* that holds *spans*."""
    exporter = StoreExporter(path)
    exporter.export(spans)
    exporter.shutdown()


def test_all_is_well(tmp_path):
    """Without a receiver there is nothing to probe; the store's place, size and content are told."""
    write(tmp_path / "traces.db", support("1a" * 16, time.time_ns()))
    code, told = found()
    assert code == 0
    assert "1, 7 spans" == told["store", "traces"]["value"]
    assert str(tmp_path / "traces.db") == told["store", "path"]["value"]
    assert told["store", "permissions"]["value"].startswith("0600")
    assert "off: OTEL_EXPORTER_OTLP_ENDPOINT names no receiver" == told["delivery", "otlp"]["value"]
    assert "all is well" in run().output


@pytest.mark.logs_expected
def test_no_secret_is_shown(monkeypatch):
    """Headers, keys and credentials in addresses are hidden; what is unknown is said with the nearest name."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cretvalue, x-team=s3cretvalue")
    monkeypatch.setenv("AGENT_CALLBACKS_PSEUDONYM_KEY", "s3cretvalue")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:s3cretvalue@127.0.0.1:1")
    monkeypatch.setenv("AGENT_CALLBACKS_CONTNET", "all")
    shown = run().output
    assert "s3cretvalue" not in shown
    assert "authorization=[hidden], x-team=[hidden]" in shown
    assert "did you mean 'content'?" in shown
    assert "s3cretvalue" not in run("--json").output


def test_a_span_that_arrives(receiver, monkeypatch):  # noqa: F811 - the fixture
    """The probe's span reaches the configured receiver; without a probe nothing is sent."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    assert found("--no-probe")[0] == 0
    assert [] == receiver.names
    code, told = found()
    assert (0, "the receiver took the span") == (code, told["probe", "delivered"]["value"])
    assert ["chain.doctor_probe"] == receiver.names


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "unauthorized"), (404, "not found"), (415, "unsupported media type")]
)
def test_a_receiver_that_refuses(receiver, monkeypatch, status, kind):  # noqa: F811 - the fixture
    """An answer that refuses is a fault with a way out."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    receiver.status = status
    code, told = found()
    assert (1, "fault") == (code, told["probe", kind]["level"])
    assert told["probe", kind]["way_out"]


def test_what_the_other_side_says_is_cleaned():
    """A receiver's words, a new address and the endpoint itself may carry a key or a person: none is shown."""
    key = "sk-proj-" + "a1B2c3D4" * 6
    said = "x" * 280 + f" {key}"
    headers = {"location": f"https://u:pw1234secret@new.example.com/v1/traces?key={key}", "retry-after": "5"}
    url = f"https://u:pw1234secret@old.example.com/v1/traces?key={key}"
    attempt = Attempt("http/protobuf", url, "", 301, headers, said, 0, f"ask ines@example.com about {key}", None)
    cleaned = _cleaned(attempt, Sanitizer())
    moved, taken = explained(cleaned), explained(replace(cleaned, status=200))
    for text in (cleaned.url, cleaned.said, *cleaned.headers.values(), moved.way_out, taken.what):
        assert not [secret for secret in ("sk-proj", "pw1234", "ines@") if secret in text]
    assert "https://new.example.com/v1/traces" in moved.way_out
    assert "ask [EMAIL" in taken.what


def test_nobody_listens(closed_port, monkeypatch):  # noqa: F811 - the fixture
    """A closed port is told as one, over either protocol."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", closed_port)
    for protocol in ("http/protobuf", "grpc"):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        assert ("probe", "refused") in found("--timeout", "2")[1]


def test_grpc_spoken_to_http(receiver, monkeypatch):  # noqa: F811 - the fixture
    """The commonest mix-up is named, with the variable to set."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    told = found("--timeout", "3")[1]["probe", "wrong protocol"]
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in told["way_out"]


def test_a_store_that_is_none(tmp_path):
    """Somebody else's file at the store's path is a fault."""
    (tmp_path / "traces.db").write_text("my diary")
    code, told = found()
    assert (1, "fault") == (code, told["store", "state"]["level"])


# --- what else may be found ------------------------------------------------------------------------------------------
def without(monkeypatch, *names):
    """Let the distributions *names* not be installed."""
    version = installed.metadata.version

    def asked(name):
        if name in names:
            raise installed.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(installed.metadata, "version", asked)


def test_what_is_not_installed(monkeypatch):
    """What is needed and missing is a fault, an extra is named, and without a framework nothing can be traced."""
    without(monkeypatch, "orjson", "genai-prices", *installed._FRAMEWORKS)
    code, told = found()
    assert (1, "fault") == (code, told["installed", "orjson"]["level"])
    assert 'pip install "agent-callbacks[cost]"' == told["installed", "genai-prices"]["way_out"]
    assert "none: no agent can be traced" == told["installed", "frameworks"]["value"]


def test_where_the_files_of_encodings_are(monkeypatch, tmp_path):
    """The folder of a file is named; without any, token shares are estimated, and the way out is one command."""
    monkeypatch.setattr(installed, "find", lambda name: tmp_path / name if name == "o200k_base" else None)
    told = found()[1]
    assert f"file in {tmp_path}" == told["tokens", "o200k_base"]["value"]
    missing = told["tokens", "cl100k_base"]
    assert ("no file: token shares are estimated", "agent-callbacks warmup") == (missing["value"], missing["way_out"])


def test_tracing_that_is_switched_off(monkeypatch):
    """The commonest reason for no spans at all is named, with the variables."""
    monkeypatch.setenv("AGENT_CALLBACKS_ENABLED", "0")
    told = found()[1]["delivery", "tracing"]
    assert ("switched off: nothing is recorded", True) == (told["value"], "AGENT_CALLBACKS_ENABLED" in told["way_out"])


def test_exporting_that_is_switched_off(receiver, monkeypatch):  # noqa: F811 - the fixture
    """The standard's switch is named, and nothing is sent."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert "off: OTEL_TRACES_EXPORTER=none" == found()[1]["delivery", "otlp"]["value"]
    assert [] == receiver.names


def test_a_provider_that_stands(monkeypatch):
    """In a process that has set one, it is named."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider(shutdown_on_exit=False))
    assert "TracerProvider stands; configure() adds to it" == found()[1]["delivery", "provider"]["value"]


def test_an_empty_store(tmp_path):
    """A store that holds nothing yet has no oldest and no newest trace."""
    write(tmp_path / "traces.db", [])
    assert ("store", "from") not in found()[1]


def test_a_store_that_others_may_read(tmp_path):
    """Permissions that somebody has widened are a note with the command that narrows them."""
    write(tmp_path / "traces.db", support("1a" * 16, time.time_ns()))
    (tmp_path / "traces.db").chmod(0o644)
    told = found()[1]["store", "permissions"]
    assert ("note", f"chmod 600 {tmp_path / 'traces.db'}") == (told["level"], told["way_out"])


def test_a_store_that_cannot_be_written(tmp_path, monkeypatch):
    """A file or a folder without the right to write is a fault; the tests' own user may have every right."""
    monkeypatch.setattr(storage.os, "access", lambda *_: False)
    assert f"cannot be made: {tmp_path} is not writable" == found()[1]["store", "state"]["value"]
    write(tmp_path / "traces.db", support("1a" * 16, time.time_ns()))
    code, told = found()
    assert (1, "no") == (code, told["store", "writable"]["value"])


@pytest.mark.logs_expected
def test_a_header_without_a_name(monkeypatch):
    """What stands where a name should may be the key itself, or what follows a comma in it: it is hidden."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "s3cretvalue, authorization=Basic a,s3cretvalue")
    shown = run().output
    assert ("s3cretvalue" in shown, shown.count("[hidden, and ignored: not NAME=VALUE]")) == (False, 2)


@pytest.mark.parametrize(("value", "told"), [("true", True), ("false", False)])
def test_another_tracer(monkeypatch, value, told):
    """LangSmith's own tracer, where it is switched on, is named: it sends what we sanitize as it is."""
    monkeypatch.setenv("LANGSMITH_TRACING", value)
    assert told is (("delivery", "langsmith") in found()[1])


def test_another_instrumentation(monkeypatch):
    """Another instrumentation of the same framework is named, for two of them tell every run twice."""
    asked = installed.metadata.version
    monkeypatch.setattr(
        installed.metadata, "version", lambda name: "1.2" if name == installed._OTHERS[0] else asked(name)
    )
    told = found()[1]["installed", installed._OTHERS[0]]
    assert ("note", "1.2: where") == (told["level"], told["value"][:10])


@pytest.mark.logs_expected
def test_a_variable_that_is_no_setting(monkeypatch):
    """A misspelt variable of another kind is known by its neighbour, too."""
    monkeypatch.setenv("AGENT_CALLBACKS_STORRE", "x")
    assert "did you mean 'store'?" in found()[1]["environment", "AGENT_CALLBACKS_STORRE"]["value"]


@pytest.mark.parametrize(
    ("switches", "last"),
    [({}, "all is well"), ({"AGENT_CALLBACKS_ENABLED": "0"}, "no fault; 1 thing worth knowing (!)")],
)
def test_the_last_line(monkeypatch, switches, last):
    """All is well only where there is nothing to look at."""
    for name, value in switches.items():
        monkeypatch.setenv(name, value)
    assert last == run("--no-probe").output.splitlines()[-1]


def test_no_address(monkeypatch):
    """An endpoint that is no address is a fault with a way out."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:port")
    code, told = found()
    assert (1, "fault", False) == (code, told["probe", "address"]["level"], ("probe", "sent to") in told)


@pytest.mark.parametrize(("ahead", "said"), [(7200.0, "2h 00m ahead of"), (-90.0, "1m 30s behind"), (5.0, None)])
def test_clocks_that_differ(receiver, monkeypatch, ahead, said):  # noqa: F811 - the fixture
    """Clocks that are far apart are a note: the span arrives, and is looked for at another time."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setattr(probe, "_ahead", lambda headers, now: ahead)
    code, told = found()
    clock = told.get(("probe", "clock"))
    assert (0, said) == (code, clock and clock["value"].removeprefix("the receiver's is ").split(" ours")[0])
