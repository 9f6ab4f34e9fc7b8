"""What we rely on in LlamaIndex: a release that changes one of these breaks this file, not a user's traces."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from typing import Any, get_args

import llama_index.core
import pytest
from llama_index.core.agent.workflow import (
    AgentInput,
    AgentOutput,
    AgentSetup,
    AgentWorkflow,
    BaseWorkflowAgent,
    FunctionAgent,
    ToolCall,
    ToolCallResult,
)
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.chat_engine.types import StreamingAgentChatResponse
from llama_index.core.instrumentation.events import exception as exception_events
from llama_index.core.instrumentation.events import llm as llm_events
from llama_index.core.tools import ToolOutput
from llama_index.core.workflow import StartEvent, Workflow
from llama_index_instrumentation import DispatcherSpanMixin, get_dispatcher
from llama_index_instrumentation.dispatcher import DISPATCHER_SPAN_DECORATED_ATTR
from llama_index_instrumentation.span_handlers import BaseSpanHandler
from workflows import errors
from workflows.runtime.types import results, step_function

from agent_callbacks.llamaindex import agents, role
from tests.llamaindex.models import ScriptedLLM


def fields(kind: Any) -> set[str]:
    """Return the names of a pydantic model's or a dataclass's fields."""
    return set(getattr(kind, "model_fields", None) or inspect.signature(kind).parameters)


@pytest.mark.parametrize("kind", [BaseWorkflowAgent, AgentWorkflow])
def test_the_steps_of_an_agent(kind: type) -> None:
    """Both kinds of agents have exactly the steps we know."""
    steps = {name for name, found in inspect.getmembers(kind) if hasattr(found, "_step_config")}
    assert set(agents.STEPS) == steps
    assert {agents.DECIDES, agents.CONCLUDES} <= steps


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (AgentInput, {"input", "current_agent_name"}),
        (AgentSetup, {"input", "current_agent_name"}),
        (AgentOutput, {"response", "tool_calls", "current_agent_name", "retry_messages"}),
        (ToolCall, {"tool_name", "tool_kwargs", "tool_id"}),
        (ToolCallResult, {"tool_name", "tool_id", "tool_output", "return_direct"}),
        (ToolOutput, {"blocks", "is_error", "raw_output"}),
        (StreamingResponse, {"response_gen"}),
        (AsyncStreamingResponse, {"response_gen"}),
        (llm_events.LLMChatInProgressEvent, {"response", "span_id"}),
        (llm_events.LLMChatEndEvent, {"response", "span_id"}),
        (llm_events.LLMCompletionEndEvent, {"response", "span_id"}),
        (exception_events.ExceptionEvent, {"exception", "span_id"}),
        (step_function.SpanCancelledEvent, {"span_id"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_fields_we_read(kind: Any, read: set[str]) -> None:
    """Events and results have the fields we read."""
    assert read <= fields(kind)


def test_steps_are_given_their_event_as_ev() -> None:
    """A step's event is the argument ev."""
    for name in agents.STEPS:
        for kind in (BaseWorkflowAgent, AgentWorkflow):
            assert "ev" in inspect.signature(getattr(kind, name)).parameters


def test_what_else_we_read_of_a_run() -> None:
    """Names, start events and exceptions are where we look for them."""
    agent = FunctionAgent(name="x", llm=ScriptedLLM())
    assert agent.name == "x"
    assert hasattr(agent, "_workflow_name")
    assert StartEvent(user_msg="hi")._data == {"user_msg": "hi"}
    if "exception" in inspect.signature(ToolOutput).parameters:  # before, it is known from the tool's own span
        assert isinstance(ToolOutput("x", "no", raw_input={}, exception=ValueError()).exception, ValueError)
    assert issubclass(results.WaitingForEvent, Exception)
    assert issubclass(errors.WorkflowCancelledByUser, Exception)
    source = inspect.getsource(step_function.create_workflow_run_function)
    assert re.search(r"\.run-\{uuid", source)
    assert "start_event" in source


def test_a_spans_id_ends_with_a_uuid() -> None:
    """The method is what stands before the last dash and UUID, after the last dot."""
    seen: list[Any] = []

    class Listening(BaseSpanHandler[Any]):
        def span_enter(self, id_: str, bound_args: inspect.BoundArguments, **given: Any) -> None:
            seen.append((id_, given["parent_id"], given["tags"]))

        new_span = prepare_to_exit_span = prepare_to_drop_span = lambda *_, **__: None

    dispatcher = get_dispatcher("tests.canary")
    dispatcher.add_span_handler(Listening())
    try:
        dispatcher.span(ScriptedLLM.class_name)()
    finally:
        dispatcher.span_handlers = dispatcher.span_handlers[:-1]
    assert re.fullmatch(r"\w+\.class_name-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", seen[0][0])
    assert (None, {}) == seen[0][1:]


# --- what is instrumented --------------------------------------------------------------------------------------------
def everything() -> list[type]:
    """Return every class of llama_index.core, as far as it can be imported."""
    for found in pkgutil.walk_packages(llama_index.core.__path__, "llama_index.core."):
        try:
            importlib.import_module(found.name)
        except (ImportError, SyntaxError):
            continue
    pending, kinds = [DispatcherSpanMixin, Workflow, StreamingAgentChatResponse], set[type]()
    while pending:
        kind = pending.pop()
        pending += [sub for sub in kind.__subclasses__() if sub not in kinds]
        kinds.update(kind.__subclasses__())
    return [kind for kind in (*kinds, StreamingAgentChatResponse) if kind.__module__.startswith("llama_index.")]


@pytest.mark.filterwarnings("ignore")
def test_every_instrumented_method_has_a_role() -> None:
    """No method that any class of llama_index.core reports spans of is unknown to us."""
    unknown, instrumented = set[str](), 0
    for kind in everything():
        for name, found in inspect.getmembers_static(kind):
            if getattr(found, DISPATCHER_SPAN_DECORATED_ATTR, False):
                instrumented += 1
                if role._role(kind, name) == "unknown":
                    unknown.add(f"{kind.__module__}.{kind.__name__}.{name}")
    assert instrumented > 100
    assert set() == unknown


@pytest.mark.filterwarnings("ignore")
def test_every_base_we_know_exists() -> None:
    """A base class that was renamed is noticed."""
    known = {base.__name__ for kind in everything() for base in kind.__mro__}
    elsewhere = {"IngestionPipeline", "MultiModalLLM"}
    assert set(role._FAMILIES) - known <= elsewhere
    from llama_index.core.ingestion import IngestionPipeline

    assert IngestionPipeline.__name__ in role._FAMILIES


def test_roles_are_spelled_right() -> None:
    """Every role in the tables is one."""
    assert {*role._FAMILIES.values(), *role._METHODS.values()} <= set(get_args(role.Role))


def test_the_roles_of_a_model() -> None:
    """Public calls are models, what prepares them is inner."""
    assert "model" == role.role_of(ScriptedLLM, "achat")
    assert "inner" == role.role_of(ScriptedLLM, "_prepare_chat_with_tools")
    assert "unknown" == role.role_of(dict, "get")
