"""The tools a model is given, in whatever shape they are sent: their names, and the conventions' definition of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_callbacks.reading.shape import is_text, mapping, member, sequence, text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["offered", "tool_definition"]


def offered(tools: tuple[object, ...]) -> frozenset[str]:
    """Return the names of all *tools*; OpenAI's shape, which LangChain makes for most providers, is read directly."""
    names: set[str] = set()
    for tool in tools:
        shape = mapping(tool)
        name = None if "function_declarations" in shape else mapping(shape.get("function")).get("name")
        if name and is_text(name):
            names.add(name)
        else:
            names.update(_tool_names(tool))
    return frozenset(names)


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
