# ruff: noqa: D103 - the name of a path says what it is
"""Every way a value of the user's can reach a span of LangChain or LangGraph: one small function a path.

A path is given the value and the handler, and does what a user's program would. What may raise is told to raise what
``quietly`` lets pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any, Final, TypedDict

from langchain.agents import create_agent
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool, ToolException
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanContext, TraceFlags, TraceState
from pydantic import BaseModel, Field, ValidationError

from agent_callbacks import downstream, request_metadata, span
from tests.features import PLAIN_METADATA
from tests.langchain.models import Cut, ScriptedChat, calls, says
from tests.path import Expected, Paths, quietly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent_callbacks import AgentCallbackHandler

Path = "Callable[[str, AgentCallbackHandler], Any]"

PATHS: Final = Paths()
path = PATHS.enter


def config(handler: AgentCallbackHandler, **given: Any) -> Any:
    """Return a run's configuration."""
    return {"callbacks": [handler], **given}


def chain(handler: AgentCallbackHandler, body: Any = str, given: Any = "x", **more: Any) -> None:
    """Run a chain of one function."""
    with quietly():
        RunnableLambda(body).invoke(given, config(handler, **more))


def failing(error: BaseException) -> Any:
    """Return a function that raises *error*."""

    def fail(_: Any) -> Any:
        raise error

    return fail


def inside(handler: AgentCallbackHandler, write: Any) -> None:
    """Run *write* on the current span of a chain's body."""
    chain(handler, lambda _: write(trace.get_current_span()))


def model(*script: Any, **given: Any) -> ScriptedChat:
    """Return a model that plays *script*."""
    return ScriptedChat(script=list(script) or [says("hello")], **given)


def ask(handler: AgentCallbackHandler, *messages: Any, **given: Any) -> None:
    """Send *messages* to a model."""
    model(**given).invoke(list(messages), config(handler))


def answered(handler: AgentCallbackHandler, message: Any, **given: Any) -> None:
    """Have a model answer *message*."""
    model(message, **given).invoke([HumanMessage("hi")], config(handler))


def tool(function: Any = str, **given: Any) -> StructuredTool:
    """Return a tool around *function* of one argument."""

    def look(text: str) -> Any:
        """Look."""
        return function(text)

    return StructuredTool.from_function(look, **{"name": "look", **given})


class State(TypedDict, total=False):
    """The state of the graphs."""

    said: Any
    more: Any


def graph(node: Any, name: str = "work", **given: Any) -> Any:
    """Return a graph of one node."""
    made = StateGraph(State)
    made.add_node(name, node)
    made.add_edge(START, name)
    return made.compile(**given)


def nameable(seed: str) -> str:
    """Return what of *seed* LangGraph allows in a name: it keeps two signs for itself."""
    return " / ".join(part for part in seed.split(" | ") if ":" not in part) or "x"


THREAD: Final = {"configurable": {"thread_id": "t-1"}}
USER: Final = {"role": "user", "content": "hi"}


# --- configuration ---------------------------------------------------------------------------------------------------
@path()
def run_name(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, run_name=f"for {seed}")


@path()
def tags(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, tags=["a", seed])


@path()
def tag_at_its_cut(seed: str, handler: AgentCallbackHandler) -> None:
    for before in (240, 250, 254):
        chain(handler, tags=["x" * (before - 1) + " " + seed])


def _metadata(name: str, made: Callable[[str], Any], **options: bool) -> None:
    def run(seed: str, handler: AgentCallbackHandler) -> None:
        chain(handler, metadata=made(seed))

    run.__name__ = name
    path(**options)(run)


@dataclasses.dataclass
class Customer:
    """Somebody."""

    mail: str
    friends: list[Any] = dataclasses.field(default_factory=list)


class Login(BaseModel):
    """Somebody who comes in."""

    mail: str
    inner: dict[str, Any] = Field(default_factory=dict)


_metadata("metadata_value", lambda seed: {"note": seed})
_metadata("metadata_key", lambda seed: {f"a {seed}": 1})
_metadata("metadata_nested_value", lambda seed: {"deep": {"a": [{"b": (seed,)}]}})
_metadata("metadata_nested_key", lambda seed: {"deep": [{seed: [{seed: 1}]}]})
_metadata("metadata_set", lambda seed: {"them": {seed}})
_metadata("metadata_json", lambda seed: {"raw": f'{{"said": ["{seed.replace(chr(10), " ").replace(chr(34), "")}"]}}'})
_metadata("metadata_dataclass", lambda seed: {"who": Customer(seed, [Customer(seed)])})
_metadata("metadata_model", lambda seed: {"who": Login(mail=seed, inner={seed: seed})})
_metadata("metadata_bytes", lambda seed: {"raw": seed.encode(), "more": bytearray(seed.encode())}, untold=True)
_metadata("metadata_exception", lambda seed: {"last": ValueError(seed)}, untold=True)
_metadata("metadata_long_value", lambda seed: {"long": "word " * 1600 + seed + " word" * 2000})
_metadata("metadata_agent_name", lambda seed: {"agent_name": seed})
_metadata("metadata_variant", lambda seed: {"variant": seed})
_metadata("metadata_variant_at_its_cut", lambda seed: {"variant": "x" * 241 + " " + seed})
_metadata("metadata_variants", lambda seed: {"variant": {seed: "a", "tone": seed}})
_metadata("metadata_experiment", lambda seed: {"variant": "b", "experiment": seed})
_metadata("metadata_user_id", lambda seed: {"user_id": seed}, identity=True)
_metadata("metadata_user_id_at_its_cut", lambda seed: {"user_id": "x" * 241 + " " + seed}, identity=True)
_metadata("metadata_session_id", lambda seed: {"session_id": seed}, identity=True)
_metadata("metadata_conversation_id", lambda seed: {"conversation_id": seed}, identity=True)
_metadata("metadata_thread_id", lambda seed: {"thread_id": seed}, identity=True)


@path(identity=True)
def configurable_thread_id(seed: str, handler: AgentCallbackHandler) -> None:
    given = config(handler, configurable={"thread_id": seed})
    graph(lambda _: {"said": 1}, checkpointer=InMemorySaver()).invoke({"said": 0}, given)


@path(untold=PLAIN_METADATA.there)
def configurable_value(seed: str, handler: AgentCallbackHandler) -> None:
    graph(lambda _: {"said": 1}).invoke({"said": 0}, config(handler, configurable={"tenant": seed}))


def _asked(name: str, **options: bool) -> Callable[[Callable[[str], Any]], None]:
    def enter(block: Callable[[str], Any]) -> None:
        def run(seed: str, handler: AgentCallbackHandler) -> None:
            with block(seed):
                chain(handler)

        run.__name__ = name
        path(**options)(run)

    return enter


_asked("block_user_id", identity=True)(lambda seed: request_metadata(user_id=seed))
_asked("block_session_id", identity=True)(lambda seed: request_metadata(session_id=seed))
_asked("block_variant")(lambda seed: request_metadata(variant={seed: seed}))
_asked("block_experiment")(lambda seed: request_metadata(variant="b", experiment=seed))
_asked("block_value")(lambda seed: request_metadata(plan=[seed, {seed: seed}]))
_asked("block_key")(lambda seed: request_metadata(**{f"for {seed}": 1}))


@contextlib.contextmanager
def carrying(**entries: str) -> Iterator[None]:
    """Carry baggage."""
    context = otel_context.get_current()
    for key, value in entries.items():
        context = baggage.set_baggage(key, value, context)
    token = otel_context.attach(context)
    yield
    otel_context.detach(token)


_asked("baggage_user_id", identity=True)(lambda seed: carrying(user_id=seed))
_asked("baggage_user_id_at_its_cut", identity=True)(lambda seed: carrying(user_id="x" * 241 + " " + seed))
_asked("baggage_session_id", identity=True)(lambda seed: carrying(**{"session.id": seed}))
_asked("baggage_variant")(lambda seed: carrying(variant=seed))
_asked("baggage_of_others", untold=True)(lambda seed: carrying(customer=seed, **{seed: seed}))


# --- chains ----------------------------------------------------------------------------------------------------------
@path()
def chain_input(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, given=f"about {seed}")


@path()
def chain_input_value(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, given={"deep": [seed, {"a": (seed,)}]})


@path()
def chain_input_key(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, given={seed: {seed: 1}})


@path()
def chain_input_object(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, given={"who": Customer(seed), "more": Login(mail=seed)})


@path()
def chain_output(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, lambda _: {seed: [seed]})


@path()
def chain_streamed_output(seed: str, handler: AgentCallbackHandler) -> None:
    def pieces(given: Iterator[Any]) -> Iterator[str]:
        for _ in given:
            yield from (seed[at : at + 3] for at in range(0, len(seed), 3))

    from langchain_core.runnables import RunnableGenerator

    assert seed == "".join(RunnableGenerator(pieces).stream("x", config(handler)))


@path()
def chain_batch(seed: str, handler: AgentCallbackHandler) -> None:
    RunnableLambda(str).batch([seed, f"b {seed}"], config(handler))


@path()
def chain_prompt_variables(seed: str, handler: AgentCallbackHandler) -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "serve {who}"), ("user", "{text}")])
    (prompt | model()).invoke({"who": seed, "text": seed}, config(handler))


@path()
def chain_function_name(seed: str, handler: AgentCallbackHandler) -> None:
    def body(given: Any) -> Any:
        return given

    body.__name__ = seed
    chain(handler, body)


def _raised(name: str, made: Callable[[str], BaseException], **options: bool) -> None:
    def run(seed: str, handler: AgentCallbackHandler) -> None:
        error = made(seed)
        with quietly(type(error)):
            RunnableLambda(failing(error)).invoke("x", config(handler))

    run.__name__ = name
    path(**options)(run)


def _caused(seed: str) -> Exception:
    error = Expected("failed")
    error.__cause__ = KeyError(seed)
    error.__cause__.__cause__ = ValueError(seed)
    return error


def _noted(seed: str) -> Exception:
    error = Expected("failed")
    error.add_note(f"asked by {seed}")
    return error


def _grouped(seed: str) -> BaseException:
    inner = ExceptionGroup(f"inner {seed}", [_caused(seed), KeyError(seed)])
    inner.add_note(seed)
    return ExceptionGroup("outer", [inner, _noted(seed)])


def _invalid(seed: str) -> Exception:
    try:
        Login.model_validate({"mail": [seed], "inner": {"a": seed}, seed: seed})
    except ValidationError as error:
        return error
    raise AssertionError


class _Body(Exception):  # noqa: N818 - as an SDK's
    """An error of a provider's SDK, with a response."""

    def __init__(self, seed: str) -> None:
        super().__init__(f"Error code: 401 - {{'error': {{'message': 'Incorrect key: {seed}', 'param': None}}}}")
        self.body = {"error": {"message": seed}}
        self.request = seed


class _Unspeakable(Exception):  # noqa: N818 - as a user's
    def __str__(self) -> str:
        raise RuntimeError(self.args[0])


_raised("error_message", lambda seed: Expected(f"no account for {seed}"))
_raised("error_message_at_its_cut", lambda seed: Expected("x" * 2030 + " " + seed))
_raised("error_message_at_the_events_cut", lambda seed: Expected("words " * 2725 + seed + " more" * 99))
_raised("error_argument", lambda seed: Expected("no account", {seed: seed}))
_raised("error_key", KeyError)
_raised("error_cause", _caused, untold=True)
_raised("error_note", _noted, untold=True)
_raised("error_group", lambda seed: ExceptionGroup(f"outer {seed}", [ValueError(seed)]))
_raised("error_nested_group", _grouped, untold=True)
_raised("error_class_name", lambda seed: type(f"Rejected {seed}", (Expected,), {})("no"))
_raised("error_that_fails_to_speak", _Unspeakable, untold=True)
_raised("error_of_validation", _invalid)
_raised("error_of_a_provider", _Body)


@path()
def error_in_a_function_called_so(seed: str, handler: AgentCallbackHandler) -> None:
    body = failing(Expected("no"))
    body.__code__ = body.__code__.replace(co_qualname=f"serve {seed}", co_filename=f"/srv/{seed}/app.py")
    chain(handler, body)


# --- models ----------------------------------------------------------------------------------------------------------
@path()
def system_message(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, SystemMessage(f"you serve {seed}"))


@path()
def human_message(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, HumanMessage(f"I am {seed}"))


@path()
def human_message_split_over_parts(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, HumanMessage([{"type": "text", "text": f"I am {seed}"}, {"type": "text", "text": seed}]))


@path()
def human_message_that_is_json(seed: str, handler: AgentCallbackHandler) -> None:
    import json

    ask(handler, HumanMessage(json.dumps({seed: [seed, json.dumps({"again": seed})]})))


@path()
def human_message_too_long(seed: str, handler: AgentCallbackHandler) -> None:
    for words in (6500, 6540, 6550):
        ask(handler, HumanMessage("word " * words + seed + " word" * 100))


@path()
def image_address(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, HumanMessage([{"type": "image_url", "image_url": {"url": f"https://x.test/?q={seed}"}}]))


@path(untold=True)
def file_name(seed: str, handler: AgentCallbackHandler) -> None:
    file = {"type": "file", "base64": "eA==", "mime_type": "text/plain", "filename": seed, "extras": {"a": seed}}
    ask(handler, HumanMessage([file]))


@path()
def message_name(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, HumanMessage("hi", name=seed))


@path(identity=True, untold=True)
def message_id(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, HumanMessage("hi", id=seed), AIMessage("x", id=seed))


@path()
def history_tool_arguments(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, AIMessage("", tool_calls=[{"name": "look", "args": {seed: [seed]}, "id": "1"}]))


@path()
def history_tool_name(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, AIMessage("", tool_calls=[{"name": seed, "args": {}, "id": "1"}]))


@path(identity=True)
def history_tool_call_id(seed: str, handler: AgentCallbackHandler) -> None:
    call = {"name": "look", "args": {}, "id": f"call {seed}"}
    ask(handler, AIMessage("", tool_calls=[call]), ToolMessage("x", tool_call_id=f"call {seed}"))


@path()
def history_invalid_call(seed: str, handler: AgentCallbackHandler) -> None:
    call = {"name": seed, "args": f"{{{seed}", "id": "1", "error": seed, "type": "invalid_tool_call"}
    ask(handler, AIMessage("", invalid_tool_calls=[call]))


@path()
def history_tool_result(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, ToolMessage(f'{{"found": "{seed}"}}', tool_call_id="1", name="look"))


@path(untold=True)
def history_artifact(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, ToolMessage("x", tool_call_id="1", artifact={seed: seed}))


@path()
def history_additional_arguments(seed: str, handler: AgentCallbackHandler) -> None:
    called = {"name": seed, "arguments": seed}
    ask(handler, AIMessage("", additional_kwargs={"function_call": called, "refusal": seed, seed: seed}))


@path()
def shorthand_messages(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, ("system", f"serve {seed}"), {"role": "user", "content": seed})


@path()
def answer_text(seed: str, handler: AgentCallbackHandler) -> None:
    answered(handler, says(f"hello {seed}"))


@path()
def answer_reasoning(seed: str, handler: AgentCallbackHandler) -> None:
    blocks = [{"type": "reasoning", "reasoning": seed}, {"type": "thinking", "thinking": seed, "signature": "x"}]
    answered(handler, AIMessage([*blocks, {"type": "text", "text": seed, "annotations": [{"title": seed}]}]))


@path()
def answer_tool_arguments(seed: str, handler: AgentCallbackHandler) -> None:
    answered(handler, calls(("look", {seed: {"a": [seed]}})))


@path()
def answer_tool_name(seed: str, handler: AgentCallbackHandler) -> None:
    answered(handler, calls((seed, {})))


@path(identity=True)
def answer_tool_call_id(seed: str, handler: AgentCallbackHandler) -> None:
    answered(handler, AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": seed}]))


@path(identity=True)
def answer_id(seed: str, handler: AgentCallbackHandler) -> None:
    answered(handler, AIMessage("x", id=seed, response_metadata={"id": seed}))


@path()
def answer_finish_reason(seed: str, handler: AgentCallbackHandler) -> None:
    answered(handler, AIMessage("x", response_metadata={"finish_reason": seed, "stop_reason": seed}))


@path()
def answer_model_name(seed: str, handler: AgentCallbackHandler) -> None:
    answered(handler, AIMessage("x", response_metadata={"model_name": seed, "model": seed}))


@path(untold=True)
def answer_metadata(seed: str, handler: AgentCallbackHandler) -> None:
    told = {"headers": {"authorization": seed}, "logprobs": [seed], "system_fingerprint": seed, seed: seed}
    answered(handler, AIMessage("x", response_metadata=told))


@path()
def answer_additional_arguments(seed: str, handler: AgentCallbackHandler) -> None:
    answered(handler, AIMessage("", additional_kwargs={"refusal": seed, "reasoning_content": seed, seed: [seed]}))


@path()
def model_name(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, HumanMessage("x"), model_name=f"ft:gpt {seed}")


@path()
def model_provider(seed: str, handler: AgentCallbackHandler) -> None:
    ask(handler, HumanMessage("x"), provider=seed)


@path()
def stop_words(seed: str, handler: AgentCallbackHandler) -> None:
    model().bind(stop=[seed, "x"]).invoke("hi", config(handler))


@path(untold=True)
def user_parameter(seed: str, handler: AgentCallbackHandler) -> None:
    given = {"user": seed, "extra_headers": {"x": seed}, "tool_choice": seed}
    model().bind(**given).invoke("hi", config(handler))


@path(untold=True)
def odd_parameters(seed: str, handler: AgentCallbackHandler) -> None:
    model().bind(temperature=seed, max_tokens=seed, seed=seed, top_k=[seed], n=seed).invoke("hi", config(handler))


PARAMETERS: Final = {"type": "object", "properties": {"text": {"type": "string"}}}


@path()
def tool_definition_name(seed: str, handler: AgentCallbackHandler) -> None:
    given = {"type": "function", "function": {"name": seed, "parameters": PARAMETERS}}
    model().bind(tools=[given]).invoke("hi", config(handler))


@path()
def tool_definition_description(seed: str, handler: AgentCallbackHandler) -> None:
    given = {"type": "function", "function": {"name": "look", "description": seed, "parameters": PARAMETERS}}
    model().bind(tools=[given]).invoke("hi", config(handler))


@path()
def tool_definition_parameters(seed: str, handler: AgentCallbackHandler) -> None:
    described = {"type": "object", "properties": {seed: {"type": "string", "description": seed, "default": seed}}}
    given = {"type": "function", "function": {"name": "look", "parameters": {**described, "required": [seed]}}}
    model().bind(tools=[given]).invoke("hi", config(handler))


@path(untold=True)
def response_format(seed: str, handler: AgentCallbackHandler) -> None:
    model().bind(response_format={"type": "json_schema", "json_schema": {"name": seed}}).invoke("hi", config(handler))


@path()
def streamed_answer(seed: str, handler: AgentCallbackHandler) -> None:
    for size in (1, 3, 7):
        list(model(says(f"hello {seed}."), chunk_chars=size).stream("hi", config(handler)))


@path()
def streamed_answer_of_a_task(seed: str, handler: AgentCallbackHandler) -> None:
    async def read() -> None:
        async for _ in model(says(f"hello {seed}."), chunk_chars=2).astream("hi", config(handler)):
            pass

    asyncio.run(read())


@path(untold=True)
def streamed_answer_left_in_the_middle(seed: str, handler: AgentCallbackHandler) -> None:
    for part in seed.split(" | "):
        stream = model(says(f"{part}, hello"), chunk_chars=1).stream("hi", config(handler))
        for _ in range(len(part) - 2):
            next(stream)
        stream.close()


@path()
def streamed_answer_that_breaks(seed: str, handler: AgentCallbackHandler) -> None:
    for part in seed.split(" | "):
        script = [Cut(f"it is {part[:-2]}", Expected(f"lost {part}"))]
        with quietly():
            list(ScriptedChat(script=script, chunk_chars=5).stream("hi", config(handler)))


@path()
def streamed_tool_arguments(seed: str, handler: AgentCallbackHandler) -> None:
    list(model(calls(("look", {"text": seed}))).stream("hi", config(handler)))


@path()
def structured_output(seed: str, handler: AgentCallbackHandler) -> None:
    model(calls(("Login", {"mail": seed, "inner": {seed: seed}}))).with_structured_output(Login).invoke(
        "hi", config(handler)
    )


@path()
def structured_output_that_does_not_fit(seed: str, handler: AgentCallbackHandler) -> None:
    asked = model(calls(("Login", {"mail": [seed]}))).with_structured_output(Login)
    with quietly(ValidationError):
        asked.invoke("hi", config(handler))


@path()
def model_error(seed: str, handler: AgentCallbackHandler) -> None:
    with quietly():
        model(Expected(f"429 for {seed}")).invoke("hi", config(handler))


@path()
def model_error_of_a_provider(seed: str, handler: AgentCallbackHandler) -> None:
    with quietly(_Body):
        model(_Body(seed)).invoke("hi", config(handler))


@path()
def text_prompt(seed: str, handler: AgentCallbackHandler) -> None:
    FakeListLLM(responses=["x"]).invoke(f"ask {seed}", config(handler), stop=[seed])


@path()
def text_answer(seed: str, handler: AgentCallbackHandler) -> None:
    FakeListLLM(responses=[f"hello {seed}"]).invoke("hi", config(handler))


@path()
def text_answer_streamed(seed: str, handler: AgentCallbackHandler) -> None:
    list(FakeListLLM(responses=[f"hello {seed}"]).stream("hi", config(handler)))


@path()
def text_batch(seed: str, handler: AgentCallbackHandler) -> None:
    FakeListLLM(responses=[seed, seed]).batch([seed, f"b {seed}"], config(handler))


# --- tools -----------------------------------------------------------------------------------------------------------
@path()
def tool_name(seed: str, handler: AgentCallbackHandler) -> None:
    tool(name=seed).invoke({"text": "x"}, config(handler))


@path()
def tool_description(seed: str, handler: AgentCallbackHandler) -> None:
    tool(description=f"Look for {seed}.").invoke({"text": "x"}, config(handler))


@path()
def tool_argument(seed: str, handler: AgentCallbackHandler) -> None:
    tool().invoke({"text": f"find {seed}"}, config(handler))


@path()
def tool_argument_key(seed: str, handler: AgentCallbackHandler) -> None:
    tool().invoke({"text": "x", seed: {seed: seed}}, config(handler))


@path()
def tool_argument_deep(seed: str, handler: AgentCallbackHandler) -> None:
    def look(given: dict[str, Any]) -> str:
        """Look."""
        return str(len(given))

    StructuredTool.from_function(look).invoke({"given": {"a": [{seed: (seed,)}]}}, config(handler))


@path()
def tool_result(seed: str, handler: AgentCallbackHandler) -> None:
    tool(lambda _: f"found {seed}").invoke({"text": "x"}, config(handler))


@path()
def tool_result_structure(seed: str, handler: AgentCallbackHandler) -> None:
    tool(lambda _: {seed: [Customer(seed), Login(mail=seed), {seed}]}).invoke({"text": "x"}, config(handler))


@path(untold=True)
def tool_result_bytes(seed: str, handler: AgentCallbackHandler) -> None:
    tool(lambda _: [seed.encode(), memoryview(seed.encode())]).invoke({"text": "x"}, config(handler))


@path(untold=True)
def tool_artifact(seed: str, handler: AgentCallbackHandler) -> None:
    made = tool(lambda _: ("x", {seed: seed}), response_format="content_and_artifact")
    made.invoke({"name": "look", "args": {"text": "x"}, "id": "1", "type": "tool_call"}, config(handler))


@path(identity=True)
def tool_call_id(seed: str, handler: AgentCallbackHandler) -> None:
    tool().invoke({"name": "look", "args": {"text": "x"}, "id": f"call {seed}", "type": "tool_call"}, config(handler))


@path()
def tool_error(seed: str, handler: AgentCallbackHandler) -> None:
    with quietly():
        tool(failing(Expected(f"no {seed}"))).invoke({"text": "x"}, config(handler))


@path()
def tool_error_that_is_handled(seed: str, handler: AgentCallbackHandler) -> None:
    tool(failing(ToolException(f"no {seed}")), handle_tool_error=True).invoke({"text": "x"}, config(handler))


@path()
def tool_argument_that_does_not_fit(seed: str, handler: AgentCallbackHandler) -> None:
    with quietly(ValidationError):
        tool().invoke({"text": {seed: [seed]}}, config(handler))


@path()
def tool_argument_that_does_not_fit_and_is_handled(seed: str, handler: AgentCallbackHandler) -> None:
    tool(handle_validation_error=True).invoke({"text": {seed: [seed]}}, config(handler))


@path()
def tool_tags_and_metadata(seed: str, handler: AgentCallbackHandler) -> None:
    tool(tags=[seed], metadata={seed: seed}).invoke({"text": "x"}, config(handler))


@path()
def custom_event_name(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, lambda _: dispatch_custom_event(f"told {seed}", {"a": 1}))


@path()
def custom_event_data(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, lambda _: dispatch_custom_event("told", {seed: [seed], "who": Customer(seed)}))


@path()
def custom_event_text(seed: str, handler: AgentCallbackHandler) -> None:
    chain(handler, lambda _: dispatch_custom_event("told", seed))


# --- agents ----------------------------------------------------------------------------------------------------------
def agent(handler: AgentCallbackHandler, *script: Any, asked: Any = None, tools: Any = None, **given: Any) -> None:
    """Run an agent."""
    made = create_agent(model(*script), [tool()] if tools is None else tools, **{"name": "support", **given})
    with quietly():
        made.invoke({"messages": [USER] if asked is None else asked}, config(handler, **THREAD))


@path()
def agent_name(seed: str, handler: AgentCallbackHandler) -> None:
    agent(handler, name=seed)


@path()
def agent_question(seed: str, handler: AgentCallbackHandler) -> None:
    agent(handler, asked=[{"role": "user", "content": f"I am {seed}"}])


@path()
def agent_instructions(seed: str, handler: AgentCallbackHandler) -> None:
    agent(handler, system_prompt=f"serve {seed}")


@path()
def agent_tool_call(seed: str, handler: AgentCallbackHandler) -> None:
    agent(handler, calls(("look", {"text": seed})), says(f"it is {seed}"))


@path()
def agent_unknown_tool(seed: str, handler: AgentCallbackHandler) -> None:
    agent(handler, calls((f"look for {seed}", {"text": seed})), says("sorry"))


@path()
def agent_unknown_tool_at_its_cut(seed: str, handler: AgentCallbackHandler) -> None:
    agent(handler, calls(("x" * 249 + " " + seed, {"text": "x"})), says("sorry"))


@path()
def agent_tool_that_fails(seed: str, handler: AgentCallbackHandler) -> None:
    agent(handler, calls(("look", {"text": "x"})), says("x"), tools=[tool(failing(Expected(seed)))])


@path()
def agent_tool_that_updates_the_state(seed: str, handler: AgentCallbackHandler) -> None:
    def update(_: Any) -> Any:
        return Command(update={"messages": [ToolMessage(f"found {seed}", tool_call_id="call_1", artifact=seed)]})

    agent(handler, calls(("look", {"text": "x"})), says("x"), tools=[tool(update)])


@path()
def agent_structured_answer(seed: str, handler: AgentCallbackHandler) -> None:
    agent(handler, calls(("Login", {"mail": seed})), response_format=Login)


@path()
def agent_in_a_tool(seed: str, handler: AgentCallbackHandler) -> None:
    inner = create_agent(model(says(f"it is {seed}")), [], name=f"sub {seed}")
    ask_inner = tool(lambda _: inner.invoke({"messages": [HumanMessage(seed)]})["messages"][-1].text)
    agent(handler, calls(("look", {"text": "x"})), says("x"), tools=[ask_inner])


@path()
def agent_streamed(seed: str, handler: AgentCallbackHandler) -> None:
    made = create_agent(model(calls(("look", {"text": seed})), says(seed)), [tool()], name="support")
    list(made.stream({"messages": [USER]}, config(handler), stream_mode=["updates", "messages", "custom"]))


@path()
def agent_conversation(seed: str, handler: AgentCallbackHandler) -> None:
    made = create_agent(model(says(seed), says("x")), [tool()], name="support", checkpointer=InMemorySaver())
    for text in (seed, "and now?"):
        made.invoke({"messages": [HumanMessage(text)]}, config(handler, **THREAD))


# --- retrievers ------------------------------------------------------------------------------------------------------
class Finding(BaseRetriever):
    """Finds what it was given, or raises."""

    found: list[Any] = Field(default_factory=list)
    error: Any = None

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        if self.error is not None:
            raise self.error
        return self.found


def find(handler: AgentCallbackHandler, *found: Document, query: str = "x", error: Any = None, **given: Any) -> None:
    """Ask a retriever."""
    with quietly():
        Finding(found=list(found), error=error).invoke(query, config(handler, **given))


@path()
def query(seed: str, handler: AgentCallbackHandler) -> None:
    find(handler, query=f"find {seed}")


@path()
def document_text(seed: str, handler: AgentCallbackHandler) -> None:
    find(handler, Document(f"about {seed}"), Document("x"))


@path()
def document_metadata(seed: str, handler: AgentCallbackHandler) -> None:
    find(handler, Document("x", metadata={"source": seed, "deep": {"a": [seed]}}))


@path()
def document_metadata_key(seed: str, handler: AgentCallbackHandler) -> None:
    find(handler, Document("x", metadata={seed: 1}))


@path(identity=True)
def document_id(seed: str, handler: AgentCallbackHandler) -> None:
    find(handler, Document("x", id=seed))


@path()
def retriever_name(seed: str, handler: AgentCallbackHandler) -> None:
    find(handler, run_name=f"store of {seed}")


@path()
def retriever_class(seed: str, handler: AgentCallbackHandler) -> None:
    named = type(seed, (Finding,), {"__module__": __name__})
    named().invoke("x", config(handler))


@path()
def retriever_metadata(seed: str, handler: AgentCallbackHandler) -> None:
    found = Finding(tags=[seed], metadata={"ls_retriever_name": seed, "ls_vector_store_provider": seed, seed: seed})
    found.invoke("x", config(handler))


@path()
def retriever_error(seed: str, handler: AgentCallbackHandler) -> None:
    find(handler, error=Expected(f"no {seed}"))


# --- graphs ----------------------------------------------------------------------------------------------------------
@path()
def graph_name(seed: str, handler: AgentCallbackHandler) -> None:
    made = StateGraph(State)
    made.add_node("work", lambda _: {"said": 1})
    made.add_edge(START, "work")
    made.compile(name=f"agent {nameable(seed)}").invoke({"said": 0}, config(handler))


@path()
def node_name(seed: str, handler: AgentCallbackHandler) -> None:
    graph(lambda _: {"said": 1}, name=f"work {nameable(seed)}").invoke({"said": 0}, config(handler))


@path()
def graph_state(seed: str, handler: AgentCallbackHandler) -> None:
    graph(lambda _: {"more": [seed, {seed: Customer(seed)}]}).invoke({"said": {seed: seed}}, config(handler))


@path()
def graph_update_of_a_command(seed: str, handler: AgentCallbackHandler) -> None:
    graph(lambda _: Command(update={"more": {seed: seed}})).invoke({"said": 0}, config(handler))


@path()
def graph_send(seed: str, handler: AgentCallbackHandler) -> None:
    made = StateGraph(State)
    made.add_node("part", lambda given: {"more": given["said"]})
    made.add_conditional_edges(START, lambda _: [Send("part", {"said": {seed: seed}})], ["part"])
    made.compile().invoke({"said": 0}, config(handler))


@path(untold=True)
def interrupt_value(seed: str, handler: AgentCallbackHandler) -> None:
    made = graph(lambda _: {"more": interrupt({"ask": seed, seed: [seed]})}, checkpointer=InMemorySaver())
    made.invoke({"said": 0}, config(handler, **THREAD))


@path()
def resume_value(seed: str, handler: AgentCallbackHandler) -> None:
    made = graph(lambda _: {"more": interrupt("?")}, checkpointer=InMemorySaver())
    made.invoke({"said": 0}, config(handler, **THREAD))
    made.invoke(Command(resume={seed: seed}), config(handler, **THREAD))


@path()
def node_error(seed: str, handler: AgentCallbackHandler) -> None:
    with quietly():
        graph(failing(Expected(f"no {seed}"))).invoke({"said": 0}, config(handler))


@path(untold=True)
def node_written_stream(seed: str, handler: AgentCallbackHandler) -> None:
    def node(_: Any) -> Any:
        get_stream_writer()({seed: seed})
        return {"more": 1}

    list(graph(node).stream({"said": 0}, config(handler), stream_mode="custom"))


@path()
def subgraph(seed: str, handler: AgentCallbackHandler) -> None:
    inner = graph(lambda _: {"more": seed}, name=f"inner {nameable(seed)}")
    graph(inner).invoke({"said": seed}, config(handler))


# --- what user code writes on the current span -----------------------------------------------------------------------
def _written(name: str, write: Callable[[Any, str], Any], **options: bool) -> None:
    def run(seed: str, handler: AgentCallbackHandler) -> None:
        inside(handler, lambda current: write(current, seed))
        tool(lambda _: str(write(trace.get_current_span(), seed))).invoke({"text": "x"}, config(handler))

    run.__name__ = f"current_span_{name}"
    path(**options)(run)


def _context(seed: str) -> SpanContext:
    del seed
    return SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "b")]))


_written("attribute", lambda current, seed: current.set_attribute("who", seed))
_written("attribute_key", lambda current, seed: current.set_attribute(f"who {seed}", 1))
_written("attribute_list", lambda current, seed: current.set_attribute("who", ["x", seed]))
_written("attributes", lambda current, seed: current.set_attributes({"a": f"x {seed}", seed: (seed,)}))
_written("attribute_of_ours", lambda current, seed: current.set_attribute("gen_ai.tool.call.result", seed))
_written(
    "attribute_of_others", lambda current, seed: current.set_attribute("llm.input_messages.0.message.content", seed)
)
_written("attribute_too_long", lambda current, seed: current.set_attribute("a", "word " * 6546 + seed))
_written("event_name", lambda current, seed: current.add_event(f"told {seed}"))
_written("event_name_at_its_cut", lambda current, seed: current.add_event("x" * 2030 + " " + seed))
_written("event_attribute", lambda current, seed: current.add_event("told", {"a": seed, "b": [seed]}))
_written("event_attribute_key", lambda current, seed: current.add_event("told", {seed: 1}))
_written("exception", lambda current, seed: current.record_exception(ValueError(f"no {seed}")))
_written("exception_attribute", lambda current, seed: current.record_exception(ValueError("x"), {"a": seed, seed: 1}))
_written("link_attribute", lambda current, seed: current.add_link(_context(seed), {"a": seed, seed: 1}))
_written("status", lambda current, seed: current.set_status(trace.StatusCode.ERROR, f"no {seed}"))
_written(
    "status_object",
    lambda current, seed: current.set_status(trace.Status(trace.StatusCode.ERROR, "x" * 2030 + " " + seed)),
)
_written("name", lambda current, seed: current.update_name(f"for {seed}"))


@path()
def own_span_name(seed: str, handler: AgentCallbackHandler) -> None:
    def body(_: Any) -> None:
        with span(f"chain.{seed}"):
            pass

    chain(handler, body)


@path()
def own_span_attributes(seed: str, handler: AgentCallbackHandler) -> None:
    def body(_: Any) -> None:
        with span("chain.check", {"a": seed, seed: [seed]}) as own:
            own.set_attribute("b", seed)
            own.add_event("told", {seed: seed})

    chain(handler, body)


@path()
def own_span_error(seed: str, handler: AgentCallbackHandler) -> None:
    def body(_: Any) -> None:
        with span("chain.check"):
            raise Expected(f"no {seed}")

    chain(handler, body)


@path()
def downstream_peer(seed: str, handler: AgentCallbackHandler) -> None:
    def look(_: Any) -> str:
        with downstream(seed):
            return "x"

    tool(look).invoke({"text": "x"}, config(handler))


@path()
def span_of_others_below_ours(seed: str, handler: AgentCallbackHandler) -> None:
    def body(_: Any) -> None:
        current: Any = trace.get_current_span()
        with use_tracer_of(handler).start_as_current_span("GET"):
            assert current is not trace.get_current_span()

    with request_metadata(note=seed):
        chain(handler, body)


def use_tracer_of(handler: AgentCallbackHandler) -> Any:
    """Return a tracer of an instrumentation that writes to the handler's provider."""
    return handler._recorder._given.get_tracer("requests")
