"""Traces as values: from memory, the store and OTLP-JSON."""

from __future__ import annotations

import base64
import inspect
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from agent_callbacks.analysis import Event, Link, Span, Trace, TraceError, load
from agent_callbacks.analysis.trace import from_store, traces
from agent_callbacks.store.read import Store
from agent_callbacks.store.write import StoreExporter
from tests.store.story import START, TRACE_ID, support

TREE = """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  ├─ tool.search_web
│  └─ tool.lookup_order
└─ agent.step.2
   └─ llm.chat"""


def span(identifier, parent=None, start=0, trace="t", **more):
    """Give a span of ten nanoseconds."""
    return Span(trace, identifier, parent, more.pop("name", identifier), "INTERNAL", start, start + 10, **more)


def otlp(**over):
    """Give one OTLP-JSON document with one span."""
    given = {
        "traceId": "AB" * 16,
        "spanId": "cd" * 8,
        "name": "tool.x",
        "kind": 3,
        "startTimeUnixNano": "1000",
        "endTimeUnixNano": 3000,
        **over,
    }
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "support"}}]},
                "scopeSpans": [{"scope": {"name": "agent_callbacks"}, "spans": [given]}],
            }
        ]
    }


class TestTrace:
    """The tree and what it knows."""

    def test_tree(self):
        """The tree is drawn with lines, siblings in the order they started."""
        (trace,) = load(support())
        assert trace.tree() == TREE

    def test_values(self):
        """A trace knows its root, its spans, its children and its bounds."""
        (trace,) = load(reversed(support()))
        assert (trace.trace_id, trace.start_ns, trace.end_ns) == (TRACE_ID, START, START + 3420 * 10**6)
        assert trace.duration == trace.root.duration == 3.42
        assert [child.name for child in trace.children(trace.root)] == ["agent.step.1", "agent.step.2"]
        assert trace.children(trace.spans[-1]) == ()
        assert trace.root.links[0].span_id == f"{2:016x}"
        assert trace.root.resource == {"service.name": "support"}
        assert next(span for span in trace.spans if span.status == "ERROR").events[0].name == "exception"

    def test_hashable(self):
        """Spans and traces can stand in a set."""
        (trace,) = load(support())
        assert len({trace, load(support())[0], *trace.spans}) == 8

    def test_orphans(self):
        """A span whose parent is missing is one more root, after the true one, even when it started earlier."""
        (trace,) = traces([span("b", "gone", 1), span("a", None, 5), span("c", "b", 2)])
        assert trace.root.name == "a"
        assert trace.tree() == "a\nb\n└─ c"

    def test_ring(self):
        """Spans that are each other's parents, and a span that is its own, are shown once and never lost."""
        (trace,) = traces([span("a", "b", 1), span("b", "a", 2), span("x", "x", 3), span("y", "x", 4)])
        assert trace.tree() == "a\n└─ b\nx\n└─ y"
        (tail,) = traces([span("a", "b", 1), span("b", "c", 2), span("c", "b", 3)])
        assert tail.tree() == "b\n├─ a\n└─ c"

    def test_deep(self):
        """A trace thousands deep neither overflows the stack nor takes long to order."""
        (trace,) = traces([span(str(number), str(number - 1) if number else None, number) for number in range(3000)])
        assert len(list(trace.walk())) == 3000

    def test_sorting(self):
        """Spans that start together are in the order of their ids, traces in the order they started."""
        found = traces([span("b"), span("a"), span("c", trace="s", start=-1)])
        assert [[member.span_id for member in trace.spans] for trace in found] == [["c"], ["a", "b"]]

    def test_sent_twice(self):
        """Of a span that came twice the last word counts."""
        assert traces([span("a"), span("a", name="later")])[0].tree() == "later"

    def test_negative_duration(self):
        """A clock that went back gives a length of zero, and a trace that does not end before it starts."""
        (trace,) = traces([replace(span("a", start=50), end_ns=20)])
        assert (trace.root.duration, trace.duration) == (0, 0)


class TestLoad:
    """Memory and store as sources."""

    def test_unfinished(self):
        """A span that has not ended is refused by name."""
        with pytest.raises(TraceError, match="span 'open' is not finished"):
            load([SimpleNamespace(name="open", context=None, start_time=1, end_time=None)])

    def test_nothing(self):
        """No spans give no traces."""
        assert load([]) == []

    def test_store(self, tmp_path):
        """A store gives all its traces in the order they started, or one by its id."""
        exporter = StoreExporter(tmp_path / "x.db", max_age_seconds=1e9)
        exporter.export(support("2b" * 16, START + 1))
        exporter.export(support())
        exporter.shutdown()
        assert [trace.trace_id for trace in load(str(tmp_path / "x.db"))] == [TRACE_ID, "2b" * 16]
        with Store(tmp_path / "x.db") as store:
            assert from_store(store, TRACE_ID).tree() == TREE
            with pytest.raises(TraceError, match="no trace 'ff'"):
                from_store(store, "ff")

    def test_foreign_database(self, tmp_path):
        """A SQLite file of somebody else is an error that names it."""
        (tmp_path / "x.db").write_bytes(b"SQLite format 3\x00" + bytes(100))
        with pytest.raises(TraceError, match=r"x\.db is not a trace store"):
            load(tmp_path / "x.db")

    def test_missing_file(self, tmp_path):
        """A file that is not there is an error that names it and what was expected."""
        with pytest.raises(TraceError, match=r"none cannot be read \(FileNotFoundError\); expected a trace store"):
            load(tmp_path / "none")


class TestOtlp:
    """OTLP-JSON as a source."""

    @pytest.fixture
    def file(self, tmp_path):
        """Give the path of a file to write."""
        return tmp_path / "spans.jsonl"

    def one(self, file, **over):
        """Give the one span read from a document."""
        file.write_text(json.dumps(otlp(**over)))
        return load(file)[0].root

    def test_span(self, file):
        """Every field of a span is read, 64-bit integers as strings or numbers."""
        found = self.one(
            file,
            parentSpanId="EF" * 8,
            status={"code": 2, "message": "no"},
            attributes=[
                {"key": "s", "value": {"stringValue": "x"}},
                {"key": "i", "value": {"intValue": "9007199254740993"}},
                {"key": "d", "value": {"doubleValue": 0.5}},
                {"key": "b", "value": {"boolValue": False}},
                {"key": "a", "value": {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "y"}]}}},
                {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "z"}}]}}},
                {"key": "n", "value": {}},
            ],
            events=[{"name": "exception", "timeUnixNano": "2000"}],
            links=[{"traceId": "01" * 16, "spanId": "02" * 8}],
        )
        expected = Span(
            "ab" * 16, "cd" * 8, "ef" * 8, "tool.x", "CLIENT", 1000, 3000, "ERROR", "no", "agent_callbacks",
            {"s": "x", "i": 9007199254740993, "d": 0.5, "b": False, "a": (1, "y"), "m": {"k": "z"}, "n": None},
            (Event("exception", 2000),), (Link("01" * 16, "02" * 8),), {"service.name": "support"},
        )  # fmt: skip
        assert found == expected

    def test_other_writers(self, file):
        """Base64 ids and enum names, as plain protobuf writers make them, are understood."""
        found = self.one(
            file,
            traceId=base64.b64encode(b"\x01" * 16).decode(),
            spanId=base64.b64encode(b"\x02" * 8).decode(),
            parentSpanId="0000000000000000",
            kind="SPAN_KIND_SERVER",
            status={"code": "STATUS_CODE_OK"},
        )
        assert (found.trace_id, found.span_id, found.parent_id) == ("01" * 16, "02" * 8, None)
        assert (found.kind, found.status) == ("SERVER", "OK")
        assert self.one(file, kind="SPAN_KIND_UNSPECIFIED").kind == "INTERNAL"

    def test_lines(self, file):
        """One document a line, blank lines and other signals between."""
        lines = [otlp(), "", {"resourceLogs": []}, otlp(traceId="01" * 16)]
        file.write_text("\n".join(json.dumps(line) if line else "" for line in lines))
        assert len(load(file)) == 2

    def test_one_document_over_many_lines(self, file):
        """A document that somebody indented is read as one."""
        file.write_text("\ufeff" + json.dumps(otlp(), indent=2))
        assert len(load(file)) == 1

    def test_what_the_official_encoder_writes(self, file):
        """What OpenTelemetry's own protobuf encoder makes of the story is read back as the same trace."""
        encoder = pytest.importorskip("opentelemetry.exporter.otlp.proto.common.trace_encoder")
        json_format = pytest.importorskip("google.protobuf.json_format")
        file.write_text(json_format.MessageToJson(encoder.encode_spans(support())))
        assert load(file) == load(support())

    @pytest.mark.parametrize(
        ("content", "line", "expected"),
        [
            ("", 1, "OTLP-JSON, found an empty file"),
            ("hello", 1, "JSON, column 1"),
            (json.dumps(otlp()) + "\n{oops\n", 2, "JSON, column 2"),
            ('{\n "resourceSpans": [\n oops', 3, "JSON, column 2"),
            ("[]", 1, 'an object with "resourceSpans"'),
            ('{"traces": []}', 1, 'OTLP-JSON with "resourceSpans"'),
            ('{"resourceSpans": {"a": 1}}', 1, '"resourceSpans" to be an array'),
            ('{"resourceSpans": [1]}', 1, '"resourceSpans" to hold objects'),
            (json.dumps(otlp(traceId="xyz")), 1, '"traceId" to be 32 hex digits'),
            (json.dumps(otlp(spanId=None)), 1, '"spanId" to be 16 hex digits'),
            (json.dumps(otlp(startTimeUnixNano="soon")), 1, '"startTimeUnixNano" to be a 64-bit integer'),
            (json.dumps(otlp(kind=9)), 1, "SPAN_KIND_\\* as an integer from 0 to 5"),
            (json.dumps(otlp(attributes=[{"key": "a", "value": 1}])), 1, "an attribute's value to be an object"),
        ],
    )
    def test_wrong(self, file, content, line, expected):
        """What cannot be read is named by file, line and what was expected there."""
        file.write_text(content)
        with pytest.raises(TraceError, match=rf"spans\.jsonl, line {line}: expected {expected}"):
            load(file)

    def test_too_deep(self, file):
        """Attributes nested beyond reason are an error, not a crash."""
        value = '{"arrayValue":{"values":[' * 330 + "]}}" * 330
        file.write_text(json.dumps(otlp(attributes=[{"key": "a", "value": "DEEP"}])).replace('"DEEP"', value))
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(len(inspect.stack()) + 200)
        try:
            with pytest.raises(TraceError, match="less deeply"):
                load(file)
        finally:
            sys.setrecursionlimit(before)


def test_trace_of_values():
    """A trace can be made by hand, for tests of what reads traces."""
    assert Trace("t", (span("a"), span("b", "a"))).tree() == "a\n└─ b"
