"""Traces: one that is right has no finding, and each way to spoil it has exactly its own."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from agent_callbacks.analysis import Event, Span, Trace, TraceError, load
from agent_callbacks.analysis.trace import traces
from agent_callbacks.convention import NamingConvention, keys
from agent_callbacks.lint.judge import Judge
from agent_callbacks.lint.policy import Policy
from agent_callbacks.lint.run import Settings
from agent_callbacks.lint.spans import lint_traces
from agent_callbacks.privacy import pseudonyms

SECOND = 1_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
USAGE = {
    keys.USAGE_INPUT_TOKENS: 100,
    keys.USAGE_OUTPUT_TOKENS: 20,
    keys.USAGE_CACHE_READ: 40,
    keys.USAGE_REASONING: 5,
    keys.RESPONSE_FINISH_REASONS: ("stop",),
}
MODEL = {
    keys.OPERATION_NAME: "chat",
    keys.REQUEST_MODEL: "m-1",
    keys.PROVIDER_NAME: "p",
    keys.REQUEST_STREAM: True,
    keys.TIME_TO_FIRST_CHUNK: 0.1,
    **USAGE,
}
WHO = {keys.USER_ID: "u-17", keys.SESSION_ID: "s-9", keys.FEATURE_FLAG_VARIANT: "b"}


def made(number, parent, name, start, end, attributes, kind="INTERNAL", **more):
    """Return a span of ours; times are in seconds."""
    return Span(
        trace_id=TRACE, span_id=f"{number:016x}", parent_id=f"{parent:016x}" if parent else None, name=name, kind=kind,
        start_ns=start * SECOND, end_ns=end * SECOND, scope=keys.SCOPE_NAME, attributes=attributes,
        resource={"service.name": "support"}, **more,
    )  # fmt: skip


def step(number, parent, index, start, end, tokens=100):
    """Return a step."""
    counted = {keys.STEP_INPUT_TOKENS: tokens, keys.STEP_OUTPUT_TOKENS: 20}
    return made(number, parent, f"agent.step.{index}", start, end, {keys.STEP_INDEX: index, **counted})


def tool(number, parent, name, start, end, raw=None, **more):
    """Return a tool call."""
    said = {keys.OPERATION_NAME: "execute_tool", keys.TOOL_NAME: raw or name, **more.pop("attributes", {})}
    return made(number, parent, f"tool.{name}", start, end, said, **more)


def story():
    """Return the spans of a trace in which nothing is wrong, by name."""
    agent = {keys.OPERATION_NAME: "invoke_agent", keys.AGENT_NAME: "support", **WHO}
    retrieval = {keys.OPERATION_NAME: "retrieval", keys.DATA_SOURCE_ID: "docs", keys.RETRIEVER_DOCUMENT_COUNT: 3}
    listed = [
        made(1, 0, "agent.run.support", 1, 20, agent),
        made(2, 1, "retriever.docs", 1, 2, retrieval, "CLIENT"),
        step(3, 1, 1, 2, 8),
        made(4, 3, "llm.chat", 2, 4, MODEL, "CLIENT"),
        tool(5, 3, "search_web", 4, 8),
        step(6, 1, 2, 8, 12),
        made(7, 6, "llm.chat", 8, 12, MODEL, "CLIENT"),
        replace(made(8, 5, "GET /search", 5, 6, {}, "CLIENT"), scope="http"),
    ]
    return {span.span_id[-1]: span for span in listed}


def changed(span, **attributes):
    """Return *span* with other attributes; those that are None go."""
    merged = {**span.attributes, **attributes}
    return replace(span, attributes={key: value for key, value in merged.items() if value is not None})


def findings(spans, **given):
    """Lint spans as one file."""
    return lint_traces(traces(spans), "run.jsonl", Settings(**given)).findings


def codes(spans, **given):
    """Return the distinct codes found."""
    return sorted({each.code for each in findings(spans, **given)})


def key(name, value):
    """Return the change of one attribute."""
    return lambda span: changed(span, **{name: value})


def field(**changes):
    """Return the change of fields."""
    return lambda span: replace(span, **changes)


SPOILED = {
    "namespace": ("5", field(name="tools.search_web"), ["SPN101"]),
    "missing": ("5", field(name="tool"), ["SPN102"]),
    "case": ("5", field(name="tool.SearchWeb"), ["SPN105"]),
    "id": ("5", field(name="tool.search_3f2b8c1e9a77"), ["SPN113", "SPN201"]),
    "personal": ("5", field(name="tool.mail_bob@example.com"), ["SPN113", "SPN202"]),
    "template": ("5", field(name="tool.{name}"), ["SPN112", "SPN113"]),
    "other tool": ("5", field(name="tool.fetch_url"), ["SPN113"]),
    "other step": ("6", key(keys.STEP_INDEX, 7), ["SPN113"]),
    "other operation": ("4", key(keys.OPERATION_NAME, "embeddings"), ["SPN113"]),
    "other agent": ("1", key(keys.AGENT_NAME, "sales"), ["SPN113"]),
    "unknown tool": ("5", field(name="tool.unknown"), ["SPN306"]),
    "orphan": ("5", field(parent_id="00000000000000ff"), ["SPN401"]),
    "gap": ("6", lambda span: step(6, 1, 3, 8, 12), ["SPN402"]),
    "repeated": ("6", lambda span: step(6, 1, 1, 8, 12), ["SPN403"]),
    "never ended": ("5", field(end_ns=0), ["SPN404"]),
    "model beside steps": ("7", field(parent_id="0000000000000001"), ["SPN405"]),
    "tool beside steps": ("5", field(parent_id="0000000000000001"), ["SPN405"]),
    "outlives": ("7", field(end_ns=14 * SECOND), ["SPN406"]),
    "backwards": ("5", field(end_ns=3 * SECOND), ["SPN406"]),
    "second root": ("5", field(parent_id=None), ["SPN407"]),
    "no model": ("4", key(keys.REQUEST_MODEL, None), ["SPN501"]),
    "no provider": ("4", key(keys.PROVIDER_NAME, None), ["SPN501"]),
    "no tokens": ("4", key(keys.USAGE_OUTPUT_TOKENS, None), ["SPN501"]),
    "no tool name": ("5", key(keys.TOOL_NAME, None), ["SPN501"]),
    "no source": ("2", key(keys.DATA_SOURCE_ID, None), ["SPN501"]),
    "no count": ("2", key(keys.RETRIEVER_DOCUMENT_COUNT, None), ["SPN501"]),
    "no index": ("6", key(keys.STEP_INDEX, None), ["SPN501"]),
    "no error type": ("5", field(status="ERROR"), ["SPN502"]),
    "no status": ("5", key(keys.ERROR_TYPE, "ValueError"), ["SPN502"]),
    "long": ("5", key("note", "word " * 7000), ["SPN503"]),
    "long event": ("5", field(events=(Event("note", 1, {"parts": ("word " * 7000, {"a": 1})}),)), ["SPN503"]),
    "mail": ("5", key("note", "ask bob@example.com"), ["SPN504"]),
    "mail in a dict": ("5", key("note", {"who": ("bob@example.com",)}), ["SPN504"]),
    "mail as user": ("1", key(keys.USER_ID, "bob@example.com"), ["SPN504"]),
    "marker beside": ("5", key("note", "[EMAIL] or bob@example.com"), ["SPN504"]),
    "broken text": ("5", key("note", "\ud800 bob@example.com"), ["SPN504"]),
    "no user": ("1", key(keys.USER_ID, None), ["SPN505"]),
    "kind": ("4", field(kind="INTERNAL"), ["SPN506"]),
    "tool kind": ("5", field(kind="CLIENT"), ["SPN506"]),
    "negative": ("4", key(keys.USAGE_REASONING, -1), ["SPN507"]),
    "cached": ("4", key(keys.USAGE_CACHE_READ, 500), ["SPN507"]),
    "cached both": ("4", key(keys.USAGE_CACHE_WRITE, 80), ["SPN507"]),
    "reasoning": ("4", key(keys.USAGE_REASONING, 21), ["SPN507"]),
    "total": ("4", key(keys.USAGE_TOTAL, 121), ["SPN507"]),
    "step's sum": ("3", key(keys.STEP_INPUT_TOKENS, 99), ["SPN507"]),
    "no first chunk": ("4", key(keys.TIME_TO_FIRST_CHUNK, None), ["SPN508"]),
    "late first chunk": ("4", key(keys.TIME_TO_FIRST_CHUNK, 2.5), ["SPN508"]),
    "reported": ("5", key(keys.NAME_RULES, ("SPN105", "SPN999", 3)), ["SPN105"]),
}
UNSPOILED = {
    "nothing": ("5", field()),
    "remote parent": ("1", field(parent_id="00000000000000ff", parent_remote=True)),
    "entry": ("1", field(parent_id="00000000000000ff")),
    "total": ("4", key(keys.USAGE_TOTAL, 120)),
    "failed model": (
        "4",
        lambda span: replace(
            changed(span, **dict.fromkeys(USAGE), **{keys.ERROR_TYPE: "Timeout", keys.TIME_TO_FIRST_CHUNK: None}),
            status="ERROR",
        ),
    ),
    "internal model": (
        "7",
        lambda span: replace(changed(span, **{keys.INTERNAL_CALL: True}), parent_id="0000000000000001"),
    ),
    "manual": ("5", lambda span: changed(span, **{keys.OPERATION_NAME: None, keys.TOOL_NAME: None})),
    "marker": ("5", field(name="tool.mail", attributes={keys.TOOL_NAME: "mail_[EMAIL]"})),
    "overflow": ("5", field(name="tool.overflow")),
    "step overflow": ("6", field(name="agent.step.overflow")),
    "clean values": ("5", key("note", ("[EMAIL]", 3, None, True))),
    "within a millisecond": ("7", field(end_ns=12 * SECOND + 900_000)),
    "other operation": ("4", key(keys.OPERATION_NAME, None)),
}


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled(case):
    """A trace with one fault has the finding of that fault and no other."""
    number, change, expected = SPOILED[case]
    spans = story()
    spans[number] = change(spans[number])
    assert expected == codes(spans.values())


@pytest.mark.parametrize("case", UNSPOILED)
def test_unspoiled(case):
    """What only looks like a fault is none."""
    number, change = UNSPOILED[case]
    spans = story()
    spans[number] = change(spans[number])
    assert [] == codes(spans.values())


def test_child_of_unended():
    """A child is not measured against a parent that never ended."""
    spans = story()
    spans["3"] = replace(spans["3"], end_ns=0)
    assert ["SPN404"] == codes(spans.values())


def test_known_local_orphan():
    """A parent that is known to be of this process is missed even when nothing else is a root."""
    spans = story()
    spans["1"] = replace(spans["1"], parent_id="00000000000000ff", parent_remote=False)
    assert ["SPN401"] == codes(spans.values())


def test_type_that_is_a_message():
    """An error type is a word, not a sentence, an id or a page."""
    for wrong in ("no such order", "Order883920Error", "x" * 129):
        spans = story()
        spans["5"] = replace(changed(spans["5"], **{keys.ERROR_TYPE: wrong}), status="ERROR")
        assert ["SPN509"] == codes(spans.values())


def test_ring_of_parents():
    """Damaged data whose parents form a ring is linted too, and ends."""
    spans = [replace(story()["5"], parent_id="0000000000000006"), replace(story()["6"], parent_id="0000000000000005")]
    assert codes(spans)


class TestNames:
    """Names of a whole file."""

    def test_collision(self):
        """Two raw names behind one span name are reported once, with both."""
        spans = [*story().values(), *(tool(20 + n, 3, "search_web", 5, 6, "searchWeb") for n in range(3))]
        found = [each for each in findings(spans) if each.code == "SPN301"]
        assert ["`searchWeb` and `search_web` (trace 4bf92f35) both become `tool.search_web`"] == [
            each.message for each in found
        ]

    def test_ids_may_merge(self):
        """Names that lost an id share what is left on purpose."""
        lost = {keys.NAME_RULES: ("SPN201",)}
        spans = [tool(20 + n, 3, "kb", 5, 6, f"kb_88392{n}", attributes=lost) for n in range(3)]
        assert "SPN301" not in codes([*story().values(), *spans])

    def test_near_duplicate(self):
        """Names of one service that look alike are reported, those of two services are not."""
        other = tool(20, 3, "web_search", 5, 6)
        assert ["SPN302"] == codes([*story().values(), other])
        assert [] == codes([*story().values(), replace(other, resource={"service.name": "sales"})])

    def test_registry(self):
        """With a registry, a tool that is not in it is reported, reserved names are not."""
        judge = Judge(NamingConvention(registry=("fetchUrl",)))
        assert ["SPN303"] == codes(story().values(), judge=judge)
        told = story()
        told["5"] = changed(told["5"], **{keys.NAME_RULES: ("SPN303",)})
        assert ["SPN303"] == codes(told.values(), judge=judge)
        (found,) = findings(told.values())
        assert ("SPN303", "`tool.search_web` was in no registry at run time") == (found.code, found.message)
        judge = Judge(NamingConvention(registry=("searchWeb",)))
        assert [] == codes(story().values(), judge=judge)

    def test_no_registry(self):
        """Many tools without a registry are reported in the set strict alone."""
        many = [tool(20 + n, 3, name, 5, 6) for n, name in enumerate(("ask", "buy", "cut", "dig", "eat"))]
        spans = [*story().values(), *many]
        assert [] == codes(spans)
        assert ["SPN303"] == codes(spans, policy=Policy("strict"))

    def test_budget(self):
        """More names than the budget of a namespace are reported once, at the first one too many."""
        judge = Judge(NamingConvention(budgets={"tool": 1}, max_named_steps=1))
        spans = [*story().values(), tool(20, 3, "fetch", 5, 6)]
        found = findings(spans, judge=judge)
        assert ["SPN203", "SPN203"] == [each.code for each in found]
        assert {"agent.step.2", "tool.fetch"} == {each.name for each in found}

    def test_all_names(self):
        """Foreign names are judged only when asked for."""
        assert ["SPN101"] == codes(story().values(), scope="all", policy=Policy(select=("SPN1",)))

    def test_official_names(self):
        """The set otel_genai wants the standard's names and finds nothing else wrong with them."""
        official = {
            "1": "invoke_agent support", "2": "retrieval docs", "4": "chat m-1", "5": "execute_tool search_web",
            "7": "chat m-1",
        }  # fmt: skip
        spans = {number: replace(span, name=official.get(number, span.name)) for number, span in story().items()}
        policy = Policy("otel_genai")
        assert [] == codes(spans.values(), policy=policy)
        assert ["SPN113"] == codes(story().values(), policy=policy)

    def test_reported_once(self):
        """A fault of a name is one finding, however many spans have it."""
        spans = [*story().values(), *(tool(20 + n, 3, "Fetch", 5, 6, "fetch") for n in range(9))]
        assert 1 == sum(each.code == "SPN105" for each in findings(spans))


def test_personal_data_is_not_repeated():
    """No finding quotes personal data, in its message, its name or the tree it shows."""
    spans = story()
    spans["5"] = changed(replace(spans["5"], name="tool.mail_bob@example.com"), note="bob@example.com")
    assert "bob@example.com" not in repr(findings(spans.values()))


def test_identifiers_without_a_key(monkeypatch, caplog):
    """Looking at identifiers needs no key of pseudonyms, and asks nobody for one."""
    monkeypatch.delenv(pseudonyms.VARIABLE)
    monkeypatch.setattr(pseudonyms, "_warned", set())
    spans = story()
    spans["1"] = changed(spans["1"], **{keys.USER_ID: "bob@example.com", keys.SESSION_ID: "4111111111111111"})
    (found,) = findings(spans.values())
    assert ("SPN504", True) == (found.code, found.message.startswith("user.id"))
    assert [] == caplog.records


def test_where():
    """A finding names the file, trace and span, and shows the way from the root with the name at the end."""
    spans = story()
    spans["5"] = replace(spans["5"], name="tool.fetch_url")
    (found,) = findings(spans.values())
    assert ("run.jsonl", TRACE, "0000000000000005") == (found.path, found.trace_id, found.span_id)
    assert "agent.run.support > agent.step.1 > tool.fetch_url" == found.excerpt
    assert "tool.fetch_url" == found.excerpt[found.column - 1 : found.end_column - 1]


class TestConsole:
    """What the SDK's console exporter prints."""

    @pytest.fixture
    def printed(self, tmp_path):
        """Give the output of the real exporter for two nested spans, one with an event and a link."""
        path = tmp_path / "console.txt"
        with path.open("w") as file:
            provider = TracerProvider(resource=Resource({"service.name": "x"}), shutdown_on_exit=False)
            provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=file)))
            tracer = provider.get_tracer("app")
            with tracer.start_as_current_span("agent.run") as run:
                linked = [__import__("opentelemetry.trace", fromlist=["Link"]).Link(run.get_span_context(), {"k": 1})]
                with tracer.start_as_current_span("tool.searchWeb", links=linked) as span:
                    span.add_event("note", {"a": "b"})
                    span.set_attribute("n", (1, 2))
        return path

    def test_read(self, printed):
        """Names, parents, kinds, attributes, events, links and resource are there."""
        (trace,) = load(printed)
        assert "agent.run\n└─ tool.searchWeb" == trace.tree()
        span = trace.spans[1]
        assert ((1, 2), "INTERNAL", "UNSET") == (span.attributes["n"], span.kind, span.status)
        assert ("note", {"a": "b"}) == (span.events[0].name, span.events[0].attributes)
        assert ({"k": 1}, trace.trace_id) == (span.links[0].attributes, span.links[0].trace_id)
        assert "x" == span.resource["service.name"]

    def test_linted(self, printed):
        """They are linted like any other trace."""
        found = lint_traces(load(printed), str(printed), Settings(policy=Policy(select=("SPN1",)))).findings
        assert ["SPN105"] == [each.code for each in found]

    def test_never_ended(self, printed):
        """A span without an end is one that never ended."""
        one = json.loads(printed.read_text().split("\n}\n")[0] + "}")
        printed.write_text(json.dumps({**one, "end_time": None, "parent_id": None}))
        assert 0 == load(printed)[0].root.end_ns

    @pytest.mark.parametrize(
        "text",
        [
            '{"context": {"trace_id": 3}}', '{"context": {"trace_id": "0x1"', '["context", "trace_id"]',
            '{"context": {"trace_id": "0x1"}, "attributes": {"a": ' + "[" * 100_000,
        ],
    )  # fmt: skip
    def test_damaged(self, tmp_path, text):
        """What is no such output says where."""
        path = tmp_path / "console.txt"
        path.write_text("\n" + text)
        with pytest.raises(TraceError, match="line 2: expected a span as the console exporter prints it"):
            load(path)

    def test_damaged_behind_spans(self, printed):
        """A fault behind spans that were read is named by its own line, the first of what is no span."""
        lines = printed.read_text().count("\n")
        with printed.open("a") as file:
            file.write("{}\n")
        with pytest.raises(TraceError, match=f"line {lines + 1}: "):
            load(printed)


def test_otlp_remote_and_unended(tmp_path):
    """OTLP says whether a parent is remote, and a span without an end never ended."""
    span = {
        "traceId": TRACE, "spanId": "00000000000000a1", "parentSpanId": "00000000000000ff", "name": "agent.run",
        "startTimeUnixNano": "1", "flags": 0x300,
    }  # fmt: skip
    path = tmp_path / "run.json"
    path.write_text(
        json.dumps(
            {"resourceSpans": [{"scopeSpans": [{"spans": [span, {**span, "spanId": "0" * 15 + "1", "flags": 0x100}]}]}]}
        )
    )
    (trace,) = load(path)
    assert isinstance(trace, Trace)
    assert [(False, 0), (True, 0)] == [(each.parent_remote, each.end_ns) for each in trace.spans]
