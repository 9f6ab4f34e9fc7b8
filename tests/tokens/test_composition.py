"""A call's input as pieces in buckets: messages of every shape, tools, ReAct, and what the provider wraps around."""

from __future__ import annotations

import json

import pytest

from agent_callbacks.tokens import encoder
from agent_callbacks.tokens.buckets import Buckets
from agent_callbacks.tokens.composition import Composition, ToolWeight, composed, roughly, weighed
from agent_callbacks.tokens.counter import Counter
from agent_callbacks.tokens.message import HISTORY, OTHER, SYSTEM_PROMPT, TOOL_OUTPUTS, TOOL_SCHEMAS, left, pieces
from agent_callbacks.tokens.wire import formats, json_schemas, listed, typescript


class Words:
    """An encoder whose tokens are words."""

    def encode_ordinary(self, text: str) -> list[int]:
        """Return a token a word."""
        return [1] * len(text.split())


WORDS = Counter("words", Words())
OPENAI = formats("openai", known=True)
BARE = [form for form in OPENAI if not any(form.header)][:1]


def text(role: str, content: str, **more: object) -> dict[str, object]:
    """Return a message of text."""
    return {"role": role, "parts": [{"type": "text", "content": content}], **more}


def sent(*shapes: dict[str, object], tools: ToolWeight | None = None, forms=BARE, **more: bool) -> Composition:
    """Return what messages are together."""
    known = {"exact": True, "assumed": False, **more}
    return composed([weighed(pieces(shape), WORDS) for shape in shapes], tools, forms, **known)


REACT = """Answer the following questions. You have access to the following tools:

look_up(order: str) - Look an order up.
refund(order: str) - Pay it back.

Use the following format:

Question: the question
Thought: what to do
Action: one of the tools
Action Input: the input
Observation: the result

Begin!

Question: Where is order 7?
Thought: look it up
Action: look_up
Action Input: 7
Observation: it was sent on Monday
with two others
Thought: I know
"""


class TestPieces:
    """A message in buckets."""

    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            (text("system", "be kind"), [(SYSTEM_PROMPT, "be kind")]),
            (text("user", "hello"), [(HISTORY, "hello")]),
            (text("critic", "hm"), [(HISTORY, "hm")]),
            (text("user", "hello", name="Ann"), [(HISTORY, "hello"), (HISTORY, "Ann")]),
            (text("tool", "sent", name="look_up"), [(TOOL_OUTPUTS, "sent")]),
            (
                {"role": "assistant", "parts": [{"type": "tool_call", "name": "look_up", "arguments": {"order": 7}}]},
                [(HISTORY, "look_up"), (HISTORY, '{"order": 7}')],
            ),
            (
                {"role": "assistant", "parts": [{"type": "tool_call", "name": "look_up", "arguments": None}]},
                [(HISTORY, "look_up")],
            ),
            (
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": {"state": "sent"}}]},
                [(TOOL_OUTPUTS, '{"state": "sent"}')],
            ),
            ({"role": "tool", "parts": [{"type": "tool_call_response", "response": None}]}, []),
            (
                {"role": "user", "parts": [{"type": "tool_call_response", "response": "sent"}]},
                [(TOOL_OUTPUTS, "sent")],
            ),
            ({"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]}, []),
            (
                {"role": "assistant", "parts": [{"type": "server_tool_call", "server_tool_call": {"query": "x"}}]},
                [(HISTORY, '{"query": "x"}')],
            ),
            (
                {"role": "assistant", "parts": [
                    {"type": "server_tool_call_response", "server_tool_call_response": "found"}]},
                [(TOOL_OUTPUTS, "found")],
            ),
            ({"role": "user", "parts": [{"type": "novel", "data": 1}]}, [(OTHER, '{"data": 1}')]),
            ({"role": "user", "parts": [{"type": "novel"}]}, []),
            ({"role": 3, "parts": None}, []),
            (text("user", ""), []),
        ],
    )  # fmt: skip
    def test_bucket(self, shape, expected):
        """Every part goes where it belongs; reasoning is not sent back."""
        assert expected == list(pieces(shape).texts)

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "blob", "modality": "image", "content": ""},
            {"type": "uri", "uri": "https://pictures.example/1.png"},
            {"type": "tool_call_response", "response": [{"type": "blob"}, {"type": "text", "text": "a map"}]},
        ],
    )
    def test_media(self, part):
        """Images and sound are no text, and that there are some is known."""
        found = pieces({"role": "user", "parts": [part]})

        assert found.media
        assert [said for _, said in found.texts if "http" in said] == []

    def test_parts_of_a_tool(self):
        """What a tool gives back in parts is their text."""
        parts = [{"type": "text", "content": "a"}, {"type": "text", "text": "b"}]
        found = pieces({"role": "tool", "parts": [{"type": "tool_call_response", "response": parts}]})

        assert ((TOOL_OUTPUTS, "a"), (TOOL_OUTPUTS, "b")) == found.texts


class TestReAct:
    """Agents whose tools are text."""

    def test_one_prompt(self):
        """In a prompt of one text, definitions, instructions, thoughts and observations are told apart."""
        found = pieces(text("user", REACT)).texts
        by = {bucket: "".join([said for at, said in found if at == bucket]) for bucket, _ in found}

        assert REACT == "".join([said for _, said in found])
        assert {SYSTEM_PROMPT, TOOL_SCHEMAS, HISTORY, TOOL_OUTPUTS} == set(by)
        assert "look_up(order: str) - Look an order up.\nrefund(order: str) - Pay it back." == by[TOOL_SCHEMAS]
        assert "Observation: it was sent on Monday\nwith two others\n" == by[TOOL_OUTPUTS]
        assert "Question: Where is order 7?" in by[HISTORY]

    def test_chat(self):
        """In a conversation, what a user's message says after an action is what the tool gave back."""
        found = sent(
            text("user", "where is order 7"),
            text("assistant", "Thought: look\nAction: look_up\nAction Input: 7"),
            text("user", "Observation: it was sent"),
        )

        assert Buckets(history=11, tool_outputs=4) == found.split(None, None).buckets

    def test_only_the_word(self):
        """A user's message that merely begins with the word is the user's."""
        found = sent(text("assistant", "What did you see?"), text("user", "Observation: a bird"))

        assert Buckets(history=7) == found.split(None, None).buckets

    def test_users_text_about_it(self):
        """A user's text in which the word stands on a line of its own stays whole without actions."""
        assert ((HISTORY, "Notes\nObservation: a bird"),) == pieces(text("user", "Notes\nObservation: a bird")).texts


TOOLS = [
    {
        "type": "function",
        "name": "look_up",
        "description": "Look an order up.\nAlways.",
        "parameters": {
            "type": "object",
            "properties": {
                "order": {"type": "string", "description": "Its number"},
                "deep": {"type": "boolean", "default": False},
                "state": {"enum": ["sent", "lost"]},
                "limit": {"type": "integer"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "where": {"type": "object", "properties": {"city": {"type": "string"}}},
                "free": {"type": "object"},
                "odd": {},
            },
            "required": ["order"],
        },
    },
    {"type": "function", "name": "stop"},
]


class TestLeft:
    """Whether a message is small, without writing it out."""

    @pytest.mark.parametrize(
        ("value", "room"),
        [("abc", 97), (None, 92), ([], 92), ({"ab": "c"}, 89), (("ab", ["c"]), 81), ({1: {"k": 2.5}}, 67)],
    )
    def test_small(self, value, room):
        """Text counts by its length, everything else by a few characters."""
        assert room == left(100, value)

    def test_not_small(self):
        """What is long, wide, deep or endless has no room, and is not walked to its end."""
        endless: list[object] = []
        endless.append(endless)
        wide = iter([1] * 100)

        class Wide(list[int]):
            def __iter__(self):
                return wide

        assert max(left(100, value) for value in ("x" * 101, {"k": ["x" * 99]}, endless, Wide())) < 0
        assert 100 - 100 // 8 > sum(1 for _ in wide) > 80


class TestTools:
    """The forms tools are sent in."""

    def test_typescript(self):
        """OpenAI's models are shown types in a namespace."""
        assert """# Tools

## functions

namespace functions {

// Look an order up.
// Always.
type look_up = (_: {
// Its number
order: string,
deep?: boolean, // default: false
state?: "sent" | "lost",
limit?: number,
tags?: string[],
either?: string | null,
where?: {
  city?: string,
},
free?: object,
odd?: any,
}) => any;

type stop = () => any;

} // namespace functions""" == typescript(TOOLS)

    @pytest.mark.parametrize(("encoding", "reported"), [("o200k_base", 101), ("cl100k_base", 105)])
    def test_listed(self, encoding, reported):
        """The example of OpenAI's cookbook comes to what its API reports for it."""
        unit = {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]}
        place = {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}
        tool = {
            "name": "get_current_weather",
            "description": "Get the current weather in a given location",
            "parameters": {"type": "object", "properties": {"location": place, "unit": unit}, "required": ["location"]},
        }
        said = (
            "You are a helpful assistant that can answer to questions about the weather.",
            "What's the weather like in San Francisco?",
        )
        counter = Counter(encoding, encoder.load(encoding))
        texts, around = listed([tool], encoding)
        message, _, priming = OPENAI[0].header

        assert reported == sum(map(counter.count, (*texts, *said))) + around + 2 * message + priming

    def test_listed_without_fields(self):
        """A tool without fields has nothing around them, and one without a description none."""
        assert (["stop:"], 12 + 7) == listed([TOOLS[1]], "o200k_base")

    def test_endless(self):
        """A definition that holds itself ends."""
        schema: dict[str, object] = {"type": "array"}
        schema["items"] = schema
        found = typescript([{"name": "loop", "parameters": {"type": "object", "properties": {"next": schema}}}])

        assert "next?: any[]" in found

    def test_json(self):
        """Others are sent JSON, compact or not; what is no JSON is written as text."""
        assert json.dumps(TOOLS, separators=(",", ":")) == json_schemas(TOOLS)
        assert json.dumps(TOOLS) == json_schemas(TOOLS, spaced=True)
        assert f'["{object}"]' == json_schemas([object])

    @pytest.mark.parametrize(
        ("provider", "known", "first"),
        [("openai", True, "typescript"), ("azure.ai.openai", True, "typescript"), ("anthropic", False, "json"),
         ("aws.bedrock", False, "json"), (None, True, "typescript"), (None, False, "json")],
    )  # fmt: skip
    def test_formats(self, provider, known, first):
        """Which form is the likeliest depends on the provider, or on the model where the provider is not known."""
        assert first == formats(provider, known=known)[0].tools


class TestSplit:
    """The buckets of a call."""

    def test_headers(self):
        """Headers belong to the message they stand before, the priming of the answer to the last."""
        found = sent(text("system", "be kind"), text("user", "hi", name="Ann"), forms=OPENAI[:1])

        assert Buckets(2 + 4, history=2 + 4 + 1 + 3) == found.split(None, None).buckets

    @pytest.mark.parametrize(("reported", "tool_schemas"), [(8 + 3 + 2 + 20, 20), (2 + 30, 30), (2 + 40, 40)])
    def test_best_format(self, reported, tool_schemas):
        """Of the forms a provider may use, the one that explains its report holds."""
        message = text("user", "hello there")
        found = sent(message, message and text("system", ""), tools=ToolWeight(30, 40, 20, 25), forms=OPENAI)

        assert tool_schemas == found.split(reported, None).buckets.tool_schemas

    def test_no_report(self):
        """Without a report the counts are the buckets, and an estimate."""
        found = sent(text("user", "hello there")).split(None, None)

        assert (Buckets(history=2), "estimated", None) == (found.buckets, found.method, found.cached)

    @pytest.mark.parametrize(("exact", "method"), [(True, "reconciled"), (False, "estimated")])
    def test_method(self, exact, method):
        """Shares without an encoder are an estimate even where their sum is reported."""
        assert method == sent(text("user", "hello there"), exact=exact).split(2, None).method

    def test_cached(self):
        """What came from a cache is allotted as it is sent: tools, instructions, messages."""
        found = sent(text("system", "a b c"), text("user", "d e"), tools=ToolWeight(4, 4, 4, 4))

        assert Buckets(3, 4, 1) == found.split(9, 8).cached
        assert Buckets() == found.split(9, 0).cached
        assert found.split(9, None).cached is None

    def test_image(self):
        """What an image takes is ``other``, and explained."""
        shape = {"role": "user", "parts": [{"type": "text", "content": "what is this"}, {"type": "blob"}]}
        found = sent(shape).split(768, None)

        assert (Buckets(history=3, other=765), False) == (found.buckets, found.mismatch)

    def test_nothing(self):
        """A call without messages is its priming, which belongs to nobody."""
        assert Buckets(other=3) == sent(forms=OPENAI[:1]).split(None, None).buckets

    def test_rough(self):
        """A message nobody has read yet counts by its role."""
        found = composed([roughly(TOOL_OUTPUTS, 7), roughly(HISTORY, 2)], None, BARE, exact=False, assumed=True)

        split = found.split(9, None)

        assert (Buckets(history=2, tool_outputs=7), True) == (split.buckets, split.assumed)
