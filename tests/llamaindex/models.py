"""A LlamaIndex model that plays a script, so the real framework can be run without a network."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
    MessageRole,
    TextBlock,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from pydantic import Field, PrivateAttr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@dataclass(frozen=True)
class Line:
    """What the model says in one call: text, or tools it asks for, or an error after *text*."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any], str], ...] = ()
    input: int = 100
    output: int = 10
    error: BaseException | None = None
    raw: dict[str, Any] = field(default_factory=dict)


# Newer releases have a block for tool calls, older ones put them beside the message.
ToolCallBlock: Any = getattr(types, "ToolCallBlock", None)
Script: TypeAlias = "list[Line | BaseException]"


class ScriptedLLM(FunctionCallingLLM):
    """Plays its script, one line a call: says something, asks for tools, or raises."""

    script: list[Any] = Field(default_factory=list)
    """Lines and exceptions, one for each call."""
    model: str = "scripted-1"
    """Reported as the model."""
    temperature: float = 0.5
    """Reported as a parameter."""
    api_key: str = "sk-canary-0123456789abcdef"
    """Must never be read."""
    repeat: bool = False
    """Begin again when the script is over; otherwise one call too many is an error."""
    chunk_chars: int = 8
    """Characters in a chunk of a stream."""
    seen: list[list[ChatMessage]] = Field(default_factory=list)
    """The messages of each call, in order."""
    gate: Any = None
    """An asyncio.Event to wait for before each asynchronous answer."""

    _played: int = PrivateAttr(default=0)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def class_name(cls) -> str:
        """Return the name LlamaIndex serializes the model under."""
        return "scripted_llm"

    @property
    def metadata(self) -> LLMMetadata:
        """Say that the model takes tools."""
        return LLMMetadata(is_function_calling_model=True, is_chat_model=True, model_name=self.model)

    def _next(self, messages: Any) -> Line:
        with self._lock:
            index, self._played = self._played, self._played + 1
            self.seen.append(list(messages))
        if self.repeat:
            index %= len(self.script)
        if index >= len(self.script):
            raise AssertionError(f"the script has {len(self.script)} lines, this is call {index + 1}")
        line = self.script[index]
        if isinstance(line, BaseException):
            raise line
        return line

    def _said(self, line: Line, text: str, delta: str | None, *, whole: bool) -> ChatResponse:
        blocks: list[Any] = [TextBlock(text=text)] if text else []
        raw: dict[str, Any] = {"id": "resp-1", "model": self.model}
        beside: dict[str, Any] = {}
        if whole:
            asked = [
                {"tool_call_id": call_id, "tool_name": name, "tool_kwargs": given}
                for name, given, call_id in line.calls
            ]
            if ToolCallBlock is None:
                beside = {"tool_calls": asked} if asked else {}
            else:
                blocks += [ToolCallBlock(**call) for call in asked]
            reason = "tool_calls" if line.calls else "stop"
            raw |= {
                "choices": [{"finish_reason": reason}],
                "usage": {
                    "prompt_tokens": line.input,
                    "completion_tokens": line.output,
                    "total_tokens": line.input + line.output,
                },
                **line.raw,
            }
        message = ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=beside)
        return ChatResponse(message=message, delta=delta, raw=raw)

    def _chunks(self, line: Line) -> Iterator[ChatResponse]:
        for end in range(self.chunk_chars, len(line.text) + self.chunk_chars, self.chunk_chars):
            start = end - self.chunk_chars
            yield self._said(line, line.text[:end], line.text[start:end], whole=False)
        if line.error is not None:
            raise line.error
        yield self._said(line, line.text, "", whole=True)

    def _prepare_chat_with_tools(
        self, tools: Any, user_msg: Any = None, chat_history: Any = None, **given: Any
    ) -> dict[str, Any]:
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(user_msg))
        return {"messages": messages, "tools": [tool.metadata.to_openai_tool() for tool in tools]}

    def get_tool_calls_from_response(self, response: ChatResponse, **_: Any) -> list[ToolSelection]:
        """Return the tools an answer asks for."""
        asked = [block for block in response.message.blocks if hasattr(block, "tool_call_id")]
        calls = [vars(block) for block in asked] or response.message.additional_kwargs.get("tool_calls", [])
        return [
            ToolSelection(tool_id=call["tool_call_id"], tool_name=call["tool_name"], tool_kwargs=call["tool_kwargs"])
            for call in calls
        ]

    def _answer(self, messages: Any) -> ChatResponse:
        line = self._next(messages)
        if line.error is not None:
            raise line.error
        return self._said(line, line.text, None, whole=True)

    @llm_chat_callback()
    def chat(self, messages: Any, **_: Any) -> ChatResponse:
        """Answer."""
        return self._answer(messages)

    @llm_chat_callback()
    async def achat(self, messages: Any, **_: Any) -> ChatResponse:
        """Answer."""
        if self.gate is not None:
            await self.gate.wait()
        return self._answer(messages)

    @llm_chat_callback()
    def stream_chat(self, messages: Any, **_: Any) -> Any:
        """Answer in pieces."""
        return iter_of(self._chunks(self._next(messages)))

    @llm_chat_callback()
    async def astream_chat(self, messages: Any, **_: Any) -> Any:
        """Answer in pieces."""
        if self.gate is not None:
            await self.gate.wait()
        return aiter_of(self._chunks(self._next(messages)))

    @llm_completion_callback()
    def complete(self, prompt: str, **_: Any) -> CompletionResponse:
        """Complete."""
        return _completed(self._answer([ChatMessage(prompt)]))

    @llm_completion_callback()
    async def acomplete(self, prompt: str, **_: Any) -> CompletionResponse:
        """Complete."""
        return _completed(self._answer([ChatMessage(prompt)]))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, **_: Any) -> Any:
        """Complete in pieces."""
        return iter_of(map(_completed, self._chunks(self._next([ChatMessage(prompt)]))))

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, **_: Any) -> Any:
        """Complete in pieces."""
        return aiter_of(map(_completed, self._chunks(self._next([ChatMessage(prompt)]))))


def _completed(response: ChatResponse) -> CompletionResponse:
    return CompletionResponse(text=response.message.content or "", delta=response.delta, raw=response.raw)


def iter_of(chunks: Iterator[Any]) -> Iterator[Any]:
    """Yield *chunks*, as a generator."""
    yield from chunks


async def aiter_of(chunks: Iterator[Any]) -> AsyncIterator[Any]:
    """Yield *chunks*, as an asynchronous generator."""
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


def says(text: str, **given: Any) -> Line:
    """Return a final answer."""
    return Line(text, **given)


def asks(*wanted: tuple[str, dict[str, Any]], prefix: str = "call", **given: Any) -> Line:
    """Return an answer that asks for tools, each a name and its arguments; ids are call-1, call-2."""
    calls = tuple((name, arguments, f"{prefix}-{number}") for number, (name, arguments) in enumerate(wanted, 1))
    return Line(calls=calls, **given)
