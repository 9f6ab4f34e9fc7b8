"""The tools a model is given, in whatever shape they are sent: their names, and the conventions' definition of each."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import orjson

from agent_callbacks.reading.shape import mapping, member, sequence, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["offered", "tool_definition"]

_MAX_TOOL_SETS: Final = 256


def offered(tools: Sequence[object]) -> tuple[frozenset[str], bytes | None]:
    """Return the names of all *tools*, and *tools* as JSON, None where they are objects.

    A run sends the same ones with each of its calls: they are written out each time, as they may have been changed in
    place, but looked into once.
    """
    if not tools:
        return frozenset(), None
    try:
        sent = orjson.dumps(tools)
    except TypeError:
        return _names(tools), None
    return _names_in(sent), sent


@functools.lru_cache(_MAX_TOOL_SETS)
def _names_in(sent: bytes) -> frozenset[str]:
    return _names(orjson.loads(sent))


def _names(tools: Iterable[object]) -> frozenset[str]:
    return frozenset(name for tool in tools for name in _tool_names(tool))


def _tool_names(tool: object) -> Iterator[str]:
    """Yield the names under which the model may ask for *tool*; Google sends several functions as one tool."""
    declared = sequence(mapping(tool).get("function_declarations"))
    for one in declared or (tool,):
        if name := text(member(_tool_body(one), "name")):
            yield name


def _tool_body(tool: object) -> object:
    found = mapping(tool)
    return mapping(found.get("function")) or mapping(found.get("toolSpec")) or tool


def tool_definition(tool: object) -> dict[str, object]:
    """Return a tool as it was sent, as the conventions' definition: type, name, description, parameters.

    Args:
        tool: OpenAI's, Anthropic's, Bedrock's or a plain shape, or an object with a name.
    """
    body = _tool_body(tool)
    kind = text(mapping(tool).get("type"))
    # Anthropic's own tools and OpenAI's built-in ones carry their name in the type; "custom" is a user's function.
    definition: dict[str, object] = {"type": "function" if kind in {None, "custom"} else kind}
    definition["name"] = text(member(body, "name")) or kind or ""
    if description := text(member(body, "description")):
        definition["description"] = description
    found = mapping(body)
    for key in ("parameters", "input_schema", "inputSchema"):
        if schema := mapping(found.get(key)):
            definition["parameters"] = mapping(schema.get("json")) or schema
            break
    return definition
