"""One agent run that has all that a view shows: buckets, a cache, alerts, a sub-agent, an embedding, a deep failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent_callbacks.analysis.otlp_writing import line
from agent_callbacks.analysis.sdk import readable
from agent_callbacks.analysis.span import Event
from agent_callbacks.convention import keys
from agent_callbacks.store.write import StoreExporter
from tests.report.scenes import Scene

if TYPE_CHECKING:
    from agent_callbacks.analysis.trace import Trace

# [what a step sends] system prompt, tool schemas, history, tool outputs, other
SPLITS: Final = ((1200, 2600, 400, 0, 12), (1200, 2600, 900, 1800, 12), (1200, 2600, 1500, 4200, 12))
DESK: Final = (50, 150, 100, 0, 0)
OUTPUTS: Final = (90, 120, 260)
CACHED: Final = (0, 3800, 6500)
MODEL: Final = "gpt-4.1"


def told(number: int = 1, *, model: str = MODEL, split: bool = True, **who: str) -> Trace:
    """Give the run: three steps, the second with a sub-agent whose tool fails, the third after two tools in line."""
    scene = Scene(number, {keys.USER_ID: "u-17", keys.SESSION_ID: "s-9", **who})
    sent = [sum(parts) for parts in SPLITS]
    run = scene.add(None, "agent.run.support", 0, 9000, {
        keys.OPERATION_NAME: "invoke_agent", keys.AGENT_NAME: "support", keys.OUTCOME: "success", keys.RUN_STEPS: 3,
        keys.RUN_INPUT_TOKENS: sum(sent), keys.RUN_OUTPUT_TOKENS: sum(OUTPUTS),
        keys.RUN_TOTAL_INPUT_TOKENS: sum(sent) + 300, keys.RUN_TOTAL_OUTPUT_TOKENS: sum(OUTPUTS) + 20,
        keys.RUN_CONTEXT_MULTIPLE: 4.7, keys.RUN_CONTEXT_GROWTH: 2.3, keys.RUN_HANDLER_DURATION: 0.004,
        **_buckets(keys.RUN_TOKENS, [sum(column) for column in zip(*SPLITS, strict=True)], split=split),
    }, events=(Event(keys.CONTEXT_ALERT_EVENT, scene.start, {keys.RUN_CONTEXT_GROWTH: 2.3}),))  # fmt: skip
    first = _step(scene, run, 1, 20, 2300, model, split=split)
    for place, name in enumerate(("search_web", "lookup_order")):
        tool = scene.add(first, f"tool.{name}", 1000 + 600 * place, 1600 + 600 * place,
                         {keys.OPERATION_NAME: "execute_tool", keys.TOOL_NAME: name,
                          keys.TOOL_DOWNSTREAM_DURATION: 0.45, keys.TOOL_MARSHALING_DURATION: 0.15})  # fmt: skip
        scene.add(tool, "GET", 1050 + 600 * place, 1500 + 600 * place, {keys.SERVER_ADDRESS: "crm.internal"},
                  kind="CLIENT")  # fmt: skip
    second = _step(scene, run, 2, 2320, 5200, model, split=split)
    desk = scene.add(second, "tool.ask_returns_desk", 3300, 5100, {keys.OPERATION_NAME: "execute_tool"})
    inner = scene.add(desk, "agent.run.returns_desk", 3310, 5090, {
        keys.OPERATION_NAME: "invoke_agent", keys.AGENT_NAME: "returns_desk", keys.RUN_STEPS: 1,
        keys.RUN_INPUT_TOKENS: 300, keys.RUN_OUTPUT_TOKENS: 20, keys.OUTCOME: "success",
    })  # fmt: skip
    step = scene.add(inner, "agent.step.1", 3320, 5080, {
        keys.STEP_INDEX: 1, keys.STEP_AGENT: "returns_desk", keys.STEP_INPUT_TOKENS: 300, keys.STEP_OUTPUT_TOKENS: 20,
        **_buckets(keys.STEP_TOKENS, DESK, split=split),
    })  # fmt: skip
    _model(scene, step, 3320, 4100, model, DESK, 20, 0, split=split)
    scene.add(step, "tool.open_return", 4100, 4900, {
        keys.OPERATION_NAME: "execute_tool", keys.OUTCOME: "failure", keys.ERROR_TYPE: "TimeoutError",
    }, status="ERROR")  # fmt: skip
    scene.add(run, "llm.embeddings", 5210, 5300, {
        keys.OPERATION_NAME: "embeddings", keys.REQUEST_MODEL: "text-embedding-3-small", keys.PROVIDER_NAME: "openai",
        keys.USAGE_INPUT_TOKENS: 40,
    }, kind="CLIENT")  # fmt: skip
    _step(scene, run, 3, 5310, 8900, model, split=split, rising=True)
    return scene.trace()


def _step(
    scene: Scene, run: str, index: int, begin: float, end: float, model: str, *, split: bool, rising: bool = False
) -> str:
    parts, made, read = SPLITS[index - 1], OUTPUTS[index - 1], CACHED[index - 1]
    events = (Event(keys.MARGINAL_ALERT_EVENT, scene.start, {}),) if rising else ()
    step = scene.add(run, f"agent.step.{index}", begin, end, {
        keys.STEP_INDEX: index, keys.STEP_AGENT: "support", keys.STEP_INPUT_TOKENS: sum(parts),
        keys.STEP_OUTPUT_TOKENS: made, keys.STEP_CACHED_SHARE: read / sum(parts), keys.OUTCOME: "success",
        **_buckets(keys.STEP_TOKENS, parts, split=split),
    }, events=events)  # fmt: skip
    _model(scene, step, begin, begin + (950 if index < 3 else end - begin), model, parts, made, read, split=split)
    return step


def _model(
    scene: Scene, step: str, begin: float, end: float, model: str, parts: Any, made: int, read: int, *, split: bool
) -> None:
    scene.add(step, "llm.chat", begin, end, {
        keys.OPERATION_NAME: "chat", keys.PROVIDER_NAME: "openai", keys.REQUEST_MODEL: model, keys.OUTCOME: "success",
        keys.USAGE_INPUT_TOKENS: sum(parts), keys.USAGE_OUTPUT_TOKENS: made, keys.USAGE_CACHE_READ: read,
        keys.TIME_TO_FIRST_CHUNK: 0.3, keys.TOKENS_METHOD: "reconciled",
        **_buckets(keys.LLM_TOKENS, parts, split=split),
    }, kind="CLIENT")  # fmt: skip


def _buckets(names: tuple[str, ...], counts: Any, *, split: bool) -> dict[str, int]:
    return dict(zip(names, counts, strict=True)) if split else {}


def file(path: Any, *traces: Trace) -> str:
    """Write *traces* to an OTLP-JSON file; give its name."""
    path.write_bytes(b"".join(line(trace.spans) for trace in traces))
    return str(path)


def store(path: Any, *traces: Trace) -> str:
    """Write *traces* to a trace store, which takes text that no JSON file can hold; give its name."""
    exporter = StoreExporter(path, max_age_seconds=1e9)
    exporter.export([readable(span) for trace in traces for span in trace.spans])
    exporter.shutdown()
    return str(path)
