"""What the environment says, as it is read here, secrets left out."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Final

from opentelemetry import trace

from agent_callbacks.cli.doctor.finding import Finding
from agent_callbacks.delivery import otlp
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["delivery", "others", "variables"]

_PREFIXES: Final = ("OTEL_", "AGENT_CALLBACKS_")
# What the HTTP client of the exporter reads beside them.
_OTHERS: Final = frozenset({
    "http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle",
})  # fmt: skip
# LangSmith's client asks for these, the first that is set counts.
_LANGSMITH: Final = ("LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING", "LANGCHAIN_TRACING")
_SECRET: Final = re.compile(r"HEADERS|KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL|BAGGAGE")
_NOT_SECRET: Final = re.compile(r"CLIENT_KEY$")  # the path of a file
_LOGIN: Final = re.compile(r"//[^/@\s]*@")


def variables() -> Iterator[Finding]:
    """Yield every variable that counts, and what is wrong with those of ours."""
    complaints = _complaints()
    for name in sorted(os.environ):
        if not name.startswith(_PREFIXES) and name.lower() not in _OTHERS:
            continue
        if name in complaints:
            yield Finding("environment", name, complaints.pop(name), "note", "correct it, or unset it")
        else:
            yield Finding("environment", name, _shown(name, os.environ[name]))


def _shown(name: str, value: str) -> str:
    if _SECRET.search(name) and not _NOT_SECRET.search(name):
        if "HEADERS" in name:
            return ", ".join(map(_header, filter(str.strip, value.split(","))))
        return f"[hidden, {len(value)} characters]"
    return Sanitizer().clean(_LOGIN.sub("//[hidden]@", value))


def _header(pair: str) -> str:
    """Return one header of a list with its value hidden; what has no name may be a piece of a value."""
    name, equals, _ = pair.partition("=")
    return f"{Sanitizer().clean(name.strip())}=[hidden]" if equals else "[hidden, and ignored: not NAME=VALUE]"


class _Collected(logging.Handler):
    """Takes what the settings complain about, by variable."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        name, _, what = record.getMessage().partition(": ")
        self.said[name] = what


def _complaints() -> dict[str, str]:
    """Return what loading the settings and choosing the protocol complain about."""
    logger, collected = logging.getLogger("agent_callbacks"), _Collected()
    before, logger.propagate = logger.propagate, False
    logger.addHandler(collected)
    try:
        Settings.load()
        otlp.protocol(os.environ)
    finally:
        logger.removeHandler(collected)
        logger.propagate = before
    return collected.said


def others() -> Iterator[Finding]:
    """Yield who else would trace the same runs, as far as the environment says it."""
    for name in _LANGSMITH:
        if os.environ.get(name) == "true":  # what its client takes for yes
            what = f"{name}=true: LangSmith's own tracer sends the same runs too, and not through our sanitizer"
            yield Finding("delivery", "langsmith", what, "note", f"unset {name} where content must not leave")
            return


def delivery() -> Iterator[Finding]:
    """Yield where ``configure()`` would send spans, given this environment."""
    if not Settings.load().enabled:
        way_out = "unset AGENT_CALLBACKS_ENABLED and OTEL_SDK_DISABLED"
        yield Finding("delivery", "tracing", "switched off: nothing is recorded", "note", way_out)
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        yield Finding("delivery", "provider", "none stands in this process; configure() makes one")
    else:
        yield Finding("delivery", "provider", f"{type(provider).__name__} stands; configure() adds to it")
    yield Finding("delivery", "store", "on, unless configure(store=False)")
    if otlp.endpoint_is_set():
        yield Finding("delivery", "otlp", f"on, over {otlp.protocol(os.environ)}")
    elif os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        yield Finding("delivery", "otlp", "off: OTEL_TRACES_EXPORTER=none")
    else:
        yield Finding("delivery", "otlp", "off: OTEL_EXPORTER_OTLP_ENDPOINT names no receiver")
