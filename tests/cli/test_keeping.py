"""What goes into and out of the store by hand: ``gc``, ``export``, ``import``."""

from __future__ import annotations

import base64
import json
import stat
import time

import pytest
from click.testing import CliRunner
from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent_callbacks.analysis import Span, load
from agent_callbacks.analysis.otlp_writing import document, line
from agent_callbacks.analysis.sdk import readable
from agent_callbacks.cli import export, importing
from agent_callbacks.cli.root import root
from agent_callbacks.convention import keys
from agent_callbacks.store.write import StoreExporter
from tests.store.story import START, support

ONE, TWO, THREE = "1a" * 16, "1b" * 16, "2c" * 16
SECOND = 10**9
MAIL = "bob@example.com"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Give a store with three traces, named by the variable."""
    path = tmp_path / "traces.db"
    monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(path))
    exporter = StoreExporter(path, max_age_seconds=1e9)
    exporter.export(support(ONE, START))
    exporter.export(support(TWO, START + SECOND, **{keys.USER_ID: "u-18"}))
    exporter.export(support(THREE, time.time_ns(), **{keys.USER_ID: "u-18"}))
    exporter.shutdown()
    return path


def run(*arguments, given=None):
    """Run the command line in this process."""
    return CliRunner().invoke(root, arguments, prog_name="agent-callbacks", input=given)


def ids(path):
    """Give the ids in a store or file."""
    return [trace.trace_id for trace in load(path)]


class TestGc:
    """Erasing."""

    def test_of_a_user(self, store):
        """The traces of a user go, and what went is told."""
        would = run("gc", "--user", "u-18", "--dry-run")
        assert "2 traces would be removed, 14 spans, from 2025-11-24 16:00:01" in would.output
        assert len(ids(store)) == 3
        done = run("gc", "--user", "u-18")
        assert (0, True) == (done.exit_code, done.output.startswith("2 traces removed, 14 spans"))
        assert [ONE] == ids(store)

    def test_older(self, store):
        """An age narrows; --json tells the same."""
        told = json.loads(run("gc", "--older-than", "7d", "--json").output)
        assert ("agent_callbacks.erased/1", 2, 14, False) == tuple(
            told[key] for key in ("schema", "traces", "spans", "dry_run")
        )
        assert [THREE] == ids(store)

    def test_limits(self, store):
        """Without an option what is beyond the store's own limits goes."""
        assert run("gc").output.startswith("2 traces removed")
        assert run("gc").output.startswith("0 traces removed, 0 spans\n")

    def test_nobody(self, store, monkeypatch):
        """A user without traces is said, with the reason why an e-mail address may not be found."""
        monkeypatch.delenv("AGENT_CALLBACKS_PSEUDONYM_KEY", raising=False)
        found = run("gc", "--user", "nobody")
        assert (1, True) == (found.exit_code, "no trace of user 'nobody'" in found.stderr)
        as_json = run("gc", "--user", "nobody", "--json")
        assert (1, 0) == (as_json.exit_code, json.loads(as_json.stdout)["traces"])
        assert "AGENT_CALLBACKS_PSEUDONYM_KEY" in run("gc", "--user", MAIL).stderr

    def test_faults(self, tmp_path):
        """A store that is not there, one that is none and an age that is none are told apart."""
        assert run("gc", "--store", str(tmp_path / "none.db")).exit_code == 1
        (tmp_path / "text").write_text("my diary")
        assert run("gc", "--store", str(tmp_path / "text")).exit_code == 2
        wrong = run("gc", "--older-than", "yesterday")
        assert (2, True) == (wrong.exit_code, "is no age: 30m, 12h, 7d, 2w" in wrong.stderr)


def in_protobuf(found):
    """Give an OTLP-JSON document as a plain protobuf reader wants it: ids in base64."""

    def convert(value, key=""):
        if isinstance(value, dict):
            return {inner: convert(each, inner) for inner, each in value.items()}
        if isinstance(value, list):
            return [convert(each) for each in value]
        return base64.b64encode(bytes.fromhex(value)).decode() if key.endswith("Id") else value

    return json_format.ParseDict(convert(found), ExportTraceServiceRequest())


class TestExport:
    """Out of the store."""

    def test_round_trip(self, store, tmp_path):
        """What is exported is read back, and imported into another store, as the same traces; twice is once."""
        file, other = tmp_path / "out.jsonl", tmp_path / "other.db"
        done = run("export", "otlp", "-o", str(file))
        assert (0, f"3 traces written to {file}\n") == (done.exit_code, done.stderr)
        assert load(store) == load(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for _ in range(2):
            assert run("import", str(file), "--store", str(other)).output == "3 traces imported, 21 spans\n"
        assert load(store) == load(other)

    def test_chosen(self, store):
        """One trace, or the newest few, oldest first."""
        shown = run("export", "otlp", "--trace", "1b1b")
        assert [TWO] == [
            json.loads(each)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
            for each in shown.output.splitlines()
        ]
        last = run("export", "otlp", "--last", "2").output.splitlines()
        assert [True, True] == [TWO in last[0], THREE in last[1]]
        assert run("export", "otlp", "--last", "2", "--trace", "last").exit_code == 2

    def test_as_the_protocol_has_it(self):
        """The protocol's own reader takes the document for what the SDK's exporter sends of the same spans."""
        spans = support()
        (trace,) = load(spans)
        ours, theirs = in_protobuf(document(trace.spans)), encode_spans(spans)
        for request in (ours, theirs):
            for of_resource in request.resource_spans:
                for of_scope in of_resource.scope_spans:
                    of_scope.scope.version = ""
                    of_scope.spans.sort(key=lambda span: span.span_id)
                    for span in of_scope.spans:
                        span.flags = 0
                        for link in span.links:
                            link.flags = 0
        assert theirs == ours

    def test_every_kind_of_value(self, tmp_path):
        """Values of every kind, nested and odd ones included, come back as they were."""
        odd = {"a": None, "b": True, "c": 2**62, "d": 0.5, "e": "é\n", "f": (1, "x", (True,)), "g": {"h": {"i": ()}}}
        span = Span(ONE, "01" * 8, None, "n", "SERVER", 1, 2, "ERROR", "no", "s", odd, resource={"r": 1.0})
        bare = Span(TWO, "02" * 8, "03" * 8, "n", "INTERNAL", 1, 2)
        (tmp_path / "x.jsonl").write_bytes(line([span, bare]))
        assert [span, bare] == [trace.root for trace in load(tmp_path / "x.jsonl")]
        assert [span, bare] == [trace.root for trace in load([readable(span), readable(bare)])]
        in_protobuf(document([span, bare]))

    def test_faults(self, store, tmp_path, monkeypatch):
        """A file that cannot be made, an output that fails and an empty store are errors."""
        nowhere = run("export", "otlp", "-o", str(tmp_path / "no" / "file"))
        assert (2, True) == (nowhere.exit_code, "No such file or directory" in nowhere.stderr)

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(export.otlp_writing, "line", full)
        assert isinstance(run("export", "otlp").exception, OSError)
        empty = StoreExporter(tmp_path / "empty.db")
        empty.export([])
        empty.shutdown()
        assert run("export", "otlp", "--store", str(tmp_path / "empty.db")).exit_code == 1


def foreign(**attributes):
    """Give a line as another SDK writes it."""
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    span = {
        "traceId": THREE, "spanId": "0a" * 8, "name": f"mail {MAIL}", "kind": 3, "attributes": pairs,
        "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000001000000000",
    }  # fmt: skip
    scope = {"name": "other.sdk"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"scope": scope, "spans": [span]}]}]})


class TestImport:
    """Into the store."""

    def test_sanitized(self, tmp_path):
        """What others recorded is cleaned on the way in, whoever they say they are; only on demand it is not."""
        path = tmp_path / "traces.db"
        pretending = foreign(**{"gen_ai.tool.call.arguments": MAIL}).replace("other.sdk", "agent_callbacks")
        assert run("import", "-", "--store", str(path), given=pretending).exit_code == 0
        (trace,) = load(path)
        assert "mail [EMAIL]" == trace.root.name
        assert MAIL not in str(trace.root.attributes)
        assert run("import", "-", "--unsanitized", "--store", str(path), given=pretending).exit_code == 0
        assert f"mail {MAIL}" == load(path)[0].root.name

    def test_nothing(self, tmp_path):
        """An empty file is read, and brings nothing."""
        found = run("import", "-", "--store", str(tmp_path / "traces.db"), given="")
        assert (0, "0 traces imported, 0 spans\n") == (found.exit_code, found.output)

    def test_broken_lines(self, tmp_path):
        """Lines that are broken or something else are named by number and counted; all others are read."""
        huge = foreign().replace("1764000000000000000", str(2**64 - 1))
        lines = ["\ufeff" + foreign(), "", "{", '{"level": "info"}', huge, '{"resourceLogs": []}', foreign(), "[]"]
        file = tmp_path / "mixed.jsonl"
        file.write_text("\n".join(lines) + "\n")
        done = run("import", str(file), "--store", str(tmp_path / "traces.db"))
        assert (1, "1 trace imported, 2 spans\n") == (done.exit_code, done.stdout)
        said = done.stderr.splitlines()
        assert [f"{file}, line {number}: expected" for number in (3, 4, 5, 8)] == [
            each[: len(str(file)) + len(", line 3: expected")] for each in said[:-1]
        ]
        assert "4 lines skipped" == said[-1]
        assert "2 spans" in done.stdout

    def test_first_line_broken(self, tmp_path):
        """A broken first line does not take the rest along, and many faults are cut short."""
        given = "\n".join(["{"] * 25 + ["", foreign()])
        done = run("import", "-", "--store", str(tmp_path / "traces.db"), given=given)
        assert "1 trace imported, 1 span\n" == done.stdout
        assert done.stderr.splitlines()[0].startswith("standard input, line 1: expected JSON")
        assert ["and 5 more", "25 lines skipped"] == done.stderr.splitlines()[-2:]

    def test_one_document(self, tmp_path):
        """A document that is spread over lines is read as one."""
        given = json.dumps(json.loads(foreign()), indent=2)
        told = run("import", "-", "--json", "--store", str(tmp_path / "traces.db"), given=given)
        found = json.loads(told.output)
        assert ("agent_callbacks.imported/1", 1, 1, []) == tuple(
            found[key] for key in ("schema", "traces", "spans", "skipped")
        )

    def test_old_traces_stay(self, tmp_path):
        """A trace older than the store keeps traces stays from its import on."""
        path = tmp_path / "traces.db"
        run("import", "-", "--store", str(path), given=foreign())
        exporter = StoreExporter(path)
        exporter.export(support(ONE, time.time_ns()))
        exporter.shutdown()
        assert [THREE, ONE] == ids(path)

    def test_many(self, tmp_path, monkeypatch):
        """A long file goes in by parts."""
        monkeypatch.setattr("agent_callbacks.cli.importing._BATCH", 2)
        given = "\n".join(foreign().replace(THREE, f"{number:032x}") for number in range(1, 6))
        done = run("import", "-", "--store", str(tmp_path / "traces.db"), given=given)
        assert "5 traces imported, 5 spans\n" == done.stdout

    def test_a_large_file(self, tmp_path, monkeypatch):
        """What is read is stored in batches: memory does not grow with the file."""
        monkeypatch.setattr(importing, "_BATCH", 1)
        done = run("import", "-", "--store", str(tmp_path / "t.db"), given=foreign())
        assert 0 == done.exit_code
        assert load(tmp_path / "t.db")

    @pytest.mark.logs_expected
    def test_faults(self, tmp_path):
        """A file that is not there and a store that cannot be written are errors that name them."""
        missing = run("import", str(tmp_path / "none.jsonl"), "--store", str(tmp_path / "traces.db"))
        assert (2, True) == (missing.exit_code, "none.jsonl: No such file" in missing.stderr)
        (tmp_path / "text").write_text("my diary")
        refused = run("import", "-", "--store", str(tmp_path / "text"), given=foreign())
        assert (2, True) == (refused.exit_code, "cannot be written (not ours)" in refused.stderr)
