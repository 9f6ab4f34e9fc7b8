"""Where an operation belongs: which step of its agent run, and when a new step begins. Pure: values in, values out.

A step is one decision of one agent: a model call and everything it causes until the next model call of the same agent.
Three things must not open a step of their own:

* a retry of the same call. LangGraph gives a retried node a new run but the same branch (checkpoint namespace); a retry
  inside a node repeats the same prompt after a failure;
* a call that runs beside another one: in another task or thread, or in the same superstep of a graph in another branch
  (which may have finished already: the branches of one superstep count side by side, first with first, second with
  second);
* the framework's own calls (summaries, tool selection).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import field, replace
from typing import Final

from agent_callbacks.recording.values import frozen

__all__ = [
    "Level", "ModelPlace", "StepState", "asked_tools", "model_failed", "place_decided", "place_model", "place_tool",
]  # fmt: skip

# How much is remembered of one agent run; far above what lies side by side, and constant in the run's length.
_MAX_SUPERSTEPS: Final = 16
_MAX_CALLS_OF_A_BRANCH: Final = 256
_MAX_TOOL_CALLS: Final = 256


@frozen
class Level:
    """One graph above a model call: its superstep, the branch taken there and the run of that branch's node."""

    superstep: Hashable
    branch: str
    run: Hashable


@frozen
class _Branch:
    """The steps one branch of a superstep has asked for so far; ``seen`` of them in the branch's current run."""

    run: Hashable
    indices: tuple[int, ...] = ()
    seen: int = 0


_Branches = dict[str, _Branch]
_Supersteps = dict[Hashable, _Branches]
_NO_BRANCHES: Final[_Branches] = {}


@frozen
class StepState:
    """What one agent run has decided so far."""

    last: int = 0
    supersteps: _Supersteps = field(default_factory=_Supersteps)
    failed: tuple[Hashable, int] | None = None
    decided: tuple[Hashable, int] | None = None
    tools: dict[str, int] = field(default_factory=dict[str, int])


@frozen
class ModelPlace:
    """The step a model call belongs to, and which attempt at it this is (1 is the first)."""

    index: int
    attempt: int = 1


def place_model(
    state: StepState, levels: tuple[Level, ...], *, beside: int | None, prompt: Hashable, attempt: int
) -> tuple[StepState, ModelPlace]:
    """Place a model call of the agent itself.

    Args:
        state: The agent run so far.
        levels: The graphs above the call inside the agent run, outermost first.
        beside: The step of a model call of the same agent that runs right now in another task or thread.
        prompt: Something equal for equal prompts, None if unknown.
        attempt: Which attempt the framework says this is, from 1.

    Returns:
        The new state and the place; the step is new when its index is above ``state.last``.
    """
    again = _repeated(state, prompt, attempt)
    if again is not None:
        return state, ModelPlace(again, max(attempt, 2))
    branches = [(level, _branch(state, level)) for level in levels]
    replayed = _replayed(branches)
    index = replayed or _in_other_branch(state, branches) or beside or state.last + 1
    supersteps = state.supersteps
    for level, branch in branches:
        supersteps = _remember(supersteps, level, branch, index)
    placed = StepState(max(state.last, index), supersteps, None, state.decided, state.tools)
    return placed, ModelPlace(index, 2 if replayed else 1)


def place_decided(state: StepState, decision: Hashable, attempt: int) -> tuple[StepState, ModelPlace]:
    """Place a model call of which the framework says what it is part of.

    Args:
        state: The agent run so far.
        decision: Names one decision of the agent; all calls of it are in one step.
        attempt: Which attempt at the decision this is, from 1.
    """
    known = state.decided is not None and state.decided[0] == decision
    index = state.decided[1] if known and state.decided is not None else state.last + 1
    return replace(state, last=max(state.last, index), decided=(decision, index)), ModelPlace(index, attempt)


def _repeated(state: StepState, prompt: Hashable, attempt: int) -> int | None:
    """Return the step of the call this one repeats after a failure."""
    if state.failed is not None and prompt is not None and state.failed[0] == prompt:
        return state.failed[1]
    return state.last if attempt > 1 and state.last else None


def _branch(state: StepState, level: Level) -> _Branch:
    known = state.supersteps.get(level.superstep, _NO_BRANCHES).get(level.branch)
    if known is None:
        return _Branch(level.run)
    return known if known.run == level.run else _Branch(level.run, known.indices)


def _replayed(branches: list[tuple[Level, _Branch]]) -> int | None:
    """Return the step an earlier run of the same branch had at this point."""
    for _, branch in branches:
        if branch.seen < len(branch.indices):
            return branch.indices[branch.seen]
    return None


def _in_other_branch(state: StepState, branches: list[tuple[Level, _Branch]]) -> int | None:
    """Return the step another branch of the same superstep has at this point."""
    for level, branch in branches:
        for name, other in state.supersteps.get(level.superstep, _NO_BRANCHES).items():
            if name != level.branch and branch.seen < len(other.indices):
                return other.indices[branch.seen]
    return None


def _remember(supersteps: _Supersteps, level: Level, branch: _Branch, index: int) -> _Supersteps:
    """Return *supersteps* with the call noted, the one just used last."""
    seen = branch.seen
    if seen >= _MAX_CALLS_OF_A_BRANCH:
        return supersteps
    grown = _Branch(level.run, (*branch.indices[:seen], index, *branch.indices[seen + 1 :]), seen + 1)
    kept = dict(supersteps)
    kept[level.superstep] = {**kept.pop(level.superstep, _NO_BRANCHES), level.branch: grown}
    if len(kept) > _MAX_SUPERSTEPS:
        del kept[next(iter(kept))]
    return kept


def model_failed(state: StepState, prompt: Hashable, index: int) -> StepState:
    """Note that a call failed: the same prompt again is a retry, not a new decision."""
    return replace(state, failed=(prompt, index))


def asked_tools(state: StepState, index: int, call_ids: tuple[str, ...]) -> StepState:
    """Note which tools step *index* asked for."""
    if not call_ids:
        return state
    tools = {**state.tools, **dict.fromkeys(call_ids, index)}
    while len(tools) > _MAX_TOOL_CALLS:
        del tools[next(iter(tools))]
    return StepState(state.last, state.supersteps, state.failed, state.decided, tools)


def place_tool(state: StepState, call_id: str | None, current: int) -> int:
    """Return the step a tool belongs to: the one that asked for it, else the *current* one; 0 is none yet."""
    if call_id is not None and (index := state.tools.get(call_id)) is not None:
        return index
    return current
