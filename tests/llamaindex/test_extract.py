"""What is read out of LlamaIndex's objects: messages, usage in every provider's shape, parameters, tools."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    ChatResponse,
    CitableBlock,
    CitationBlock,
    CompletionResponse,
    DocumentBlock,
    ImageBlock,
    TextBlock,
)
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, ConfigDict

from agent_callbacks.llamaindex.answer import first_chunk_kind, model_result
from agent_callbacks.llamaindex.extract import embedding_result, model_call, spoken, stopped
from agent_callbacks.llamaindex.message import Reader, message_chars, message_parts, requested_tools
from agent_callbacks.llamaindex.place import Call
from agent_callbacks.llamaindex.tag import asked_by
from agent_callbacks.metadata import EMPTY
from agent_callbacks.recording.values import EmbeddingResult, ModelParameters, Usage
from tests.llamaindex.models import ScriptedLLM

if TYPE_CHECKING:
    from agent_callbacks import AgentEventHandler
    from tests.conftest import Spans


class Loose(BaseModel):
    """A provider's object: known and unknown fields."""

    model_config = ConfigDict(extra="allow")


# --- messages --------------------------------------------------------------------------------------------------------
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 22
TEXT = {"type": "text", "content": "hi"}


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([TextBlock(text="hi")], [TEXT]),
        ([TextBlock(text="")], []),
        (
            [ImageBlock(url="https://example.org/a.png", image_mimetype="image/png")],
            [
                {
                    "type": "uri",
                    "modality": "image",
                    "uri": "https://example.org/a.png",
                    "mime_type": "image/png",
                }
            ],
        ),
        (
            [ImageBlock(image=PNG)],
            [{"type": "blob", "modality": "image", "content": "", "bytes": 30, "mime_type": "image/png"}],
        ),
        (
            [ImageBlock(url="data:image/png;base64,AAAA", image_mimetype="image/png")],
            [{"type": "blob", "modality": "image", "content": "", "bytes": 19, "mime_type": "image/png"}],
        ),
        ([AudioBlock(audio=b"123")], [{"type": "blob", "modality": "audio", "content": "", "bytes": 3}]),
        (
            [DocumentBlock(data=b"123", document_mimetype="text/plain")],
            [{"type": "blob", "modality": "document", "content": "", "bytes": 3, "mime_type": "text/plain"}],
        ),
        ([CitableBlock(title="t", source="s", content="hi")], [TEXT]),
        ([CitationBlock(title="t", source="s", cited_content="hi", additional_location_info={})], [TEXT]),
        ([CachePoint(cache_control=CacheControl(type="ephemeral"))], []),
    ],
)
def test_blocks_are_parts(blocks: Any, expected: Any) -> None:
    """Every kind of block is a part of the conventions, without the bytes of media."""
    assert {"role": "assistant", "parts": expected} == message_parts(ChatMessage(role="assistant", blocks=blocks))


THINKING = SimpleNamespace(block_type="thinking", content="hm")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (THINKING, {"type": "reasoning", "content": "hm"}),
        (
            SimpleNamespace(block_type="tool_call", tool_call_id="c1", tool_name="add", tool_kwargs={"a": 1}),
            {"type": "tool_call", "name": "add", "arguments": {"a": 1}, "id": "c1"},
        ),
        (
            SimpleNamespace(block_type="tool_call", tool_call_id=None, tool_name="add", tool_kwargs={}),
            {"type": "tool_call", "name": "add", "arguments": {}},
        ),
    ],
)
def test_blocks_of_newer_releases_are_parts(block: Any, expected: Any) -> None:
    """Reasoning and tool calls, which older releases have no block for."""
    message = SimpleNamespace(role="assistant", blocks=[block], additional_kwargs={})
    assert {"role": "assistant", "parts": [expected]} == message_parts(message)


def test_a_block_of_a_new_kind_is_named() -> None:
    """A kind of block we do not know shows that it was there."""
    message = SimpleNamespace(role="user", blocks=[SimpleNamespace(block_type="hologram")], additional_kwargs={})
    assert {"role": "user", "parts": [{"type": "hologram"}]} == message_parts(message)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (ChatMessage("hi", role="developer"), {"role": "system", "parts": [TEXT]}),
        ("hi", {"role": "user", "parts": [TEXT]}),
        (
            ChatMessage("42", role="tool", additional_kwargs={"tool_call_id": "c1"}),
            {"role": "tool", "parts": [{"type": "tool_call_response", "response": "42", "id": "c1"}]},
        ),
        (
            ChatMessage(role="tool", blocks=[TextBlock(text="hi"), AudioBlock(audio=b"123")]),
            {
                "role": "tool",
                "parts": [
                    {
                        "type": "tool_call_response",
                        "response": [TEXT, {"type": "blob", "modality": "audio", "content": "", "bytes": 3}],
                    }
                ],
            },
        ),
    ],
)
def test_messages_have_the_conventions_roles(message: Any, expected: Any) -> None:
    """Prompts, providers' roles and tool answers are messages of the conventions."""
    assert expected == message_parts(message)


CALLS: list[Any] = [
    {"function": {"name": "add", "arguments": '{"a":1}'}, "id": "c1"},
    SimpleNamespace(function=SimpleNamespace(name="add", arguments='{"a":1}'), id="c1"),
    {"tool_name": "add", "tool_kwargs": '{"a":1}', "tool_id": "c1"},
    {"name": "add", "input": '{"a":1}', "id": "c1"},
]


@pytest.mark.parametrize("call", CALLS)
def test_calls_beside_the_blocks_are_read(call: Any) -> None:
    """Older integrations put tool calls beside the message, each in its provider's shape."""
    message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]})
    assert [("add", "c1")] == requested_tools(message)
    expected = {"type": "tool_call", "name": "add", "arguments": {"a": 1}, "id": "c1"}
    assert [expected] == message_parts(message)["parts"]


def test_half_of_a_calls_arguments_stay_text() -> None:
    """Of a stream that broke, the arguments may be half of a JSON text: they are shown as they are."""
    message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": [{"tool_name": "add", "input": '{"a":'}]})
    assert [{"type": "tool_call", "name": "add", "arguments": '{"a":'}] == message_parts(message)["parts"]


def test_a_call_without_anything_has_no_name() -> None:
    """What names no tool is no request; its part says so."""
    message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": [{}]})
    assert [] == requested_tools(message)
    assert [{"type": "tool_call", "name": ""}] == message_parts(message)["parts"]


def test_only_text_is_counted() -> None:
    """Characters of text count, those of reasoning and calls do not."""
    blocks = [TextBlock(text="four"), THINKING, TextBlock(text="five!")]
    assert 9 == message_chars(SimpleNamespace(role="assistant", blocks=blocks))
    assert 2 == message_chars("hi")


def test_a_message_changed_in_place_is_another() -> None:
    """LlamaIndex writes state into the text of the last message: what it holds tells."""
    message = ChatMessage("hi")
    before = Reader().content(message)
    message.blocks[0].text = "hi, state"  # type: ignore[union-attr]
    assert before != Reader().content(message)


def test_a_completion_is_an_answer_too() -> None:
    """A completion's text is shown as an assistant's message; any other answer is a message already."""
    assert Reader().answer("hi") is None
    assert {"role": "assistant", "parts": [TEXT]} == Reader().output("hi")
    message = ChatMessage("hi", role="assistant")
    assert message is Reader().answer(message)


# --- usage, finish reasons, models -----------------------------------------------------------------------------------
def answered(raw: Any, **given: Any) -> Any:
    """Return what is read of an answer with *raw*."""
    return model_result(ChatResponse(message=ChatMessage("hi", role="assistant"), raw=raw, **given))


OPENAI = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"usage": OPENAI}, Usage(11, 7)),
        (Loose(usage=Loose(**OPENAI)), Usage(11, 7)),
        (
            Loose(usage=Loose(**OPENAI, prompt_tokens_details=Loose(cached_tokens=4))),
            Usage(11, 7, cache_read=4),
        ),
        (
            {"usage": {**OPENAI, "completion_tokens_details": {"reasoning_tokens": 3}}},
            Usage(11, 7, reasoning=3),
        ),
        (Loose(x_groq=Loose(usage=Loose(**OPENAI))), Usage(11, 7)),
        (
            {"usage": Loose(input_tokens=11, output_tokens=7, cache_read_input_tokens=100)},
            Usage(111, 7, cache_read=100),
        ),
        ({"usage_metadata": {"prompt_token_count": 11, "candidates_token_count": 7}}, Usage(11, 7)),
        ({"usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7}}, Usage(11, 7)),
        ({"prompt_eval_count": 11, "eval_count": 7}, Usage(11, 7)),
        ({"usage": {"inputTokens": 11, "outputTokens": 7}}, Usage(11, 7)),
        ({"meta": {"tokens": {"input_tokens": 11, "output_tokens": 7}}}, Usage(11, 7)),
        (
            {
                "ResponseMetadata": {
                    "HTTPHeaders": {
                        "x-amzn-bedrock-input-token-count": "11",
                        "x-amzn-bedrock-output-token-count": "7",
                    }
                }
            },
            Usage(11, 7),
        ),
        ({"usage": {"prompt_tokens": 11, "completion_tokens": 0}}, Usage(11, None)),
        ({"usage": {"completion_tokens": 0}}, None),
        (None, None),
        ("raw", None),
        ({"usage": "many"}, None),
    ],
)
def test_usage_in_every_shape(raw: Any, expected: Any) -> None:
    """Tokens are read in the spelling of each provider, cached ones included in the input."""
    assert expected == answered(raw).usage


def test_usage_beside_the_raw_answer() -> None:
    """Some integrations count beside the provider's object."""
    assert Usage(11, 7) == answered(None, additional_kwargs=OPENAI).usage


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"choices": [{"finish_reason": "tool_calls"}]}, ("tool_call",)),
        (Loose(choices=[Loose(finish_reason="length")]), ("length",)),
        ({"stop_reason": "end_turn"}, ("stop",)),
        ({"stopReason": "max_tokens"}, ("length",)),
        ({"done_reason": "stop"}, ("stop",)),
        ({"candidates": [{"finish_reason": SimpleNamespace(name="SAFETY", value=3)}]}, ("content_filter",)),
        ({}, ()),
    ],
)
def test_finish_reasons_in_every_shape(raw: Any, expected: Any) -> None:
    """Why a model stopped is said in the standard's word."""
    assert expected == answered(raw).finish_reasons


def test_the_chunk_before_the_last_says_why() -> None:
    """A stream's last chunk may carry usage alone; id, model and reason stand before."""
    before = ChatResponse(
        message=ChatMessage("hi"), raw={"id": "r1", "model": "m-1", "choices": [{"finish_reason": "stop"}]}
    )
    last = ChatResponse(message=ChatMessage("hi", role="assistant"), raw={"choices": [], "usage": OPENAI})
    found = model_result(last, before)
    assert ("r1", "m-1", ("stop",), Usage(11, 7)) == (
        found.response_id,
        found.model,
        found.finish_reasons,
        found.usage,
    )


def test_nothing_is_an_empty_answer() -> None:
    """A stream that ended before anything came has no answer."""
    found = model_result(None)
    assert ((), (), None, 0) == (found.messages, found.tool_calls, found.usage, found.output_chars)


def test_a_completion_is_read() -> None:
    """A completion's text is its answer."""
    found = model_result(CompletionResponse(text="hello", raw={"usage": OPENAI}))
    assert (5, Usage(11, 7)) == (found.output_chars, found.usage)


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (ChatResponse(message=ChatMessage(""), delta="x"), "content"),
        (ChatResponse(message=ChatMessage(""), delta=""), "other"),
        (ChatResponse(message=ChatMessage("", additional_kwargs={"tool_calls": [CALLS[0]]})), "content"),
        (CompletionResponse(text="", delta=None), "other"),
    ],
)
def test_first_content(chunk: Any, expected: str) -> None:
    """Text and tool calls are content; an empty first chunk is not."""
    assert expected == first_chunk_kind(chunk)


# --- calls -----------------------------------------------------------------------------------------------------------
def called(instance: Any, **given: Any) -> Any:
    """Return what is read of a chat with *instance*."""
    call = Call("x", "chat", instance, {"messages": [ChatMessage("hi")], "kwargs": given}, {}, None)
    return model_call(call, decision=None, attempt=1, internal=False)


def test_parameters_are_read_by_name() -> None:
    """What the model was built with, over it what is in its additional arguments, over it what this call was given."""
    fields = {
        "model": "m-1",
        "temperature": 0.2,
        "max_tokens": 100,
        "additional_kwargs": {"seed": 7, "max_tokens": 50, "user": "alice"},
        "generation_config": {"top_p": 0.9, "temperature": 1.0},
        "api_key": "sk-canary",
        "api_base": "https://user:secret@llm.example.org:8443/v1?key=1",
    }
    found = called(SimpleNamespace(**fields), max_tokens=10, stop=["x"])
    assert ModelParameters(0.2, 0.9, max_tokens=10, stop_sequences=("x",), seed=7) == found.parameters
    assert ("m-1", "llm.example.org", 8443) == (found.model, found.server_address, found.server_port)


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("llama_index.llms.openai.base", "OpenAI", "openai"),
        ("llama_index.llms.azure_openai.base", "AzureOpenAI", "azure.ai.openai"),
        ("llama_index.llms.bedrock_converse.base", "BedrockConverse", "aws.bedrock"),
        ("llama_index.llms.google_genai.base", "GoogleGenAI", "gcp.gemini"),
        ("llama_index.embeddings.mistralai.base", "MistralAIEmbedding", "mistral_ai"),
        ("mine", "AcmeLLM", "acme"),
        ("mine", "LLM", "llm"),
    ],
)
def test_the_provider_is_the_integrations(module: str, name: str, expected: str) -> None:
    """The integration's package names the provider, else the class does."""
    assert expected == called(type(name, (), {"__module__": module})()).provider


def test_a_model_without_a_field_says_its_name_in_its_metadata() -> None:
    """Metadata is asked only where no field says it: some providers' raises for unknown models."""

    class Raising:
        @property
        def metadata(self) -> Any:
            raise ValueError("unknown model")

    assert called(Raising()).model is None
    assert "m-2" == called(SimpleNamespace(metadata=SimpleNamespace(model_name="m-2"))).model


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ([0.1, 0.2], EmbeddingResult(1, 2)),
        ([[0.1, 0.2], [0.3, 0.4]], EmbeddingResult(2, 2)),
        ([{1: 0.5}], EmbeddingResult(1, None)),
        ({1: 0.5}, EmbeddingResult(1, None)),
        ([], EmbeddingResult(0, None)),
    ],
)
def test_vectors_are_counted_and_not_kept(result: Any, expected: Any) -> None:
    """One vector, a batch, and sparse ones."""
    assert expected == embedding_result(result)


def test_a_tool_by_itself_is_a_root(events: AgentEventHandler, spans: Spans) -> None:
    """A tool called outside any agent says name, description and arguments; calling it twice over is once."""

    def add(a: int, b: int = 0) -> int:
        """Add numbers."""
        return a + b

    made = FunctionTool.from_defaults(add)
    made(1, b=2)
    found = spans.attributes("tool.add")
    assert '{"b":2,"args":[1]}' == found["gen_ai.tool.call.arguments"]
    assert found["gen_ai.tool.description"].endswith("Add numbers.")
    with pytest.raises(TypeError):
        made.call("x", b=1)
    assert ["success", "failure"] == [
        (span.attributes or {})["agent_callbacks.outcome"] for span in spans.named("tool.add")
    ]


# --- the rest --------------------------------------------------------------------------------------------------------
def test_a_shutdown_is_no_failure() -> None:
    """What stops a thing without its having failed, by type."""
    assert "cancelled" == stopped(asyncio.CancelledError())
    assert "abandoned" == stopped(GeneratorExit())
    assert "abandoned" == stopped(RuntimeError("dispatcher shutdown"))
    assert stopped(RuntimeError("other")) is None
    assert stopped(None) is None


def test_tags_of_llamaindex_ask_nothing() -> None:
    """Its own tags are no request, and cost nothing."""
    assert asked_by({"llamaindex.run_id": "x", "llamaindex.step.input_summary": "secret"}) is EMPTY
    assert asked_by(None) is EMPTY


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (SimpleNamespace(result="text"), "text"),
        (SimpleNamespace(result=SimpleNamespace(response="said")), "said"),
        (SimpleNamespace(response="said"), "said"),
        (SimpleNamespace(result={"a": 1}), {"a": 1}),
        (SimpleNamespace(result=object()), None),
    ],
)
def test_what_a_run_gave_back(result: Any, expected: Any) -> None:
    """Text, messages and plain data are shown, objects are not."""
    assert expected == spoken(result)


def test_the_scripted_model_is_read_like_any(events: AgentEventHandler, spans: Spans) -> None:
    """Its parameters come from its fields."""
    with pytest.raises(AssertionError):
        ScriptedLLM().complete("x")
    assert spans.attributes("llm.text_completion")["gen_ai.request.model"] == "scripted-1"
