"""Cost reports: what the arithmetic says, of recorded traces and of traces that say only tokens."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_callbacks.analysis.cost import CostReport, PricesError, cost_report, reprice, reprice_all
from agent_callbacks.analysis.span import Event, Span
from agent_callbacks.analysis.tokens import token_report
from agent_callbacks.analysis.trace import Trace, load
from agent_callbacks.convention import keys
from agent_callbacks.tokens import prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tests.conftest import Spans

START_NS = 1_795_000_000_000_000_000
MTOK = Decimal(10) ** 6
GPT = {keys.PROVIDER_NAME: "openai", keys.REQUEST_MODEL: "gpt-4o"}


def span(name: str, parent: str | None, **attributes: Any) -> Span:
    """Return a span whose id is its name."""
    return Span(
        "t", name, parent, name, "CLIENT" if name.startswith("llm") else "INTERNAL", START_NS, START_NS + 10**9,
        attributes=attributes,
    )  # fmt: skip


def call(
    name: str, parent: str | None, given: int | None, made: int = 0, buckets: Sequence[int] = (), **more: Any
) -> Span:
    """Return a model call of *given* and *made* tokens."""
    found: dict[str, Any] = {keys.OPERATION_NAME: "chat", **GPT, keys.USAGE_OUTPUT_TOKENS: made, **more}
    if given is not None:
        found[keys.USAGE_INPUT_TOKENS] = given
    return span(name, parent, **found, **dict(zip(keys.LLM_TOKENS, buckets, strict=False)))


def run(calls: Iterable[Span], name: str = "run", parent: str | None = None, **more: Any) -> list[Span]:
    """Return an agent run with a step around each of *calls*."""
    spans: list[Span] = []
    listed = list(calls)
    for index, each in enumerate(listed, 1):
        step = f"{name}.step.{index}"
        tokens = {
            keys.STEP_INDEX: index,
            keys.STEP_INPUT_TOKENS: each.attributes.get(keys.USAGE_INPUT_TOKENS, 0),
            keys.STEP_OUTPUT_TOKENS: each.attributes.get(keys.USAGE_OUTPUT_TOKENS, 0),
        }
        spans += [
            span(step, name, **tokens),
            Span("t", each.name, step, "llm.chat", "CLIENT", START_NS, START_NS + 10**9, attributes=each.attributes),
        ]
    found: dict[str, Any] = {keys.RUN_STEPS: len(listed), keys.OPERATION_NAME: "invoke_agent", **more}
    found[keys.RUN_INPUT_TOKENS] = sum(_number(each, keys.USAGE_INPUT_TOKENS) for each in listed)
    found[keys.RUN_OUTPUT_TOKENS] = sum(_number(each, keys.USAGE_OUTPUT_TOKENS) for each in listed)
    columns = [sum(_number(each, key) for each in listed) for key in keys.LLM_TOKENS]
    if any(columns):
        found |= dict(zip(keys.RUN_TOKENS, columns, strict=True))
    return [span(name, parent, **found), *spans]


def _number(of: Span, key: str) -> int:
    value = of.attributes.get(key, 0)
    assert isinstance(value, int)
    return value


def trace(spans: Iterable[Span]) -> Trace:
    """Return the trace of *spans*."""
    return Trace("t", tuple(spans))


# --- the support agent: 3,500 tokens of instructions, 12 schemas of 350, 800 in and 600 out a step, 10 steps ---------
SYSTEM, SCHEMAS, HEARD, SAID, STEPS = 3_500, 12 * 350, 800, 600, 10
INPUTS = [SYSTEM + SCHEMAS + HEARD * step + SAID * (step - 1) for step in range(1, STEPS + 1)]


@pytest.fixture(name="support")
def support_fixture() -> CostReport:
    """Give the report of the support agent."""
    calls = [
        call(f"llm.{at}", None, given, SAID, (SYSTEM, SCHEMAS, given - SYSTEM - SCHEMAS, 0, 0))
        for at, given in enumerate(INPUTS, 1)
    ]
    return cost_report(trace(run(calls)))


def test_support_agent_by_step(support: CostReport):
    """Each step's tokens and cost, and the constant 0.35 cents that one step costs more than the one before."""
    (only,) = support.runs

    assert [8_500 + 1_400 * at for at in range(STEPS)] == [step.input_tokens for step in only.steps]
    assert [(Decimal("2.5") * given + 10 * SAID) / MTOK for given in INPUTS] == [step.cost for step in only.steps]
    assert [None, *[Decimal("0.0035")] * 9] == [step.marginal_cost for step in only.steps]


def test_support_agent_as_a_whole(support: CostReport):
    """148,000 tokens in and 6,000 out cost 43 cents."""
    (only,) = support.runs

    assert [148_000, 6_000] == [only.input_tokens, only.output_tokens]
    assert [Decimal("0.43")] * 3 == [only.cost, only.total_cost, support.total]
    assert [(), (), None] == [support.unpriced, support.notes, support.priced_as]


def test_support_agents_schemas(support: CostReport):
    """The tools' definitions are 42,000 tokens a run, 28.4 % of the input, for 10.5 cents."""
    (only,) = support.runs

    assert 42_000 == only.tool_schemas_tokens
    assert Decimal("0.105") == only.tool_schemas_cost
    assert only.tool_schemas_share == pytest.approx(42_000 / 148_000)
    assert only.buckets is not None
    assert Decimal("0.0875") == only.buckets.system_prompt
    assert Decimal("0.37") == only.buckets.total


def test_support_agent_goes_on(support: CostReport):
    """Three more steps at this growth: 22,500, 23,900 and 25,300 tokens."""
    (only,) = support.runs
    more = [22_500, 23_900, 25_300]

    assert tuple(more) == only.projected_tokens(3)
    assert tuple((Decimal("2.5") * given + 10 * SAID) / MTOK for given in more) == only.projected_costs(3)
    assert () == only.projected_costs(0)
    with pytest.raises(ValueError, match="0 or more"):
        only.projected_costs(-1)


def test_support_agent_on_other_models(support: CostReport):
    """The same run on other models costs what their price lists say of the same tokens."""
    calls = [call(f"llm.{at}", None, given, SAID) for at, given in enumerate(INPUTS, 1)]
    mini, claude = reprice_all(trace(run(calls)), ["gpt-4o-mini", ("anthropic", "claude-sonnet-4-5")])

    assert [(148_000 * Decimal("0.15") + 6_000 * Decimal("0.6")) / MTOK, Decimal("0.534")] == [mini.total, claude.total]
    assert ["gpt-4o-mini", "claude-sonnet-4-5"] == [mini.priced_as, claude.priced_as]
    assert ("token counts are those of gpt-4o; gpt-4o-mini may count and answer differently",) == mini.notes
    assert [step.input_tokens for step in support.runs[0].steps] == [step.input_tokens for step in mini.runs[0].steps]


# --- sums ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 20_000), st.floats(0, 1)), min_size=1, max_size=12))
def test_sums_hold(counts):
    """Steps sum to the run, parts to the call, buckets to the input, whatever was cached."""
    calls = [
        call(f"llm.{at}", None, tokens, made, (tokens // 3, tokens // 5, tokens - tokens // 3 - tokens // 5, 0, 0),
             **{keys.USAGE_CACHE_READ: int(tokens * read)},
             **{keys.LLM_CACHED_TOKENS[0]: min(int(tokens * read), tokens // 3),
                keys.LLM_CACHED_TOKENS[2]: max(int(tokens * read) - tokens // 3, 0)})
        for at, (tokens, made, read) in enumerate(counts)
    ]  # fmt: skip
    report = cost_report(trace(run(calls)))
    (only,) = report.runs

    assert only.cost == only.total_cost == report.total == sum(step.cost or 0 for step in only.steps)
    for each in report.calls:
        assert each.parts is not None
        assert each.cost == each.parts.total
        if each.buckets is not None:
            assert abs(each.buckets.total - each.parts.all_input) < Decimal("1e-20")
    steps = [step.cost for step in only.steps if step.cost is not None]
    assert [None, *(now - then for then, now in itertools.pairwise(steps))] == [
        step.marginal_cost for step in only.steps
    ]


def test_cached_tokens_are_cheaper_where_they_are():
    """A bucket that came from the cache costs the cache's price; the saving is the difference, in calls and runs."""
    cached = dict(zip(keys.LLM_CACHED_TOKENS, (1_000, 1_000, 0, 0, 0), strict=True))
    only = call("llm", None, 4_000, 0, (1_000, 1_000, 1_000, 1_000, 0), **{keys.USAGE_CACHE_READ: 2_000}, **cached)
    report = cost_report(trace(run([only])))
    buckets = report.calls[0].buckets

    assert buckets is not None
    assert [Decimal("0.00125")] * 2 + [Decimal("0.0025")] * 2 == [
        buckets.system_prompt, buckets.tool_schemas, buckets.history, buckets.tool_outputs,
    ]  # fmt: skip
    assert [Decimal("0.0025")] * 3 == [report.cached_saving, report.runs[0].cached_saving, report.calls[0].saving]


def test_writing_to_a_cache_costs_more():
    """A cache that was only written to has saved less than nothing."""
    more = {keys.REQUEST_MODEL: "claude-sonnet-4-5", keys.PROVIDER_NAME: "anthropic", keys.USAGE_CACHE_CREATION: 4_000}
    report = cost_report(trace([call("llm", None, 4_000, **more)]))

    assert Decimal("-0.003") == report.cached_saving


def test_sub_agents_and_internal_calls_are_in_the_total_only():
    """The run's own cost is that of its steps."""
    outer = run([call("llm.1", None, 1_000), call("llm.2", None, 2_000)], "run")
    inner = run([call("llm.3", None, 10_000)], "sub", "run.step.1")
    internal = call("llm.4", "run.step.2", 4_000, **{keys.INTERNAL_CALL: True})
    report = cost_report(trace([*outer, *inner, internal]))

    assert [Decimal("0.0075"), Decimal("0.025")] == [each.cost for each in report.runs]
    assert [Decimal("0.0425"), Decimal("0.025")] == [each.total_cost for each in report.runs]
    assert Decimal("0.0425") == report.total


def test_embeddings_count_where_they_have_tokens():
    """An embedding call that says its tokens is in the total, and keeps its price on another model."""
    embedding = {keys.OPERATION_NAME: "embeddings", keys.REQUEST_MODEL: "text-embedding-3-small"}
    spans = [*run([call("llm.1", None, 1_000)]), call("llm.embeddings", "run.step.1", 1_000_000, **embedding)]
    report, other = cost_report(trace(spans)), reprice(trace(spans), model="gpt-4o-mini")

    assert [Decimal("0.0025"), Decimal("0.0225")] == [report.runs[0].cost, report.runs[0].total_cost]
    assert Decimal("0.02015") == other.total


# --- what is recorded, what is not known -----------------------------------------------------------------------------


def test_what_was_recorded_is_believed():
    """A cost on the span is what the call cost, its parts keep their shares; on another model it is priced anew."""
    spans = [call("llm", None, 1_000_000, 100_000, (500_000, 500_000), **{keys.LLM_COST: 7.0})]
    (recorded,) = cost_report(trace(spans)).calls

    assert [Decimal(7), Decimal(5), Decimal(2)] == [
        recorded.cost, recorded.parts and recorded.parts.input, recorded.parts and recorded.parts.output,
    ]  # fmt: skip
    assert recorded.buckets is not None
    assert Decimal("2.5") == recorded.buckets.tool_schemas
    assert Decimal("3.5") == reprice(trace(spans), model="gpt-4o").total


def test_a_recorded_cost_of_an_unknown_model():
    """A cost on the span counts though nobody lists the model; its parts are not known."""
    spans = [call("llm", None, 1_000, **{keys.REQUEST_MODEL: "our-own-7b", keys.LLM_COST: 0.5})]
    report = cost_report(trace(spans))

    assert [Decimal("0.5"), ()] == [report.total, report.unpriced]
    assert [None, None, None] == [report.calls[0].parts, report.calls[0].buckets, report.cached_saving]


def test_an_unknown_model_is_named():
    """What has no price has no cost, is named with the way out, and makes sums lower bounds."""
    unknown = {keys.REQUEST_MODEL: "our-own-7b"}
    report = cost_report(trace(run([call("llm.1", None, 1_000), call("llm.2", None, 1_000, **unknown)])))
    (only,) = report.runs

    assert [Decimal("0.0025"), ("our-own-7b",)] == [report.total, report.unpriced]
    assert [Decimal("0.0025"), ("our-own-7b",)] == [only.cost, only.unpriced]
    assert [None, None, ("our-own-7b",)] == [only.steps[1].cost, only.steps[1].marginal_cost, only.steps[1].unpriced]
    assert only.projected_costs(2) is None
    assert (
        "no price is known for our-own-7b: give prices in a file, Settings(prices=...) or AGENT_CALLBACKS_PRICES",
    ) == report.notes


def test_no_cost_at_all():
    """A trace of an unknown model has no cost: not 0. A call without tokens or a name has none either."""
    nameless = {keys.REQUEST_MODEL: None, keys.UNPRICED_MODELS: ("x",)}
    report = cost_report(trace(run([call("llm.1", None, None, **nameless)])))

    assert [None, ("unknown",)] == [report.total, report.unpriced]
    assert [None, None, None] == [report.runs[0].cost, report.runs[0].total_cost, report.runs[0].tool_schemas_cost]
    assert report.runs[0].tool_schemas_share is None


def test_another_model_without_a_price():
    """A run on a model that nobody lists has no cost, and says so."""
    report = reprice(trace(run([call("llm.1", None, 1_000)])), model="our-own-7b")

    assert [None, ("our-own-7b",), "our-own-7b"] == [report.total, report.unpriced, report.priced_as]


def test_same_model_needs_no_note():
    """The model that was really called counts as it did."""
    assert () == reprice(trace(run([call("llm.1", None, 1_000)])), model="gpt-4o").notes


def test_without_the_library(monkeypatch):
    """Without genai-prices the report says what to install."""
    bare = prices._Library()
    bare.loaded = True
    monkeypatch.setattr(prices, "_library", bare)
    report = cost_report(trace(run([call("llm.1", None, 1_000)])))

    assert report.total is None
    assert (f"no price is known for gpt-4o: {prices.NOT_INSTALLED}",) == report.notes


def test_own_prices(tmp_path: Path, monkeypatch):
    """A file of prices may be given or named by the environment; one that cannot be used is an error."""
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nmodel = "gpt-4o"\ninput = 1000\noutput = 0\n')
    spans = trace(run([call("llm.1", None, 1_000)]))
    monkeypatch.setenv("AGENT_CALLBACKS_PRICES", str(path))

    assert [Decimal(1)] * 2 == [cost_report(spans).total, cost_report(spans, prices=path).total]
    with pytest.raises(PricesError, match="cannot be read"):
        reprice(spans, model="gpt-4o", prices=tmp_path / "gone.toml")


def test_damaged_trace():
    """A ring of parents does not hang the report."""
    spans = [span("a", "b"), span("b", "a"), call("llm.1", "a", 1_000)]

    assert Decimal("0.0025") == cost_report(trace(spans)).total


def test_a_trace_with_nothing_to_pay():
    """A trace without model calls costs nothing known."""
    report = cost_report(trace([span("a", None)]))

    assert [None, (), ()] == [report.total, report.runs, report.calls]


# --- end to end ------------------------------------------------------------------------------------------------------


def test_report_of_a_recorded_run(spans: Spans, handler):
    """The report of a real run says what its spans say, to the digit."""
    pytest.importorskip("langchain")
    from langchain.agents import create_agent

    from tests.langchain.models import ScriptedChat, calls, says

    def look_up(order: str) -> str:
        """Look an order up."""
        return order

    script = [
        calls(("look_up", {"order": "7"}), input_tokens=1_001, output_tokens=103),
        says("done", input_tokens=2_003, output_tokens=51),
    ]
    model = ScriptedChat(script=script, model_name="gpt-4o", provider="openai")
    create_agent(model, [look_up]).invoke({"messages": [("user", "hi")]}, {"callbacks": [handler]})
    (only,) = cost_report(load(spans.finished())[0]).runs
    said = spans.attributes("agent.run")

    assert [said[keys.RUN_COST], said[keys.RUN_TOTAL_COST]] == [float(only.cost or 0), float(only.total_cost or 0)]
    steps = [spans.attributes(f"agent.step.{step.index}")[keys.STEP_COST] for step in only.steps]
    assert steps == [float(step.cost or 0) for step in only.steps]
    assert spans.attributes("agent.step.2")[keys.STEP_MARGINAL_COST] == float(only.steps[1].marginal_cost or 0)


# --- the same run, in tokens -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("growth", "alert"), [(1.2, "many steps"), (2.3, "compounding"), (None, "many steps"), ("no number", "many steps")]
)
def test_token_report_of_a_long_run(growth: object, alert: str):
    """What schemas took, how it would go on, and which alert was raised; without a growth it is told by its steps."""
    calls = [call(f"llm.{at}", None, given, SAID, (SYSTEM, SCHEMAS, 0, 0, 0)) for at, given in enumerate(INPUTS, 1)]
    root, *rest = run(calls)
    said = {} if growth is None else {keys.RUN_CONTEXT_GROWTH: growth}
    events = (Event("unrelated", START_NS, {}), Event(keys.CONTEXT_ALERT_EVENT, START_NS, said))
    (only,) = token_report(trace([replace(root, events=events), *rest])).runs

    assert (42_000, (22_500, 23_900, 25_300), alert) == (only.tool_schemas, only.projected(3), only.alert)


def test_token_report_of_what_only_calls_say():
    """Steps and runs that say nothing of themselves are the sums of their calls; what is internal is no step's."""
    calls = [call(f"llm.{at}", None, given, SAID, (SYSTEM, SCHEMAS, 0, 0, 0)) for at, given in enumerate(INPUTS, 1)]
    said = {keys.STEP_INDEX, keys.OPERATION_NAME, *keys.LLM_TOKENS, keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS}
    bare = [
        replace(one, attributes={key: value for key, value in one.attributes.items() if key in said})
        for one in run(calls)
    ]
    summary = call("llm.summary", "run.step.1", 50, 5, **{keys.INTERNAL_CALL: True})
    (only,) = token_report(trace([*bare, summary])).runs

    assert (sum(INPUTS), SAID * len(INPUTS)) == (only.input, only.output)
    assert (sum(INPUTS) + 50, SAID * len(INPUTS) + 5) == (only.total_input, only.total_output)
    assert list(INPUTS) == [step.input for step in only.steps]
    assert (SYSTEM * len(INPUTS), SCHEMAS * len(INPUTS), 0, 0, 0) == only.buckets
    assert sum(INPUTS) / INPUTS[0] == only.context_multiple
    assert sum(INPUTS[-3:]) / 3 / INPUTS[0] == only.context_growth


def test_token_report_without_a_split():
    """A run that does not say what its input was has no tokens of schemas, as far as is known."""
    (only,) = token_report(trace(run([call("llm", None, 100, 10)]))).runs

    assert (0, None) == (only.tool_schemas, only.alert)
