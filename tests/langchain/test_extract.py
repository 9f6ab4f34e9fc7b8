"""What the adapter understands of LangChain's values; providers whose SDKs are not run here appear as they report."""

from __future__ import annotations

import base64
from collections import ChainMap
from decimal import Decimal
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document as LangChainDocument
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk, LLMResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from langgraph.types import Command

from agent_callbacks.langchain import extract
from agent_callbacks.langchain.reader import Reader
from agent_callbacks.metadata import EMPTY, Request
from agent_callbacks.reading.finish import finish_reason
from agent_callbacks.recording.values import (
    Document,
    ModelCall,
    ModelParameters,
    ModelResult,
    RequestedTool,
    ToolResult,
    Usage,
)

PIXEL = base64.b64encode(b"\x89PNG 12 bytes").decode()


def call(
    serialized: object = None,
    messages: object = (),
    params: object = None,
    options: object = None,
    metadata: object = None,
    tags: object = None,
) -> ModelCall:
    """Return the call that a model's start callback describes."""
    return extract.model_call("chat", serialized, messages, params, options, metadata, tags)


def answered(
    *messages: AIMessage, output: dict[str, Any] | None = None, info: dict[str, Any] | None = None
) -> LLMResult:
    """Return a result with *messages* as the choices of one answer."""
    return LLMResult(
        generations=[[ChatGeneration(message=message, generation_info=info) for message in messages]], llm_output=output
    )


def parts(content: Any, **more: Any) -> list[dict[str, Any]]:
    """Return the parts of an assistant's message."""
    found = extract.message_parts(AIMessage(content=content, **more))["parts"]
    assert isinstance(found, list)
    return found


# --- provider, model, server -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("openai", "openai"),
        ("anthropic", "anthropic"),
        ("azure", "azure.ai.openai"),
        ("amazon_bedrock", "aws.bedrock"),
        ("google_genai", "gcp.gemini"),
        ("google_vertexai", "gcp.vertex_ai"),
        ("mistral", "mistral_ai"),
        ("mistralai", "mistral_ai"),
        ("xai", "x_ai"),
        ("groq", "groq"),
        ("deepseek", "deepseek"),
        ("cohere", "cohere"),
        ("perplexity", "perplexity"),
        ("ollama", "ollama"),
        ("ibm", "ibm.watsonx.ai"),
        ("OurGateway", "ourgateway"),
    ],
)
def test_provider_is_the_standards_word(hint, expected):
    """LangSmith's provider name becomes the GenAI conventions' value; an unknown one is only lowercased."""
    assert expected == call(metadata={"ls_provider": hint}).provider


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("ChatOpenAI", "openai"),
        ("AzureChatOpenAI", "azure.ai.openai"),
        ("ChatBedrockConverse", "aws.bedrock"),
        ("ChatGoogleGenerativeAI", "gcp.gemini"),
        ("ChatVertexAI", "gcp.vertex_ai"),
        ("ChatMistralAI", "mistral_ai"),
        ("ChatXAI", "x_ai"),
    ],
)
def test_provider_falls_back_to_the_class(class_name, expected):
    """Without LangSmith's metadata the model's class names the provider."""
    assert expected == call({"id": ["langchain", "chat_models", class_name]}).provider


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("azure-openai-chat", "azure.ai.openai"), ("anthropic-chat", "anthropic"), ("amazon_bedrock_chat", "aws.bedrock")],
)
def test_provider_falls_back_to_the_llm_type(kind, expected):
    """The type in the invocation parameters counts before the class, which a user may have subclassed."""
    assert expected == call({"name": "MyModel"}, params={"_type": kind}).provider


def test_nothing_known_is_nothing_said():
    """A call that tells nothing gives a value that claims nothing."""
    assert ModelCall() == call()


@pytest.mark.parametrize(
    ("params", "metadata", "expected"),
    [
        ({"model": "b"}, {"ls_model_name": "a"}, "a"),
        ({"model": "b", "model_name": "c"}, {}, "b"),
        ({"model_id": "arn:b"}, {}, "arn:b"),
        ({"deployment_name": "d"}, {"ls_model_name": None}, "d"),
        ({"model": MagicMock()}, {}, None),
    ],
)
def test_request_model(params, metadata, expected):
    """The request model comes from LangSmith's metadata, else from the parameters; what is no string does not count."""
    assert expected == call(params=params, metadata=metadata).model


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/v1", ("127.0.0.1", 8080)),
        ("https://user:hunter2@models.example.com/v1?key=s3cret", ("models.example.com", 443)),
        ("models.example.com", ("models.example.com", 443)),
        ("http://[::1]:11434", ("::1", 11434)),
        ("https://models.example.com:notaport", (None, None)),
        ("http://[broken", (None, None)),
        ("https://", (None, None)),
    ],
)
def test_server_is_host_and_port_only(url, expected):
    """Of a base URL only host and port are read, never user, password, path or query; a broken one is no address."""
    found = call({"kwargs": {"openai_api_base": url}})

    assert expected == (found.server_address, found.server_port)


def test_server_of_a_client_that_was_told_none(monkeypatch):
    """OpenAI's and Anthropic's clients have a default endpoint; of any other client nothing is claimed."""
    for variable in ("OPENAI_API_BASE", "OPENAI_BASE_URL", "ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    extract._default_endpoint.cache_clear()
    found = {name: call({"name": name}).server_address for name in ("ChatOpenAI", "ChatAnthropic", "MyModel")}

    assert found == {"ChatOpenAI": "api.openai.com", "ChatAnthropic": "api.anthropic.com", "MyModel": None}
    extract._default_endpoint.cache_clear()


def test_server_of_a_client_whose_environment_names_one(monkeypatch):
    """The variable that OpenAI's SDK reads moves the default endpoint."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.local:9000/v1")
    extract._default_endpoint.cache_clear()
    found = call({"name": "OpenAI"})

    assert (found.server_address, found.server_port) == ("gateway.local", 9000)
    extract._default_endpoint.cache_clear()


# --- parameters and tools --------------------------------------------------------------------------------------------


def test_parameters_in_every_spelling():
    """Parameters are read under each provider's name, nested ones too."""
    openai = {
        "temperature": 0,
        "top_p": 0.5,
        "max_completion_tokens": 64,
        "stop": ["a", "b"],
        "frequency_penalty": -1,
        "presence_penalty": 0.25,
        "seed": 7,
        "n": 2,
        "stream": True,
    }
    bedrock = {"inferenceConfig": {"maxTokens": 9, "topP": 0.1, "stopSequences": ["x"]}, "temperature": None}

    expected = ModelParameters(0.0, 0.5, None, 64, ("a", "b"), -1.0, 0.25, 7, 2, stream=True)
    assert expected == call(params=openai).parameters
    assert ModelParameters(top_p=0.1, max_tokens=9, stop_sequences=("x",)) == call(params=bedrock).parameters
    assert ModelParameters(top_k=40, max_tokens=5) == call(params={"top_k": 40, "max_output_tokens": 5}).parameters


def test_parameters_from_options_and_langsmith():
    """What was said for one call counts, and LangSmith's reading where the parameters say nothing."""
    found = call(options={"stop": "END"}, metadata={"ls_temperature": 0.3, "ls_max_tokens": 5})

    assert ModelParameters(temperature=0.3, max_tokens=5, stop_sequences=("END",)) == found.parameters


def test_parameters_of_the_call_win():
    """What a model was built with holds where the call says nothing else."""
    built = {"kwargs": {"stop_sequences": ["X"], "temperature": 0.9, "top_p": 0.5}}
    found = call(built, params={"temperature": 0.1, "top_p": None})

    assert ModelParameters(temperature=0.1, top_p=0.5, stop_sequences=("X",)) == found.parameters


@pytest.mark.parametrize(
    "odd", [MagicMock(), "0.5", True, float("nan"), float("inf"), [], {}, Decimal("0.5"), 10**400, None]
)
def test_parameters_of_the_wrong_type_are_ignored(odd):
    """Only real, finite numbers are numbers."""
    params = dict.fromkeys(("temperature", "top_p", "top_k", "max_tokens", "seed", "n", "presence_penalty"), odd)

    assert ModelParameters() == call(params=params).parameters


def test_metadata_of_the_user_is_no_parameter():
    """A user's own metadata key called temperature is not the model's temperature."""
    assert ModelParameters() == call(metadata={"temperature": 0.9, "stop": "x", "n": 3}).parameters


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"tools": [{"type": "function", "function": {"name": "a"}}, {"type": "function", "name": "b"}]}, {"a", "b"}),
        ({"tools": [{"name": "c", "input_schema": {}}]}, {"c"}),
        ({"functions": [{"name": "d"}]}, {"d"}),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "e", "inputSchema": {"json": {}}}}]}}, {"e"}),
        ({"tools": [{"function_declarations": [{"name": "f"}, {"name": "g"}]}]}, {"f", "g"}),
        ({"tools": [{"type": "web_search_preview"}]}, set()),
        ({"tools": [None, 3, {"function": None}, {"name": 4}]}, set()),
    ],
)
def test_tool_names_in_every_shape(params, expected):
    """Tools are named in OpenAI's, Anthropic's, Bedrock's and Google's shapes; built-in ones have no name of ours."""
    found = call(params=params)

    assert expected == found.tool_names
    assert found.tools


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (
            {"type": "function", "function": {"name": "a", "description": "does", "parameters": {"type": "object"}}},
            {"type": "function", "name": "a", "description": "does", "parameters": {"type": "object"}},
        ),
        (
            {"name": "a", "description": "does", "input_schema": {"type": "object"}},
            {"type": "function", "name": "a", "description": "does", "parameters": {"type": "object"}},
        ),
        (
            {"toolSpec": {"name": "a", "inputSchema": {"json": {"type": "object"}}}},
            {"type": "function", "name": "a", "parameters": {"type": "object"}},
        ),
        ({"type": "web_search_preview"}, {"type": "web_search_preview", "name": "web_search_preview"}),
        (3, {"type": "function", "name": ""}),
    ],
)
def test_tool_definition_has_the_standards_shape(tool, expected):
    """A tool definition has type and name, and description and parameters where they were sent."""
    assert expected == extract.tool_definition(tool)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([], 1),
        (None, 1),
        (["x", "retry:attempt:3"], 3),
        (["retry:attempt:"], 1),
        (["retry:attempt:x", 4], 1),
        (["retry:attempt:" + "9" * 5000], 1),
    ],
)
def test_attempt_is_read_from_the_retry_tag(tags, expected):
    """RunnableRetry's tag says which attempt a run is."""
    assert expected == call(tags=tags).attempt


@pytest.mark.parametrize(
    ("metadata", "expected"), [({"lc_internal_call": True}, True), ({"lc_source": "summarization"}, True), ({}, False)]
)
def test_internal_calls_are_marked(metadata, expected):
    """A call that LangChain's middleware makes for itself is internal."""
    assert expected is call(metadata=metadata).internal


def test_messages_are_passed_as_they_are():
    """The callback's list of one list is opened; messages and prompts stay the objects they are."""
    message = HumanMessage("hi")

    assert (message,) == call(messages=[[message]]).messages
    assert call(messages=[[message]]).messages[0] is message
    assert call(messages=["prompt"]).messages == ("prompt",)
    assert call(messages=[[]]).messages == ()


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("a prompt", {"role": "user", "parts": [{"type": "text", "content": "a prompt"}]}),
        (HumanMessage("hi", name="ann"), {"role": "user", "name": "ann", "parts": [{"type": "text", "content": "hi"}]}),
        (HumanMessageChunk("hi"), {"role": "user", "parts": [{"type": "text", "content": "hi"}]}),
        (SystemMessage("be kind"), {"role": "system", "parts": [{"type": "text", "content": "be kind"}]}),
        (ChatMessage(role="critic", content="no"), {"role": "critic", "parts": [{"type": "text", "content": "no"}]}),
        (AIMessageChunk("yo"), {"role": "assistant", "parts": [{"type": "text", "content": "yo"}]}),
        ({"role": "user", "content": "hi"}, {"role": "user", "parts": [{"type": "text", "content": "hi"}]}),
        (AIMessage(""), {"role": "assistant", "parts": []}),
        (
            ToolMessage("42", tool_call_id="c1", name="add"),
            {"role": "tool", "name": "add", "parts": [{"type": "tool_call_response", "response": "42", "id": "c1"}]},
        ),
        (None, {"role": "user", "parts": []}),
        (3, {"role": "user", "parts": []}),
    ],
)
def test_messages_by_role(message, expected):
    """Each kind of message has the standard's role, and its text as a part."""
    assert expected == extract.message_parts(message)


def test_tool_calls_appear_once():
    """A call that stands in the blocks and in tool_calls is one part; one with broken arguments is there too."""
    content = [{"type": "text", "text": "hm"}, {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}]
    calls = [{"type": "tool_call", "id": "c1", "name": "add", "args": {"a": 1}}]
    broken = [{"type": "invalid_tool_call", "id": "c2", "name": "sub", "args": "{a:", "error": "no JSON"}]

    assert parts(content, tool_calls=calls, invalid_tool_calls=broken) == [
        {"type": "text", "content": "hm"},
        {"type": "tool_call", "name": "add", "arguments": {"a": 1}, "id": "c1"},
        {"type": "tool_call", "name": "sub", "arguments": "{a:", "id": "c2"},
    ]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "thinking", "thinking": "let me", "signature": "c2ln"}, {"type": "reasoning", "content": "let me"}),
        ({"type": "redacted_thinking", "data": "c2VjcmV0"}, {"type": "reasoning", "content": ""}),
        ({"type": "reasoning", "reasoning": "v1"}, {"type": "reasoning", "content": "v1"}),
        (
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "a"}, {"text": "b"}]},
            {"type": "reasoning", "content": "a\nb"},
        ),
        (
            {"type": "reasoning_content", "reasoning_content": {"text": "bedrock", "signature": "x"}},
            {"type": "reasoning", "content": "bedrock"},
        ),
        ({"type": "output_text", "text": "hi"}, {"type": "text", "content": "hi"}),
        ({"type": "refusal", "refusal": "no"}, {"type": "text", "content": "no"}),
        ({"type": "non_standard", "value": {"type": "text", "text": "in"}}, {"type": "text", "content": "in"}),
        ({"text": "bare"}, {"type": "text", "content": "bare"}),
        (
            {"type": "function_call", "id": "fc", "call_id": "c", "name": "add", "arguments": "{}"},
            {"type": "tool_call", "name": "add", "arguments": "{}", "id": "c"},
        ),
        (
            {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "42"}]},
            {"type": "tool_call_response", "response": "42", "id": "c"},
        ),
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
            {
                "type": "server_tool_call",
                "name": "web_search",
                "id": "s",
                "server_tool_call": {"type": "web_search", "input": {"query": "q"}},
            },
        ),
        (
            {"type": "web_search_call", "id": "ws", "status": "completed"},
            {
                "type": "server_tool_call",
                "name": "web_search",
                "id": "ws",
                "server_tool_call": {"type": "web_search", "status": "completed"},
            },
        ),
        (
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            {
                "type": "server_tool_call_response",
                "id": "s",
                "server_tool_call_response": {"type": "web_search", "content": []},
            },
        ),
        (
            {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "file_id": "f"}},
            {
                "type": "server_tool_call_response",
                "id": "c",
                "server_tool_call_response": {
                    "type": "computer",
                    "content": {"type": "file", "modality": "image", "file_id": "f"},
                },
            },
        ),
        ({"type": "tool_call", "name": "add"}, {"type": "tool_call", "name": "add"}),
        ({"type": "image"}, {"type": "blob", "modality": "image", "content": "", "bytes": 0}),
        ({"type": "of_next_year", "a": 1, "data": "bytes"}, {"type": "of_next_year", "a": 1}),
    ],
)
def test_blocks_of_every_provider(block, expected):
    """A content block of any provider becomes one part, encrypted reasoning without its bytes."""
    assert [expected] == parts([block])


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "image", "base64": PIXEL, "mime_type": "image/png"}, ("blob", "image", "image/png")),
        (
            {"type": "image", "source_type": "base64", "data": PIXEL, "mime_type": "image/png"},
            ("blob", "image", "image/png"),
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            ("blob", "image", "image/png"),
        ),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            ("blob", "image", "image/png"),
        ),
        ({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}, ("blob", "image", "image/png")),
        ({"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}}, ("blob", "audio", "audio/wav")),
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PIXEL}", "filename": "a.pdf"}},
            ("blob", "document", "application/pdf"),
        ),
        ({"type": "media", "mime_type": "video/mp4", "data": PIXEL}, ("blob", "video", "video/mp4")),
        (
            {"type": "image", "source": {"bytes": base64.b64decode(PIXEL)}},
            ("blob", "image", None),
        ),
    ],
)
def test_media_leave_their_bytes_behind(block, expected):
    """Of an image, sound or file only modality, type and size are kept, wherever a provider puts the data."""
    (found,) = parts([block])

    assert expected == (found["type"], found["modality"], found.get("mime_type"))
    assert (found["content"], found["bytes"]) == ("", 13)
    assert PIXEL not in str(found)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x/y.png"}}, ("uri", "https://x/y.png")),
        ({"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}, ("uri", "https://x/y.png")),
        ({"type": "image", "url": "https://x/y.png"}, ("uri", "https://x/y.png")),
        ({"type": "file", "file_id": "file-1"}, ("file", "file-1")),
        ({"type": "file", "file": {"file_id": "file-1"}}, ("file", "file-1")),
        ({"type": "image", "source_type": "id", "id": "file-1"}, ("file", "file-1")),
    ],
)
def test_media_elsewhere_are_named(block, expected):
    """A medium that lies elsewhere keeps its address or id."""
    (found,) = parts([block])

    assert expected == (found["type"], found.get("uri") or found.get("file_id"))


def test_a_document_that_is_text_is_text():
    """Anthropic's plain text document is text, not a file."""
    block = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "the law"}}

    assert parts([block]) == [{"type": "text", "content": "the law"}]


def test_reasoning_beside_the_content_is_a_part():
    """DeepSeek's reasoning comes in additional_kwargs and stands first."""
    found = parts("42", additional_kwargs={"reasoning_content": "let me count"})

    assert found == [{"type": "reasoning", "content": "let me count"}, {"type": "text", "content": "42"}]


def test_a_value_that_holds_itself_ends():
    """A non-standard block inside a non-standard block is not followed for ever."""
    block: dict[str, Any] = {"type": "non_standard"}
    block["value"] = block

    assert parts([{"type": "non_standard", "value": block}]) == [{"type": "non_standard"}]


def test_message_chars_count_text_only():
    """Characters are those of text: no reasoning, no call, no image."""
    content = [
        "one",
        {"type": "text", "text": "four"},
        {"type": "thinking", "thinking": "not counted"},
        {"type": "image", "base64": PIXEL},
    ]

    assert extract.message_chars(AIMessage(content=content)) == 7
    assert extract.message_chars("prompt") == 6
    assert extract.message_chars(None) == 0


# --- results ---------------------------------------------------------------------------------------------------------

REPORTED = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}, Usage(9, 4)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            Usage(100, 20, 64, None, 8),
        ),
        (
            {
                "input_tokens": 10,
                "output_tokens": 5,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 50,
            },
            Usage(160, 5, 100, 50),
        ),
        (
            {"prompt_tokens": 160, "completion_tokens": 5, "cache_read_input_tokens": 100},
            Usage(160, 5, 100),
        ),
        (
            {"inputTokens": 10, "outputTokens": 5, "totalTokens": 115, "cacheReadInputTokens": 100},
            Usage(110, 5, 100),
        ),
        (
            {
                "prompt_token_count": 10,
                "candidates_token_count": 5,
                "thoughts_token_count": 30,
                "total_token_count": 45,
                "cached_content_token_count": 4,
            },
            Usage(10, 35, 4, None, 30),
        ),
        ({"prompt_eval_count": 7, "eval_count": 3}, Usage(7, 3)),
        ({"inputTokenCount": 7, "outputTokenCount": 3}, Usage(7, 3)),
        ({"input_tokens": 7.0, "output_tokens": 3.0}, Usage(7, 3)),
        (
            {"prompt_tokens": 7, "completion_tokens": 3, "prompt_cache_hit_tokens": 0, "cache_read_input_tokens": 0},
            Usage(7, 3, 0),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 45,
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            Usage(10, 35, None, None, 30),
        ),
        ({"prompt_tokens": 100, "completion_tokens": 2, "prompt_cache_hit_tokens": 90}, Usage(100, 2, 90)),
        ({"output_tokens": 3}, Usage(None, 3)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": None, "completion_tokens": "12"}, None),
        ({"prompt_tokens": -1, "completion_tokens": True}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("place", ["llm_output", "response_metadata"])
def test_usage_in_every_shape(report, expected, place):
    """Each provider's report gives the same meaning: input with cache, output with reasoning; zeros are no report."""
    message = AIMessage("", response_metadata={"token_usage": report} if place == "response_metadata" else {})
    output = {"usage": report} if place == "llm_output" else None

    assert expected == extract.model_result(answered(message, output=output)).usage


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"cache_read": 40}, Usage(100, 20, 40)),
        ({"cache_read": 40, "cache_creation": 0, "ephemeral_5m_input_tokens": 30}, Usage(100, 20, 40, 30)),
        (
            {"cache_creation": 30, "ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            Usage(100, 20, None, 30, cache_write_1h=20),
        ),
        ({"priority": 60, "priority_cache_read": 40}, Usage(100, 20, 40)),
        ({"cache_read": 300}, Usage(400, 20, 300)),
    ],
)
def test_cache_in_usage_metadata(details, expected):
    """LangChain's cache details lie inside the input; the lifetimes of a cache write are not added to their sum."""
    message = AIMessage("x", usage_metadata={**REPORTED, "input_token_details": details})

    assert expected == extract.model_result(answered(message)).usage


def test_usage_is_taken_from_one_place():
    """The same counts in the message, its metadata, the generation and the output are counted once."""
    raw = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    message = AIMessage("x", usage_metadata=REPORTED, response_metadata={"token_usage": raw})
    found = extract.model_result(answered(message, output={"token_usage": raw}, info={"usage": raw}))

    assert Usage(100, 20) == found.usage


def test_several_choices_share_one_usage():
    """OpenAI reports one usage for all choices, and langchain-openai puts it on each; it is counted once."""
    choices = (AIMessage("one", usage_metadata=REPORTED), AIMessage("three", usage_metadata=REPORTED))
    found = extract.model_result(answered(*choices, info={"finish_reason": "stop"}))

    assert (Usage(100, 20), ("stop", "stop"), 8) == (found.usage, found.finish_reasons, found.output_chars)


def test_zeros_beside_an_answer_are_no_report():
    """An older Anthropic stream reports no input; an output of zero beside text is not believed either."""
    zeros = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    late = {"input_tokens": 0, "output_tokens": 20, "total_tokens": 20}
    early = {"input_tokens": 100, "output_tokens": 0, "total_tokens": 100}
    found = [extract.model_result(answered(AIMessage("hi", usage_metadata=it))).usage for it in (zeros, late, early)]

    assert [None, Usage(None, 20), Usage(100, None)] == found


def test_a_fuller_report_wins_over_a_partial_one():
    """Where LangChain's reading lacks the input and the provider's report has it, the report is used, alone."""
    message = AIMessage("hi", usage_metadata={"input_tokens": 0, "output_tokens": 20, "total_tokens": 20})
    found = extract.model_result(
        answered(message, output={"token_usage": {"prompt_tokens": 9, "completion_tokens": 20}})
    )

    assert Usage(9, 20) == found.usage


def test_streamed_usage_is_summed_by_the_framework_only():
    """Usage spread over chunks is what LangChain's merging adds up, no more."""
    start = AIMessageChunk("a", usage_metadata={"input_tokens": 50, "output_tokens": 1, "total_tokens": 51})
    end = AIMessageChunk("b", usage_metadata={"input_tokens": 0, "output_tokens": 9, "total_tokens": 9})
    merged = ChatGenerationChunk(message=start) + ChatGenerationChunk(message=end)

    assert Usage(50, 10) == extract.model_result(LLMResult(generations=[[merged]])).usage


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("stop", "stop"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("FinishReason.MAX_TOKENS", "length"),
        ("max_output_tokens", "length"),
        ("tool_calls", "tool_call"),
        ("tool_use", "tool_call"),
        ("function_call", "tool_call"),
        ("SAFETY", "content_filter"),
        ("refusal", "content_filter"),
        ("malformed_function_call", "error"),
        ("pause_turn", "pause_turn"),
        ("Something New", "Something New"),
    ],
)
def test_finish_reasons_in_the_standards_words(raw, expected):
    """A provider's word becomes the standard's; an unknown one stays as it is."""
    assert expected == finish_reason(raw)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"finish_reason": "length"}, ("length",)),
        ({"stop_reason": "tool_use"}, ("tool_call",)),
        ({"stopReason": "end_turn"}, ("stop",)),
        ({"done_reason": "stop"}, ("stop",)),
        ({"status": "completed"}, ("stop",)),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, ("length",)),
        ({"status": "failed"}, ("error",)),
        ({"finish_reason": None}, ()),
        ({}, ()),
    ],
)
def test_finish_reason_wherever_it_is(metadata, expected):
    """The reason is found under each provider's key; none is made up."""
    assert expected == extract.model_result(answered(AIMessage("x", response_metadata=metadata))).finish_reasons


def test_strings_that_merging_repeated_are_read_once():
    """Where each chunk repeats model and reason, LangChain joins them; the value is read once."""
    chunk = AIMessageChunk("x", response_metadata={"finish_reason": "stop", "model_name": "acme-1"})
    merged = merge_chat_generation_chunks([ChatGenerationChunk(message=chunk)] * 3)
    found = extract.model_result(LLMResult(generations=[[merged]]))

    assert merged is not None
    assert merged.message.response_metadata["finish_reason"] == "stopstopstop"
    assert (found.finish_reasons, found.model) == (("stop",), "acme-1")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (AIMessage("x", id="msg_1"), "msg_1"),
        (AIMessage("x", id="lc_run--0190-0"), None),
        (AIMessage("x", id="run-0190"), None),
        (AIMessage("x", id="lc_run--0190-0", response_metadata={"id": "chatcmpl-1"}), "chatcmpl-1"),
        (AIMessage("x"), None),
    ],
)
def test_response_id_is_the_providers(message, expected):
    """An id that LangChain invented is not the response's."""
    assert expected == extract.model_result(answered(message)).response_id


def test_requested_tools():
    """The tools a model asked for are listed with their ids, those with broken arguments too."""
    message = AIMessage(
        "",
        tool_calls=[{"name": "add", "args": {}, "id": "c1"}, {"name": "", "args": {}, "id": "c0"}],
        invalid_tool_calls=[{"name": "sub", "args": "{", "id": None, "error": None, "type": "invalid_tool_call"}],
    )

    assert (RequestedTool("add", "c1"), RequestedTool("sub", None)) == extract.model_result(
        answered(message)
    ).tool_calls


def test_text_completions():
    """A text model's generation has no message: text, reason and usage come from elsewhere."""
    generation = Generation(text="yo", generation_info={"finish_reason": "length"})
    result = LLMResult(
        generations=[[generation]],
        llm_output={"token_usage": {"prompt_tokens": 5, "completion_tokens": 6}, "model_name": "davinci"},
    )

    expected = ModelResult("davinci", None, ("length",), Usage(5, 6), ((generation, "length"),), (), 2)
    assert expected == extract.model_result(result)
    assert {"role": "assistant", "parts": [{"type": "text", "content": "yo"}]} == extract.completion(generation)


def test_each_answer_says_why_it_ended():
    """An answer carries the standard's reason, or says that none was given."""
    known = ChatGeneration(message=AIMessage("x", response_metadata={"stop_reason": "max_tokens"}))
    unknown = ChatGeneration(message=AIMessage("x"))
    found = extract.model_result(LLMResult(generations=[[known, unknown]]))

    assert ((known, "length"), (unknown, None)) == found.messages


def test_an_error_report_is_no_answer():
    """LangChain passes an HTTP error's body as an empty message: it is no output, and a broken stream's text stays."""
    partial = ChatGenerationChunk(message=AIMessageChunk("half an ans"))
    report = ChatGeneration(message=AIMessage("", response_metadata={"status_code": 500, "body": {"error": "x"}}))
    found = extract.model_result(LLMResult(generations=[[partial], [report]]))

    assert ModelResult(messages=((partial, None),), output_chars=11) == found


# --- chunks ----------------------------------------------------------------------------------------------------------


def _message(content: Any = "", **more: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=content, **more))


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (_message("hi"), "content"),
        (_message([{"type": "text", "text": "hi", "index": 0}]), "content"),
        (_message(tool_call_chunks=[{"name": "add", "args": "", "id": "c", "index": 0}]), "content"),
        (_message(tool_call_chunks=[{"name": None, "args": '{"a"', "id": None, "index": 0}]), "content"),
        (GenerationChunk(text="hi"), "content"),
        ("hi", "content"),
        ({"event": "content-block-delta", "index": 0, "delta": {"type": "text-delta", "text": "hi"}}, "content"),
        ({"event": "content-block-delta", "index": 0, "delta": {"type": "tool-call-delta", "args": "{"}}, "content"),
        (
            {
                "event": "content-block-delta",
                "delta": {"type": "block-delta", "fields": {"type": "tool_call_chunk", "args": "{"}},
            },
            "content",
        ),
        ({"event": "content-block-start", "content": {"type": "tool_call_chunk", "name": "add"}}, "content"),
        (_message(), "other"),
        (_message([{"type": "thinking", "thinking": "hm", "index": 0}]), "other"),
        (_message([{"type": "reasoning", "reasoning": "hm"}]), "other"),
        (_message(additional_kwargs={"reasoning_content": "hm"}), "other"),
        (_message(tool_call_chunks=[{"name": None, "args": "", "id": None, "index": 0}]), "other"),
        (GenerationChunk(text=""), "other"),
        ("", "other"),
        (None, "other"),
        (MagicMock(), "other"),
        ({"event": "message-start", "id": "m"}, "other"),
        ({"event": "content-block-start", "content": {"type": "text", "text": ""}}, "other"),
        ({"event": "content-block-delta", "delta": {"type": "reasoning-delta", "reasoning": "hm"}}, "other"),
        ({"event": "message-finish", "usage": {"input_tokens": 1}}, "other"),
    ],
)
def test_first_chunk_kind(chunk, expected):
    """Text and tool calls are content; reasoning, empty chunks, counts and the frame of a message are not."""
    assert expected == extract.first_chunk_kind(chunk)


# --- tools, retrievers -----------------------------------------------------------------------------------------------

FAILED = ToolMessage("no such order", tool_call_id="c1", status="error")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("plain", ToolResult("plain")),
        ({"a": 1}, ToolResult({"a": 1})),
        (None, ToolResult(None)),
        ([], ToolResult([])),
        ([1, 2], ToolResult([1, 2])),
        (ToolMessage("42", tool_call_id="c1"), ToolResult("42")),
        (ToolMessage([{"type": "text", "text": "42"}], tool_call_id="c1"), ToolResult("42")),
        (FAILED, ToolResult("no such order", failed=True)),
        (Command(update={"messages": [ToolMessage("ok", tool_call_id="c1")]}), ToolResult("ok")),
        (Command(update={"messages": [FAILED], "x": 1}, goto="next"), ToolResult("no such order", failed=True)),
        (Command(update={"x": 1}), ToolResult({"x": 1})),
        (Command(goto="next"), ToolResult(None)),
        (
            [Command(update={"messages": [FAILED]}), ToolMessage("ok", tool_call_id="c2")],
            ToolResult(["no such order", "ok"], failed=True),
        ),
    ],
)
def test_tool_results(output, expected):
    """A tool's result is its content, out of a message or a Command; a message with status error means failed."""
    assert expected == extract.tool_result(output)


def test_images_from_tools_leave_their_bytes_behind():
    """A screenshot that a tool returns is a part without its bytes."""
    message = ToolMessage([{"type": "text", "text": "see"}, {"type": "image", "base64": PIXEL}], tool_call_id="c1")

    assert PIXEL not in str(extract.tool_result(message).output)


def test_retrieved_documents():
    """Documents keep id, content and metadata; the score is the one beside them or in their metadata."""
    plain = LangChainDocument("text", id="d1", metadata={"source": "a.md", "score": 0.5})
    found = extract.retrieval_result([plain, (LangChainDocument("x"), 0.75), LangChainDocument("y"), None])

    assert (
        Document("d1", 0.5, "text", {"source": "a.md", "score": 0.5}),
        Document(None, 0.75, "x", None),
        Document(None, None, "y", None),
        Document(None, None, None, None),
    ) == found.documents
    assert extract.retrieval_result(None).documents == ()


# --- who asked -------------------------------------------------------------------------------------------------------

GRAPH = {
    "thread_id": "t-1",
    "langgraph_step": 1,
    "langgraph_node": "model",
    "langgraph_triggers": ("branch:to:model",),
    "langgraph_path": ("__pregel_pull", "model"),
    "langgraph_checkpoint_ns": "model:1",
    "checkpoint_ns": "model:1",
    "ls_provider": "openai",
    "ls_model_name": "gpt",
    "lc_versions": {"langchain-core": "1.7.2"},
    "agent_name": "support",
    "agent_kind": "agent",
    "revision_id": "r",
    "run_id": "r",
    "__pregel_x": 1,
}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (None, EMPTY),
        ({}, EMPTY),
        (GRAPH, Request(thread_id="t-1")),
        ({"ls_provider": "x"}, EMPTY),
        ({"user_id": "u", "session_id": "s", **GRAPH}, Request(user_id="u", session_id="s", thread_id="t-1")),
        ({"user_id": 17, "thread_id": UUID(int=1)}, Request(user_id="17", thread_id=str(UUID(int=1)))),
        ({"variant": "b"}, Request(variants=(("variant", "b"),))),
        ({"variant": "b", "experiment": "prompt"}, Request(variants=(("prompt", "b"),))),
        ({"experiment_variant": "b"}, Request(variants=(("variant", "b"),))),
        ({"variant": {"prompt": "b", "model": "c"}}, Request(variants=(("prompt", "b"), ("model", "c")))),
        ({"team": "ops", "depth": 2}, Request(metadata=(("team", "ops"), ("depth", 2)))),
        ({"user_id": "", "session_id": True, "variant": [1]}, EMPTY),
        ({"user_id": MagicMock(), 7: "odd key"}, EMPTY),
        ({"user_id": 10**5000, "session_id": 1.0}, Request(session_id="1.0")),
    ],
)
def test_request_from_metadata(metadata, expected):
    """User, session, thread and variants are read; framework keys never enter the metadata; odd values are unknown."""
    assert expected == extract.request(metadata, None)


def test_request_keeps_the_users_tags():
    """Tags that LangGraph, sequences and retries add are not the user's."""
    tags = ["prod", "graph:step:1", "seq:step:2", "retry:attempt:2", "langsmith:hidden", 4]

    assert Request(tags=("prod",)) == extract.request(None, tags)


def test_requests_of_two_users_never_mix():
    """What is remembered of one request does not leak into the next."""
    found = [extract.request({"user_id": user, "team": "t"}, None).user_id for user in ("a", "b", "a")]

    assert found == ["a", "b", "a"]


def test_a_graphs_nodes_share_one_request():
    """The request of a graph's next node is the same object: nothing is built again."""
    assert extract.request(GRAPH, ["graph:step:1"]) is extract.request({**GRAPH, "langgraph_step": 2}, ["graph:step:2"])


# --- anything at all -------------------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.just(MagicMock()),
)
KEYS = st.sampled_from((
    "type", "text", "content", "id", "name", "function", "kwargs", "tools", "stop", "usage", "token_usage", "source",
    "input_token_details", "input_tokens", "output_tokens", "image_url", "data", "status", "value", "summary", "args",
    "user_id", "variant", "thread_id", "message", "messages", "update", "tool_calls", "delta", "event", "fields",
))  # fmt: skip
ODD = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=150, deadline=None)
@example(odd=[{"type": []}], other={"type": {}})
@given(odd=ODD, other=ODD)
def test_no_value_makes_extraction_raise(odd, other):
    """Whatever a framework passes, each function answers."""
    assert isinstance(extract.model_call("chat", odd, other, odd, other, odd, other), ModelCall)
    assert isinstance(extract.model_result({"generations": [[odd], [other]], "llm_output": odd}), ModelResult)
    assert isinstance(
        extract.model_result({"generations": [[{"message": odd, "generation_info": other}]]}), ModelResult
    )
    assert isinstance(extract.message_parts({"role": "user", "content": odd, "tool_calls": other})["parts"], list)
    assert extract.message_chars({"content": odd}) >= 0
    assert isinstance(extract.completion({"text": odd})["parts"], list)
    assert extract.first_chunk_kind(odd) in {"content", "other"}
    assert isinstance(extract.tool_result(odd), ToolResult)
    assert isinstance(extract.retrieval_result(odd).documents, tuple)
    assert isinstance(extract.request(odd, other), Request)
    assert extract.tool_definition(odd)["type"]


def test_a_mapping_that_is_no_dict_counts_as_not_said():
    """LangChain passes dicts; another mapping is not searched."""
    assert extract.request(ChainMap({"user_id": "u"}), None) == EMPTY


def test_the_reader_notices_a_message_changed_in_place():
    """A message written to after it was read holds another object, one left alone the same."""
    reader, message = Reader(), AIMessage("one")
    before = reader.content(message)
    again = reader.content(message)
    message.content = "three"

    assert before is again
    assert before is not reader.content(message)
    assert (reader.chars(message), reader.parts(message)["parts"][0]["content"]) == (5, "three")
    assert message is reader.answer(ChatGeneration(message=message))


def test_blocks_that_are_plain_text() -> None:
    """A block may be text alone; an empty one is nothing."""
    found = extract.message_parts(AIMessage(content=["hi", "", "there"]))["parts"]
    assert [{"type": "text", "content": said} for said in ("hi", "there")] == found
