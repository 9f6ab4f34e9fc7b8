"""What is installed: the package, its frameworks and extras, the exporters, and the encoder's files."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING, Final

from agent_callbacks.cli.doctor.finding import Finding
from agent_callbacks.tokens.encoder import SHIPPED, find
from agent_callbacks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["encoder", "installed"]

_NEEDED: Final = ("opentelemetry-sdk", "opentelemetry-exporter-otlp", "orjson", "python-stdnum", "tiktoken")
# Package -> the extra that brings it.
_OPTIONAL: Final[Mapping[str, str]] = {
    "langchain-core": "langchain",
    "langchain": "demo",
    "langgraph": "demo",
    "llama-index-core": "llamaindex",
    "genai-prices": "cost",
    "click": "cli",
    "rich": "cli",
}
# Other instrumentations of the same frameworks.
_OTHERS: Final = (
    "openinference-instrumentation-langchain", "openinference-instrumentation-llama-index",
    "opentelemetry-instrumentation-langchain", "opentelemetry-instrumentation-llamaindex",
)  # fmt: skip
_FRAMEWORKS: Final = ("langchain-core", "llama-index-core")


def installed() -> Iterator[Finding]:
    """Yield the versions of what is there, and what is missing."""
    system = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}"
    yield Finding("installed", "agent-callbacks", __version__)
    yield Finding("installed", "python", system)
    for package in _NEEDED:
        if found := _version(package):
            yield Finding("installed", package, found)
        else:
            yield Finding("installed", package, "missing", "fault", "pip install agent-callbacks")
    for package, extra in _OPTIONAL.items():
        if found := _version(package):
            yield Finding("installed", package, found)
        else:
            way_out = f'pip install "agent-callbacks[{extra}]"'
            yield Finding("installed", package, f"not installed (extra {extra})", "ok", way_out)
    if not any(map(_version, _FRAMEWORKS)):
        way_out = 'pip install "agent-callbacks[langchain]" or "agent-callbacks[llamaindex]"'
        yield Finding("installed", "frameworks", "none: no agent can be traced", "note", way_out)
    for package in filter(_version, _OTHERS):
        what = f"{_version(package)}: where it is switched on beside us, every run is told twice"
        yield Finding("installed", package, what, "note", "instrument a process with one of the two")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def encoder() -> Iterator[Finding]:
    """Yield where the files of each encoding are; without them tokens are estimated, as the network is never asked."""
    for name in SHIPPED:
        found = find(name)
        if found is not None:
            yield Finding("tokens", name, f"file in {found.parent}")
        else:
            yield Finding("tokens", name, "no file: token shares are estimated", "note", "agent-callbacks warmup")
