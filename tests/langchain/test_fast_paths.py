"""What is read on a short path reads the same as on the long one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agent_callbacks.langchain import extract
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.reading import usage
from agent_callbacks.recording.values import Usage

if TYPE_CHECKING:
    from agent_callbacks.recording.values import ModelCall

COUNTS = (0, 1, 7, -1, True, 2.0, "3", None, 2**63 - 1, 2**63)


@pytest.mark.parametrize("made", COUNTS)
@pytest.mark.parametrize("given", COUNTS)
def test_langchains_counts_read_as_any_report(given: Any, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three counts of LangChain's own report mean what they mean in a report with more in it."""
    report = {"input_tokens": given, "output_tokens": made, "total_tokens": 8}
    short = usage.reported_usage(report)
    monkeypatch.setattr(usage, "_LANGCHAIN", frozenset[str]())
    assert usage.reported_usage(report) == short


def test_langchains_counts_are_read() -> None:
    """The short path answers, so that comparing it means something."""
    assert usage.reported_usage({"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}) == Usage(5, 3)


def call(params: dict[str, Any], options: dict[str, Any] | None = None) -> ModelCall:
    """Return a call with *params*."""
    return extract.model_call("chat", None, [[]], params, options, {"ls_temperature": 0.5}, None)


@pytest.mark.parametrize("value", [1, 1.0, True, 0, 0.0, False, "1", [1], None])
def test_equal_parameters_of_other_types_are_told_apart(value: Any) -> None:
    """1, 1.0 and True are equal and mean different things: what one call said is not taken for another's."""
    for other in (1, 1.0, True, 0, 0.0, False, "1"):
        call({"temperature": other, "seed": other, "stream": other})
    found = call({"temperature": value, "seed": value, "stream": value}).parameters
    number = type(value) in {int, float}
    temperature = 0.5 if value is None else float(value) if number else None
    seed = int(value) if number else None
    assert (temperature, seed, True if value is True else None) == (found.temperature, found.seed, found.stream)
    assert type(found.temperature) in {float, type(None)}
    assert type(found.seed) in {int, type(None)}


TOOLS: tuple[tuple[Any, set[str]], ...] = (
    ({"type": "function", "function": {"name": "search"}}, {"search"}),
    ({"type": "function", "function": {"name": ""}, "name": "outer"}, set()),
    ({"function": {}, "name": "outer"}, {"outer"}),
    ({"function": {"name": "a"}, "function_declarations": [{"name": "b"}, {"name": "c"}]}, {"b", "c"}),
    ({"toolSpec": {"name": "bedrock"}}, {"bedrock"}),
    ({"name": "anthropic", "input_schema": {}}, {"anthropic"}),
    ({"function": {"name": 3}}, set()),
    ("text", set()),
)


@pytest.mark.parametrize(("tool", "names"), TOOLS)
def test_a_tool_is_known_by_its_name_in_any_shape(tool: Any, names: set[str]) -> None:
    """The names under which a model may ask for a tool, the first time and when they are known."""
    for _ in range(2):
        assert names == call({"tools": [tool]}).tool_names


def test_tools_changed_in_place_are_other_tools() -> None:
    """What is known of tools is known by what they say, not by the objects that say it."""
    tool = {"name": "search"}
    before = call({"tools": [tool]})
    tool["name"] = "find"
    after = call({"tools": [tool]})
    assert ({"search"}, {"find"}) == (before.tool_names, after.tool_names)
    assert (b'[{"name":"search"}]', b'[{"name":"find"}]') == (before.tools_sent, after.tools_sent)


def test_tools_that_are_objects_are_read_each_time() -> None:
    """Nothing stands for objects that have no JSON, so they are not taken for known ones."""
    found = call({"tools": [SimpleNamespace(name="search")]})
    assert ({"search"}, None) == (found.tool_names, found.tools_sent)


VALUES: tuple[dict[str, Any], ...] = (
    {"name": "search", "arguments": {"query": "mail me at ada@example.com", "limit": 5}, "id": "call-1"},
    {"name": "search", "arguments": {"password": "hunter2", "query": None}},
    {"arguments": {"query": {"query": {"query": {"query": "+49 30 1234567"}}}}},
    {"arguments": {"query": '{"password": "hunter2"}', "limit": 4111111111111111}},
    {"arguments": {"query": ["a", "ada@example.com"], "flag": True, "share": 0.5}},
    {"arguments": {"query": "caf\u00e9 \ud800", "name": '  {"password": "hunter2"}'}},
    {"arguments": {}},
)


@pytest.mark.parametrize("keys", [{}, {"query": "QUERY"}])
@pytest.mark.parametrize("value", VALUES)
def test_small_values_are_cleaned_as_by_the_walk(value: dict[str, Any], keys: dict[str, str]) -> None:
    """A dict whose keys are known by now comes out as it did the first time, when it was walked."""
    sanitizer = Sanitizer(keys=keys)
    walked = sanitizer.clean_value(value)
    assert walked == orjson.loads(sanitizer.clean_json(value))
    assert walked == orjson.loads(sanitizer.clean_json(value))


def test_a_value_that_holds_itself_is_cleaned() -> None:
    """A cycle is said, on the short path too."""
    sanitizer, value = Sanitizer(), dict[str, Any](query="x")
    value["query"] = value
    sanitizer.clean_json({"query": "x"})
    assert sanitizer.clean_json(value) == '{"query":"[CYCLE]"}'
