"""The verbs told by hand: what no framework says in this order, and what has to be right all the same."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from opentelemetry import metrics as metrics_api
from opentelemetry import trace
from opentelemetry.trace import SpanContext, TraceFlags

from agent_callbacks import Sanitizer, Settings, request_metadata
from agent_callbacks.convention import keys
from agent_callbacks.convention.openinference import usage as openinference_usage
from agent_callbacks.metadata import Request
from agent_callbacks.recording import messages, metrics, process, stack, steps
from agent_callbacks.recording import processor as processing
from agent_callbacks.recording.recorder import Recorder
from agent_callbacks.recording.values import (
    AgentRun,
    ChainRun,
    ModelCall,
    ModelResult,
    RequestedTool,
    Resumed,
    RunResult,
    ToolCall,
    ToolResult,
    Usage,
)  # fmt: skip
from tests.measured import Measured

if TYPE_CHECKING:
    from tests.conftest import Spans

HOUR: Final = 3600 * 10**9


class Reader:
    """Takes texts for messages."""

    def parts(self, message: object) -> dict[str, object]:
        """Return a message of the user."""
        return {"role": "user", "parts": [{"type": "text", "content": str(message), "id": 5}]}

    def content(self, message: object) -> object:
        """Return all there is."""
        return message

    def chars(self, message: object) -> int:
        """Count all there is."""
        return len(str(message))

    def definition(self, tool: object) -> object:
        """Return the tool itself."""
        return tool

    def is_message(self, value: object) -> bool:
        """Say that nothing is one."""
        return False


class Text(str):
    """A text that can be referred to weakly, as messages are."""

    __slots__ = ("__weakref__",)


def recorder_of(spans: Spans, **given: Any) -> Recorder:
    """Return a recorder of this test alone."""
    return Recorder(Reader(), spans.provider, settings=Settings(**given))  # type: ignore[arg-type]


@pytest.fixture
def recorder(spans: Spans) -> Recorder:
    """Give a recorder with the default settings."""
    return recorder_of(spans)


def outcomes(spans: Spans) -> dict[str, object]:
    """Return how each span went."""
    return {span.name: (span.attributes or {})[keys.OUTCOME] for span in spans.finished()}


# --- what nobody ends ------------------------------------------------------------------------------------------------
def test_a_run_in_which_nothing_happens_is_abandoned(spans: Spans) -> None:
    """After ``max_idle_seconds`` without an event the next run closes it, with all below; a stream is an event."""
    recorder = recorder_of(spans, max_idle_seconds=600)
    now = time.time_ns()
    recorder.start("hung", None, AgentRun(("hung",)), now - HOUR)
    recorder.start("tool", "hung", ToolCall("sleep"), now - HOUR)
    recorder.start("streams", None, ModelCall(), now - HOUR)
    recorder.chunk("streams", "token", lambda _: "content")
    recorder.shared.last_sweep = -1e9
    recorder.start("new", None, ChainRun("new"))
    assert {"agent.run.hung": "abandoned", "tool.sleep": "abandoned"} == outcomes(spans)
    recorder.end("streams", ModelResult())
    recorder.end("new", RunResult())


@pytest.mark.parametrize(
    ("kinds", "reasoning", "pace"),
    [
        (("other", "content", "content"), None, 1 / 10),
        (("other", "content", "content"), 4, 2 / 10),
        (("content", "content", "content"), 4, 2 / 6),
        (("other", "other", "other"), None, 2 / 10),
    ],
)
def test_the_pace_of_an_answer(
    recorder: Recorder, spans: Spans, monkeypatch: pytest.MonkeyPatch,
    kinds: tuple[str, ...], reasoning: int | None, pace: float,
) -> None:  # fmt: skip
    """A second lies between two chunks; what comes before the content is a token only where the model reasons."""
    begun = time.time_ns()
    recorder.start("llm", None, ModelCall(), begun)
    for place, kind in enumerate(kinds):
        monkeypatch.setattr(time, "time_ns", lambda place=place: begun + (place + 1) * 10**9)
        recorder.chunk("llm", None, lambda _, kind=kind: kind)
    recorder.end("llm", ModelResult(usage=Usage(5, 11, reasoning=reasoning)))
    found = spans.attributes("llm.chat")
    assert (1, 2, pace) == tuple(
        found[key] for key in (keys.TIME_TO_FIRST_CHUNK, keys.GENERATION_DURATION, keys.TIME_PER_OUTPUT_TOKEN)
    )


def test_all_that_is_open_is_abandoned_once(recorder: Recorder, spans: Spans) -> None:
    """What closes with its run is not closed again, and not counted again."""
    recorder.start("run", None, AgentRun(("support",)))
    recorder.start("tool", "run", ToolCall("search"))
    (run, _) = recorder.open_operations()
    assert 1 == recorder.abandon_all()
    recorder.abandon(run)
    assert ["agent.run.support", "tool.search"] == spans.names()


async def test_a_run_may_be_ended_on_another_thread(recorder: Recorder, spans: Spans) -> None:
    """The task it was started in belongs to its loop's thread, which has nothing left to do when it is over."""

    async def begin() -> None:
        recorder.start("run", None, ChainRun("moved"))
        await asyncio.to_thread(recorder.end, "run", RunResult())

    await asyncio.create_task(begin())
    assert {"chain.moved": "success"} == outcomes(spans)


# --- several recorders -----------------------------------------------------------------------------------------------
def test_an_operation_is_ended_by_who_began_it(recorder: Recorder, spans: Spans) -> None:
    """Of two recorders on one provider, the first that reports a run has it."""
    other = recorder_of(spans)
    recorder.start("run", None, ChainRun("shared"))
    other.start("run", None, ChainRun("shared"))
    other.end("run", RunResult(outcome="cancelled"))
    assert () == spans.finished()
    recorder.end("run", RunResult())
    assert {"chain.shared": "success"} == outcomes(spans)
    assert (0, 0) == (recorder.unmatched, other.unmatched)


def test_a_recorder_without_providers_follows_the_global_ones(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers may be set up after the handler."""
    recorder, measured = Recorder(Reader()), Measured()  # type: ignore[arg-type]
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: spans.provider)
    recorder.follow_global()
    monkeypatch.setattr(metrics, "global_provider", lambda: measured.provider)
    recorder.follow_global()
    recorder.start("run", None, ChainRun("late"))
    recorder.end("run", RunResult())
    assert ["chain.late"] == spans.names()
    assert {"late"} == set(measured.sums(keys.METRIC_WORKFLOW_DURATION, keys.WORKFLOW_NAME))
    assert metrics_api.get_meter_provider() is not measured.provider
    measured.provider.shutdown()


@pytest.mark.logs_expected
def test_without_any_provider_it_is_said_once_what_to_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing is set up nothing is recorded, and the first run says so."""
    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    process.forget_warnings()
    recorder = Recorder(Reader())  # type: ignore[arg-type]
    for number in range(2):
        recorder.start(number, None, ChainRun("nowhere"))
        recorder.end(number, RunResult())
    (said,) = caplog.messages
    assert "call agent_callbacks.configure() once" in said


# --- who asks --------------------------------------------------------------------------------------------------------
def test_who_asks_may_change_inside_a_run(recorder: Recorder, spans: Spans) -> None:
    """A chain that says nothing of its own is asked by whoever is said around it now."""
    recorder.start("run", None, AgentRun(("support",)))
    with request_metadata(user_id="u-18"):
        recorder.start("inner", "run", ChainRun("inner", request=None))
        recorder.start("tool", "inner", ToolCall("search"))
        recorder.end("tool", ToolResult())
        recorder.end("inner", RunResult())
    recorder.end("run", RunResult())
    assert "u-18" == spans.attributes("tool.search")[keys.USER_ID]
    assert keys.USER_ID not in spans.attributes("agent.run.support")


def test_a_run_that_turns_out_to_be_resumed_is_linked(recorder: Recorder, spans: Spans) -> None:
    """A framework may say only later that a run goes on where another waited."""
    asked = Request(thread_id="t-1", user_id="u")
    process.remember_interrupted("t-1", ("1" * 32, "2" * 16))
    recorder.start("run", None, AgentRun(("support",), request=asked))
    recorder.note("run", Resumed())
    recorder.end("run", RunResult())
    (link,) = spans.one("agent.run.support").links
    assert SpanContext(int("1" * 32, 16), int("2" * 16, 16), True, TraceFlags(0)) == link.context  # noqa: FBT003
    assert process.interrupted("t-1") is None


def test_a_run_that_resumes_what_nobody_knows_is_linked_to_nothing(recorder: Recorder, spans: Spans) -> None:
    """Without a store to look in, nothing is looked for."""
    recorder.start("run", None, AgentRun(("support",), resumed=True, request=Request(thread_id="t-0", user_id="u")))
    recorder.end("run", RunResult())
    assert () == tuple(spans.one("agent.run.support").links)


# --- tools -----------------------------------------------------------------------------------------------------------
def test_tools_that_are_asked_for_without_an_id(recorder: Recorder, spans: Spans) -> None:
    """A known one runs, one that does not exist is told at the end; neither has an id to be known by."""
    recorder.start("run", None, AgentRun(("support",)))
    recorder.start("llm", "run", ModelCall(tool_names=frozenset({"search"})))
    recorder.end("llm", ModelResult(tool_calls=(RequestedTool("search", None), RequestedTool("fly", None))))
    recorder.start("tool", "run", ToolCall("search"))
    recorder.end("tool", ToolResult())
    recorder.end("run", RunResult())
    assert "agent.run.support\n  agent.step.1\n    llm.chat\n    tool.unknown\n    tool.search" == spans.tree()


def test_very_many_tools_of_one_step_are_bounded() -> None:
    """The oldest are forgotten: such a tool then hangs on the step that is open."""
    state = steps.StepState()
    many = [f"call-{number}" for number in range(steps._MAX_TOOL_CALLS + 1)]
    state = steps.asked_tools(state, 1, tuple(many))
    assert (7, 1) == (steps.place_tool(state, many[0], 7), steps.place_tool(state, many[-1], 7))
    assert state is steps.asked_tools(state, 1, ())


# --- steps -----------------------------------------------------------------------------------------------------------
async def test_model_calls_side_by_side_share_a_step(recorder: Recorder, spans: Spans) -> None:
    """Two tasks ask the model at once: one decision of one agent; what is asked after them is the next."""
    met = asyncio.Barrier(2)

    async def ask(key: str) -> None:
        recorder.start(key, "run", ModelCall())
        await met.wait()
        recorder.end(key, ModelResult())

    recorder.start("run", None, AgentRun(("support",)))
    await asyncio.gather(ask("one"), ask("two"))
    recorder.start("three", "run", ModelCall())
    recorder.end("three", ModelResult())
    recorder.end("run", RunResult())
    shared = "  agent.step.1\n    llm.chat\n    llm.chat"
    assert f"agent.run.support\n{shared}\n  agent.step.2\n    llm.chat" == spans.tree()


def test_very_many_calls_of_one_branch_are_bounded() -> None:
    """What a branch of a graph has asked is remembered up to a number; later calls are steps all the same."""
    state, level = steps.StepState(), (steps.Level(("run", 1), "branch", "node"),)
    for number in range(1, steps._MAX_CALLS_OF_A_BRANCH + 3):
        state, place = steps.place_model(state, level, beside=None, prompt=number, attempt=1)
        assert number == place.index
    (branches,) = state.supersteps.values()
    assert steps._MAX_CALLS_OF_A_BRANCH == len(branches["branch"].indices)


# --- bounds ----------------------------------------------------------------------------------------------------------
def test_what_is_known_of_messages_and_tools_is_bounded(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no longer fits is worked out again, and says the same."""
    monkeypatch.setattr(messages, "_MAX_ENTRIES", 1)
    monkeypatch.setattr("agent_callbacks.recording.writer._MAX_TOOL_SETS", 1)
    recorder = recorder_of(spans, content="all")
    said = [Text("one"), Text("two")]
    for _ in range(2):
        for text in said:
            tools = ({"name": str(text)},)
            recorder.start("llm", None, ModelCall(messages=(text,), tools=tools, tools_sent=orjson.dumps(tools)))
            recorder.end("llm", ModelResult())
    found = [(span.attributes or {})[keys.INPUT_MESSAGES] for span in spans.finished()]
    assert found[:2] == found[2:]
    assert "one" in str(found[0])
    offered = [(span.attributes or {})[keys.TOOL_DEFINITIONS] for span in spans.finished()]
    assert offered[:2] == offered[2:]
    assert offered[0] != offered[1]


def test_what_is_known_of_code_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that makes ever new functions is looked at anew."""
    monkeypatch.setattr(stack, "_known", {})
    monkeypatch.setattr(stack, "_MAX_KNOWN", 1)
    frame = stack.sys._getframe()
    for _ in range(2):
        assert __name__ == stack.about(frame).module
        if frame.f_back is not None:
            stack.about(frame.f_back)
    assert 1 == len(stack._known)


def test_what_an_engine_calls_is_the_engines() -> None:
    """Who asks from inside LangGraph's own code is no code of the user's."""
    theirs: dict[str, Any] = {"__name__": "langgraph.pregel.made_up", "ask": stack.run_by_engine}
    exec("def asked():\n    return ask(None)", theirs)  # noqa: S102 - a module of that name, which is not there
    assert theirs["asked"]()


async def test_a_task_that_an_engine_waits_for_is_the_engines() -> None:
    """LangGraph is told when a coroutine of a checkpointer's is done: it is on no stack, but no task of the user's."""

    def done(_: object) -> None:
        """Note nothing."""

    async def work() -> None:
        """Do nothing."""

    theirs, own = asyncio.create_task(work()), asyncio.create_task(work())
    done.__module__ = "langgraph.pregel._runner"
    theirs.add_done_callback(done)
    assert (True, False) == (stack.run_by_engine(theirs), stack.run_by_engine(own))
    await asyncio.gather(theirs, own)


# --- content ---------------------------------------------------------------------------------------------------------
def test_a_history_can_be_told_once(spans: Spans) -> None:
    """With ``history="delta"`` a model call shows what no call of its run sent before; outside a run, everything."""
    recorder = recorder_of(spans, content="all", history="delta")
    first, second = Text("first"), Text("second")
    recorder.start("run", None, AgentRun(("support",)))
    for number, sent in enumerate([(first,), (first, second)]):
        recorder.start(number, "run", ModelCall(messages=sent))
        recorder.end(number, ModelResult())
    recorder.end("run", RunResult())
    recorder.start("alone", None, ModelCall(messages=(first, second)))
    recorder.end("alone", ModelResult())
    shown = [str((span.attributes or {})[keys.INPUT_MESSAGES]) for span in spans.named("llm.chat")]
    assert [(True, False), (False, True), (True, True)] == [("first" in text, "second" in text) for text in shown]


def test_links_of_user_code_are_bounded(spans: Spans) -> None:
    """What user code hangs on the current span takes a quarter of a span's bytes and no more."""
    recorder = recorder_of(spans, max_span_bytes=8000)
    context = spans.provider.get_tracer("theirs").start_span("elsewhere").get_span_context()
    recorder.start("tool", None, ToolCall("links"))
    for _ in range(100):
        trace.get_current_span().add_link(context, {"note": "x" * 100})
    recorder.end("tool", ToolResult())
    assert 0 < len(spans.one("tool.links").links) < 30


@pytest.mark.logs_expected
def test_attributes_that_cannot_be_cleaned_are_not_told(
    recorder: Recorder, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an event whose values the sanitizer fails on, a marker is left."""

    def broken(*_: object) -> Any:
        raise LookupError("secret text")

    recorder.start("tool", None, ToolCall("notes"))
    with monkeypatch.context() as patch:
        patch.setattr(Sanitizer, "_clean_value", broken)
        trace.get_current_span().add_event("noted", {"who": "secret text"})
    recorder.end("tool", ToolResult())
    (event,) = spans.one("tool.notes").events
    assert {keys.EVENT_DATA: "[REDACTED:error]"} == dict(event.attributes or {})


def test_half_a_count_has_no_total() -> None:
    """Where the output is not known, neither is the sum."""
    assert {"llm.token_count.prompt": 10} == openinference_usage(Usage(10))


# --- spans of others -------------------------------------------------------------------------------------------------
@pytest.mark.logs_expected
def test_a_failure_while_watching_is_counted_and_stays_inside(
    spans: Spans, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK would let it through to the instrumentation that began the span."""

    def broken(*_: object) -> None:
        raise LookupError("secret text")

    process.forget_warnings()
    recorder.start("run", None, ChainRun("watched"))
    monkeypatch.setattr(processing.live, "body_of", broken)
    spans.provider.get_tracer("theirs").start_span("GET").end()
    monkeypatch.undo()
    recorder.end("run", RunResult())
    assert ["GET", "chain.watched"] == sorted(spans.names())
    assert ["watching a span failed with LookupError"] == caplog.messages
