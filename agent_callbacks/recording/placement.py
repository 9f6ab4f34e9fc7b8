"""Where an operation hangs: on which span, in which step, as whose agent. It opens nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from agent_callbacks.recording import live
from agent_callbacks.recording.steps import Level, ModelPlace, place_decided, place_model, place_tool
from agent_callbacks.recording.values import AgentRun, ChainRun, ModelCall, ToolCall

if TYPE_CHECKING:
    from collections.abc import Hashable

    from agent_callbacks.recording.operation import AgentScope, Operation, Step

__all__ = ["agent_name", "is_own_agent", "place_in_step", "prompt_of", "step_of_tool"]


def is_own_agent(operation: Operation, value: AgentRun) -> bool:
    """Say whether *value* is an agent of its own, rather than a part of the one around it.

    It is when there is none around it, when it is a graph that a tool runs, or when it has a name of its own.
    """
    around = None if operation.parent is None else operation.parent.scope
    return around is None or _called(operation, value) or agent_name(operation, value) is not None


def agent_name(operation: Operation, value: AgentRun) -> str | None:
    """Return the agent's own name: the first candidate that was not merely inherited from the agent around it.

    An agent that a tool calls may be called like the one around it: it is that agent again.
    """
    outer = None if operation.parent is None else operation.parent.scope
    inherited = () if outer is None or outer.agent is None else outer.agent.names
    for rank, name in enumerate(value.names):
        if name is not None and (rank >= len(inherited) or inherited[rank] != name):
            return name
    return value.names[-1] if value.names and _called(operation, value) else None


def _called(operation: Operation, value: AgentRun) -> bool:
    return value.graph and isinstance(operation.anchor.value, ToolCall)


def prompt_of(value: ModelCall, chars: int) -> Hashable:
    """Return something equal for equal prompts, cheaply: how many messages, how much text, which last words."""
    last = getattr(value.messages[-1], "content", None) if value.messages else None
    return (len(value.messages), chars, hash(last) if isinstance(last, str) else 0)


def place_in_step(operation: Operation, scope: AgentScope, value: ModelCall) -> ModelPlace:
    """Place a model call of the agent *scope* itself; the caller holds the lock."""
    if value.decision is not None:
        scope.state, placed = place_decided(scope.state, value.decision, value.attempt)
        return placed
    scope.state, placed = place_model(
        scope.state,
        _levels(operation),
        beside=_beside(scope),
        prompt=operation.prompt,
        attempt=value.attempt,
    )
    return placed


def step_of_tool(operation: Operation, scope: AgentScope, value: ToolCall) -> Step | None:
    """Return the step that asked for a tool, else the one its caller works in."""
    current = operation.step
    index = place_tool(scope.state, value.call_id, current.index if current is not None else 0)
    step = scope.steps.get(index, current)
    if step is not None:
        operation.asked_ns = step.started(value.call_id)
    return step


def _levels(operation: Operation) -> tuple[Level, ...]:
    """Return the graph nodes between the agent run and *operation*, outermost first."""
    found: list[Level] = []
    at = operation.parent
    while at is not None and at.agent is None:
        above, value = at.parent, at.value
        node = value.node if isinstance(value, ChainRun) else None
        if node is not None and above is not None and isinstance(above.value, AgentRun):
            found.append(Level((above.key, node.superstep), node.branch, at.key))
        at = above
    return tuple(reversed(found))


def _beside(scope: AgentScope) -> int | None:
    """Return the step of a model call of the same agent that runs right now in another task or thread."""
    for call in list(scope.calls.values()):
        body, step = call.body, call.placed
        if body is not None and step is not None and _elsewhere(body) and not live.finished(body):
            return step.index
    return None


def _elsewhere(body: live.Body) -> bool:
    """Say whether *body* was entered in another task or thread than the one that asks."""
    if body.thread != threading.get_ident():
        return True
    return (None if body.task is None else body.task()) is not live.current_task()
