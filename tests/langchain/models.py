"""Chat models that play a script, so a real framework can be run without a network."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.runnables import Runnable


@dataclass(frozen=True, slots=True)
class Cut:
    """A stream that says *text* and then fails with *error*; a plain call fails at once."""

    text: str
    error: BaseException


Line: TypeAlias = AIMessage | BaseException | Cut


class ScriptedChat(BaseChatModel):
    """Plays its script, one line a call: says a message, or raises an exception.

    Calls from several threads and tasks take the lines in the order in which they arrive.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    script: list[Any]
    """Messages, exceptions and cuts, one for each call."""
    model_name: str = "scripted-1"
    """Reported as the model asked for and as the one that answered."""
    provider: str = "scripted"
    """Reported as the provider."""
    repeat: bool = False
    """Begin again when the script is over; otherwise one call too many is an error."""
    delay: float = 0.0
    """Seconds before each answer and each chunk."""
    chunk_chars: int = 8
    """Characters in a chunk of a stream."""
    temperature: float | None = None
    """Reported as the model's temperature."""
    tools: list[Any] = Field(default_factory=list)
    """What was bound last."""
    seen: list[list[BaseMessage]] = Field(default_factory=list)
    """The messages of each call, in order."""

    _played: int = PrivateAttr(default=0)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model_name": self.model_name, "temperature": self.temperature}

    def _get_ls_params(self, stop: list[str] | None = None, **given: Any) -> Any:
        return super()._get_ls_params(stop=stop, **given) | {
            "ls_provider": self.provider,
            "ls_model_name": self.model_name,
        }

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **given: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Send *tools* with each call, in the form the OpenAI API has."""
        from langchain_core.utils.function_calling import convert_to_openai_tool

        self.tools = list(tools)
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **given)

    def _next(self, messages: list[BaseMessage]) -> Line:
        with self._lock:
            index, self._played = self._played, self._played + 1
            self.seen.append(list(messages))
        if self.repeat:
            index %= len(self.script)
        if index >= len(self.script):
            raise AssertionError(f"the script has {len(self.script)} lines, this is call {index + 1}")
        line: Line = self.script[index]
        return line

    def _said(self, line: Line) -> ChatResult:
        if isinstance(line, Cut):
            raise line.error
        if isinstance(line, BaseException):
            raise line
        metadata = {"model_name": self.model_name, "finish_reason": _finish_reason(line), **line.response_metadata}
        # A copy: frameworks write ids into the message they are given.
        message = line.model_copy(update={"response_metadata": metadata}, deep=True)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _chunks(self, line: Line) -> Iterator[ChatGenerationChunk]:
        if isinstance(line, Cut):
            yield from _texts(line.text, self.chunk_chars)
            raise line.error
        message = self._said(line).generations[0].message
        yield from _texts(message.text, self.chunk_chars)
        yield ChatGenerationChunk(message=_last_chunk(message))

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        time.sleep(self.delay)
        return self._said(self._next(messages))

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        await asyncio.sleep(self.delay)
        return self._said(self._next(messages))

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **_: Any
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(self._next(messages)):
            time.sleep(self.delay)
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **_: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks(self._next(messages)):
            await asyncio.sleep(self.delay)
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def says(text: str, *, input_tokens: int = 0, output_tokens: int = 0, **given: Any) -> AIMessage:
    """Return a final answer, with usage where tokens are given."""
    return AIMessage(text, usage_metadata=_usage(input_tokens, output_tokens), **given)


def calls(*wanted: tuple[str, dict[str, Any]], input_tokens: int = 0, output_tokens: int = 0) -> AIMessage:
    """Return a message that asks for tools, each a name and its arguments; ids are call_1, call_2."""
    asked = [
        {"name": name, "args": arguments, "id": f"call_{number}", "type": "tool_call"}
        for number, (name, arguments) in enumerate(wanted, 1)
    ]
    return AIMessage("", tool_calls=asked, usage_metadata=_usage(input_tokens, output_tokens))


def _usage(input_tokens: int, output_tokens: int) -> Any:
    if not input_tokens and not output_tokens:
        return None
    total = input_tokens + output_tokens
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, "total_tokens": total}


def _finish_reason(message: AIMessage) -> str:
    return "tool_calls" if message.tool_calls else "stop"


def _texts(text: str, size: int) -> Iterator[ChatGenerationChunk]:
    for start in range(0, len(text), size):
        yield ChatGenerationChunk(message=AIMessageChunk(text[start : start + size]))


def _last_chunk(message: BaseMessage) -> AIMessageChunk:

    if not isinstance(message, AIMessage):
        raise TypeError(f"a script says AIMessage, not {type(message).__name__}")
    return AIMessageChunk(
        "",
        tool_call_chunks=[
            {"name": call["name"], "args": json.dumps(call["args"]), "id": call["id"], "index": index}
            for index, call in enumerate(message.tool_calls)
        ],
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        id=message.id,
    )
