"""How providers put tools and messages into tokens: a table, and OpenAI's form of a tool's definition. Pure.

No provider publishes its format. OpenAI's cookbook ("How to count tokens with tiktoken") counts 3 tokens a message, 1
for the role, 1 beside a name, 3 to prime the reply, and for tools so many around each function, field and choice; its
models read tools as TypeScript types in a namespace, and their counts agree with that, too. Anthropic documents the
size of the instructions it adds when there are tools ("Tool use": 346 tokens for current models). The rest sends the
definitions as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Format", "formats", "json_schemas", "listed", "typescript"]


@dataclass(frozen=True, slots=True)
class Format:
    """Tokens a provider adds to the text: ``header`` for each message, for a name and to prime the reply.

    ``with_tools`` is what it adds when there are tools, ``tools`` the form their definitions take: TypeScript, the list
    of OpenAI's cookbook, JSON, or JSON with a blank after each comma and colon.
    """

    header: tuple[int, int, int]
    with_tools: int
    tools: Literal["typescript", "listed", "json", "spaced"]


_HEADER: Final = (4, 1, 3)
_BARE: Final = (0, 0, 0)
# What counts as OpenAI does, what counts headers but sends JSON, and what counts the text alone.
_TYPESCRIPT: Final = (Format(_HEADER, 0, "typescript"), Format(_HEADER, 0, "listed"))
_JSON: Final = (Format(_HEADER, 0, "json"), Format(_HEADER, 0, "spaced"))
_ALONE: Final = (Format(_BARE, 0, "json"), Format(_BARE, 0, "spaced"), Format(_BARE, 0, "typescript"))
_ANTHROPIC: Final = (Format((4, 0, 3), 346, "json"), *_JSON, *_ALONE)
_OPENAI: Final = (*_TYPESCRIPT, *_JSON, *_ALONE)
_ANY: Final = (*_JSON, *_TYPESCRIPT, *_ALONE)
_FORMATS: Final[Mapping[str, tuple[Format, ...]]] = {
    "openai": _OPENAI,
    "azure.ai.openai": _OPENAI,
    "anthropic": _ANTHROPIC,
}


def formats(provider: str | None, *, known: bool) -> tuple[Format, ...]:
    """Return the formats *provider* may use, the likeliest first; the one that explains a report best holds.

    Args:
        provider: The conventions' name.
        known: Whether the model is one of OpenAI's, whoever serves it.
    """
    return _FORMATS.get(provider or "") or (_OPENAI if known else _ANY)


def json_schemas(tools: Iterable[object], *, spaced: bool = False) -> str:
    """Return tool definitions as JSON, as they are sent: compact, or with a blank after each comma and colon."""
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(list(tools), ensure_ascii=False, separators=separators, default=str)


_AROUND_FUNCTION: Final[Mapping[str, int]] = {"cl100k_base": 10}
_AROUND_NEWER_FUNCTION: Final = 7
_AROUND_FIELDS, _AROUND_FIELD, _AROUND_CHOICES, _AROUND_CHOICE, _AROUND_ALL = 3, 3, -3, 3, 12


def listed(definitions: Sequence[Mapping[str, object]], encoding: str) -> tuple[list[str], int]:
    """Return the texts that OpenAI's cookbook counts of tools in the conventions' shape, and the tokens around them.

    Args:
        definitions: The tools.
        encoding: tiktoken's name of the model's encoding.
    """
    texts: list[str] = []
    around = _AROUND_ALL
    for tool in definitions:
        texts.append(f"{tool.get('name', '')}:{_undotted(tool.get('description'))}")
        fields = _shape(_shape(tool.get("parameters")).get("properties"))
        around += _AROUND_FUNCTION.get(encoding, _AROUND_NEWER_FUNCTION) + (_AROUND_FIELDS if fields else 0)
        for name, value in fields.items():
            field = _shape(value)
            texts.append(f"{name}:{field.get('type', '')}:{_undotted(field.get('description'))}")
            around += _AROUND_FIELD
            if _is_list(choices := field.get("enum")):
                texts += map(str, choices)
                around += _AROUND_CHOICES + _AROUND_CHOICE * len(choices)
    return texts, around


def _undotted(text: object) -> str:
    return text.removesuffix(".") if isinstance(text, str) else ""


_TYPES: Final[Mapping[str, str]] = {"integer": "number", "null": "null", "number": "number", "boolean": "boolean"}
_MAX_DEPTH: Final = 16


def typescript(definitions: Iterable[Mapping[str, object]]) -> str:
    """Return tools in the conventions' shape as the TypeScript that OpenAI's models are shown."""
    lines = ["# Tools", "", "## functions", "", "namespace functions {", ""]
    for tool in definitions:
        lines += _comment(tool.get("description"), "")
        name, fields = str(tool.get("name", "")), _properties(_shape(tool.get("parameters")), "", 0)
        lines += [f"type {name} = (_: {{", *fields, "}) => any;", ""] if fields else [f"type {name} = () => any;", ""]
    return "\n".join([*lines, "} // namespace functions"])


def _shape(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _comment(text: object, indent: str) -> list[str]:
    return [f"{indent}// {line}" for line in text.splitlines()] if isinstance(text, str) else []


def _properties(schema: Mapping[str, Any], indent: str, depth: int) -> list[str]:
    required = schema.get("required")
    needed = cast("list[object]", required) if isinstance(required, list) else []
    lines: list[str] = []
    for name, value in _shape(schema.get("properties")).items():
        field = _shape(value)
        default = f" // default: {json.dumps(field['default'], default=str)}" if "default" in field else ""
        mark = "" if name in needed else "?"
        lines += _comment(field.get("description"), indent)
        lines.append(f"{indent}{name}{mark}: {_type(field, indent, depth + 1)},{default}")
    return lines


def _type(schema: Mapping[str, Any], indent: str, depth: int) -> str:
    kind = schema.get("type")
    if depth > _MAX_DEPTH:
        return "any"
    if _is_list(options := schema.get("enum")):
        return " | ".join(json.dumps(option, ensure_ascii=False, default=str) for option in options)
    for key in ("anyOf", "oneOf"):
        if _is_list(options := schema.get(key)):
            return " | ".join(_type(_shape(option), indent, depth) for option in options)
    if kind == "array":
        return f"{_type(_shape(schema.get('items')), indent, depth + 1)}[]"
    if kind == "object" or "properties" in schema:
        fields = _properties(schema, indent + "  ", depth)
        return "\n".join(["{", *fields, indent + "}"]) if fields else "object"
    return _TYPES.get(str(kind), "string" if kind == "string" else "any")
