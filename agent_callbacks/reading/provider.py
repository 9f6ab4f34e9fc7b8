"""Who is asked, as the conventions name it, and where: provider names out of hints, host and port out of addresses."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["URL_KEYS", "endpoint", "provider_name"]

# LangSmith's provider name, a class name or an LLM type (without "chat") -> the conventions' value.
_PROVIDERS: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai", "azure_openai": "azure.ai.openai", "azureopenai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference", "azure_inference": "azure.ai.inference",
    "azureaicompletionsmodel": "azure.ai.inference",
    "amazon_bedrock": "aws.bedrock", "bedrock": "aws.bedrock", "bedrock_converse": "aws.bedrock",
    "bedrockconverse": "aws.bedrock", "aws": "aws.bedrock", "anthropic_bedrock": "aws.bedrock",
    "google_genai": "gcp.gemini", "google_generative_ai": "gcp.gemini", "googlegenerativeai": "gcp.gemini",
    "google": "gcp.gen_ai", "google_vertexai": "gcp.vertex_ai", "vertexai": "gcp.vertex_ai",
    "google_anthropic_vertex": "gcp.vertex_ai", "anthropicvertex": "gcp.vertex_ai",
    "mistral": "mistral_ai", "mistralai": "mistral_ai",
    "xai": "x_ai",
    "ibm": "ibm.watsonx.ai", "watsonx": "ibm.watsonx.ai",
    "moonshot": "moonshot_ai", "moonshotai": "moonshot_ai",
}  # fmt: skip
URL_KEYS: Final = (
    "base_url", "openai_api_base", "anthropic_api_url", "azure_endpoint", "endpoint_url", "api_base", "groq_api_base",
    "xai_api_base", "endpoint", "server_url", "api_url",
)  # fmt: skip
_PORTS: Final[Mapping[str, int]] = {"https": 443, "http": 80}
_WORD: Final = re.compile(r"[a-z][a-z_.]{0,39}[0-9]{0,3}")


@functools.lru_cache(maxsize=256)
def provider_name(hint: str) -> str:
    """Return the conventions' name for the provider that *hint* (a framework's word, a class name) stands for."""
    name = hint.lower().replace("-", "_")
    name = name.replace("chat", "").strip("_") or name
    # What is no plain word is handed on as it came: in another spelling the sanitizer might not know a key again.
    return _PROVIDERS.get(name) or (name if _WORD.fullmatch(name) else hint)


@functools.lru_cache(maxsize=256)
def endpoint(url: str) -> tuple[str | None, int | None]:
    """Return host and port of *url*; user, password, path and query never leave this function."""
    try:
        parts = urlsplit(url if "//" in url else f"https://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, a bracket that is not closed
        return None, None
    return (host, port or _PORTS.get(parts.scheme)) if host else (None, None)
