"""What steps and runs cost while they run: sums of their calls, in both frameworks, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("llama_index.core")

from langchain.agents import create_agent

from agent_callbacks import AgentCallbackHandler, Settings
from agent_callbacks.analysis import load
from agent_callbacks.analysis.call import priced
from agent_callbacks.convention import keys
from agent_callbacks.recording.spending import Ledger, Spending
from agent_callbacks.recording.values import ModelCall, ModelResult, Usage
from agent_callbacks.tokens import prices
from agent_callbacks.tokens.prices import Call, PriceBook, open_book
from tests.langchain.models import ScriptedChat, calls, says
from tests.llamaindex.models import asks
from tests.llamaindex.models import says as answers
from tests.llamaindex.shared import support

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.messages import AIMessage

    from tests.conftest import Spans

GPT = Call("openai", "gpt-4o")
INPUT, OUTPUT = Decimal("2.5") / 10**6, Decimal(10) / 10**6  # USD a token, of gpt-4o


COSTS = {
    keys.LLM_COST, keys.STEP_COST, keys.STEP_MARGINAL_COST, keys.RUN_COST, keys.RUN_TOTAL_COST, keys.UNPRICED_MODELS,
}  # fmt: skip


def usd(given: int, made: int) -> float:
    """Return what tokens of gpt-4o cost."""
    return float(given * INPUT + made * OUTPUT)


def look_up(order: str) -> str:
    """Look an order up."""
    return order


def agent(*script: Any, name: str = "support", tools: Any = (look_up,), **model: Any) -> Any:
    """Return an agent of a scripted model, by default one with a price."""
    chat = ScriptedChat(script=list(script), **{"model_name": "gpt-4o", "provider": "openai", **model})
    return create_agent(chat, list(tools), name=name)


def asked(given: int, made: int, tool: str = "look_up", **arguments: str) -> AIMessage:
    """Return an answer that asks for a tool."""
    return calls((tool, arguments or {"order": "7"}), input_tokens=given, output_tokens=made)


def said(given: int, made: int) -> AIMessage:
    """Return a last answer."""
    return says("done", input_tokens=given, output_tokens=made)


def run(agent: Any, handler: Any) -> None:
    """Run *agent*."""
    agent.invoke({"messages": [("user", "hi")]}, {"callbacks": [handler]})


def costs(spans: Spans, name: str) -> dict[str, Any]:
    """Return what the only span called *name* says of money."""
    return {key: value for key, value in spans.attributes(name).items() if "cost" in key}


@pytest.mark.parametrize("streamed", [False, True])
def test_steps_and_run(spans: Spans, handler, streamed):
    """Each step says its cost and how much that is above the step before, the run the sum."""
    graph = agent(asked(1_000, 100), asked(2_000, 50), said(2_500, 10))
    if streamed:
        list(graph.stream({"messages": [("user", "hi")]}, {"callbacks": [handler]}, stream_mode="messages"))
    else:
        run(graph, handler)

    first, second, third = usd(1_000, 100), usd(2_000, 50), usd(2_500, 10)
    assert {keys.STEP_COST: first} == costs(spans, "agent.step.1")
    assert {keys.STEP_COST: second, keys.STEP_MARGINAL_COST: 0.002} == costs(spans, "agent.step.2")
    assert {keys.STEP_COST: third, keys.STEP_MARGINAL_COST: 0.00085} == costs(spans, "agent.step.3")
    assert {keys.RUN_COST: usd(5_500, 160), keys.RUN_TOTAL_COST: usd(5_500, 160)} == costs(spans, "agent.run.support")
    assert [first, second, third] == [(span.attributes or {})[keys.LLM_COST] for span in spans.named("llm.chat")]


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_other_framework(spans: Spans, events, streaming):
    """LlamaIndex' runs say the same."""
    script = (
        asks(("search_web", {"query": "a"}), input=1_000, output=100),
        answers("done", input=2_000, output=50),
    )
    flow = support(*script, streaming=streaming)
    flow.llm.model = "gpt-4o"
    await flow.run("hi")

    assert {keys.STEP_COST: usd(1_000, 100)} == costs(spans, "agent.step.1")
    assert {keys.STEP_COST: usd(2_000, 50), keys.STEP_MARGINAL_COST: 0.002} == costs(spans, "agent.step.2")
    assert {keys.RUN_COST: usd(3_000, 150), keys.RUN_TOTAL_COST: usd(3_000, 150)} == costs(spans, "agent.run.support")


@pytest.fixture
def events(spans: Spans) -> Any:
    """Give a LlamaIndex handler that hears of everything."""
    from agent_callbacks import AgentEventHandler

    with AgentEventHandler(tracer_provider=spans.provider).install() as made:
        yield made


def test_a_sub_agent(spans: Spans, handler):
    """What an agent called by a tool costs is in the total of the run around it, and not in its own cost."""
    inner = agent(said(10_000, 100), name="expert", tools=())

    def ask_expert(question: str) -> str:
        """Ask the expert."""
        return inner.invoke({"messages": [("user", question)]})["messages"][-1].text

    run(agent(asked(1_000, 100, "ask_expert", question="?"), said(2_000, 50), tools=(ask_expert,)), handler)

    own, whole = usd(3_000, 150), usd(13_000, 250)
    assert {keys.RUN_COST: own, keys.RUN_TOTAL_COST: whole} == costs(spans, "agent.run.support")
    assert {keys.RUN_COST: usd(10_000, 100), keys.RUN_TOTAL_COST: usd(10_000, 100)} == costs(spans, "agent.run.expert")


def test_a_call_of_the_frameworks_own(spans: Spans, handler):
    """A model called inside a tool belongs to the run's total; no step counts it."""
    chat = ScriptedChat(script=[said(10_000, 100)], model_name="gpt-4o", provider="openai")

    def summarize(text: str) -> str:
        """Summarize."""
        return chat.invoke(text, {"metadata": {"lc_source": "summarization"}}).text

    run(agent(asked(1_000, 100, "summarize", text="x"), said(2_000, 50), tools=(summarize,)), handler)

    own, whole = usd(3_000, 150), usd(13_000, 250)
    assert {keys.RUN_COST: own, keys.RUN_TOTAL_COST: whole} == costs(spans, "agent.run.support")
    assert usd(1_000, 100) == costs(spans, "agent.step.1")[keys.STEP_COST]


def test_a_model_without_a_price(spans: Spans, handler):
    """A run on a model that nobody lists has no cost, not 0, and names the model everywhere."""
    run(agent(asked(1_000, 100), said(2_000, 50), model_name="our-own-7b"), handler)

    expected = {keys.UNPRICED_MODELS: ("our-own-7b",)}
    assert [expected] * 3 == [costs(spans, name) for name in ("agent.run.support", "agent.step.1", "agent.step.2")]
    assert all(keys.LLM_COST not in (span.attributes or {}) for span in spans.named("llm.chat"))


def test_a_sum_that_is_not_the_whole(spans: Spans, handler):
    """A total with a part that could not be priced is the rest, and names the part's model."""
    inner = agent(said(10_000, 100), name="expert", tools=(), model_name="our-own-7b")

    def ask_expert(question: str) -> str:
        """Ask the expert."""
        return inner.invoke({"messages": [("user", question)]})["messages"][-1].text

    run(agent(asked(1_000, 100, "ask_expert", question="?"), said(2_000, 50), tools=(ask_expert,)), handler)

    assert {
        keys.RUN_COST: usd(3_000, 150), keys.RUN_TOTAL_COST: usd(3_000, 150), keys.UNPRICED_MODELS: ("our-own-7b",),
    } == costs(spans, "agent.run.support")  # fmt: skip
    assert {keys.UNPRICED_MODELS: ("our-own-7b",)} == costs(spans, "agent.run.expert")


def test_a_name_that_is_personal(spans: Spans, handler):
    """The name of a model without a price is sanitized like any other."""
    run(agent(said(2_000, 50), model_name="mail-to-jane.doe@example.com"), handler)

    assert "jane.doe" not in "".join(span.to_json() for span in spans.finished())
    assert "[EMAIL]" in costs(spans, "agent.run.support")[keys.UNPRICED_MODELS][0]


def test_tokens_that_nobody_reports(spans: Spans):
    """A call whose tokens are not known and not estimated has no known cost."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(count_tokens=False))
    run(agent(says("done")), handler)

    assert {keys.UNPRICED_MODELS: ("gpt-4o",)} == costs(spans, "llm.chat")
    assert {keys.UNPRICED_MODELS: ("gpt-4o",)} == costs(spans, "agent.run.support")


def test_own_prices(spans: Spans, tmp_path: Path):
    """The file of prices that the settings name goes before the lists."""
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nmodel = "our-own-7b"\ninput = 1\noutput = 2\n')
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(prices=path))
    run(agent(said(1_000_000, 500_000), model_name="our-own-7b"), handler)

    assert {keys.LLM_COST: 2.0} == costs(spans, "llm.chat")


def test_a_model_on_its_own(spans: Spans, handler):
    """A model call outside any agent says its own cost."""
    ScriptedChat(script=[said(1_000, 100)], model_name="gpt-4o", provider="openai").invoke(
        "hi", {"callbacks": [handler]}
    )

    assert {keys.LLM_COST: usd(1_000, 100)} == costs(spans, "llm.chat")


def test_an_embedding(spans: Spans, handler):
    """A call of an embedding model that says its tokens costs what its span alone is priced at when read back."""
    asked_for = ModelCall(provider="openai", model="text-embedding-3-small", operation="embeddings")
    handler._recorder.start("call", None, asked_for)
    handler._recorder.end("call", ModelResult(usage=Usage(1_000_000, 0)))
    (trace,) = load(spans.finished())
    (span,) = trace.spans
    live = span.attributes[keys.LLM_COST]
    untold = {key: value for key, value in span.attributes.items() if key != keys.LLM_COST}
    stored = priced(replace(span, attributes=untold), open_book()).cost

    assert stored is not None
    assert live == float(stored) > 0


# --- prices that are not there yet -----------------------------------------------------------------------------------


@pytest.fixture
def late(monkeypatch) -> prices._Library:
    """Let prices take longer to load than a scripted run; the test loads them."""
    real = prices._library
    waiting = prices._Library()
    monkeypatch.setattr(waiting, "load", lambda: None)
    monkeypatch.setattr(prices, "_library", waiting)
    waiting.real = real  # type: ignore[attr-defined]
    return waiting


def arrive(late: Any) -> None:
    """Let the prices be there."""
    late.module, late.loaded = late.real.module, True


def test_a_call_that_was_faster_than_the_prices(spans: Spans, late):
    """A step that ended before prices were loaded names its model; the run, which ended later, has all of the cost."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider)

    def look_up(order: str) -> str:
        """Look an order up."""
        if order == "second":
            arrive(late)
        return order

    script = (asked(1_000, 100, order="first"), asked(2_000, 50, order="second"), said(2_500, 10))
    run(agent(*script, tools=(look_up,)), handler)

    assert {keys.UNPRICED_MODELS: ("gpt-4o",)} == costs(spans, "agent.step.1")
    assert {keys.STEP_COST: usd(2_000, 50), keys.STEP_MARGINAL_COST: 0.002} == costs(spans, "agent.step.2")
    assert {keys.RUN_COST: usd(5_500, 160), keys.RUN_TOTAL_COST: usd(5_500, 160)} == costs(spans, "agent.run.support")


def test_prices_that_never_come(spans: Spans, late):
    """A run that ended before prices were loaded says that its cost is not known."""
    run(agent(asked(1_000, 100), said(2_000, 50)), AgentCallbackHandler(tracer_provider=spans.provider))

    assert {keys.UNPRICED_MODELS: ("gpt-4o",)} == costs(spans, "agent.run.support")


# --- accounts --------------------------------------------------------------------------------------------------------


def test_no_marginal_cost_where_a_part_is_missing():
    """A step that cost an unknown amount more has no marginal cost, nor has the one after it."""
    ledger, book = Ledger(), open_book()
    for index, cost in ((1, Decimal(1)), (2, None), (3, Decimal(3)), (4, Decimal(5))):
        ledger.accounts(index)[0].add(cost, "m")

    assert {} == ledger.step(9, book)
    assert [None, None, None, 2.0] == [ledger.step(at, book).get(keys.STEP_MARGINAL_COST) for at in (1, 2, 3, 4)]


@pytest.mark.swallows
@pytest.mark.logs_expected
def test_prices_that_fail(spans: Spans, handler, monkeypatch):
    """Spans end with their tokens and tools in their place where a price cannot be worked out; the failure counts."""
    run(agent(asked(100, 10), said(200, 20)), handler)
    before = [(span.name, sorted(set(span.attributes) - COSTS)) for span in spans.finished()]
    failed = AgentCallbackHandler(tracer_provider=spans.provider)

    def fails(*_: Any) -> None:
        raise ArithmeticError

    for name in ("cost", "rate"):
        monkeypatch.setattr(PriceBook, name, fails)
    monkeypatch.setattr(Ledger, "run", fails)
    monkeypatch.setattr(Ledger, "step", fails)
    run(agent(asked(100, 10), said(200, 20)), failed)
    after = [(span.name, sorted(set(span.attributes) - COSTS)) for span in spans.finished()[len(before) :]]
    assert before == after
    assert 5 == failed.internal_errors
    assert not failed.open_runs


def test_names_are_bounded():
    """A run of a thousand models without a price names some of them."""
    spending = Spending()
    for at in range(1_000):
        spending.add(None, f"m-{at}")

    assert 32 == len(spending.attributes(keys.RUN_COST)[keys.UNPRICED_MODELS])


def test_sums_are_exact():
    """Ten tenths are one: sums are decimal, and become a float on the span only."""
    spending = Spending()
    for _ in range(10):
        spending.add(Decimal("0.1"), "m")

    assert {keys.RUN_COST: 1.0} == spending.attributes(keys.RUN_COST)


def test_a_model_call_imports_nothing(monkeypatch):
    """Asking for a cost neither imports nor reads anything: a failing import would be noticed."""
    import builtins

    def refuse(name: str, *_: Any, **__: Any) -> Any:
        raise AssertionError(f"imported {name}")

    book = PriceBook()
    book.cost(GPT, Usage(1, 1), 1)
    monkeypatch.setattr(builtins, "__import__", refuse)
    found = book.cost(GPT, Usage(1_000, 0), 1)
    monkeypatch.undo()

    assert Decimal("0.0025") == found
