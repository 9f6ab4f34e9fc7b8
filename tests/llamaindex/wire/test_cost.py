"""What a call of a LlamaIndex model costs, out of what OpenAI sends: as genai-prices makes of the same answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import genai_prices
import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage

pytest.importorskip("llama_index.llms.openai")

from llama_index.llms.openai import OpenAI

from agent_callbacks.convention import keys
from tests.wire import openai_payload as payload
from tests.wire.server import Reply

if TYPE_CHECKING:
    from tests.conftest import Spans
    from tests.wire.server import WireServer

HI = [ChatMessage("hi")]

pytestmark = pytest.mark.usefixtures("events")


@pytest.fixture
def llm(wire: WireServer) -> Any:
    """Give an OpenAI model of the local server, its connections closed after the test."""
    with httpx.Client() as client:
        yield OpenAI(
            model="gpt-4o-mini", api_base=f"{wire.url}/v1", api_key="sk-Wr1T3nF0rTh3T3sts", max_retries=0,
            http_client=client,
        )  # fmt: skip


def official(answer: dict[str, Any]) -> float:
    """Return what genai-prices itself reads out of *answer*."""
    found = genai_prices.extract_usage(answer, provider_id="openai", api_flavor="chat")
    return float(found.calc_price().total_price)


def test_chat(wire, spans: Spans, llm):
    """A chat costs what the provider's list says, cached tokens at their own price; the tier is kept."""
    answer = payload.completion(counts=payload.usage(100_000, 2_000, 64_000, 800))
    wire.answer(Reply(answer))
    llm.chat(HI)
    span = spans.attributes("llm.chat")

    assert official(answer) == span[keys.LLM_COST]
    assert "default" == span[keys.SERVICE_TIER]


def test_stream(wire, spans: Spans, llm):
    """A stream costs what its last frame counts."""
    counts = payload.usage(100_000, 2_000, 64_000, 800)
    wire.answer(Reply(frames=payload.chunks("Hel", "lo", counts=counts)))
    list(llm.stream_chat(HI, stream_options={"include_usage": True}))

    assert official(payload.completion(counts=counts)) == spans.attributes("llm.chat")[keys.LLM_COST]
