"""What a call costs, out of what providers send: the same as genai-prices makes of the very same answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import genai_prices
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from agent_callbacks.convention import keys
from tests.wire import anthropic_payload, openai_payload
from tests.wire.server import Reply

if TYPE_CHECKING:
    from tests.conftest import Spans
    from tests.wire.server import WireServer

CLAUDE = "claude-sonnet-4-5-20250929"


def openai(wire: WireServer, **more: Any) -> Any:
    """Return an OpenAI model of the local server."""
    return ChatOpenAI(base_url=f"{wire.url}/v1", api_key="sk-Wr1T3nF0rTh3T3sts", max_retries=0, **more)


def official(answer: dict[str, Any], provider: str, flavor: str = "default", tier: str | None = None) -> float:
    """Return what genai-prices itself reads out of *answer*."""
    found = genai_prices.extract_usage(answer, provider_id=provider, api_flavor=flavor)
    return float(found.calc_price(price_context={"service_tier": tier} if tier else None).total_price)


@pytest.mark.parametrize("counts", [(9, 4), (100_000, 2_000, 64_000, 800)], ids=["plain", "cached and reasoned"])
def test_chat(wire, spans: Spans, handler, counts):
    """A chat costs what the provider's list says, cached tokens at their own price."""
    answer = openai_payload.completion(counts=openai_payload.usage(*counts))
    wire.answer(Reply(answer))
    openai(wire, model="gpt-4o-mini").invoke("hi", {"callbacks": [handler]})

    assert official(answer, "openai", "chat") == spans.attributes("llm.chat")[keys.LLM_COST]


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_service_tier(wire, spans: Spans, handler, tier):
    """A call served in another tier costs what that tier costs."""
    answer = openai_payload.completion(counts=openai_payload.usage(1_000, 100)) | {
        "model": "gpt-5-2025-08-07", "service_tier": tier,
    }  # fmt: skip
    wire.answer(Reply(answer))
    openai(wire, model="gpt-5").invoke("hi", {"callbacks": [handler]})
    span = spans.attributes("llm.chat")

    assert official(answer, "openai", "chat", tier) == span[keys.LLM_COST]
    assert official(answer, "openai", "chat") != span[keys.LLM_COST]
    assert tier == span[keys.SERVICE_TIER]


def test_stream(wire, spans: Spans, handler):
    """A stream costs what its last frame counts."""
    counts = openai_payload.usage(100_000, 2_000, 64_000, 800)
    wire.answer(Reply(frames=openai_payload.chunks("Hel", "lo", counts=counts)))
    list(openai(wire, model="gpt-4o-mini").stream("hi", {"callbacks": [handler]}, stream_usage=True))

    assert (
        official(openai_payload.completion(counts=counts), "openai", "chat")
        == spans.attributes("llm.chat")[keys.LLM_COST]
    )


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("long_lived", [0, 20_000])
def test_claude_with_both_caches(wire, spans: Spans, handler, streamed, long_lived):
    """What is read from, written to and kept longer in Anthropic's cache is paid at three prices."""
    counts = anthropic_payload.usage(1_000, 500, read=100_000, written=50_000)
    counts["cache_creation"] = {
        "ephemeral_5m_input_tokens": 50_000 - long_lived, "ephemeral_1h_input_tokens": long_lived,
    }  # fmt: skip
    answer = anthropic_payload.message(anthropic_payload.text("Hello"), counts=counts) | {"model": CLAUDE}
    frames = (
        anthropic_payload.start(counts).replace(anthropic_payload.MODEL, CLAUDE),
        *anthropic_payload.text_block(0, "Hel", "lo"),
        *anthropic_payload.finish("end_turn", counts),
    )
    wire.answer(Reply(frames=frames) if streamed else Reply(answer))
    model = ChatAnthropic(base_url=wire.url, api_key="sk-ant-Wr1T3nF0rTh3T3sts", max_retries=0, model="claude-wire-1")
    if streamed:
        list(model.stream("hi", {"callbacks": [handler]}))
    else:
        model.invoke("hi", {"callbacks": [handler]})

    assert official(answer, "anthropic") == spans.attributes("llm.chat")[keys.LLM_COST]


def test_a_model_without_a_price(wire, spans: Spans, handler):
    """A model that nobody lists has no cost, and is named."""
    answer = openai_payload.completion(counts=openai_payload.usage(9, 4)) | {"model": "our-own-7b"}
    wire.answer(Reply(answer))
    openai(wire, model="our-own-7b").invoke("hi", {"callbacks": [handler]})
    span = spans.attributes("llm.chat")

    assert keys.LLM_COST not in span
    assert ("our-own-7b",) == span[keys.UNPRICED_MODELS]


def test_a_failed_call_costs_nothing_known(wire, spans: Spans, handler):
    """A call that failed before it had tokens has neither a cost nor a name missing from a sum."""
    wire.answer(Reply(json.loads('{"error": {"message": "no", "type": "server_error"}}'), status=500))
    with pytest.raises(Exception, match="no"):
        openai(wire, model="gpt-4o-mini").invoke("hi", {"callbacks": [handler]})

    assert not {keys.LLM_COST, keys.UNPRICED_MODELS} & spans.attributes("llm.chat").keys()
