"""The command itself: check what is needed, run the agent, print its trace."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.trace import from_store
from agent_callbacks.cli import terminal
from agent_callbacks.cli.demo import shop, story
from agent_callbacks.convention import keys
from agent_callbacks.delivery.configure import configure
from agent_callbacks.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.delivery.configure import Delivery

__all__ = ["demo"]

_FAILED: Final = 1
_FLUSH_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Framework:
    """What tells the story with one framework, and what has to be installed for it."""

    told_by: str
    """A module that is a ``_Story``; imported when its framework is there."""
    packages: tuple[str, ...]
    extra: str
    client: str
    """The module that asks OpenAI's models."""
    client_package: str


_LANGGRAPH: Final = _Framework(
    "agent_callbacks.cli.demo.on_langgraph",
    ("langchain", "langgraph"),
    "demo",
    "langchain_openai",
    "langchain-openai",
)
_LLAMAINDEX: Final = _Framework(
    "agent_callbacks.cli.demo.on_llamaindex",
    ("llama_index.core",),
    "llamaindex",
    "llama_index.llms.openai",
    "llama-index-llms-openai",
)


class _Handler(Protocol):
    @property
    def last_trace_id(self) -> str | None: ...


class _Story(Protocol):
    """The story, as one framework tells it."""

    def handler(self, settings: Settings) -> _Handler: ...
    def scripted_models(self) -> tuple[Any, Any]: ...
    def real_model(self, name: str) -> Any: ...
    def ask(self, handler: _Handler, port: int, models: tuple[Any, Any], who: Mapping[str, Any]) -> str: ...


@click.command(epilog="Example: agent-callbacks demo --store demo.db")
@click.option("--llamaindex", "with_llamaindex", is_flag=True, help="Run it with LlamaIndex instead of LangGraph.")
@click.option("--model", metavar="NAME", help="A model of OpenAI instead of the scripted one; needs OPENAI_API_KEY.")
@terminal.store_option
def demo(*, with_llamaindex: bool, model: str | None, store: str | None) -> None:
    """Run a small agent, with no key and no network, and show its trace."""
    framework = _LLAMAINDEX if with_llamaindex else _LANGGRAPH
    _check(framework, model)
    settings = _settings(real=model is not None)
    handle = configure(service_name="agent-callbacks-demo", store=True if store is None else store, settings=settings)
    if handle.store_path is None:
        terminal.stop(
            "tracing is switched off (AGENT_CALLBACKS_ENABLED=0 or OTEL_SDK_DISABLED=true): nothing to show",
            terminal.USAGE_ERROR,
        )
    with handle:
        trace_id, problem = _run(framework, model, settings)
        _deliver(handle)
    with terminal.opened(store) as opened:
        trace = from_store(opened, trace_id)
        terminal.echo(_wrapped("recorded: ", _question_as_recorded(trace)) + "\n")
        terminal.echo(terminal.trace_view(trace, f"stored in {cells.printable(str(opened.path))}"))
    terminal.echo("see it again: agent-callbacks show last" + (f" --store {shlex.quote(store)}" if store else ""))
    if problem:
        terminal.stop(problem, _FAILED)


def _settings(*, real: bool) -> Settings:
    """Return settings under which all is shown, and a scripted model has a made-up price where the user gives none."""
    settings = Settings.load(content="all")
    if real or settings.prices is not None:
        return settings
    return Settings.load(content="all", prices=Path(__file__).with_name("prices.toml"))


def _check(framework: _Framework, model: str | None) -> None:
    """Stop with what is missing."""
    if not all(map(_installed, framework.packages)):
        extra = framework.extra
        terminal.stop(
            f"the demo needs the extra '{extra}': pip install \"agent-callbacks[cli,{extra}]\"", terminal.USAGE_ERROR
        )
    if model is None:
        return
    missing: list[str] = []
    if not _installed(framework.client):
        package = framework.client_package
        missing.append(f"{package}, which is not installed: pip install {package}")
    if not os.environ.get("OPENAI_API_KEY"):
        missing.append("OPENAI_API_KEY, which is not set")
    if missing:
        terminal.stop("--model needs " + "; and ".join(missing), terminal.USAGE_ERROR)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package it is in
        return False


def _run(framework: _Framework, model: str | None, settings: Settings) -> tuple[str, str | None]:
    """Run the agent once; return its trace id, and what went wrong."""
    told = cast("_Story", importlib.import_module(framework.told_by))
    models, failures = _models(told, model)
    handler = told.handler(settings)
    who = {"user_id": "u-17", "session_id": f"demo-{secrets.token_hex(4)}", "variant": "prompt-b"}
    terminal.echo(_wrapped("question: ", story.QUESTION))
    problem = None
    with shop.carrier() as port:
        try:
            answer = told.ask(handler, port, models, who)
        except failures as error:
            problem = f"the model could not be asked ({type(error).__name__}); what happened until then is above"
        else:
            terminal.echo(_wrapped("answer: ", answer))
    return handler.last_trace_id or "", problem


def _models(told: _Story, name: str | None) -> tuple[tuple[Any, Any], tuple[type[Exception], ...]]:
    """Return the two models, and the errors a real one may raise."""
    if name is None:
        return told.scripted_models(), ()
    real = told.real_model(name)
    return (real, real), (importlib.import_module("openai").OpenAIError,)


def _deliver(handle: Delivery) -> None:
    """Flush; stop with the cause when the trace did not reach the store."""
    handle.flush(_FLUSH_SECONDS)
    counts = handle.delivery["store"]
    if counts.lost or not counts.sent:
        causes = ", ".join(sorted(counts.failed)) or "dropped"
        terminal.stop(f"the trace could not be stored in {handle.store_path} ({causes})", terminal.USAGE_ERROR)


def _question_as_recorded(trace: Trace) -> str:
    """Return the question as the trace has it: the address in it is a marker."""
    texts = (span.attributes.get(keys.INPUT_MESSAGES) for span in trace.spans)
    messages: list[dict[str, Any]] = json.loads(next((str(text) for text in texts if text is not None), "[]"))
    asked = (part for message in messages if message["role"] == "user" for part in message["parts"])
    return next((str(part.get("content")) for part in asked), "")


def _wrapped(title: str, text: str) -> str:
    return click.wrap_text(title + cells.printable(text), max(40, min(terminal.width(), 100)), "", "  ")
