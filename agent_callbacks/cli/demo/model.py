"""A LangChain chat model that plays a script, so that the demo needs neither a key nor a network."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from agent_callbacks.cli.demo.story import CHUNK_SECONDS, FIRST_CHUNK_SECONDS, Line, Script, Tokens, asks, says

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.runnables import Runnable

__all__ = ["ScriptedModel", "asks", "says"]


class ScriptedModel(BaseChatModel):
    """Streams the answers of its script, one a call, and reports how many tokens a real model would have read."""

    script: list[Line]
    """The answers, in order."""
    model_name: str = "scripted-1"
    """Reported as the model that was asked and that answered."""
    streaming: bool = True

    _script: Script = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Begin with the first line."""
        super().model_post_init(context)
        self._script = Script(self.script)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: list[str] | None = None, **given: Any) -> Any:
        named = {"ls_provider": "scripted", "ls_model_name": self.model_name}
        return super()._get_ls_params(stop=stop, **given) | named

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **given: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Send *tools* with each call; the script decides which are asked for."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **given)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **given: Any,
    ) -> ChatResult:
        chunks = list(self._stream(messages, stop, run_manager, **given))
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        return ChatResult(generations=[ChatGeneration(message=whole.message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **given: Any,
    ) -> Iterator[ChatGenerationChunk]:
        del stop
        line, tokens = self._script.answer(_chars(messages) + len(json.dumps(given.get("tools") or [])))
        time.sleep(FIRST_CHUNK_SECONDS)
        for message in self._chunks(line, tokens):
            time.sleep(CHUNK_SECONDS)
            chunk = ChatGenerationChunk(message=message)
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _chunks(self, line: Line, tokens: Tokens) -> Iterator[AIMessageChunk]:
        for word in line.words:
            yield AIMessageChunk(content=word)
        for index, request in enumerate(line.requests):
            asked = tool_call_chunk(name=request.name, args=request.json, id=request.id, index=index)
            yield AIMessageChunk(content="", tool_call_chunks=[asked])
        usage = UsageMetadata(
            input_tokens=tokens.read,
            output_tokens=tokens.written,
            total_tokens=tokens.read + tokens.written,
            input_token_details=InputTokenDetails(cache_read=tokens.cached),
        )
        about = {"model_name": self.model_name, "finish_reason": line.finish_reason}
        yield AIMessageChunk(content="", usage_metadata=usage, response_metadata=about)


def _chars(messages: list[BaseMessage]) -> int:
    calls = (list(message.tool_calls) if isinstance(message, AIMessage) else [] for message in messages)
    return sum(len(message.text) for message in messages) + sum(len(json.dumps(made)) for made in calls)
