"""Who is paid: every spelling of a provider's name, as price lists know it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ANY_HOST", "UNPRICED", "listed", "references"]

# The GenAI conventions' names, LangChain's and LlamaIndex's, LiteLLM's prefixes -> genai-prices' ids.
_LISTED: Final[Mapping[str, str]] = {
    "aws.bedrock": "aws", "amazon_bedrock": "aws", "bedrock": "aws", "bedrock_converse": "aws",
    "azure.ai.openai": "azure", "azure.ai.inference": "azure", "azure_openai": "azure", "azure_ai": "azure",
    "gcp.gemini": "google", "gcp.vertex_ai": "google", "gcp.gen_ai": "google", "google_genai": "google",
    "google_vertexai": "google", "vertex_ai": "google", "vertexai": "google", "vertex": "google", "gemini": "google",
    "mistral_ai": "mistral", "mistralai": "mistral",
    "x_ai": "x-ai", "xai": "x-ai",
    "moonshot_ai": "moonshotai", "moonshot": "moonshotai",
    "together_ai": "together", "togetherai": "together",
    "fireworks_ai": "fireworks", "fireworksai": "fireworks",
    "open_router": "openrouter", "pplx": "perplexity",
    "voyage": "voyageai", "voyage_ai": "voyageai",
    "github_copilot": "github-copilot", "zhipu": "zhipuai", "zhipu_ai": "zhipuai", "z_ai": "zai",
}  # fmt: skip

UNPRICED: Final = frozenset({
    "gpt4all", "huggingface_local", "huggingface_pipeline", "ibm.watsonx.ai", "llama_cpp", "llamacpp", "lm_studio",
    "lmstudio", "localai", "mlx", "ollama", "vllm", "xinference",
})  # fmt: skip
"""Where a model's name says nothing of what it costs: the user's own machines, and contracts without a public list."""

ANY_HOST: Final = frozenset({"litellm", "openai", "openai_like", "openailike", "openai_compatible", "unknown"})
"""What clients call themselves that are pointed at any server: there the address knows better."""


def listed(provider: str) -> str:
    """Return the name that price lists have for *provider*, which may be spelled as any framework does."""
    name = provider.strip().lower()
    return _LISTED.get(name) or _LISTED.get(name.replace("-", "_")) or name


def references(model: str) -> tuple[str, ...]:
    """Return what *model* may be called in price lists, likeliest first.

    Frameworks put paths before the name: ``models/gemini-2.5-pro``, ``azure/gpt-4o``.
    """
    last = model.rpartition("/")[2]
    return (model, last) if last and last != model else (model,)
