"""Ten stories, told in LangGraph and in LlamaIndex: the same trees, and the same keys on the same spans."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("llama_index.core")

from agent_callbacks import Settings
from agent_callbacks.analysis.trace import load
from agent_callbacks.convention import keys
from tests.conftest import Spans
from tests.features import INJECTED_STATE, WAITING_TOOLS
from tests.stories.on_langgraph import OnLangGraph
from tests.stories.on_llamaindex import OnLlamaIndex
from tests.stories.script import Ask, Say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

SEARCH: Final = ("search_web", {"query": "x"})


@dataclass(frozen=True)
class Story:
    """A story: what it is called in both tellers, what the models say, and the trees a reader sees."""

    name: str
    trees: tuple[str, ...]
    scripts: tuple[list[Ask | Say], ...]
    outcomes: dict[str, str] = field(default_factory=dict)
    """Of the spans that did not succeed, by name."""


STORIES: Final = (
    Story(
        "one_tool",
        (
            """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.search_web
└─ agent.step.2
   └─ llm.chat""",
        ),
        ([Ask((SEARCH,)), Say("done")],),
    ),
    Story(
        "parallel_tools",
        (
            """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  ├─ tool.search_web
│  └─ tool.lookup_order
└─ agent.step.2
   └─ llm.chat""",
        ),
        ([Ask((SEARCH, ("lookup_order", {"order": "7"}))), Say("done")],),
    ),
    Story(
        "tool_error",
        (
            """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.boom
└─ agent.step.2
   └─ llm.chat""",
        ),
        ([Ask((("boom", {"query": "x"}),)), Say("sorry")],),
        {"tool.boom": "failure"},
    ),
    Story(
        "unknown_tool",
        (
            """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.unknown
└─ agent.step.2
   └─ llm.chat""",
        ),
        ([Ask((("nosuch", {"query": "x"}),)), Say("sorry")],),
        {"tool.unknown": "failure"},
    ),
    Story(
        "sub_agent",
        (
            """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.research
│     └─ agent.run.researcher
│        ├─ agent.step.1
│        │  ├─ llm.chat
│        │  └─ tool.search_web
│        └─ agent.step.2
│           └─ llm.chat
└─ agent.step.2
   └─ llm.chat""",
        ),
        ([Ask((("research", {"topic": "x"}),)), Say("done")], [Ask((SEARCH,)), Say("facts")]),
    ),
    Story(
        "retrieval",
        (
            """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.find_orders
│     └─ retriever.orders
└─ agent.step.2
   └─ llm.chat""",
        ),
        ([Ask((("find_orders", {"query": "x"}),)), Say("done")],),
    ),
    Story(
        "streaming",
        (
            """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.search_web
└─ agent.step.2
   └─ llm.chat""",
        ),
        ([Ask((SEARCH,)), Say("a long answer in pieces")],),
    ),
    Story(
        "cancellation",
        (
            """\
agent.run.support
└─ agent.step.1
   ├─ llm.chat
   └─ tool.slow""",
        ),
        ([Ask((("slow", {"query": "x"}),))],),
        {"agent.run.support": "cancelled", "agent.step.1": "cancelled", "tool.slow": "cancelled"},
    ),
    Story(
        "handoff",
        (
            """\
agent.run
├─ agent.run.triage
│  └─ agent.step.1
│     ├─ llm.chat
│     └─ tool.handoff
└─ agent.run.writer
   ├─ agent.step.1
   │  ├─ llm.chat
   │  └─ tool.search_web
   └─ agent.step.2
      └─ llm.chat""",
        ),
        (
            [Ask((("handoff", {"to_agent": "writer", "reason": "r"}),))],
            [Ask((SEARCH,), prefix="other"), Say("text")],
        ),
    ),
    Story(
        "human",
        (
            """\
agent.run.support
└─ agent.step.1
   ├─ llm.chat
   └─ tool.ask_human""",
            """\
agent.run.support
├─ tool.ask_human
└─ agent.step.1
   └─ llm.chat""",
        ),
        ([Ask((("ask_human", {"question": "sure?"}),)), Say("done")],),
        {"agent.run.support": "interrupted", "agent.step.1": "interrupted", "tool.ask_human": "interrupted"},
    ),
)
TELLERS: Final[dict[str, Any]] = {"langgraph": OnLangGraph, "llamaindex": OnLlamaIndex}
NEEDS: Final = {("handoff", "langgraph"): INJECTED_STATE, ("human", "llamaindex"): WAITING_TOOLS}
"""What a teller's framework must have for a story to be told in it."""


def needed(story: Story, *tellers: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a test that has *tellers* tell *story*."""
    return [NEEDS[story.name, teller].needed for teller in tellers if (story.name, teller) in NEEDS]


async def told(story: Story, teller: str, settings: Settings) -> Spans:
    """Return the spans of *story* as *teller* tells it."""
    spans = Spans()
    await getattr(TELLERS[teller](spans, settings), story.name)(*story.scripts)
    gc.collect()
    return spans


def trees(spans: Spans) -> list[str]:
    """Return the trees of all traces, oldest first."""
    return [trace.tree() for trace in sorted(load(spans.finished()), key=lambda trace: trace.start_ns)]


def ordered(spans: Spans) -> Iterator[tuple[str, Any]]:
    """Yield name and span in the order of the trees: by where a span is, and when it started there."""
    finished = spans.finished()

    def below(parent: int | None) -> Iterator[tuple[str, Any]]:
        for span in finished:
            if (span.parent.span_id if span.parent else None) == parent:
                yield span.name, span
                yield from below(span.context.span_id)

    yield from below(None)


@pytest.mark.parametrize(
    ("story", "teller"),
    [
        pytest.param(story, teller, id=f"{story.name}-{teller}", marks=needed(story, teller))
        for story in STORIES
        for teller in TELLERS
    ],
)
@pytest.mark.filterwarnings("ignore:Skipping serialization")
async def test_a_story_gives_its_tree(story: Story, teller: str) -> None:
    """Each framework's telling gives the trees and outcomes of the story, user, session and variant on every span."""
    spans = await told(story, teller, Settings())
    assert list(story.trees) == trees(spans)
    bad = {
        name: span.attributes["agent_callbacks.outcome"]
        for name, span in ordered(spans)
        if span.attributes["agent_callbacks.outcome"] != "success"
    }
    assert story.outcomes == bad
    for key, expected in (("user.id", "u-17"), ("session.id", "s-9"), ("feature_flag.result.variant", "b")):
        assert {expected} == {span.attributes.get(key) for _, span in ordered(spans)}
    failed = {name for name, outcome in story.outcomes.items() if outcome == "failure"}
    assert failed == {span.name for span in spans.finished() if span.status.status_code.name == "ERROR"}


def keys_of(span: ReadableSpan) -> list[str]:
    """Return the keys of *span*, but for the one that says that the usage a script invents is not that of its text."""
    return sorted(set(span.attributes or ()) - {keys.TOKENS_MISMATCH})


@pytest.mark.parametrize("content", ["arguments", "all"])
@pytest.mark.parametrize(
    "story", [pytest.param(story, id=story.name, marks=needed(story, *TELLERS)) for story in STORIES]
)
@pytest.mark.filterwarnings("ignore:Skipping serialization")
async def test_both_tellings_have_the_same_keys(story: Story, content: Any) -> None:
    """Name for name, the spans of both tellings carry the same attribute keys and the same events."""
    one, other = [
        [
            (name, span.kind.name, keys_of(span), [event.name for event in span.events], len(span.links))
            for name, span in ordered(await told(story, teller, Settings(content=content)))
        ]
        for teller in TELLERS
    ]
    assert one == other
