"""Tokens counted while agents run: what is on calls, steps and runs, when it is estimated, and what it never does."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("llama_index.core")

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from agent_callbacks import AgentCallbackHandler, AgentEventHandler, Settings
from agent_callbacks.analysis import load as traces
from agent_callbacks.analysis.tokens import token_report
from agent_callbacks.convention import keys
from agent_callbacks.delivery.configure import configure
from agent_callbacks.recording import counting
from agent_callbacks.recording.sent import Growth, Sent
from agent_callbacks.recording.values import ChainRun, ModelCall, ModelResult, RunResult, Usage
from agent_callbacks.tokens import encoder
from agent_callbacks.tokens.buckets import Buckets
from agent_callbacks.tokens.composition import Split
from tests.langchain.models import ScriptedChat, calls, says
from tests.llamaindex.models import ScriptedLLM, asks
from tests.llamaindex.models import says as answers

if TYPE_CHECKING:
    from tests.conftest import Spans

PROSE = (
    "the delivery is late because the maker cannot send the size you asked for before next week and we are sorry; "
    "you may change your order without any cost until it has left our house on Monday morning"
)
WORDS = PROSE.split()


def text(words: int, start: int = 0) -> str:
    """Return prose of *words* words."""
    return " ".join(WORDS[(start + n) % len(WORDS)] for n in range(words))


@functools.cache
def encoding() -> Any:
    """Return the encoder of the models here."""
    return encoder.load("o200k_base")


def encoded(said: object) -> int:
    """Return how many tokens *said* is, counted by tiktoken alone."""
    return len(encoding().encode_ordinary(said if isinstance(said, str) else json.dumps(said)))


class Provider(ScriptedChat):
    """A model whose provider counts what it is sent, as OpenAI's do: headers of four tokens, three at the end."""

    model_name: str = "gpt-4o"
    provider: str = "openai"
    truth: Any = None

    def _generate(self, messages: Any, *_: Any, tools: Any = (), **__: Any) -> Any:
        counts = {"system": 0, "human": 0, "ai": 0, "tool": 0}
        for message in messages:
            counts[message.type] += encoded(message.text) if message.text else 0
            for call in getattr(message, "tool_calls", ()):
                counts[message.type] += encoded(call["name"]) + encoded(call["args"])
        schemas = sum(map(encoded, tools))
        true = Buckets(counts["system"], schemas, counts["human"] + counts["ai"], counts["tool"])
        self.truth.append(true)
        answer = self._said(self._next(messages))
        given = true.total + 4 * len(messages) + 3
        usage = {"input_tokens": given, "output_tokens": 9, "total_tokens": given + 9}
        answer.generations[0].message.usage_metadata = usage
        return answer


def look_up(order: str) -> str:
    """Look an order up in the books of the shop, by the number that the customer has in the mail."""
    return text(700, int(order))


def agent(*script: Any, **given: Any) -> tuple[Any, Provider]:
    """Return an agent of a counting model, and the model."""
    model = Provider(script=list(script), truth=[], **given)
    return create_agent(model, [look_up], system_prompt=text(900), name="support"), model


def steps(count: int) -> list[Any]:
    """Return a script of *count* steps with a tool, and an answer."""
    asked = [AIMessage(text(40, n), tool_calls=calls(("look_up", {"order": str(n)})).tool_calls) for n in range(count)]
    return [*asked, says("done")]


def run(graph: Any, handler: Any) -> None:
    """Run *graph*."""
    graph.invoke({"messages": [("user", text(60))]}, {"callbacks": [handler]})


def buckets(attributes: Any, names: tuple[str, ...]) -> Buckets:
    """Return the buckets under *names*."""
    return Buckets(*[attributes[name] for name in names])


def close(one: Buckets, other: Buckets) -> bool:
    """Say whether each bucket of *one* is within 2 % of the whole, and of itself but for message headers."""
    return all(abs(a - b) <= max(0.02 * b, 60) for a, b in zip(one, other, strict=True))


class TestLangChain:
    """Agents of LangChain."""

    def test_calls(self, spans: Spans, handler):
        """Every call's buckets are those its provider knows, and sum to what it reports."""
        graph, model = agent(*steps(6))
        run(graph, handler)
        found = [span.attributes or {} for span in spans.named("llm.chat")]

        assert 7 == len(found)
        assert all(close(buckets(one, keys.LLM_TOKENS), true) for one, true in zip(found, model.truth, strict=True))
        assert [one[keys.USAGE_INPUT_TOKENS] for one in found] == [buckets(one, keys.LLM_TOKENS).total for one in found]
        assert {("reconciled", None, None)} == {
            (one[keys.TOKENS_METHOD], one.get(keys.TOKENS_MISMATCH), one.get(keys.TOKENS_ENCODING_ASSUMED))
            for one in found
        }

    def test_steps_and_run(self, spans: Spans, handler):
        """Steps and the run are the sums of their calls; a step says what it sent more than the one before."""
        graph, _ = agent(*steps(4))
        run(graph, handler)
        each = [buckets(span.attributes or {}, keys.LLM_TOKENS) for span in spans.named("llm.chat")]
        found = [spans.attributes(f"agent.step.{n}") for n in range(1, 6)]
        whole = spans.attributes("agent.run.support")

        assert each == [buckets(step, keys.STEP_TOKENS) for step in found]
        assert sum(each, Buckets()) == buckets(whole, keys.RUN_TOKENS)
        assert whole[keys.RUN_INPUT_TOKENS] == buckets(whole, keys.RUN_TOKENS).total
        more = [None, *(now.total - before.total for before, now in itertools.pairwise(each))]
        assert more == [step.get(keys.STEP_MARGINAL_TOKENS) for step in found]
        assert pytest.approx(more[2] / each[1].total) == found[2][keys.STEP_MARGINAL_RATIO]
        assert pytest.approx(sum(one.total for one in each) / each[0].total) == whole[keys.RUN_CONTEXT_MULTIPLE]
        assert pytest.approx(each[-1].total / each[0].total) == whole[keys.RUN_CONTEXT_GROWTH]
        assert {"reconciled"} == {step[keys.TOKENS_METHOD] for step in (*found, whole)}

    def test_alerts(self, spans: Spans, handler):
        """Steps that grow twice in a row, and a run that sends many times its first input, raise an event each."""
        graph, _ = agent(*steps(9))
        run(graph, handler)
        alerts = {
            span.name: [event for event in span.events if event.name.startswith("agent_callbacks.alert")]
            for span in spans.finished()
        }
        raised = [name for name, events in alerts.items() if events]
        (whole,) = alerts["agent.run.support"]

        assert "agent.step.4" in raised
        assert "agent.step.2" not in raised
        assert keys.CONTEXT_ALERT_EVENT == whole.name
        assert "compounding: 10 steps sent " in str((whole.attributes or {})[keys.ALERT_MESSAGE])

    def test_quiet(self, spans: Spans):
        """Thresholds are the user's."""
        handler = AgentCallbackHandler(
            tracer_provider=spans.provider, settings=Settings(marginal_ratio_alert=9.0, context_multiple_alert=99.0)
        )
        graph, _ = agent(*steps(9))
        run(graph, handler)

        assert [] == [event.name for span in spans.finished() for event in span.events]

    def test_report(self, spans: Spans, handler):
        """The report reads back what the run said of itself."""
        graph, model = agent(*steps(3))
        run(graph, handler)
        (trace,) = traces(spans.finished())
        (found,) = token_report(trace).runs

        assert close(found.buckets, sum(model.truth, Buckets()))
        assert [4, "reconciled"] == [len(found.steps), found.method]

    def test_cached(self, spans: Spans, handler):
        """Tokens from a cache are allotted in the order they are sent, and a step says their share."""
        usage = {"input_tokens": 1000, "output_tokens": 5, "total_tokens": 1005,
                 "input_token_details": {"cache_read": 400}}  # fmt: skip
        chat = ScriptedChat(script=[AIMessage("hi", usage_metadata=usage)], model_name="gpt-4o", provider="openai")
        run(create_agent(chat, [look_up], system_prompt=text(600), name="support"), handler)
        found = spans.attributes("llm.chat")

        cached = buckets(found, keys.LLM_CACHED_TOKENS)
        assert 400 == cached.total
        assert cached.tool_schemas == found[keys.LLM_TOKENS[1]] > 0
        assert 400 - cached.tool_schemas == cached.system_prompt
        assert 0.4 == spans.attributes("agent.step.1")[keys.STEP_CACHED_SHARE]

    def test_no_report(self, spans: Spans, handler):
        """Without a report the count is what the call is said to have used, as an estimate and no usage of metrics."""
        chat = ScriptedChat(script=[says("done")], model_name="gpt-4o", provider="openai")
        run(create_agent(chat, [], system_prompt=text(300), name="support"), handler)
        found = spans.attributes("llm.chat")

        assert pytest.approx(encoded(text(300)) + encoded(text(60)), abs=12) == found[keys.USAGE_INPUT_TOKENS]
        assert found[keys.USAGE_INPUT_TOKENS] == buckets(found, keys.LLM_TOKENS).total
        assert ("estimated", True) == (found[keys.TOKENS_METHOD], found[keys.TOKENS_USAGE_ESTIMATED])

    def test_image(self, spans: Spans, handler):
        """What an image took is ``other``."""
        chat = ScriptedChat(script=[says("a cat", input_tokens=900)], model_name="gpt-4o", provider="openai")
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
        chat.invoke([HumanMessage([{"type": "text", "text": "what is this"}, picture])], {"callbacks": [handler]})
        found = spans.attributes("llm.chat")

        assert 880 < found[keys.LLM_TOKENS[4]] < 900
        assert keys.TOKENS_MISMATCH not in found

    def test_another_model(self, spans: Spans, handler):
        """A model whose encoding nobody knows is counted with the commonest, which is said."""
        chat = ScriptedChat(script=[says("hi", input_tokens=20)], model_name="claude-sonnet-4-5", provider="anthropic")
        chat.invoke(text(12), {"callbacks": [handler]})

        assert spans.attributes("llm.chat")[keys.TOKENS_ENCODING_ASSUMED]

    def test_mismatch(self, spans: Spans, handler):
        """A report that the text does not explain is flagged, and its excess is ``other``."""
        chat = ScriptedChat(script=[says("hi", input_tokens=5000)], model_name="gpt-4o", provider="openai")
        chat.invoke(text(12), {"callbacks": [handler]})
        found = spans.attributes("llm.chat")

        assert found[keys.TOKENS_MISMATCH]
        assert 5000 == buckets(found, keys.LLM_TOKENS).total
        assert found[keys.LLM_TOKENS[4]] > 4900

    @pytest.mark.parametrize("history", ["full", "delta"])
    @pytest.mark.parametrize("content", ["off", "all"])
    def test_whatever_is_shown(self, spans: Spans, content, history):
        """What is exported of the messages makes no difference to what is counted."""
        handler = AgentCallbackHandler(
            tracer_provider=spans.provider, settings=Settings(content=content, history=history)
        )
        graph, model = agent(*steps(2))
        run(graph, handler)
        found = [buckets(span.attributes or {}, keys.LLM_TOKENS) for span in spans.named("llm.chat")]

        assert all(close(one, true) for one, true in zip(found, model.truth, strict=True))

    def test_off(self, spans: Spans):
        """Nothing is counted where the user does not want it."""
        handler = AgentCallbackHandler(
            tracer_provider=spans.provider, settings=Settings(count_tokens=False, content="all")
        )
        graph, _ = agent(*steps(1))
        run(graph, handler)
        found = spans.attributes("agent.run.support")

        assert "reported" == found[keys.TOKENS_METHOD]
        assert not set(keys.RUN_TOKENS) & set(found)

    def test_unsampled(self, monkeypatch):
        """A run that is not sampled is not counted."""
        monkeypatch.setattr(counting.Count, "begin", lambda _: pytest.fail("counted"))
        handler = AgentCallbackHandler(tracer_provider=TracerProvider(sampler=ALWAYS_OFF))
        graph, _ = agent(*steps(1))
        run(graph, handler)

        assert 0 == handler.internal_errors

    def test_message_is_counted_once(self, spans: Spans, handler, monkeypatch):
        """However often the history is sent again, each message is read and counted once."""
        seen: list[str] = []
        true = counting.weighed
        monkeypatch.setattr(
            counting, "weighed", lambda found, counter: (seen.append(str(found.texts[:1])), true(found, counter))[1]
        )
        graph, model = agent(*steps(5))
        run(graph, handler)
        # Earlier releases make the message of the instructions anew for each call.
        instructions = len({id(messages[0]) for messages in model.seen})

        assert instructions + 1 + 5 * 2 == len(seen)

    def test_changed_while_it_is_sent(self, spans: Spans, handler):
        """A message changed while the model answers breaks no sum, and is known as another from then on."""
        new = text(90)
        given = encoded(new) + 4 + 3

        class Changing(ScriptedChat):
            def _generate(self, messages: Any, *args: Any, **more: Any) -> Any:
                messages[-1].content = new
                return super()._generate(messages, *args, **more)

        message = HumanMessage(text(10))
        chat = Changing(script=[says("hi", input_tokens=given)] * 2, model_name="gpt-4o", provider="openai")
        for _ in range(2):
            chat.invoke([message], {"callbacks": [handler]})
        first, second = [buckets(span.attributes or {}, keys.LLM_TOKENS) for span in spans.named("llm.chat")]

        assert given == first.total
        assert Buckets(history=given) == second
        assert 0 == handler.internal_errors


class TestLlamaIndex:
    """Agents of LlamaIndex."""

    @pytest.fixture
    def events(self, spans: Spans) -> Any:
        """Give a handler that hears of everything."""
        with AgentEventHandler(tracer_provider=spans.provider).install() as made:
            yield made

    async def test_agent(self, spans: Spans, events):
        """Instructions, schemas, history and what tools gave back are told apart."""
        script = [
            asks(("look_up", {"order": "1"}), input=1500, output=9),
            answers("done", input=2400, output=9),
        ]
        llm = ScriptedLLM(script=script, model="gpt-4o")
        await FunctionAgent(name="support", tools=[look_up], llm=llm, system_prompt=text(1200), streaming=False).run(
            text(200)
        )
        first, second = [buckets(spans.attributes(f"agent.step.{n}"), keys.STEP_TOKENS) for n in (1, 2)]

        assert pytest.approx(encoded(text(1200)), rel=0.1) == first.system_prompt
        assert pytest.approx(encoded(text(200)), rel=0.1) == first.history
        assert 0 == first.tool_outputs
        assert pytest.approx(encoded(text(700, 1)), rel=0.1) == second.tool_outputs
        assert [1500, 2400] == [first.total, second.total]

    async def test_react(self, spans: Spans, events):
        """In ReAct everything is text, and still each is what it is."""
        thought = 'Thought: I look it up.\nAction: look_up\nAction Input: {"order": "1"}'
        script = [answers(thought, input=0), answers("Thought: I know.\nAnswer: done", input=0)]
        llm = ScriptedLLM(script=script, model="gpt-4o")
        await ReActAgent(name="reactor", tools=[look_up], llm=llm, streaming=False).run(text(100))
        first, second = [buckets(spans.attributes(f"agent.step.{n}"), keys.STEP_TOKENS) for n in (1, 2)]

        assert 0 == first.tool_outputs
        assert min(first.tool_schemas, first.system_prompt, first.history) > 0
        assert pytest.approx(encoded(text(700, 1)), rel=0.1) == second.tool_outputs
        assert first.tool_schemas == second.tool_schemas


class TestWhenNotReady:
    """What is said where the count does not come in time."""

    @pytest.fixture
    def stuck(self, monkeypatch) -> Any:
        """Keep the worker busy until the test is over."""
        gate = threading.Event()

        class Long:
            def run(self) -> None:
                gate.wait(60)

        worker = counting._Worker()
        monkeypatch.setattr(counting, "_worker", worker)
        monkeypatch.setattr(counting, "WAIT_SECONDS", 0.001)
        worker.submit(Long())
        yield worker
        gate.set()
        worker.stop()

    def test_estimated(self, spans: Spans, handler, stuck):
        """Shares come from lengths and roles, are flagged, and sum to the report."""
        graph, model = agent(*steps(2))
        run(graph, handler)
        found = [span.attributes or {} for span in spans.named("llm.chat")]

        assert {"estimated"} == {one[keys.TOKENS_METHOD] for one in found}
        for one, true in zip(found, model.truth, strict=True):
            split = buckets(one, keys.LLM_TOKENS)
            assert one[keys.USAGE_INPUT_TOKENS] == split.total
            assert split.system_prompt / split.total == pytest.approx(true.system_prompt / true.total, abs=0.1)

    @pytest.mark.parametrize(
        ("said", "method"),
        [
            (HumanMessage(text(20)), "reconciled"),
            (HumanMessage(text(2000)), "estimated"),
            (AIMessage("", tool_calls=[{"name": "note", "args": {"it": text(20)}, "id": "1"}]), "reconciled"),
            (AIMessage("", tool_calls=[{"name": "note", "args": {"it": text(2000)}, "id": "1"}]), "estimated"),
        ],
        ids=["short", "long", "small arguments", "large arguments"],
    )
    def test_small(self, spans: Spans, handler, stuck, said, method):
        """What is small does not need the worker; the arguments of a call are part of its size."""
        handler._recorder.start("call", None, ModelCall(model="gpt-4o", messages=(said,)))
        handler._recorder.end("call", ModelResult(usage=Usage(input=90, output=1)))

        assert method == spans.attributes("llm.chat")[keys.TOKENS_METHOD]

    def test_a_long_history(self, spans: Spans, handler, stuck, monkeypatch):
        """Where all could have to be counted again, that is not done at once, however little is new."""
        monkeypatch.setattr(counting, "SMALL", (1024, 50))
        handler._recorder.start("call", None, ModelCall(model="gpt-4o", messages=(HumanMessage(text(20)),)))
        handler._recorder.end("call", ModelResult(usage=Usage(input=90, output=1)))

        assert "estimated" == spans.attributes("llm.chat")[keys.TOKENS_METHOD]

    def test_tools_that_are_objects(self, spans: Spans, handler, stuck):
        """Tools that are no JSON are estimated by their definitions; that is no failure of ours."""

        class Tool:
            name = "look_up"
            description = text(40)

        handler._recorder.start("call", None, ModelCall(messages=(HumanMessage("hi"),), tools=(Tool(),)))
        handler._recorder.end("call", ModelResult(usage=Usage(input=90, output=1)))

        assert spans.attributes("llm.chat")[keys.LLM_TOKENS[1]] > 40
        assert 0 == handler.internal_errors

    def test_no_waiting_in_a_queue(self, spans: Spans, handler, stuck, monkeypatch):
        """Where many wait already, a call does not."""
        monkeypatch.setattr(counting, "MAX_BACKLOG", 0)
        monkeypatch.setattr(counting, "WAIT_SECONDS", 600)
        graph, _ = agent(says("done"))
        run(graph, handler)

        assert "estimated" == spans.attributes("llm.chat")[keys.TOKENS_METHOD]

    @pytest.mark.swallows
    @pytest.mark.logs_expected
    def test_failure(self, spans: Spans, handler, monkeypatch):
        """A count that fails is swallowed and counted, and its call estimated; the worker goes on."""
        chat = ScriptedChat(script=[says("hi", input_tokens=7)] * 2, model_name="gpt-4o", provider="openai")
        with monkeypatch.context() as patch:
            patch.setattr(counting, "pieces", lambda _: 1 / 0)
            chat.invoke("hello", {"callbacks": [handler]})
        chat.invoke("hi", {"callbacks": [handler]})
        first, second = [span.attributes or {} for span in spans.named("llm.chat")]

        assert ["estimated", "reconciled"] == [one[keys.TOKENS_METHOD] for one in (first, second)]
        assert (7, 1) == (buckets(first, keys.LLM_TOKENS).total, handler.internal_errors)

    def test_hostile(self, spans: Spans, handler):
        """Arguments that never end, or are no JSON, are counted as far as they can be."""
        endless: dict[str, object] = {"self": None}
        endless["self"] = endless
        chat = ScriptedChat(script=[says("hi", input_tokens=70)], model_name="gpt-4o", provider="openai")
        given = [{"name": "look_up", "args": args, "id": "1", "type": "tool_call"} for args in (endless, {"a": object})]
        asked = AIMessage("").model_copy(update={"tool_calls": given})
        chat.invoke([asked, ToolMessage("x", tool_call_id="1")], {"callbacks": [handler]})

        assert 70 == buckets(spans.attributes("llm.chat"), keys.LLM_TOKENS).total


class TestLoading:
    """When the encoder is loaded: never while somebody waits."""

    @pytest.fixture
    def counters(self, monkeypatch) -> Any:
        """Begin as a new process does, with an encoder that is quickly there."""
        made = counting._Counters()
        monkeypatch.setattr(counting, "_counters", made)
        return made

    def test_at_start(self, counters):
        """In the main thread, before anything runs, it is loaded at once."""
        counting.load()

        assert counters.default.exact

    async def test_in_a_script(self, counters):
        """So it is in a program whose only task asks for it."""
        counting.load()

        assert counters.default.exact

    async def test_in_a_server(self, counters):
        """Where other tasks wait for the thread, another thread loads."""
        other = asyncio.ensure_future(asyncio.sleep(60))
        counting.load()
        early = counters.default.exact
        await until(lambda: counters.default.exact)
        other.cancel()

        assert early is False

    def test_while_something_runs(self, spans: Spans, handler, counters, monkeypatch):
        """What is asked for in the middle of a run has to wait for its end; until then tokens are estimated."""
        monkeypatch.setattr(counting, "_IDLE_SECONDS", (0.001, 0.002))
        true, waiting = encoder.load, threading.Event()
        encoding()  # the provider's own, before loading is watched

        def load(name: str, pause: Any) -> Any:
            waiting.set()
            pause()
            return true(name)

        monkeypatch.setattr(counting.encoder, "load", load)
        states: list[bool] = []

        def look_up(order: str) -> str:
            """Look up."""
            waiting.wait(60)
            counting.load()
            states.append(counters.default.exact)
            return order

        handler._recorder.start("run", None, ChainRun("chain"))
        counting.load()  # as a handler that is made now does
        model = Provider(script=[calls(("look_up", {"order": "7"})), says("done")], truth=[])
        run(create_agent(model, [look_up], name="support"), handler)
        handler._recorder.end("run", RunResult())
        asyncio.run(until(lambda: counters.default.exact))

        assert [False] == states
        assert "estimated" == spans.attributes("agent.run.support")[keys.TOKENS_METHOD]

    def test_another_encoding(self, spans: Spans, handler, monkeypatch):
        """An encoding that a model needs first in a call is loaded after it, and counts the next run."""
        made = counting._Counters()
        made._loaded[encoder.DEFAULT_ENCODING] = counting._counters.default
        made._asked.add(encoder.DEFAULT_ENCODING)
        monkeypatch.setattr(counting, "_counters", made)
        monkeypatch.setattr(counting, "_IDLE_SECONDS", (0.001, 0.002))
        chat = ScriptedChat(script=[says("hi", input_tokens=20)] * 2, model_name="gpt-4", provider="openai")
        chat.invoke(text(12), {"callbacks": [handler]})
        asyncio.run(until(lambda: counting.counter_of("gpt-4")[0].encoding == "cl100k_base"))
        chat.invoke(text(12), {"callbacks": [handler]})
        first, second = [span.attributes or {} for span in spans.named("llm.chat")]

        assert (True, None) == (first.get(keys.TOKENS_ENCODING_ASSUMED), second.get(keys.TOKENS_ENCODING_ASSUMED))

    @pytest.mark.parametrize("error", [OSError, ImportError, ValueError])
    def test_cannot(self, counters, monkeypatch, error):
        """Where it cannot be loaded, tokens are estimated for good."""

        def broken(*_: object) -> None:
            raise error

        monkeypatch.setattr(counting.encoder, "load", broken)
        counting.load()
        counting.load()

        assert (False, True) == (counters.default.exact, counting.counter_of("gpt-4o")[1])

    def test_exit(self, counters, spans: Spans, handler, monkeypatch):
        """A thread that waits for a quiet moment gives up when the process ends."""
        monkeypatch.setattr(counting.process, "is_busy", lambda: True)
        monkeypatch.setattr(threading.main_thread(), "is_alive", lambda: False)
        counters._load("o200k_base")

        assert not counters.default.exact


async def until(happened: Any) -> None:
    """Wait until *happened*."""
    for _ in range(3000):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


class TestTools:
    """Tools as they are sent."""

    def test_bounded(self, spans: Spans, handler, monkeypatch):
        """What is remembered of tools is bounded, and what is forgotten is counted again."""
        monkeypatch.setattr(counting, "_MAX_TOOL_SETS", 1)
        monkeypatch.setattr(counting, "_tool_weights", {})
        chat = ScriptedChat(script=[says("hi", input_tokens=90)] * 4, model_name="gpt-4o", provider="openai")
        for name in ("one", "two", "one", "two"):
            tool = {"type": "function", "function": {"name": name, "description": text(30)}}
            chat.bind(tools=[tool]).invoke("hello", {"callbacks": [handler]})
        first, *others = [buckets(span.attributes or {}, keys.LLM_TOKENS) for span in spans.named("llm.chat")]

        assert [first] * 3 == others
        assert 1 == len(counting._tool_weights)


def test_after_a_step_of_nothing():
    """A step that sent nothing has no ratio to be grown from."""
    growth = Growth()
    growth.add(1, 0)
    growth.add(2, 500)

    assert {keys.STEP_MARGINAL_TOKENS: 500} == growth.step(2)


def test_calls_that_were_not_split():
    """Before a call was split there are no buckets; what was not split is ``other`` beside what was."""
    sent = Sent()
    sent.add(5, None, None, "reported")
    early = sent.buckets
    for _ in range(2):
        sent.add(7, None, Split(Buckets(3, history=4), None, "reconciled", mismatch=False, assumed=False), "reconciled")

    assert early is None
    assert (Buckets(6, history=8, other=5), 19, "reconciled") == (sent.buckets, sent.input, sent.method)


def test_configure(monkeypatch, tmp_path):
    """``configure()`` loads the encoder, unless nothing is counted."""
    asked: list[bool] = []
    monkeypatch.setattr(counting, "load", lambda: asked.append(True))
    for count in (True, False):
        with configure(store=tmp_path / "x.db", settings=Settings(count_tokens=count)):
            pass

    assert [True] == asked


class TestWorker:
    """The one thread."""

    def test_stopped(self):
        """A worker that was stopped takes no more jobs, and forgets those that wait."""
        worker = counting._Worker()
        first: list[bool] = []
        done: list[bool] = []
        worker.submit(Noted(first))
        worker.stop()
        worker.submit(Noted(done))

        assert worker._thread is not None
        assert ([], False, 0) == (done, worker._thread.is_alive(), worker.backlog)

    def test_never_started(self):
        """One that had nothing to do has nothing to stop, and starts no thread after that."""
        worker = counting._Worker()
        worker.stop()
        worker.submit(Noted([]))

        assert (None, 0) == (worker._thread, worker.backlog)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_fork(self, spans: Spans, handler):
        """A child counts with the encoder its parent has loaded, on a thread of its own."""
        graph, _ = agent(says("done"), says("done"), repeat=True)
        run(graph, handler)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                spans.clear()
                run(graph, handler)
                os.write(writer, str(spans.attributes("llm.chat")[keys.TOKENS_METHOD]).encode())
            finally:
                os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)

        assert b"reconciled" == os.read(reader, 99)
        os.close(reader)


class Noted:
    """A job that notes that it was done."""

    def __init__(self, done: list[bool]) -> None:
        """Note it in *done*."""
        self.done = done

    def run(self) -> None:
        """Do it."""
        self.done.append(True)


ALONE = """
import importlib.util, socket, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.startswith("llama_index") else found(name, *rest)

class Refused(socket.socket):
    def __init__(self, *_, **__):
        raise AssertionError("a socket was opened")

socket.socket = Refused

from langchain.agents import create_agent
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from agent_callbacks import AgentCallbackHandler
from tests.langchain.models import ScriptedChat, calls, says

def look_up(order: str) -> str:
    "Look an order up."
    return "It was sent on Monday and will be there on Wednesday. " * 30

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
handler = AgentCallbackHandler(tracer_provider=provider)
script = [calls(("look_up", {"order": "7"}), input_tokens=700, output_tokens=9),
          says("done", input_tokens=1100, output_tokens=9)]
chat = ScriptedChat(script=script, model_name="gpt-4o", provider="openai")
graph = create_agent(chat, [look_up], system_prompt="Be kind and brief to all who ask. " * 80, name="support")
graph.invoke({"messages": [("user", "where is my order")]}, {"callbacks": [handler]})
whole = [span for span in kept.get_finished_spans() if span.name == "agent.run.support"][0].attributes
names = ("system_prompt", "tool_schemas", "history", "tool_outputs", "other")
print([whole["agent_callbacks.run.tokens." + name] for name in names], whole["agent_callbacks.tokens.method"])
assert handler.internal_errors == 0
assert not [name for name in sys.modules if name.startswith("llama_index")]
"""


def test_without_files_and_network(tmp_path):
    """Without llama-index-core, without a file and without network, shares are estimated and sums exact."""
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, check=False, timeout=120, env=environment
    )

    assert "" == done.stderr
    *_, counts, method = done.stdout.strip().rpartition("]")
    system_prompt, tool_schemas, history, tool_outputs, other = json.loads(done.stdout.partition("]")[0] + "]")
    assert "estimated" == method.strip()
    assert 1800 == system_prompt + tool_schemas + history + tool_outputs + other
    assert counts == "]"
    assert pytest.approx(2 * 640, rel=0.15) == system_prompt
    assert pytest.approx(360, rel=0.3) == tool_outputs
    assert 0 == other


def test_counter_of_nothing(monkeypatch):
    """Before tiktoken is there, nothing is asked of it."""
    monkeypatch.delitem(sys.modules, "tiktoken", raising=False)
    monkeypatch.setattr(counting, "encoding_of", lambda _: pytest.fail("asked"))

    assert counting.counter_of("gpt-4o") == (counting._counters.default, True)
