# ruff: noqa: D103 - the name of a path says what it is
"""Every way a value of the user's can reach a span of LlamaIndex: one small function a path.

A path is given the value while the handler is installed, and does what a user's program would.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, Final

from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent, ReActAgent
from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.chat_engine import ContextChatEngine, SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.storage.chat_store import SimpleChatStore
from llama_index.core.tools import FunctionTool, QueryEngineTool
from llama_index.core.workflow import Context, HumanResponseEvent
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags
from opentelemetry import trace
from pydantic import BaseModel, ValidationError

from agent_callbacks import request_metadata, span
from tests.features import THINKING_BLOCKS, TOOL_CALL_BLOCKS
from tests.llamaindex.engines import WordRerank
from tests.llamaindex.flows import Failing, My_Flow2, ask_human, with_model
from tests.llamaindex.models import Line, ScriptedLLM, asks, says
from tests.path import Expected, Paths, quietly

if TYPE_CHECKING:
    from collections.abc import Callable

PATHS: Final = Paths()
path = PATHS.enter
HELLO: Final = [ChatMessage("hello")]


def model(*script: Any, **given: Any) -> ScriptedLLM:
    """Return a model that plays *script*."""
    return ScriptedLLM(script=list(script) or [says("hello")], repeat=True, **given)


def ask(*messages: Any, **given: Any) -> None:
    """Send *messages* to a model."""
    model(**given).chat(list(messages))


def answered(*blocks: Any, line: Line | None = None) -> None:
    """Have a model answer *blocks*, which the next call sends again."""
    made = model(line or says("x"))
    made.chat(
        [ChatMessage("hi"), made.chat(HELLO).message, ChatMessage(role=MessageRole.ASSISTANT, blocks=list(blocks))]
    )


def look(function: Any = str, **given: Any) -> FunctionTool:
    """Return a tool around *function* of one argument."""

    def inner(text: Any) -> Any:
        return function(text)

    return FunctionTool.from_defaults(inner, **{"name": "look", "description": "Look.", **given})


def failing(error: BaseException) -> Any:
    """Return a function that raises *error*."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def agent(*script: Any, question: Any = "hi", tools: Any = None, run: Any = None, **given: Any) -> Any:
    """Run an agent."""

    async def main() -> Any:
        made = FunctionAgent(
            **{"name": "support", "llm": model(*script), "tools": [look()] if tools is None else tools, **given}
        )
        return str(await made.run(question, **(run or {})))

    with quietly():
        return asyncio.run(main())


class Finding(BaseRetriever):
    """Finds what it was given, or raises."""

    def __init__(self, *found: TextNode, error: BaseException | None = None) -> None:
        self.found, self.error = found, error
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self.error is not None:
            raise self.error
        return [NodeWithScore(node=node, score=0.5) for node in self.found]


def find(*found: TextNode, query: Any = "x", error: Any = None) -> None:
    """Ask a retriever."""
    with quietly():
        Finding(*found, error=error).retrieve(query)


def engine(*found: TextNode, line: Any = None, query: Any = "x", **given: Any) -> None:
    """Ask a query engine."""
    from llama_index.core.query_engine import RetrieverQueryEngine

    made = RetrieverQueryEngine.from_args(Finding(*found), llm=model(line or says("x")), **given)
    answer: Any = made.query(query)
    "".join(getattr(answer, "response_gen", ()))


class Login(BaseModel):
    """Somebody who comes in."""

    mail: str


# --- who asked -------------------------------------------------------------------------------------------------------
def _tagged(name: str, made: Callable[[str], Any], **options: bool) -> None:
    def run(seed: str) -> None:
        with instrument_tags(made(seed)):
            ask(*HELLO)
            agent()

    run.__name__ = name
    path(**options)(run)


_tagged("tag_user_id", lambda seed: {"user_id": seed}, identity=True)
_tagged("tag_user_id_at_its_cut", lambda seed: {"user_id": "x" * 241 + " " + seed}, identity=True)
_tagged("tag_session_id", lambda seed: {"session.id": seed}, identity=True)
_tagged("tag_variant", lambda seed: {"variant": seed})
_tagged("tag_variants", lambda seed: {"variant": {seed: seed}})
_tagged("tag_value", lambda seed: {"note": seed})
_tagged("tag_key", lambda seed: {seed: 1})
_tagged("tag_deep", lambda seed: {"note": {"a": [{seed: (seed,)}]}})
_tagged("tag_object", lambda seed: {"note": Login(mail=seed)})
_tagged("tag_bytes", lambda seed: {"note": seed.encode()}, untold=True)
_tagged("tag_of_the_framework", lambda seed: {"llamaindex.step.input_summary": seed, "note": 1}, untold=True)
_tagged("tag_of_the_framework_alone", lambda seed: {"llamaindex.step.input_summary": seed}, untold=True)


def _asked(name: str, made: Callable[[str], Any], **options: bool) -> None:
    def run(seed: str) -> None:
        with made(seed):
            ask(*HELLO)

    run.__name__ = name
    path(**options)(run)


_asked("block_user_id", lambda seed: request_metadata(user_id=seed), identity=True)
_asked("block_session_id", lambda seed: request_metadata(session_id=seed), identity=True)
_asked("block_variant", lambda seed: request_metadata(variant={seed: seed}))
_asked("block_value", lambda seed: request_metadata(plan=[seed, {seed: seed}]))


@path()
def carried_to_another_process(seed: str) -> None:
    dispatcher = get_dispatcher()
    with instrument_tags({"note": seed}), request_metadata(plan=seed):
        carried = dispatcher.capture_propagation_context()

    def there() -> None:
        dispatcher.restore_propagation_context(carried)
        ask(*HELLO)

    contextvars.Context().run(there)


# --- models ----------------------------------------------------------------------------------------------------------
@path()
def system_message(seed: str) -> None:
    ask(ChatMessage(f"you serve {seed}", role="system"))


@path()
def user_message(seed: str) -> None:
    ask(ChatMessage(f"I am {seed}"))


@path()
def user_message_in_blocks(seed: str) -> None:
    ask(ChatMessage(blocks=[TextBlock(text=seed), TextBlock(text=f"I am {seed}")]))


@path()
def user_message_too_long(seed: str) -> None:
    for words in (6500, 6540, 6550):
        ask(ChatMessage("word " * words + seed + " word" * 100))


@path()
def image_address(seed: str) -> None:
    ask(ChatMessage(blocks=[ImageBlock(url="https://x.test/?q=" + seed.replace("\n", " "))]))


@path(untold=True)
def message_additional_arguments(seed: str) -> None:
    ask(ChatMessage("x", additional_kwargs={"name": seed, seed: seed}))


@path(needs=TOOL_CALL_BLOCKS)
def history_tool_call(seed: str) -> None:
    answered(types.ToolCallBlock(tool_call_id="1", tool_name="look", tool_kwargs={seed: [seed]}))


@path(needs=TOOL_CALL_BLOCKS)
def history_tool_name(seed: str) -> None:
    answered(types.ToolCallBlock(tool_call_id="1", tool_name=seed, tool_kwargs={}))


@path(identity=True, needs=TOOL_CALL_BLOCKS)
def history_tool_call_id(seed: str) -> None:
    answered(types.ToolCallBlock(tool_call_id=seed, tool_name="look", tool_kwargs={}))


@path(needs=TOOL_CALL_BLOCKS)
def history_tool_arguments_as_text(seed: str) -> None:
    answered(types.ToolCallBlock(tool_call_id="1", tool_name="look", tool_kwargs=f'{{"a": "{seed}'))


@path(needs=THINKING_BLOCKS)
def history_reasoning(seed: str) -> None:
    answered(types.ThinkingBlock(content=seed), TextBlock(text=seed))


@path()
def tool_message(seed: str) -> None:
    ask(ChatMessage(f"found {seed}", role="tool", additional_kwargs={"tool_call_id": "1", "name": seed}))


@path()
def answer_text(seed: str) -> None:
    model(says(f"hello {seed}")).chat(HELLO)


@path()
def answer_tool_call(seed: str) -> None:
    model(asks((f"look {seed}", {seed: seed}))).chat(HELLO)


@path(identity=True)
def answer_tool_call_id(seed: str) -> None:
    model(Line(calls=(("look", {}, seed),))).chat(HELLO)


@path(identity=True)
def answer_id(seed: str) -> None:
    model(Line("x", raw={"id": seed})).chat(HELLO)


@path()
def answer_model(seed: str) -> None:
    model(Line("x", raw={"model": seed})).chat(HELLO)


@path()
def answer_finish_reason(seed: str) -> None:
    model(Line("x", raw={"choices": [{"finish_reason": seed}]})).chat(HELLO)


@path(untold=True)
def answer_raw(seed: str) -> None:
    model(Line("x", raw={"headers": {"authorization": seed}, "system_fingerprint": seed, seed: seed})).chat(HELLO)


@path()
def model_name(seed: str) -> None:
    ask(*HELLO, model=seed)


@path()
def completion_prompt(seed: str) -> None:
    model().complete(f"I am {seed}")


@path()
def completion_answer(seed: str) -> None:
    model(says(seed)).complete("hi")


@path()
def completion_of_a_task(seed: str) -> None:
    asyncio.run(model(says(seed)).acomplete(f"I am {seed}"))


@path()
def prompt_template(seed: str) -> None:
    model(says(seed)).predict(PromptTemplate("serve {who}"), who=seed)


@path()
def streamed_answer(seed: str) -> None:
    for size in (1, 3, 7):
        list(model(says(f"hello {seed}."), chunk_chars=size).stream_chat(HELLO))


@path()
def streamed_answer_of_a_task(seed: str) -> None:
    async def read() -> None:
        async for _ in await model(says(f"hello {seed}."), chunk_chars=3).astream_chat(HELLO):
            pass

    asyncio.run(read())


@path()
def streamed_completion(seed: str) -> None:
    list(model(says(f"hello {seed}."), chunk_chars=3).stream_complete(f"I am {seed}"))


@path(untold=True)
def streamed_answer_left_in_the_middle(seed: str) -> None:
    for part in seed.split(" | "):
        stream = model(says(f"{part}, hello"), chunk_chars=1).stream_chat(HELLO)
        for _ in range(len(part) - 2):
            next(stream)
        stream.close()


@path(untold=True)
def streamed_answer_that_is_dropped(seed: str) -> None:
    for part in seed.split(" | "):
        stream = model(says(f"{part}, hello"), chunk_chars=1).stream_chat(HELLO)
        for _ in range(len(part) - 2):
            next(stream)


@path()
def streamed_answer_that_breaks(seed: str) -> None:
    for part in seed.split(" | "):
        with quietly():
            list(model(Line(f"it is {part[:-2]}", error=Expected(f"lost {part}")), chunk_chars=5).stream_chat(HELLO))


@path()
def model_error(seed: str) -> None:
    with quietly():
        model(Expected(f"429 for {seed}")).chat(HELLO)


@path()
def model_error_of_a_provider(seed: str) -> None:
    with quietly():
        model(Expected(f"Error code: 401 - {{'error': {{'message': 'Incorrect key: {seed}'}}}}")).chat(HELLO)


@path(untold=True)
def model_error_with_cause_and_notes(seed: str) -> None:
    error = Expected("429")
    error.__cause__ = ExceptionGroup("inner", [KeyError(seed), ValueError(seed)])
    error.add_note(seed)
    with quietly():
        model(error).chat(HELLO)


@path()
def model_error_class(seed: str) -> None:
    with quietly():
        model(type(f"Rejected {seed}", (Expected,), {})("no")).chat(HELLO)


@path(untold=True)
def model_fields(seed: str) -> None:
    ask(*HELLO, api_key=seed)


# --- tools -----------------------------------------------------------------------------------------------------------
@path()
def own_tool_name(seed: str) -> None:
    look(name=seed).call(text="x")


@path()
def own_tool_description(seed: str) -> None:
    look(description=f"Look for {seed}.").call(text="x")


@path()
def own_tool_argument(seed: str) -> None:
    look().call(text={seed: [seed]})


@path()
def own_tool_result(seed: str) -> None:
    look(lambda _: f"found {seed}").call(text="x")


@path()
def own_tool_result_structure(seed: str) -> None:
    look(lambda _: {seed: [Login(mail=seed)]}).call(text="x")


@path()
def own_tool_error(seed: str) -> None:
    with quietly():
        look(failing(Expected(f"no {seed}"))).call(text="x")


@path()
def own_tool_error_of_validation(seed: str) -> None:
    with quietly(ValidationError):
        look(lambda _: Login.model_validate({"mail": {seed: [seed]}})).call(text="x")


# --- agents ----------------------------------------------------------------------------------------------------------
@path()
def agent_name(seed: str) -> None:
    agent(name=seed)


@path()
def agent_question(seed: str) -> None:
    agent(question=f"I am {seed}")


@path()
def agent_instructions(seed: str) -> None:
    agent(system_prompt=f"serve {seed}")


@path()
def agent_description(seed: str) -> None:
    agent(description=seed, question="x", system_prompt=seed)


@path()
def agent_answer(seed: str) -> None:
    agent(says(f"it is {seed}"))


@path()
def agent_tool_arguments(seed: str) -> None:
    agent(asks(("look", {"text": seed})), says("x"))


@path()
def agent_tool_argument_key(seed: str) -> None:
    agent(asks(("look", {"text": {seed: {seed: seed}}})), says("x"))


@path()
def agent_tool_result(seed: str) -> None:
    agent(asks(("look", {"text": "x"})), says("x"), tools=[look(lambda _: {seed: seed})])


@path()
def agent_tool_description(seed: str) -> None:
    agent(asks(("look", {"text": "x"})), says("x"), tools=[look(description=seed)])


@path()
def agent_tool_error(seed: str) -> None:
    agent(asks(("look", {"text": "x"})), says("x"), tools=[look(failing(Expected(f"no {seed}")))])


@path()
def agent_unknown_tool(seed: str) -> None:
    agent(asks((f"look for {seed}", {"text": seed})), says("x"))


@path(identity=True)
def agent_tool_call_id(seed: str) -> None:
    agent(Line(calls=(("look", {"text": "x"}, f"call {seed}"),)), says("x"))


@path()
def agent_history(seed: str) -> None:
    agent(run={"chat_history": [ChatMessage(f"I am {seed}"), ChatMessage(seed, role="assistant")]})


@path()
def agent_memory(seed: str) -> None:
    memory = ChatMemoryBuffer.from_defaults(
        chat_history=[ChatMessage(seed)], llm=model(), chat_store=SimpleChatStore(), chat_store_key=seed
    )
    agent(run={"memory": memory})


@path()
def agent_model_error(seed: str) -> None:
    agent(Expected(f"429 for {seed}"))


@path()
def agent_structured_answer(seed: str) -> None:
    agent(says(f"it is {seed}"), structured_output_fn=lambda _: {"mail": seed})


@path()
def agent_state(seed: str) -> None:
    async def main() -> None:
        member = FunctionAgent(name="support", llm=model(), tools=[])
        await AgentWorkflow(agents=[member], root_agent="support", initial_state={"who": 1, "raw": seed}).run("hi")

    asyncio.run(main())


@path()
def handed_over(seed: str) -> None:
    async def main() -> None:
        first = FunctionAgent(
            name="triage",
            description="sorts",
            llm=ScriptedLLM(script=[asks(("handoff", {"to_agent": "writer", "reason": seed}))]),
            can_handoff_to=["writer"],
        )
        second = FunctionAgent(name="writer", description=seed, llm=ScriptedLLM(script=[says(seed)]))
        await AgentWorkflow(agents=[first, second], root_agent="triage").run("hi")

    asyncio.run(main())


@path()
def reasoning_agent(seed: str) -> None:
    plain = seed.replace("\n", " ").replace('"', "'")

    async def main() -> None:
        script = [
            says(f'Thought: for {plain}.\nAction: look\nAction Input: {{"text": "{plain}"}}'),
            says(f"Thought: I can answer.\nAnswer: {plain}"),
        ]
        await ReActAgent(name="r", tools=[look()], llm=ScriptedLLM(script=script), streaming=False).run(plain)

    asyncio.run(main())


@path()
def code_agent(seed: str) -> None:
    async def main() -> None:
        script = [says(f"let me\n<execute>\nprint('{seed}')\n</execute>"), says("x")]
        made = CodeActAgent(
            name="c", tools=[look()], llm=ScriptedLLM(script=script), code_execute_fn=lambda code: f"ran {code}"
        )
        await made.run("hi")

    asyncio.run(main())


@path()
def human_who_is_asked(seed: str) -> None:
    async def main() -> None:
        script = [asks(("ask_human", {"question": "?"})), says("x")]
        made = FunctionAgent(name="s", llm=ScriptedLLM(script=script), tools=[ask_human])
        handler = made.run("hi", ctx=Context(made))
        async for event in handler.stream_events():
            if type(event).__name__ == "InputRequiredEvent":
                handler.ctx.send_event(HumanResponseEvent(response=seed))
        await handler

    asyncio.run(main())


# --- retrievers, engines, embeddings ---------------------------------------------------------------------------------
@path()
def query(seed: str) -> None:
    find(query=f"find {seed}")


@path()
def query_bundle(seed: str) -> None:
    find(query=QueryBundle(seed, custom_embedding_strs=[seed]))


@path()
def node_text(seed: str) -> None:
    find(TextNode(text=f"about {seed}"))


@path()
def node_metadata(seed: str) -> None:
    find(TextNode(text="x", metadata={"source": seed, "deep": {"a": [seed]}}))


@path()
def node_metadata_key(seed: str) -> None:
    find(TextNode(text="x", metadata={seed: 1}))


@path(identity=True)
def node_id(seed: str) -> None:
    find(TextNode(id_=seed, text="x"))


@path()
def retriever_class(seed: str) -> None:
    type(seed, (Finding,), {"__module__": __name__})().retrieve("x")


@path()
def retriever_source(seed: str) -> None:
    with instrument_tags({"retriever_source": seed}):
        find()


@path()
def retriever_error(seed: str) -> None:
    find(error=Expected(f"no {seed}"))


@path()
def reranker_query(seed: str) -> None:
    nodes = [NodeWithScore(node=TextNode(text=seed), score=0.5)]
    WordRerank().postprocess_nodes(nodes, query_str=f"find {seed}")


@path()
def engine_query(seed: str) -> None:
    engine(query=f"find {seed}")


@path()
def engine_sources(seed: str) -> None:
    engine(TextNode(text=f"about {seed}", metadata={"file": seed}))


@path()
def engine_answer(seed: str) -> None:
    engine(TextNode(text="x"), line=says(f"it is {seed}"))


@path()
def engine_answer_streamed(seed: str) -> None:
    engine(TextNode(text="x"), line=says(f"it is {seed}"), streaming=True)


@path()
def engine_as_a_tool(seed: str) -> None:
    from llama_index.core.query_engine import RetrieverQueryEngine

    made = RetrieverQueryEngine.from_args(Finding(TextNode(text=seed)), llm=model(says(seed)))
    QueryEngineTool.from_defaults(made, name="ask", description=seed).call(input=seed)


@path()
def chat_engine(seed: str) -> None:
    made = SimpleChatEngine.from_defaults(llm=model(says(seed)), system_prompt=seed)
    made.chat(f"I am {seed}")
    made.chat("and now?")


@path()
def chat_engine_streamed(seed: str) -> None:
    made = ContextChatEngine.from_defaults(retriever=Finding(TextNode(text=seed)), llm=model(says(seed)))
    assert "".join(made.stream_chat(f"I am {seed}").response_gen)


@path(untold=True)
def embedded_text(seed: str) -> None:
    embedding = MockEmbedding(embed_dim=3)
    embedding.get_text_embedding(seed)
    embedding.get_query_embedding(seed)
    VectorStoreIndex.from_documents([Document(text=seed, metadata={"file": seed})], embed_model=embedding)


@path()
def embedding_model(seed: str) -> None:
    MockEmbedding(embed_dim=3, model_name=seed).get_text_embedding("x")


# --- workflows -------------------------------------------------------------------------------------------------------
@path()
def workflow_name(seed: str) -> None:
    async def main() -> None:
        await with_model(type(seed, (My_Flow2,), {"__module__": __name__}), model()).run()

    asyncio.run(main())


@path()
def workflow_event(seed: str) -> None:
    async def main() -> None:
        await with_model(My_Flow2, model()).run(who=seed, raw={seed: seed})

    asyncio.run(main())


@path()
def workflow_result(seed: str) -> None:
    async def main() -> None:
        await with_model(My_Flow2, model(says(seed))).run()

    asyncio.run(main())


@path()
def workflow_error(seed: str) -> None:
    async def main() -> None:
        await with_model(Failing, seed).run(who=seed)

    with quietly(KeyError):
        asyncio.run(main())


# --- what user code writes on the current span -----------------------------------------------------------------------
def _written(name: str, write: Callable[[Any, str], Any]) -> None:
    def run(seed: str) -> None:
        look(lambda _: str(write(trace.get_current_span(), seed))).call(text="x")
        agent(
            asks(("look", {"text": "x"})),
            says("x"),
            tools=[look(lambda _: str(write(trace.get_current_span(), seed)))],
        )

    run.__name__ = f"current_span_{name}"
    path()(run)


_written("attribute", lambda current, seed: current.set_attribute("who", seed))
_written("attribute_key", lambda current, seed: current.set_attributes({seed: 1, "many": [seed]}))
_written("event", lambda current, seed: current.add_event(f"told {seed}", {"a": seed, seed: 1}))
_written("exception", lambda current, seed: current.record_exception(ValueError(f"no {seed}"), {seed: seed}))
_written("link", lambda current, seed: current.add_link(current.get_span_context(), {"a": seed, seed: 1}))
_written("status", lambda current, seed: current.set_status(trace.StatusCode.ERROR, f"no {seed}"))
_written("name", lambda current, seed: current.update_name(f"for {seed}"))


@path()
def own_span(seed: str) -> None:
    def body(_: Any) -> str:
        with quietly(), span(f"chain.{seed}", {"a": seed}) as own:
            own.set_attribute(seed, seed)
            raise Expected(seed)
        return "x"

    look(body).call(text="x")
