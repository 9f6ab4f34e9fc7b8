"""Traces to show: an agent's run of any length, and one whose every text attacks the page."""

from __future__ import annotations

import json
from typing import Final

from agent_callbacks.analysis.span import Event, Link, Span
from agent_callbacks.analysis.trace import Trace, traces
from agent_callbacks.convention import keys

START: Final = 1_764_000_000_000_000_000
MS: Final = 1_000_000
QUESTION: Final = "Where is my kettle? " * 20
TOOLS: Final = ("search_web", "lookup_order", "vector_search", "crm_lookup")


class Scene:
    """Makes the spans of one trace, with ids counted from 1."""

    def __init__(self, number: int = 1, who: dict[str, object] | None = None) -> None:
        self.trace_id = f"{number:032x}"
        self.start = START + number * 3600_000 * MS
        self.who = who or {}
        self.spans: list[Span] = []

    def add(self, parent, name, begin, end, attributes, **more):
        """Add a span from *begin* to *end* (milliseconds); give its id."""
        span_id = f"{len(self.spans) + 1:016x}"
        self.spans.append(
            Span(self.trace_id, span_id, parent, name, more.pop("kind", "INTERNAL"), self.start + round(begin * MS),
                 0 if end is None else self.start + round(end * MS),
                 attributes={**attributes, **self.who}, resource={"service.name": "support"}, **more)
        )  # fmt: skip
        return span_id

    def trace(self) -> Trace:
        """Give the trace."""
        return traces(self.spans)[0]


def agent_run(
    steps: int = 3, *, number: int = 1, variant: str | None = None, tools: int = 1, pace: float = 1.0
) -> Trace:
    """Give a run of *steps* steps whose history grows, each with a model call and *tools* tools one after the other."""
    who = {keys.USER_ID: "u-17", keys.SESSION_ID: "s-9"}
    if variant:
        who |= {keys.FEATURE_FLAG_KEY: "variant", keys.FEATURE_FLAG_VARIANT: variant}
    scene = Scene(number, who)
    model_ms, tool_ms = 900 * pace, 400 * pace
    splits = [(3500, 4200, 1000 * index, 600 * tools * (index - 1), 12) for index in range(1, steps + 1)]
    length = steps * (model_ms + tools * tool_ms + 20)
    run = scene.add(None, "agent.run.support", 0, length, {
        keys.OPERATION_NAME: "invoke_agent", keys.AGENT_NAME: "support", keys.OUTCOME: "success", keys.RUN_STEPS: steps,
        **dict(zip(keys.RUN_TOKENS, (sum(split[part] for split in splits) for part in range(5)), strict=True)),
    })  # fmt: skip
    now = 0.0
    for index in range(1, steps + 1):
        split = splits[index - 1]
        sent = sum(split)
        step_end = now + model_ms + tools * tool_ms
        step = scene.add(run, f"agent.step.{index}", now, step_end, {
            keys.STEP_INDEX: index, keys.STEP_AGENT: "support", keys.STEP_INPUT_TOKENS: sent,
            keys.STEP_OUTPUT_TOKENS: 600, **dict(zip(keys.STEP_TOKENS, split, strict=True)),
        })  # fmt: skip
        scene.add(step, "llm.chat", now, now + model_ms, {
            keys.OPERATION_NAME: "chat", keys.PROVIDER_NAME: "openai", keys.REQUEST_MODEL: "gpt-4.1",
            keys.USAGE_INPUT_TOKENS: sent, keys.USAGE_OUTPUT_TOKENS: 600,
            keys.TIME_TO_FIRST_CHUNK: 0.3 * pace, keys.TOKENS_METHOD: "reconciled",
            **dict(zip(keys.LLM_TOKENS, split, strict=True)),
            keys.INPUT_MESSAGES: json.dumps([{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]),
        }, kind="CLIENT")  # fmt: skip
        now += model_ms
        for place in range(tools):
            name = TOOLS[(index + place) % len(TOOLS)]
            tool = scene.add(step, f"tool.{name}", now, now + tool_ms, {
                keys.OPERATION_NAME: "execute_tool", keys.TOOL_NAME: name, keys.TOOL_ARGUMENTS: '{"order": 1042}',
                keys.TOOL_DOWNSTREAM_DURATION: 0.3 * pace, keys.TOOL_MARSHALING_DURATION: 0.1 * pace,
            })  # fmt: skip
            scene.add(
                tool, "GET", now + 50 * pace, now + 350 * pace, {keys.SERVER_ADDRESS: "crm.internal"}, kind="CLIENT"
            )
            now += tool_ms
        now += 20
    return scene.trace()


ATTACKS: Final = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror='window.pwned=1'>",
    "<svg onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "https://evil.example/steal?x=1",
    "<!-- <script> --><script>window.pwned=1</script>",
    ']]></script><iframe srcdoc="<script>parent.pwned=1</script>">',
    "\u2028window.pwned=1\u2029",
    "{{ 7*7 }}{% raw %}${window.pwned=1}",
    "' onmouseover=window.pwned=1 x='",
    "invoice\u202egpj.exe\u2066\u200b\x1b]0;owned\x07\x00\ud800",
    "<style>*{background:url(https://evil.example/a.png)}</style>",
    "<link rel=stylesheet href=https://evil.example/x.css><base href=https://evil.example/>",
    "<a href='javascript:window.pwned=1'>click</a>",
    "__proto__",
    "constructor",
)  # fmt: skip


def hostile() -> Trace:
    """Give a trace that says one attack or another wherever a span can carry text."""
    scene = Scene(7, {keys.USER_ID: ATTACKS[0], keys.SESSION_ID: ATTACKS[1], keys.FEATURE_FLAG_KEY: ATTACKS[2],
                      keys.FEATURE_FLAG_VARIANT: ATTACKS[0]})  # fmt: skip
    run = scene.add(
        None, ATTACKS[0], 0, 1000, {keys.OPERATION_NAME: "invoke_agent", keys.AGENT_NAME: ATTACKS[1], keys.RUN_STEPS: 1}
    )
    step = scene.add(
        run, ATTACKS[1], 0, 900, {keys.STEP_INDEX: 1, keys.STEP_AGENT: ATTACKS[0], keys.STEP_INPUT_TOKENS: 12}
    )
    for place, attack in enumerate(ATTACKS):
        scene.add(
            step, attack, place * 10, place * 10 + 9,
            {keys.OPERATION_NAME: "execute_tool", keys.TOOL_NAME: attack, keys.TOOL_RESULT: attack,
             keys.TOOL_ARGUMENTS: json.dumps({"__proto__": attack, attack: attack}), attack: attack,
             keys.ERROR_TYPE: attack, "huge": 2**70, "not": float("nan")},
            status="ERROR", status_message=attack, scope=attack,
            events=(Event(attack, scene.start, {attack: attack}),), links=(Link("0" * 32, attack, {attack: attack}),),
        )  # fmt: skip
    return scene.trace()
