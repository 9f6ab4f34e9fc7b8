"""The command itself: check what is needed, run the agent, print its trace."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import secrets
import shlex
from typing import TYPE_CHECKING, Any, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.trace import from_store
from agent_callbacks.cli import terminal
from agent_callbacks.convention import keys
from agent_callbacks.delivery.configure import configure
from agent_callbacks.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.language_models import BaseChatModel

    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.delivery.configure import Delivery

__all__ = ["demo"]

_FAILED: Final = 1
_FLUSH_SECONDS: Final = 5.0
_FRAMEWORKS: Final = ("langchain", "langgraph")


@click.command(epilog="Example: agent-callbacks demo --store demo.db")
@click.option("--model", metavar="NAME", help="A model of OpenAI instead of the scripted one; needs OPENAI_API_KEY.")
@terminal.store_option
def demo(*, model: str | None, store: str | None) -> None:
    """Run a small agent, with no key and no network, and show its trace."""
    _check(model)
    settings = Settings.load(content="all")
    handle = configure(service_name="agent-callbacks-demo", store=True if store is None else store, settings=settings)
    if handle.store_path is None:
        terminal.stop(
            "tracing is switched off (AGENT_CALLBACKS_ENABLED=0 or OTEL_SDK_DISABLED=true): nothing to show",
            terminal.USAGE_ERROR,
        )
    with handle:
        trace_id, problem = _run(model, settings)
        _deliver(handle)
    with terminal.opened(store) as opened:
        trace = from_store(opened, trace_id)
        terminal.echo(_wrapped("recorded: ", _question_as_recorded(trace)) + "\n")
        terminal.echo_trace(trace, opened.path)
    terminal.echo("see it again: agent-callbacks show last" + (f" --store {shlex.quote(store)}" if store else ""))
    if problem:
        terminal.stop(problem, _FAILED)


def _check(model: str | None) -> None:
    """Stop with what is missing."""
    if any(importlib.util.find_spec(name) is None for name in _FRAMEWORKS):
        terminal.stop(
            "the demo needs the extra 'demo': pip install \"agent-callbacks[cli,demo]\"", terminal.USAGE_ERROR
        )
    if model is None:
        return
    missing: list[str] = []
    if importlib.util.find_spec("langchain_openai") is None:
        missing.append("langchain-openai, which is not installed: pip install langchain-openai")
    if not os.environ.get("OPENAI_API_KEY"):
        missing.append("OPENAI_API_KEY, which is not set")
    if missing:
        terminal.stop("--model needs " + "; and ".join(missing), terminal.USAGE_ERROR)


def _run(model: str | None, settings: Settings) -> tuple[str, str | None]:
    """Run the agent once; return its trace id, and what went wrong."""
    from agent_callbacks.cli.demo import agent as story
    from agent_callbacks.cli.demo import shop
    from agent_callbacks.langchain import AgentCallbackHandler

    models, failures = _models(model)
    handler = AgentCallbackHandler(settings=settings)
    config: Any = {
        "callbacks": [handler],
        "metadata": {"user_id": "u-17", "session_id": f"demo-{secrets.token_hex(4)}", "variant": "prompt-b"},
    }
    terminal.echo(_wrapped("question: ", story.QUESTION))
    problem = None
    with shop.carrier() as port:
        try:
            answer = story.ask(story.agent(port, *models), config)
        except failures as error:
            problem = f"the model could not be asked ({type(error).__name__}); what happened until then is above"
        else:
            terminal.echo(_wrapped("answer: ", answer))
    return handler.last_trace_id or "", problem


def _models(name: str | None) -> tuple[Sequence[BaseChatModel], tuple[type[Exception], ...]]:
    """Return the two models, and the errors a real one may raise."""
    from agent_callbacks.cli.demo.agent import scripted_models

    if name is None:
        return scripted_models(), ()
    from langchain.chat_models import init_chat_model

    real = init_chat_model(name, model_provider="openai", max_retries=1)
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
