"""The LangChain and LangGraph handler: reads a callback's arguments, builds a value, calls a verb of the recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent_callbacks.langchain import install
from agent_callbacks.langchain.answer import first_chunk_kind, model_result
from agent_callbacks.langchain.base import HandlerBase, tool_call
from agent_callbacks.langchain.extract import model_call, retrieval_result, tool_result
from agent_callbacks.langchain.reader import Reader
from agent_callbacks.langchain.run import chain_run, stopped
from agent_callbacks.langchain.tool import retrieval
from agent_callbacks.reading.shape import count, member, run_key, text
from agent_callbacks.recording.guard import attempted, guarded, guarded_only
from agent_callbacks.recording.recorder import Recorder
from agent_callbacks.recording.stack import caller
from agent_callbacks.recording.values import (
    AgentRun,
    ChainRun,
    Happened,
    Interrupted,
    ModelCall,
    ModelResult,
    Resumed,
    Retried,
    Retrieval,
    RetrievalResult,
    RunResult,
    ToolCall,
    ToolResult,
)  # fmt: skip
from agent_callbacks.recording.watched import Watched
from agent_callbacks.settings import HANDLER_ARGUMENTS, check_arguments

if TYPE_CHECKING:
    from typing import Never, Self
    from uuid import UUID

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from agent_callbacks.settings import Settings

__all__ = ["AgentCallbackHandler"]

_READER: Final = Reader()
# What stands for something that cannot be read.
_CHAIN: Final = ChainRun("chain")
_CHAT: Final = ModelCall()
_COMPLETION: Final = ModelCall("text_completion")
_ANSWER: Final = ModelResult()
_TOOL: Final = ToolCall("tool")
_RESULT: Final = ToolResult()
_RETRIEVAL: Final = Retrieval("retriever")
_RETRIEVED: Final = RetrievalResult()


class AgentCallbackHandler(Watched, HandlerBase):
    """Records LangChain and LangGraph runs as OpenTelemetry spans; one instance serves all threads and tasks.

    Put it into ``callbacks=[...]``, or call ``install()`` once per process.

    Args:
        tracer_provider: Where spans go; the global provider unless given.
        meter_provider: Where metrics go; the global provider unless given.
        settings: ``Settings.load()`` unless given.
        **unknown: Refused.

    Raises:
        TypeError: An unknown argument, with the nearest known one.
    """

    # A sync handler on the caller's own task: only so is what it makes current seen by the body that follows.
    run_inline = True

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        settings: Settings | None = None,
        **unknown: Never,
    ) -> None:
        check_arguments("AgentCallbackHandler", unknown, HANDLER_ARGUMENTS, settings)
        self._recorder = Recorder(_READER, tracer_provider, meter_provider, settings)

    def __deepcopy__(self, memo: object) -> Self:
        """Return the handler itself: a copy of a model or a configuration reports to the same one."""
        return self

    def install(self) -> AgentCallbackHandler:
        """Record every LangChain run of the process, without ``callbacks=``; returns the handler."""
        install.install(self, AgentCallbackHandler)
        return self

    def uninstall(self) -> None:
        """Undo ``install()``."""
        install.uninstall(self)

    @property
    def ignore_llm(self) -> bool:
        """Whether the framework need not call at all, here and for the other kinds below."""
        return not self._recorder.enabled

    # One property under seven names: the base class writes each out.
    ignore_retry = ignore_chain = ignore_agent = ignore_llm  # pyright: ignore[reportIncompatibleMethodOverride]
    ignore_retriever = ignore_chat_model = ignore_llm  # pyright: ignore[reportIncompatibleMethodOverride]
    ignore_custom_event = ignore_llm  # pyright: ignore[reportIncompatibleMethodOverride]

    # --- chains, graphs, nodes -----------------------------------------------------------------------------------

    @guarded
    def on_chain_start(
        self,
        serialized: Any = None,
        inputs: Any = None,
        *,
        run_id: UUID | None = None,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        **_: Any,
    ) -> None:
        """Open a chain, graph or node."""
        key, around, called = run_key(run_id), run_key(parent_run_id), caller()
        inner = self._recorder.hides_chains(around)
        plain: AgentRun | ChainRun = _CHAIN
        value = attempted(self, plain, chain_run, serialized, name, inputs, metadata, tags, called, inner=inner)
        self._recorder.start(key, around, value, called=called)

    @guarded
    def on_chain_end(self, outputs: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Close a chain, graph or node."""
        self._recorder.end(run_key(run_id), RunResult(outputs))

    @guarded
    def on_chain_error(self, error: BaseException, *, run_id: UUID | None = None, **_: Any) -> None:
        """Close a chain, graph or node that raised."""
        self._stop(run_id, error)

    def _stop(self, run_id: UUID | None, error: BaseException, response: Any = None) -> None:
        outcome = attempted(self, None, stopped, error)
        if outcome is not None:
            self._recorder.end(run_key(run_id), RunResult(outcome=outcome))
        else:
            partial = None if response is None else self._answer(run_id, response)
            self._recorder.fail(run_key(run_id), error, result=partial)

    def _answer(self, run_id: UUID | None, response: Any) -> ModelResult:
        chunks = self._recorder.latest_chunks(run_key(run_id))
        return attempted(self, _ANSWER, model_result, response, chunks)

    # --- models --------------------------------------------------------------------------------------------------

    @guarded
    def on_chat_model_start(
        self,
        serialized: Any = None,
        messages: Any = None,
        *,
        run_id: UUID | None = None,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        invocation_params: Any = None,
        options: Any = None,
        **_: Any,
    ) -> None:
        """Open a chat model call."""
        given = (serialized, messages, invocation_params, options, metadata, tags)
        value = attempted(self, _CHAT, model_call, "chat", *given)
        self._recorder.start(run_key(run_id), run_key(parent_run_id), value, called=caller())

    @guarded
    def on_llm_start(
        self,
        serialized: Any = None,
        prompts: Any = None,
        *,
        run_id: UUID | None = None,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        invocation_params: Any = None,
        options: Any = None,
        **_: Any,
    ) -> None:
        """Open a text completion."""
        given = (serialized, prompts, invocation_params, options, metadata, tags)
        value = attempted(self, _COMPLETION, model_call, "text_completion", *given)
        self._recorder.start(run_key(run_id), run_key(parent_run_id), value, called=caller())

    @guarded_only
    def on_llm_new_token(self, token: Any = "", *, chunk: Any = None, run_id: UUID | None = None, **_: Any) -> None:
        """Note a streamed chunk."""
        self._recorder.chunk(run_key(run_id), token if chunk is None else chunk, first_chunk_kind)

    @guarded_only
    def on_stream_event(self, event: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Note a streamed event; ``stream_events(version="v3")`` fires only these."""
        self._recorder.chunk(run_key(run_id), event, first_chunk_kind)

    @guarded
    def on_llm_end(self, response: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Close a model call."""
        self._recorder.end(run_key(run_id), self._answer(run_id, response))

    @guarded
    def on_llm_error(self, error: BaseException, *, run_id: UUID | None = None, response: Any = None, **_: Any) -> None:
        """Close a model call that raised, with what it had answered until then."""
        self._stop(run_id, error, response)

    # --- tools and retrievers ------------------------------------------------------------------------------------

    @guarded
    def on_tool_start(
        self,
        serialized: Any = None,
        input_str: Any = None,
        *,
        run_id: UUID | None = None,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        inputs: Any = None,
        tool_call_id: Any = None,
        **_: Any,
    ) -> None:
        """Open a tool call."""
        given = (serialized, name, inputs, input_str, tool_call_id, metadata, tags)
        value = attempted(self, _TOOL, tool_call, *given)
        self._recorder.start(run_key(run_id), run_key(parent_run_id), value, called=caller())

    @guarded
    def on_tool_end(self, output: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Close a tool call."""
        self._recorder.end(run_key(run_id), attempted(self, _RESULT, tool_result, output))

    @guarded
    def on_tool_error(self, error: BaseException, *, run_id: UUID | None = None, **_: Any) -> None:
        """Close a tool call that raised."""
        self._stop(run_id, error)

    @guarded
    def on_retriever_start(
        self,
        serialized: Any = None,
        query: Any = None,
        *,
        run_id: UUID | None = None,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        **_: Any,
    ) -> None:
        """Open a retrieval."""
        value = attempted(self, _RETRIEVAL, retrieval, serialized, name, query, metadata, tags)
        self._recorder.start(run_key(run_id), run_key(parent_run_id), value, called=caller())

    @guarded
    def on_retriever_end(self, documents: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Close a retrieval."""
        self._recorder.end(run_key(run_id), attempted(self, _RETRIEVED, retrieval_result, documents))

    @guarded
    def on_retriever_error(self, error: BaseException, *, run_id: UUID | None = None, **_: Any) -> None:
        """Close a retrieval that raised."""
        self._stop(run_id, error)

    # --- on the way ----------------------------------------------------------------------------------------------

    @guarded
    def on_retry(self, retry_state: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Note that a call is tried again."""
        self._recorder.note(run_key(run_id), Retried((count(member(retry_state, "attempt_number")) or 1) + 1))

    @guarded
    def on_custom_event(self, name: Any = None, data: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Note what the user's code has to say."""
        self._recorder.note(run_key(run_id), Happened(text(name) or "event", data))

    @guarded
    def on_agent_action(self, action: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Note an action an AgentExecutor decided on."""
        self._recorder.note(run_key(run_id), Happened("agent.action", member(action, "tool")))

    @guarded
    def on_agent_finish(self, finish: Any = None, *, run_id: UUID | None = None, **_: Any) -> None:
        """Note that an AgentExecutor is done deciding."""
        self._recorder.note(run_key(run_id), Happened("agent.finish", member(finish, "return_values")))

    @guarded
    def on_interrupt(self, event: Any = None) -> None:
        """Note that a graph waits for a human."""
        self._recorder.note(run_key(member(event, "run_id")), Interrupted())

    @guarded
    def on_resume(self, event: Any = None) -> None:
        """Note that a graph goes on where it was interrupted."""
        self._recorder.note(run_key(member(event, "run_id")), Resumed())
