"""Seeded personal data on every path of a run: not a byte of it leaves in spans, log records or the text of objects."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from typing import TYPE_CHECKING, Any, Final, TypedDict

import pytest
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from agent_callbacks import AgentCallbackHandler, Settings, request_metadata
from agent_callbacks.recording import live
from tests.langchain.models import ScriptedChat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.conftest import Spans

# What is put in, and the letters and digits by which it would be known again, however a name or a key is respelt.
SEEDS: Final = {
    "email": ("zelda.quux@seedmail.example", ("zeldaquux", "seedmail")),
    "card": ("4111 1111 1111 1111", ("4111111111", "11111111")),
    "phone": ("+49 151 23456789", ("15123456", "23456789")),
    "ssn": ("536-90-4399", ("536904399", "904399")),
    "ip": ("84.17.52.203", ("841752203",)),
    "bearer": ("Bearer qZ8vN2kLx0pTrW4yB6sD1fGh", ("qz8vn2klx0", "w4yb6sd1fgh")),
    "vendor key": ("sk-proj-" + "Qz8vN2kLx0pTrW4yB6sD1fGhJ7mC3aE9" * 2, ("qz8vn2klx0", "j7mc3ae9")),
    "jwt": (
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6ZWxkYS5xdXV4In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk4",
        ("eyjhbgcioi", "eyjzdwiioi", "dbjftjez4cv"),
    ),
    "password": ('password="hunter-Zq9xW"', ("hunterzq9",)),
}  # fmt: skip
EMAIL: Final = SEEDS["email"][0]
LEVELS: Final = ("off", "arguments", "tools", "all")


def letters(text: str) -> str:
    """Return only what survives any respelling."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


# --- where it could come out -----------------------------------------------------------------------------------------
def leaks(spans: Spans, known_by: Iterable[str]) -> list[str]:
    """Return where in the exported spans one of the words stands."""
    found: list[str] = []
    for span in spans.finished():
        places = {"name": span.name, "status": str(span.status.description)}
        places |= {f"attribute {key}": f"{key} {value}" for key, value in (span.attributes or {}).items()}
        for event in span.events:
            places[f"event {event.name}"] = f"{event.name} {dict(event.attributes or {})}"
        places |= {f"link {number}": str(dict(link.attributes or {})) for number, link in enumerate(span.links)}
        found += [
            f"{letters(span.name)[:20]}: {letters(place)[:40]}"
            for place, text in places.items()
            if any(word in letters(text) for word in known_by)
        ]
    return found


def exported(spans: Spans) -> str:
    """Return all that leaves, as a file and as OTLP would carry it."""
    binary = encode_spans(spans.finished()).SerializeToString().decode("latin-1")
    return "".join([*(span.to_json() for span in spans.finished()), binary])


def check(spans: Spans, known_by: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    """Assert that none of the words is in spans or in our log records."""
    assert spans.finished()
    assert not leaks(spans, known_by)
    assert not [word for word in known_by if word in letters(exported(spans))]
    said = [record for record in caplog.records if record.name.startswith(("agent_callbacks", "opentelemetry"))]
    texts = [f"{record.getMessage()} {record.args} {record.exc_info}" for record in said]
    assert not [text for text in texts if any(word in letters(text) for word in known_by)]


# --- where it goes in ------------------------------------------------------------------------------------------------
class Telling(BaseTool):
    """A tool with the seed in name, description, arguments and result, or in its error."""

    name: str
    description: str
    fails: bool = False

    def _run(self, *_: Any, **__: Any) -> Any:
        write_on_the_current_span(self.name)
        if self.fails:
            raise failure(self.name)
        return {self.name: [self.name, {"deep": self.name}]}

    async def _arun(self, *_: Any, **__: Any) -> Any:
        await asyncio.sleep(0)
        return self._run()


class Finding(BaseRetriever):
    """A retriever with the seed in documents and their metadata, or in its error."""

    seed: str
    fails: bool = False

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        if self.fails:
            raise failure(self.seed)
        return [Document(f"about {self.seed}", metadata={self.seed: self.seed, "source": self.seed}, id=EMAIL)]


def failure(seed: str) -> Exception:
    """Return an error that says the seed itself, in its cause and in a note."""
    error = ValueError(f"no account for {seed}", seed)
    error.__cause__ = KeyError(seed)
    error.__context__ = RuntimeError(seed)
    error.add_note(f"asked by {seed}")
    return error


def write_on_the_current_span(seed: str) -> None:
    """Put the seed wherever the API of a span takes a text."""
    span = trace.get_current_span()
    span.set_attribute(f"mine {seed}", seed)
    span.set_attributes({"one": f"x {seed}", "many": [seed, f"y {seed}"]})
    span.add_event(f"event {seed}", {seed: seed, "many": [seed]})
    span.record_exception(failure(seed), {"seed": seed, seed: seed})
    span.add_link(span.get_span_context(), {seed: seed})
    span.set_status(trace.StatusCode.ERROR, f"because of {seed}")
    span.update_name(f"renamed {seed}")


def model(seed: str, *, fails: bool = False) -> Any:
    """Return a model that answers with the seed in text, tool name, arguments, ids and metadata."""
    called = {"name": seed, "args": {"text": seed, seed: seed}, "id": f"call {EMAIL}", "type": "tool_call"}
    told = {"model_name": seed, "finish_reason": seed, "headers": {"authorization": seed}, "id": EMAIL}
    answer = AIMessage(f"hello {seed}", tool_calls=[called], response_metadata=told)
    schema = {"type": "function", "function": {"name": seed, "description": seed, "parameters": {"title": seed}}}
    bound: Any = ScriptedChat(script=[failure(seed)] if fails else [answer], model_name=seed, provider=seed)
    return bound.bind(tools=[schema], stop=[seed])


def messages(seed: str) -> list[Any]:
    """Return a conversation with the seed in each part."""
    called = {"name": seed, "args": {seed: seed}, "id": "1", "type": "tool_call"}
    return [
        SystemMessage(f"you serve {seed}"),
        HumanMessage([{"type": "text", "text": seed}, {"type": "image", "url": f"https://x.test/?q={seed}"}]),
        HumanMessage(seed, name=seed),
        AIMessage(seed, tool_calls=[called]),
        ToolMessage(f'{{"found": "{seed}"}}', tool_call_id="1", name=seed),
    ]


class State(TypedDict):
    """The state of the graph."""

    said: Any
    more: Any


def quietly(call: Callable[[], Any]) -> None:
    """Call, and let the seeded failure pass."""
    with contextlib.suppress(ValueError):
        call()


def work(seed: str) -> Any:
    """Do everything a node may do, with the seed in it."""
    dispatch_custom_event(f"told {seed}", {seed: seed, "list": [seed]})
    write_on_the_current_span(seed)
    named: Any = {"run_name": seed}
    quietly(lambda: model(seed).invoke(messages(seed)))
    quietly(lambda: model(seed, fails=True).invoke(messages(seed)))
    quietly(lambda: list(model(seed).stream(messages(seed), named)))
    for fails in (False, True):
        told = Telling(name=seed, description=f"About {seed}.", fails=fails)
        quietly(lambda told=told: told.invoke({"text": seed, seed: {"deep": [seed]}}))
        quietly(lambda fails=fails: Finding(seed=seed, fails=fails).invoke(f"find {seed}", named))
    return {"more": [seed, {seed: seed}]}


async def awork(seed: str) -> Any:
    """Do the same in async code."""
    await adispatch_custom_event(f"told {seed}", {seed: seed, "list": [seed]})
    write_on_the_current_span(seed)
    with contextlib.suppress(ValueError):
        await model(seed).ainvoke(messages(seed))
    with contextlib.suppress(ValueError):
        await model(seed, fails=True).ainvoke(messages(seed))
    for fails in (False, True):
        told = Telling(name=seed, description=f"About {seed}.", fails=fails)
        with contextlib.suppress(ValueError):
            await told.ainvoke({"text": seed, seed: {"deep": [seed]}})
        with contextlib.suppress(ValueError):
            await Finding(seed=seed, fails=fails).ainvoke(f"find {seed}", {"run_name": seed})
    return {"more": [seed, {seed: seed}]}


def graph(seed: str, node: Any) -> Any:
    """Return a graph with the seed in its name and its nodes', the last of which fails with it."""

    def fail(_: Any) -> Any:
        raise failure(seed)

    made = StateGraph(State)
    made.add_node(f"work {seed}", node)
    made.add_node(f"fail {seed}", fail)
    made.add_edge(START, f"work {seed}")
    made.add_edge(f"work {seed}", f"fail {seed}")
    return made.compile(name=f"agent {seed}", checkpointer=InMemorySaver())


@contextlib.contextmanager
def asked_by(seed: str) -> Iterator[None]:
    """Say who asks in baggage and in a block, with the seed in it."""
    context = baggage.set_baggage("variant", seed, baggage.set_baggage("session_id", EMAIL))
    token = otel_context.attach(context)
    with request_metadata(experiment=seed, remark=seed, nested={seed: [seed]}, **{seed: seed}):
        yield
    otel_context.detach(token)


def config(seed: str, handler: AgentCallbackHandler) -> Any:
    """Return a run's config with the handler."""
    return {
        "callbacks": [handler],
        "tags": [seed, f"tag {seed}"],
        "metadata": {"user_id": EMAIL, "note": seed, seed: seed, "deep": {seed: [{seed: seed}]}, "agent_name": seed},
        "configurable": {"thread_id": EMAIL},
    }


def exporting(spans: Spans, **settings: Any) -> AgentCallbackHandler:
    """Return a handler with these settings."""
    return AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(**settings))


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Look at debug records too: what nobody reads by default is in a file somewhere."""
    caplog.set_level(logging.DEBUG, logger="agent_callbacks")


# --- every path ------------------------------------------------------------------------------------------------------
@pytest.mark.logs_expected
@pytest.mark.parametrize("attributes", ["bridged", "openinference"])
@pytest.mark.parametrize("content", LEVELS)
@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_no_seed_leaves_a_run(
    mode: str, kind: str, content: Any, attributes: Any, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """Names, tags, metadata, messages, arguments, results, documents, errors, events and what bodies write."""
    seed, known_by = SEEDS[kind]
    handler = exporting(spans, content=content, attributes=attributes, inner_spans=True)
    given, state = config(seed, handler), {"said": {seed: seed, "list": [seed]}, "more": None}

    async def node(_: Any) -> Any:
        return await awork(seed)

    with asked_by(seed):
        if mode == "sync":
            quietly(lambda: graph(seed, lambda _: work(seed)).invoke(state, given))
        else:
            with pytest.raises(ValueError, match="no account"):
                await graph(seed, node).ainvoke(state, given)
    assert len(spans.finished()) >= 9
    assert handler.internal_errors == 0
    check(spans, (*known_by, *SEEDS["email"][1]), caplog)


@pytest.mark.logs_expected
@pytest.mark.parametrize("content", LEVELS)
@pytest.mark.parametrize("kind", SEEDS)
def test_no_seed_leaves_a_plain_chain(kind: str, content: Any, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    """A chain's run name, input, output, error, and the spans others make in its body."""
    seed, known_by = SEEDS[kind]
    handler = exporting(spans, content=content)

    def body(given: Any) -> Any:
        with spans.provider.get_tracer("client").start_as_current_span("GET"):
            return [given, seed]

    def fail(_: Any) -> Any:
        raise failure(seed)

    given = {**config(seed, handler), "run_name": f"chain of {seed}"}
    given["metadata"].pop("agent_name")
    with asked_by(seed):
        RunnableLambda(body).invoke({seed: seed}, given)
        with pytest.raises(ValueError, match="no account"):
            RunnableLambda(fail).invoke(seed, given)
    assert len(spans.finished()) == 3
    check(spans, (*known_by, *SEEDS["email"][1]), caplog)


@pytest.mark.logs_expected
@pytest.mark.parametrize("content", LEVELS)
@pytest.mark.parametrize("kind", SEEDS)
async def test_no_seed_leaves_a_text_model(
    kind: str, content: Any, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """Prompts and completions that are no messages, sync and async, with stop words and parameters of the user's."""
    seed, known_by = SEEDS[kind]
    handler = exporting(spans, content=content, attributes="openinference")
    given = {"callbacks": [handler], "metadata": {"note": seed}}
    await FakeListLLM(responses=[f"hello {seed}"]).ainvoke(f"ask {seed}", given, stop=[seed])
    list(FakeListLLM(responses=[f"hello {seed}"]).stream(f"ask {seed}", given))
    assert spans.names() == ["llm.text_completion"] * 2
    check(spans, known_by, caplog)


@pytest.mark.logs_expected
@pytest.mark.parametrize("content", LEVELS)
@pytest.mark.parametrize("kind", SEEDS)
def test_no_seed_leaves_an_interrupt(kind: str, content: Any, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    """What a human is asked and answers, and the update of a hand-off."""
    seed, known_by = SEEDS[kind]
    handler = exporting(spans, content=content)
    made = StateGraph(State)
    made.add_node("ask", lambda _: Command(update={"more": [interrupt({seed: seed}), seed]}))
    made.add_edge(START, "ask")
    waits, given = made.compile(checkpointer=InMemorySaver()), config("x", handler)
    waits.invoke({"said": seed, "more": None}, given)
    waits.invoke(Command(resume=seed), given)
    assert len(spans.finished()) == 2
    check(spans, (*known_by, *SEEDS["email"][1]), caplog)


# --- values that only their key gives away ---------------------------------------------------------------------------
SECRET: Final = "correct horse"
KEYED: Final[dict[str, Any]] = {"password": SECRET, "api_key": SECRET, "ssn": SECRET, "x": {"client_secret": [SECRET]}}
CORRECT: Final = ("correcthorse",)


def keyed_in_arguments(given: Any) -> None:
    """Give secrets to a tool."""
    Telling(name="telling", description="Tell.").invoke({"inner": KEYED, **KEYED}, given)


def keyed_in_metadata(given: Any) -> None:
    """Give secrets in the config."""
    RunnableLambda(str).invoke("x", {**given, "metadata": {**KEYED, "deep": KEYED}})


def keyed_in_a_block(given: Any) -> None:
    """Give secrets in a block."""
    with request_metadata(**KEYED):
        RunnableLambda(str).invoke("x", given)


def keyed_in_state(given: Any) -> None:
    """Give secrets to a chain."""
    RunnableLambda(lambda one: [one]).invoke(KEYED, given)


def keyed_in_a_custom_event(given: Any) -> None:
    """Tell secrets in a custom event."""
    RunnableLambda(lambda _: dispatch_custom_event("told", KEYED)).invoke("x", given)


def keyed_in_documents(given: Any) -> None:
    """Find documents with secrets."""

    class Store(BaseRetriever):
        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            return [Document("text", metadata=KEYED)]

    Store().invoke("q", given)


def keyed_in_messages(given: Any) -> None:
    """Send and answer secrets."""
    asked = {"name": "login", "args": KEYED, "id": "1", "type": "tool_call"}
    answer = AIMessage("", tool_calls=[asked], response_metadata=KEYED)
    ScriptedChat(script=[answer]).invoke(
        [AIMessage("", tool_calls=[asked]), ToolMessage([KEYED], tool_call_id="1")], given
    )


def keyed_in_attributes(given: Any) -> None:
    """Set secrets as attributes."""

    def body(_: Any) -> None:
        span = trace.get_current_span()
        span.set_attribute("db.password", SECRET)
        span.set_attributes({"client_secret": [SECRET]})

    RunnableLambda(body).invoke("x", given)


def keyed_in_span_events(given: Any) -> None:
    """Add secrets in events and links."""

    def body(_: Any) -> None:
        span = trace.get_current_span()
        span.add_event("login", {"password": SECRET})
        span.record_exception(ValueError("x"), {"api_key": SECRET})
        span.add_link(span.get_span_context(), {"password": SECRET})

    RunnableLambda(body).invoke("x", given)


@pytest.mark.logs_expected
@pytest.mark.parametrize("content", LEVELS)
@pytest.mark.parametrize("put", [
    keyed_in_arguments, keyed_in_metadata, keyed_in_a_block, keyed_in_state, keyed_in_a_custom_event,
    keyed_in_documents, keyed_in_messages, keyed_in_attributes, keyed_in_span_events,
])  # fmt: skip
def test_a_value_under_a_telling_key_never_leaves(
    put: Callable[[Any], None], content: Any, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """What looks harmless and stands under ``password`` is a password, wherever keys are."""
    handler = exporting(spans, content=content, attributes="openinference")
    put({"callbacks": [handler]})
    check(spans, CORRECT, caplog)


# --- the text of our objects -----------------------------------------------------------------------------------------
@pytest.mark.logs_expected
@pytest.mark.parametrize("kind", SEEDS)
def test_no_object_of_ours_prints_a_seed(kind: str, spans: Spans) -> None:
    """What an error tracker would print of a frame's locals holds nothing of the user's."""
    seed, known_by = SEEDS[kind]
    handler, printed = exporting(spans, content="all"), list[str]()

    def body() -> str:
        bodies = [live.body_of(), trace.get_current_span()]
        for operation in handler.open_operations():
            printed.extend(map(repr, (operation, operation.value, operation.request, operation.body, operation.agent)))
        printed.extend(map(repr, (*bodies, handler, handler._recorder, handler._recorder.writer)))
        printed.append(repr(handler._recorder.settings))
        return seed

    class Printing(Telling):
        def _run(self, *_: Any, **__: Any) -> Any:
            return body()

    given = {"callbacks": [handler], "metadata": {"user_id": EMAIL, "note": seed}, "tags": [seed]}
    RunnableLambda(lambda _: Printing(name="tell", description=seed).invoke({"text": seed})).invoke(seed, given)
    assert printed
    assert not [text[:40] for text in printed if any(word in letters(text) for word in known_by)]


# --- errors of ours --------------------------------------------------------------------------------------------------
@pytest.mark.swallows
@pytest.mark.logs_expected
@pytest.mark.parametrize("place", ["start", "end", "error"])
def test_a_failure_of_ours_logs_no_content(
    place: str, spans: Spans, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is swallowed is logged by its type, never by what it says."""
    handler = exporting(spans, content="all")
    seed, known_by = SEEDS["email"]

    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError(seed)

    def body(one: Any) -> Any:
        if place == "error":
            raise LookupError(seed)
        return one

    monkeypatch.setattr(
        handler._recorder.writer, {"start": "open", "end": "result", "error": "exception"}[place], broken
    )
    with contextlib.suppress(LookupError):
        RunnableLambda(body).invoke(seed, {"callbacks": [handler]})
    assert handler.internal_errors > 0
    texts = [f"{record.getMessage()} {record.args} {record.exc_info}" for record in caplog.records]
    assert not [text for text in texts if any(word in letters(text) for word in known_by)]
    handler._recorder.abandon_all()


@pytest.mark.parametrize("content", ["off", "all"])
def test_the_class_of_an_error_is_cleaned_on_every_span(content: Any, spans: Spans) -> None:
    """A class made at run time may be called anything; its name is the error's type, and its ancestors' too."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content=content))
    kind = type("Rejected jane.roe@example.org", (ValueError,), {})

    def reject(_: Any) -> None:
        raise kind("no")

    with pytest.raises(ValueError, match="no"):
        (RunnableLambda(str) | RunnableLambda(reject)).invoke("x", {"callbacks": [handler]})
    (span,) = spans.finished()
    assert "Rejected [EMAIL]" in str((span.attributes or {})["error.type"])
    assert "jane.roe" not in span.to_json()
