"""A chat model that plays a script, so that the demo needs neither a key nor a network."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.runnables import Runnable

__all__ = ["ScriptedModel", "asks", "says"]

_CHARS_PER_TOKEN: Final = 4
_FIRST_CHUNK_SECONDS: Final = 0.06
_CHUNK_SECONDS: Final = 0.004


def says(text: str) -> AIMessage:
    """Return an answer."""
    return AIMessage(text)


def asks(*calls: tuple[str, dict[str, Any]]) -> AIMessage:
    """Return a message that asks for tools, each a name and its arguments."""
    wanted = [
        {"name": name, "args": arguments, "id": f"call_{name}_{number}", "type": "tool_call"}
        for number, (name, arguments) in enumerate(calls)
    ]
    return AIMessage("", tool_calls=wanted)


class ScriptedModel(BaseChatModel):
    """Streams the answers of its script, one a call, and reports how many tokens a real model would have read."""

    script: list[AIMessage]
    """The answers, in order."""
    model_name: str = "scripted-1"
    """Reported as the model that was asked and that answered."""
    streaming: bool = True

    _played: int = PrivateAttr(default=0)
    _already_read: int = PrivateAttr(default=0)

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
        line = self.script[self._played]
        self._played += 1
        time.sleep(_FIRST_CHUNK_SECONDS)
        for message in self._chunks(line, self._usage(messages, given.get("tools"), line)):
            time.sleep(_CHUNK_SECONDS)
            chunk = ChatGenerationChunk(message=message)
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _chunks(self, line: AIMessage, usage: UsageMetadata) -> Iterator[AIMessageChunk]:
        for word in re.findall(r"\s*\S+", line.text):
            yield AIMessageChunk(content=word)
        for index, call in enumerate(line.tool_calls):
            arguments = json.dumps(call["args"])
            asked = tool_call_chunk(name=call["name"], args=arguments, id=call["id"], index=index)
            yield AIMessageChunk(content="", tool_call_chunks=[asked])
        finish = "tool_calls" if line.tool_calls else "stop"
        about = {"model_name": self.model_name, "finish_reason": finish}
        yield AIMessageChunk(content="", usage_metadata=usage, response_metadata=about)

    def _usage(self, messages: list[BaseMessage], tools: object, line: AIMessage) -> UsageMetadata:
        """Return the tokens of this call; what the call before has read comes from the provider's cache."""
        asked = sum(len(message.text) + len(json.dumps(_calls(message))) for message in messages)
        read = (asked + len(json.dumps(tools or []))) // _CHARS_PER_TOKEN
        written = (len(line.text) + len(json.dumps(_calls(line)))) // _CHARS_PER_TOKEN
        cached, self._already_read = self._already_read, read
        return UsageMetadata(
            input_tokens=read,
            output_tokens=written,
            total_tokens=read + written,
            input_token_details=InputTokenDetails(cache_read=cached),
        )


def _calls(message: BaseMessage) -> list[Any]:
    return list(message.tool_calls) if isinstance(message, AIMessage) else []
