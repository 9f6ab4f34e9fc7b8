"""What langchain-core before 1.1.2 tells of a tool's call only to the function that runs it: read off that one's frame.

Those releases say no id of the call, and before 1.0.3 they pass on what LangGraph has injected (state, store, runtime)
as if the model had asked for it. ``langchain/base.py`` decides whether this is needed.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from agent_callbacks.langchain import tool
from agent_callbacks.reading.shape import mapping, member, sequence
from agent_callbacks.recording.stack import caller, locals_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.recording.values import ToolCall

__all__ = ["tool_call"]

# The bases of what is injected by its annotation, and of what is injected by its type alone.
_INJECTED: Final = frozenset({"InjectedToolArg", "_DirectlyInjectedToolArg"})


def tool_call(
    serialized: object,
    name: object,
    inputs: object,
    input_text: object,
    call_id: object,
    metadata: object,
    tags: object,
) -> ToolCall:
    """Return what ``on_tool_start`` tells of, as later releases tell it; takes what ``tool.tool_call`` takes."""
    running = locals_of(caller())
    injected = frozenset(_injected(running.get("self")))
    given = {key: value for key, value in mapping(inputs).items() if key not in injected} if injected else inputs
    call_id = running.get("tool_call_id") if call_id is None else call_id
    return tool.tool_call(serialized, name, given, input_text, call_id, metadata, tags)


def _injected(instance: object) -> Iterator[str]:
    """Yield the names of what is injected into the tool: those its schema marks, and those its function does."""
    for field, about in mapping(member(member(instance, "args_schema"), "model_fields")).items():
        if any(map(_marks, (member(about, "annotation"), *sequence(member(about, "metadata"))))):
            yield field
    function: Any = member(instance, "func") or member(instance, "coroutine")
    if function is not None:
        for parameter in inspect.signature(function).parameters.values():
            if any(map(_marks, (parameter.annotation, *getattr(parameter.annotation, "__metadata__", ())))):
                yield parameter.name


def _marks(annotation: object) -> bool:
    """Say whether *annotation*, a class or an instance or a generic alias of one, marks what is injected."""
    kind = getattr(annotation, "__origin__", annotation)
    mro: tuple[type, ...] = getattr(kind, "__mro__", type(kind).__mro__)
    return not _INJECTED.isdisjoint(base.__name__ for base in mro)
