"""A LlamaIndex LLM that plays a script, so that the demo needs neither a key nor a network."""

# LlamaIndex's decorators say nothing of the types they keep.
# pyright: reportUnknownVariableType=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.generic_utils import chat_to_completion_decorator, stream_chat_to_completion_decorator
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata, MessageRole
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from pydantic import PrivateAttr

from agent_callbacks.cli.demo.story import CHUNK_SECONDS, FIRST_CHUNK_SECONDS, Line, Request, Script, Tokens, asks, says

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from llama_index.core.tools import BaseTool

__all__ = ["ScriptedLLM", "asks", "says"]


class ScriptedLLM(FunctionCallingLLM, CustomLLM):
    """Streams the answers of its script, one a call, and reports how many tokens a real model would have read."""

    script: list[Line]
    """The answers, in order."""
    model: str = "scripted-1"
    """Reported as the model that was asked and that answered."""

    _script: Script = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Begin with the first line."""
        super().model_post_init(context)
        self._script = Script(self.script)

    @classmethod
    def class_name(cls) -> str:
        """Return the name LlamaIndex knows the class by."""
        return "ScriptedLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """Say that this is a chat model that takes tools."""
        return LLMMetadata(is_chat_model=True, is_function_calling_model=True, model_name=self.model)

    # --- chat ----------------------------------------------------------------------------------------------------

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **given: Any) -> ChatResponse:
        """Return the next answer."""
        time.sleep(FIRST_CHUNK_SECONDS)
        return self._chunks(messages, given)[-1]

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **given: Any) -> ChatResponse:
        """Return the next answer."""
        await asyncio.sleep(FIRST_CHUNK_SECONDS)
        return self._chunks(messages, given)[-1]

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **given: Any) -> Generator[ChatResponse]:
        """Return the next answer word by word."""

        def stream() -> Generator[ChatResponse]:
            time.sleep(FIRST_CHUNK_SECONDS)
            for chunk in self._chunks(messages, given):
                time.sleep(CHUNK_SECONDS)
                yield chunk

        return stream()

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **given: Any) -> AsyncGenerator[ChatResponse]:
        """Return the next answer word by word."""

        async def stream() -> AsyncGenerator[ChatResponse]:
            await asyncio.sleep(FIRST_CHUNK_SECONDS)
            for chunk in self._chunks(messages, given):
                await asyncio.sleep(CHUNK_SECONDS)
                yield chunk

        return stream()

    def _chunks(self, messages: Sequence[ChatMessage], given: dict[str, Any]) -> list[ChatResponse]:
        """Return the next answer as it is streamed: each response holds what was said so far, the last all of it."""
        line, tokens = self._script.answer(_chars(messages) + len(json.dumps(given.get("tools") or [])))
        so_far, chunks = "", list[ChatResponse]()
        for word in line.words:
            so_far += word
            chunks.append(ChatResponse(message=_message(so_far), delta=word, raw={"model": self.model}))
        whole = _message(line.text, tool_calls=[_tool_call(request) for request in line.requests])
        return [*chunks, ChatResponse(message=whole, delta="", raw=self._raw(line, tokens))]

    def _raw(self, line: Line, tokens: Tokens) -> dict[str, Any]:
        """Return what a provider says about an answer, as OpenAI does."""
        usage = {
            "prompt_tokens": tokens.read,
            "completion_tokens": tokens.written,
            "total_tokens": tokens.read + tokens.written,
            "prompt_tokens_details": {"cached_tokens": tokens.cached},
        }
        return {"model": self.model, "choices": [{"finish_reason": line.finish_reason}], "usage": usage}

    # --- tools ---------------------------------------------------------------------------------------------------

    def get_tool_calls_from_response(self, response: ChatResponse, *_: Any, **__: Any) -> list[ToolSelection]:
        """Return the tools that *response* asks for."""
        return [
            ToolSelection(
                tool_id=call["id"],
                tool_name=call["function"]["name"],
                tool_kwargs=json.loads(call["function"]["arguments"]),
            )
            for call in response.message.additional_kwargs.get("tool_calls", ())
        ]

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        *_: Any,
        **__: Any,
    ) -> dict[str, Any]:
        """Send *tools* with the call; the script decides which are asked for."""
        asked = ChatMessage(user_msg) if isinstance(user_msg, str) else user_msg
        messages = [*(chat_history or ()), *(() if asked is None else (asked,))]
        return {"messages": messages, "tools": [tool.metadata.to_openai_tool() for tool in tools]}

    # --- completion, which no agent asks for ---------------------------------------------------------------------

    @llm_completion_callback()
    def complete(self, prompt: str, *_: Any, **given: Any) -> CompletionResponse:
        """Return the next answer."""
        return chat_to_completion_decorator(self.chat)(prompt, **given)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, *_: Any, **given: Any) -> Generator[CompletionResponse]:
        """Return the next answer word by word."""
        return stream_chat_to_completion_decorator(self.stream_chat)(prompt, **given)


def _message(text: str, **more: Any) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=text, additional_kwargs=more)


def _tool_call(request: Request) -> dict[str, Any]:
    return {"id": request.id, "type": "function", "function": {"name": request.name, "arguments": request.json}}


def _chars(messages: Sequence[ChatMessage]) -> int:
    calls = (message.additional_kwargs.get("tool_calls", []) for message in messages)
    return sum(len(message.content or "") for message in messages) + sum(len(json.dumps(made)) for made in calls)
