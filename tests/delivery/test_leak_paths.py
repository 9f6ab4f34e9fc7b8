"""No path out on spans of others: marked values wherever an instrumentation or a resource may have put them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState

from agent_callbacks import Sanitizer, SanitizingSpanExporter
from agent_callbacks.store.write import StoreExporter
from tests.leaks import SEEDS, Seed, letters, together

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _json(seed: str) -> str:
    return json.dumps({"a": [seed, json.dumps({"b": seed})], seed: seed})


# Attribute -> its value with the seed in it, as instrumentations of others write them.
ATTRIBUTES: Final[dict[str, Callable[[str], Any]]] = {
    "url.full": lambda seed: f"https://shop.example/search?q={seed}",
    "url.query": lambda seed: f"q={seed}&page=2",
    "url.path": lambda seed: f"/orders;who={seed};page=2",
    "http.target": lambda seed: f"/search?q={seed}",
    "http.url": lambda seed: f"https://shop.example/orders;who={seed}",
    "http.request.header.x-customer": lambda seed: [seed],
    "http.request.header.authorization": lambda seed: [f"Token {seed}"],
    "http.response.header.set-cookie": lambda seed: [f"who={seed}; Path=/"],
    "db.query.text": lambda seed: f"SELECT * FROM users WHERE who = '{seed}' AND note LIKE '%{seed}%'",  # noqa: S608 - nobody runs it
    "db.statement": lambda seed: f"UPDATE users SET note = '{seed}'",  # noqa: S608 - nobody runs it
    "db.query.parameter.0": lambda seed: seed,
    "db.operation.parameter.who": lambda seed: seed,
    "messaging.message.body": _json,
    "rpc.request.metadata.who": lambda seed: (seed,),
    "exception.message": lambda seed: f"no {seed}",
    "code.stacktrace": lambda seed: f'File "x.py", line 1, in f\n    raise ValueError({seed!r})',
    "gen_ai.input.messages": lambda seed: json.dumps([{"role": "user", "parts": [{"type": "text", "content": seed}]}]),
    "gen_ai.output.messages": _json,
    "gen_ai.system_instructions": lambda seed: json.dumps([{"type": "text", "content": f"serve {seed}"}]),
    "gen_ai.tool.call.arguments": _json,
    "gen_ai.prompt.0.content": lambda seed: f"I am {seed}",
    "gen_ai.completion.0.content": lambda seed: f"hello {seed}",
    "gen_ai.completion.0.tool_calls.0.arguments": _json,
    "llm.input_messages.0.message.content": lambda seed: f"I am {seed}",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": _json,
    "llm.invocation_parameters": lambda seed: json.dumps({"user": seed, "stop": [seed]}),
    "llm.prompts": lambda seed: [seed, f"b {seed}"],
    "input.value": _json,
    "output.value": lambda seed: f"hello {seed}",
    "retrieval.documents.0.document.content": lambda seed: seed,
    "embedding.embeddings.0.embedding.text": lambda seed: seed,
    "traceloop.entity.input": _json,
    "traceloop.entity.name": lambda seed: seed,
    "traceloop.association.properties.who": lambda seed: seed,
    "langfuse.observation.input": _json,
    "metadata": _json,
    "tag.tags": lambda seed: ["a", seed],
    "error.message": lambda seed: seed,
    "bytes": lambda seed: seed.encode(),
    "long": lambda seed: "word " * 20_000 + seed,
}
IDENTITIES: Final = ("user.id", "session.id", "gen_ai.conversation.id", "gen_ai.tool.call.id", "enduser.id")
CONTEXT: Final = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))


def _with_state(seed: str) -> SpanContext:
    kept = [
        "".join(sign for sign in part.replace("=", ":") if sign not in ",\n") for part in seed.split(" | ")
    ]  # what a state may hold
    state = TraceState([(f"who{number}", part) for number, part in enumerate(kept)])
    return SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)


# Another part of a span -> how a span is made with the seed in it.
PARTS: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "name": lambda seed: {"name": f"GET {seed}"},
    "attribute key": lambda seed: {"attributes": {f"a {seed}": 1, seed: "x"}},
    "event name": lambda seed: {"event": (f"told {seed}", {})},
    "event attribute": lambda seed: {"event": ("told", {"gen_ai.prompt": _json(seed), "many": [seed]})},
    "event attribute key": lambda seed: {"event": ("told", {seed: 1})},
    "exception": lambda seed: {"error": ValueError(f"no {seed}", {seed: seed})},
    "link attribute": lambda seed: {"links": [Link(CONTEXT, {"a": seed, seed: 1})]},
    "link trace state": lambda seed: {"links": [Link(_with_state(seed))]},
    "trace state": lambda seed: {"context": trace.set_span_in_context(trace.NonRecordingSpan(_with_state(seed)))},
    "status": lambda seed: {"status": f"no {seed}"},
    "scope name": lambda seed: {"scope": {"instrumenting_module_name": f"by {seed}"}},
    "scope version": lambda seed: {"scope": {"instrumenting_library_version": f"1 {seed}"}},
    "scope attribute": lambda seed: {"scope": {"attributes": {"a": seed, seed: 1}}},
    "scope called like ours": lambda seed: {
        "scope": {"instrumenting_module_name": "agent_callbacks"},
        "attributes": {"input.value": seed, "gen_ai.input.messages": seed},
    },
    "resource attribute": lambda seed: {"resource": {"deployment.note": seed}},
    "resource attribute key": lambda seed: {"resource": {seed: "x"}},
    "resource list": lambda seed: {"resource": {"owners": ["x", seed]}},
    "command line": lambda seed: {"resource": {"process.command_line": f"app.py --for '{seed}' -v"}},
    "command arguments": lambda seed: {"resource": {"process.command_args": ["app.py", "--for", seed]}},
    "service name": lambda seed: {"resource": {"service.name": f"of {seed}"}},
}


def made(
    name: str = "GET",
    event: tuple[str, Any] | None = None,
    error: Exception | None = None,
    status: str | None = None,
    scope: dict[str, Any] | None = None,
    resource: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Return a finished span."""
    provider = TracerProvider(resource=Resource(resource or {"service.name": "app"}), shutdown_on_exit=False)
    tracer = provider.get_tracer(**{"instrumenting_module_name": "requests", **(scope or {})})
    span = tracer.start_span(name, **options)
    if event:
        span.add_event(*event)
    if error:
        try:
            raise error
        except ValueError as raised:
            span.record_exception(raised)
    if status:
        span.set_status(Status(StatusCode.ERROR, status))
    span.end()
    return span


def paths() -> list[tuple[str, Callable[[str], Any], bool]]:
    """Return what each path is called, how it makes a span, and whether it is one of identities."""
    return [
        *(
            (key, lambda seed, key=key, value=value: made(attributes={key: value(seed)}), False)
            for key, value in ATTRIBUTES.items()
        ),
        *((key, lambda seed, key=key: made(attributes={key: seed}), True) for key in IDENTITIES),
        *((part, lambda seed, given=given: made(**given(seed)), False) for part, given in PARTS.items()),
    ]


def test_the_paths_are_many() -> None:
    """There are more than anybody has counted before."""
    assert len(paths()) >= 22


@pytest.mark.parametrize(("name", "make", "identity"), paths(), ids=lambda value: value if type(value) is str else "")
def test_nothing_comes_out(name: str, make: Callable[[str], Any], identity: bool, tmp_path: Path) -> None:
    """All values at once and each alone: not as JSON, not as OTLP, not in the store's files; without the fence, yes."""
    store, memory = StoreExporter(tmp_path / "traces.db"), InMemorySpanExporter()
    everything = together(unmistakable=identity)
    alone = [seed for seed in SEEDS.values() if seed.unmistakable or not identity]
    for seed in (everything, *alone):
        span = make(seed.text)
        if name != "bytes":
            assert found_in([span], seed)
        for exporter in (store, memory):
            SanitizingSpanExporter(exporter, Sanitizer()).export([span])
        out = memory.get_finished_spans()
        memory.clear()
        assert not found_in(out, seed), [word[:4] for word in found_in(out, seed)]
    stored = "".join(letters(file.read_bytes().decode("latin-1")) for file in tmp_path.glob("traces.db*"))
    assert not [word[:4] for word in everything.words if word in stored]
    store.shutdown()


def found_in(spans: Any, seed: Seed) -> list[str]:
    """Return which words of *seed* the spans hold, as a file and as OTLP carry them."""
    texts = [letters(f"{span.to_json()}{span.instrumentation_scope}") for span in spans]
    texts.append(letters(encode_spans(spans).SerializeToString().decode("latin-1")))
    return [word for word in seed.words if any(word in text for text in texts)]
