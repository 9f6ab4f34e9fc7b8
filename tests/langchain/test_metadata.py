"""Who asked: where user, session and variant may be given, which word wins, and that no two requests mix."""

from __future__ import annotations

import asyncio
import contextlib
import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import MagicMock
from uuid import UUID

import pytest
from langchain.agents import create_agent
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry import baggage
from opentelemetry import context as otel_context

from agent_callbacks import AgentCallbackHandler, Settings, request_metadata
from agent_callbacks.recording import process
from tests.langchain.models import ScriptedChat
from tests.langchain.stories import asks, question, says

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import Spans

USER: Final = "user.id"
SESSION: Final = "session.id"
EXPERIMENT: Final = "feature_flag.key"
VARIANT: Final = "feature_flag.result.variant"


def config(handler: AgentCallbackHandler, **metadata: Any) -> Any:
    """Return a run's config with the handler."""
    return {"callbacks": [handler], "metadata": metadata}


def support(*, turns: int = 1, **options: Any) -> Any:
    """Return an agent that asks twice for an order."""
    asked = asks(("look", {"text": "x"}))
    return create_agent(ScriptedChat(script=[asked, says("done")] * turns), [look], name="support", **options)


@tool
def look(text: str) -> str:
    """Look."""
    return text


def seen(spans: Spans, key: str) -> set[Any]:
    """Return what the spans say under *key*, None for one that says nothing."""
    return {(span.attributes or {}).get(key) for span in spans.finished()}


@contextlib.contextmanager
def carrying(**entries: str) -> Iterator[None]:
    """Carry *entries* as OpenTelemetry baggage."""
    context = otel_context.get_current()
    for key, value in entries.items():
        context = baggage.set_baggage(key.replace("__", "."), value, context)
    token = otel_context.attach(context)
    yield
    otel_context.detach(token)


# --- which word wins -------------------------------------------------------------------------------------------------
def test_each_place_is_read(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Config, ``request_metadata`` and baggage each suffice, on every span of the run."""
    with carrying(user_id="baggage", session__id="b-1"):
        support().invoke(question(), config(handler))
    assert seen(spans, USER) == {"baggage"}
    assert seen(spans, SESSION) == {"b-1"}
    spans.clear()
    with request_metadata(user_id="block", session_id="r-1", variant="blue"):
        support().invoke(question(), config(handler))
    assert (seen(spans, USER), seen(spans, SESSION), seen(spans, VARIANT)) == ({"block"}, {"r-1"}, {"blue"})
    spans.clear()
    support().invoke(question(), config(handler, user_id="config", session_id="c-1", variant="red"))
    assert (seen(spans, USER), seen(spans, SESSION), seen(spans, VARIANT)) == ({"config"}, {"c-1"}, {"red"})


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_config_wins_over_the_block_and_the_block_over_baggage(
    mode: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Key by key: what the nearer place leaves open is taken from the next."""
    given = config(handler, user_id="config")
    with carrying(user_id="baggage", session_id="baggage", variant="baggage"), request_metadata("block", "block"):
        if mode == "invoke":
            support().invoke(question(), given)
        else:
            await support().ainvoke(question(), given)
    assert len(spans.finished()) == 6
    assert (seen(spans, USER), seen(spans, SESSION), seen(spans, VARIANT)) == ({"config"}, {"block"}, {"baggage"})


def test_the_nearest_block_wins(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Blocks merge; the inner one speaks for what it names, and only inside."""
    with request_metadata(user_id="outer", session_id="outer", plan="free"):
        with request_metadata(user_id="inner", region="eu"):
            look.invoke({"text": "x"}, config(handler))
        look.invoke({"text": "x"}, config(handler))
    look.invoke({"text": "x"}, config(handler))
    found = [span.attributes or {} for span in spans.finished()]
    assert [one.get(USER) for one in found] == ["inner", "outer", None]
    assert [one.get(SESSION) for one in found] == ["outer", "outer", None]
    told = [json.loads(str(one.get("metadata", "{}"))) for one in found]
    assert told == [{"plan": "free", "region": "eu"}, {"plan": "free"}, {}]


def test_a_block_decorates_sync_and_async_functions(handler: AgentCallbackHandler, spans: Spans) -> None:
    """As a decorator it covers each call, and the function's own result comes back."""

    @request_metadata(user_id="sync")
    def call() -> Any:
        return look.invoke({"text": "x"}, config(handler))

    @request_metadata(user_id="async")
    async def acall() -> Any:
        return await look.ainvoke({"text": "y"}, config(handler))

    assert [call(), asyncio.run(acall())] == ["x", "y"]
    assert [(span.attributes or {})[USER] for span in spans.finished()] == ["sync", "async"]


def nested(handler: AgentCallbackHandler, inner: Mapping[str, Any], *, block: bool = False) -> Any:
    """Run a graph whose node calls a tool with *inner* metadata, in its config or in a block."""

    def work(_: Any) -> Any:
        if block:
            with request_metadata(**inner):
                look.invoke({"text": "x"})
        else:
            look.invoke({"text": "x"}, {"metadata": inner})
        look.invoke({"text": "y"})
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    return graph.compile(name="outer").invoke(question(), config(handler, user_id="outer", session_id="s"))


def test_metadata_given_inside_reaches_what_is_below_only(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A tool called with metadata of its own keeps what it does not name; its neighbours see nothing of it."""
    nested(handler, {"user_id": "inner"})
    first, second = spans.named("tool.look")
    assert [(span.attributes or {})[USER] for span in (first, second)] == ["inner", "outer"]
    assert seen(spans, SESSION) == {"s"}
    assert spans.attributes("agent.run.outer")[USER] == "outer"


def test_a_block_in_a_node_adds_what_the_config_leaves_open(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A block inside a body reaches the spans made in it, and no others."""
    nested(handler, {"variant": "inner"}, block=True)
    first, second = spans.named("tool.look")
    assert [(span.attributes or {}).get(VARIANT) for span in (first, second)] == ["inner", None]
    assert VARIANT not in spans.attributes("agent.run.outer")


@pytest.mark.parametrize("place", ["node", "runnable"])
def test_metadata_of_a_node_reaches_the_spans_below_it(place: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """Given with the node, though the node has no span, it stands on what the node calls, and nowhere else."""
    model, own = ScriptedChat(script=[says("hello")]), {"user_id": "node", "desk": "returns"}

    def body(_: Any) -> Any:
        look.invoke({"text": "x"})
        return {"messages": [model.invoke("hi")]}

    work: Any = RunnableLambda(body)
    graph = StateGraph(MessagesState)
    if place == "node":
        graph.add_node("work", work, metadata=own)
    else:
        graph.add_node("work", work.with_config(metadata=own))
    graph.add_edge(START, "work")
    graph.compile(name="outer").invoke(question(), config(handler, session_id="root"))
    for name in ("llm.chat", "tool.look"):
        found = spans.attributes(name)
        assert (found.get(USER), found.get(SESSION)) == ("node", "root")
        assert json.loads(found["metadata"]) == {"desk": "returns"}
    assert USER not in spans.attributes("agent.run.outer")


async def test_spans_of_others_inside_a_body_say_who_asked(handler: AgentCallbackHandler, spans: Spans) -> None:
    """A client's span gets user, session and variant; one made outside gets nothing."""
    tracer = spans.provider.get_tracer("client")

    @tool
    async def fetch(url: str) -> str:
        """Fetch."""
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("GET"):
            await asyncio.sleep(0)
        return url

    await fetch.ainvoke({"url": "x"}, config(handler, user_id="u", session_id="s", variant="v"))
    with tracer.start_as_current_span("after"):
        pass
    for name in ("outer", "GET"):
        assert [spans.attributes(name).get(key) for key in (USER, SESSION, VARIANT)] == ["u", "s", "v"]
    assert not {USER, SESSION, VARIANT} & set(spans.attributes("after"))


# --- two tenants -----------------------------------------------------------------------------------------------------
def check_tenants(spans: Spans, expected: int) -> None:
    """Assert that each trace has one user whose session is its own, and that there are *expected* of them."""
    traces: dict[int, set[tuple[Any, Any]]] = {}
    for span in spans.finished():
        found = span.attributes or {}
        traces.setdefault(span.context.trace_id, set()).add((found.get(USER), found.get(SESSION)))
    assert len(traces) == expected
    pairs = [pair for found in traces.values() for pair in found]
    assert all(len(found) == 1 for found in traces.values()), traces
    assert {(f"user-{n}", f"session-{n}") for n in range(expected)} == set(pairs)


def tenant(number: int) -> dict[str, str]:
    """Return who tenant *number* is."""
    return {"user_id": f"user-{number}", "session_id": f"session-{number}"}


@pytest.fixture
def asker(spans: Spans) -> Any:
    """Give an agent whose tool yields to others in the middle of its own client span."""

    @tool
    async def fetch(url: str) -> str:
        """Fetch."""
        with spans.provider.get_tracer("client").start_as_current_span("GET"):
            await asyncio.sleep(0.005)
        return url

    return lambda: create_agent(ScriptedChat(script=[asks(("fetch", {"url": "x"})), says("done")]), [fetch], name="a")


@pytest.mark.parametrize("how", ["config", "block", "baggage"])
async def test_tenants_in_tasks_never_mix(how: str, asker: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """Twelve requests interleave in one loop on one handler; each span knows its own user."""

    async def serve(number: int) -> None:
        if how == "config":
            await asker().ainvoke(question(), config(handler, **tenant(number)))
            return
        with request_metadata(**tenant(number)) if how == "block" else carrying(**tenant(number)):
            await asker().ainvoke(question(), config(handler))

    await asyncio.gather(*map(serve, range(12)))
    check_tenants(spans, 12)


@pytest.mark.parametrize("how", ["config", "block"])
def test_tenants_in_threads_never_mix(how: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """The same in threads that are used again and again."""

    def serve(number: int) -> None:
        if how == "config":
            support().invoke(question(), config(handler, **tenant(number)))
            return
        with request_metadata(**tenant(number)):
            support().invoke(question(), config(handler))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(serve, range(16)))
    check_tenants(spans, 16)


@pytest.mark.parametrize("mode", ["batch", "abatch"])
async def test_tenants_in_a_batch_never_mix(mode: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """One batch with one config for each input."""
    chain: Any = RunnableLambda(lambda text: text) | ScriptedChat(script=[says("hello")], repeat=True)
    given = [config(handler, **tenant(number)) for number in range(5)]
    if mode == "batch":
        chain.batch(["x"] * 5, given)
    else:
        await chain.abatch(["x"] * 5, given)
    check_tenants(spans, 5)


async def test_tenants_of_interleaved_streams_never_mix(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Two streams read in turn by one task are two users' to the end."""
    model = ScriptedChat(script=[says("an answer in several chunks")], repeat=True)
    streams = [
        create_agent(model, [], name="s").astream(question(), config(handler, **tenant(n)), stream_mode="messages")
        for n in range(2)
    ]
    while streams:
        for stream in list(streams):
            try:
                await anext(stream)
            except StopAsyncIteration:
                streams.remove(stream)
    check_tenants(spans, 2)


# --- variants --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("place", ["config", "block"])
@pytest.mark.parametrize(
    ("given", "key", "variant"),
    [
        ({"variant": "b"}, "variant", "b"),
        ({"variant": "b", "experiment": "tone"}, "tone", "b"),
        ({"variant": {"tone": "b"}}, "tone", "b"),
    ],
)
def test_variants_are_feature_flags(
    given: dict[str, Any], key: Any, variant: Any, place: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """A string, a string of a named experiment, and a mapping, in config and block alike."""
    if place == "config":
        look.invoke({"text": "x"}, config(handler, **given))
    else:
        with request_metadata(**given):
            look.invoke({"text": "x"}, config(handler))
    found = spans.attributes("tool.look")
    assert (key, variant) == (found[EXPERIMENT], found[VARIANT])
    assert "metadata" not in found


@pytest.mark.parametrize("place", ["config", "block"])
def test_several_experiments_stand_in_the_metadata(place: str, handler: AgentCallbackHandler, spans: Spans) -> None:
    """The flag's registered type is one string: it holds the first, the metadata holds all."""
    given: Any = {"variant": {"tone": "b", "model": "large"}}
    if place == "config":
        look.invoke({"text": "x"}, config(handler, plan="free", **given))
    else:
        with request_metadata(plan="free", **given):
            look.invoke({"text": "x"}, config(handler))
    found = spans.attributes("tool.look")
    assert (found[EXPERIMENT], found[VARIANT]) == ("tone", "b")
    assert json.loads(found["metadata"]) == {"plan": "free", "variants": {"tone": "b", "model": "large"}}


# --- content ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("level", ["off", "arguments", "tools", "all"])
@pytest.mark.parametrize("asked", ["off", "arguments", "tools", "all"])
def test_a_request_narrows_content_and_never_widens_it(level: Any, asked: Any, spans: Spans) -> None:
    """What is exported is the lesser of what the settings and the request allow."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content=level))
    with request_metadata(content=asked):
        support().invoke(question(), config(handler))
    order = ("off", "arguments", "tools", "all")
    allowed = min(order.index(level), order.index(asked))
    found, called = spans.attributes("tool.look"), spans.named("llm.chat")[0].attributes or {}
    present = [
        "gen_ai.tool.call.arguments" in found, "gen_ai.tool.call.result" in found, "gen_ai.input.messages" in called,
    ]  # fmt: skip
    assert present == [allowed > 0, allowed > 1, allowed > 2]


def test_an_inner_request_cannot_widen_what_an_outer_one_narrowed(spans: Spans) -> None:
    """Nested blocks only ever take away, inside a running body too."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content="all"))
    with request_metadata(content="off"), request_metadata(content="all"):
        nested(handler, {"content": "all"}, block=True)
    text = "".join(span.to_json() for span in spans.finished())
    assert "arguments" not in text
    assert "weather" not in text


def test_a_request_narrowed_inside_a_body_stays_narrow_there(spans: Spans) -> None:
    """One tool call of a run can be kept silent."""
    handler = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(content="all"))
    nested(handler, {"content": "off"}, block=True)
    first, second = (span.attributes or {} for span in spans.named("tool.look"))
    assert "gen_ai.tool.call.arguments" not in first
    assert "gen_ai.tool.call.arguments" in second


# --- advice ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("near", "right"), [("userid", "user_id"), ("sesion_id", "session_id"), ("variants", "variant")]
)
def test_a_near_miss_warns_with_the_right_name(near: str, right: str) -> None:
    """A misspelt name is exported as plain metadata, with a word about what was meant."""
    with pytest.warns(UserWarning, match=f"did you mean '{right}'"):
        request_metadata(**{near: "x"})


def test_metadata_of_ones_own_does_not_warn() -> None:
    """Names that are near nothing are the caller's."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request_metadata(plan="free", region="eu", tenant="acme")


@pytest.mark.logs_expected
@pytest.mark.parametrize("user", [None, "config", "block"])
def test_a_thread_without_a_user_says_once_where_to_put_it(
    user: str | None, handler: AgentCallbackHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """The hint names both places, comes once, and not where a user is known."""
    process.forget_warnings()
    agent = support(turns=2, checkpointer=InMemorySaver())
    given = config(handler, **({"user_id": "u"} if user == "config" else {}))
    given["configurable"] = {"thread_id": "jane.roe@example.com"}
    with request_metadata(user_id="u" if user == "block" else None):
        agent.invoke(question(), given)
        agent.invoke(question(), given)
    said = [record.getMessage() for record in caplog.records if "user" in record.getMessage()]
    if user is not None:
        assert not said
        return
    (hint,) = said
    assert "metadata" in hint
    assert "request_metadata(user_id=" in hint
    assert "jane.roe" not in hint


# --- what never enters -----------------------------------------------------------------------------------------------
async def test_the_frameworks_keys_never_enter_metadata(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Of a graph's own keys none is exported as the user's, and neither is the thread id."""
    agent = support(checkpointer=InMemorySaver())
    given = config(handler, user_id="u", plan="free", __secret="x", ls_provider="x", lc_source_x="y", checkpoint_ns="z")
    await agent.ainvoke(question(), {**given, "configurable": {"thread_id": "t-1", "__own": "x"}})
    assert len(spans.finished()) == 6
    assert [json.loads(text) for text in seen(spans, "metadata")] == [{"plan": "free"}]
    assert seen(spans, "gen_ai.conversation.id") == {"t-1"}


def test_tags_are_the_users_only(handler: AgentCallbackHandler, spans: Spans) -> None:
    """``graph:step:1``, ``seq:step:1`` and their like are no tags of the user's."""
    support().invoke(question(), {**config(handler), "tags": ["beta"]})
    assert seen(spans, "tag.tags") == {("beta",)}


# --- baggage ---------------------------------------------------------------------------------------------------------
def test_no_baggage_key_is_read_that_is_not_allowed(spans: Spans) -> None:
    """``baggage_keys=()`` reads none; otherwise only those named."""
    none = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(baggage_keys=()))
    some = AgentCallbackHandler(tracer_provider=spans.provider, settings=Settings(baggage_keys=("session.id", "plan")))
    with carrying(user_id="u", session__id="s", plan="free", other="x"):
        look.invoke({"text": "x"}, config(none))
        look.invoke({"text": "x"}, config(some))
    first, second = (span.attributes or {} for span in spans.finished())
    assert not {USER, SESSION, "metadata"} & set(first)
    assert (second.get(USER), second[SESSION], second["metadata"]) == (None, "s", '{"plan":"free"}')


def test_baggage_is_bounded(handler: AgentCallbackHandler, spans: Spans) -> None:
    """What a stranger's header says is cut at 256 characters."""
    with carrying(user_id="x" * 10_000):
        look.invoke({"text": "x"}, config(handler))
    assert len(spans.attributes("tool.look")[USER]) == 256


def test_empty_baggage_names_nobody(handler: AgentCallbackHandler, spans: Spans) -> None:
    """What a gateway sends empty is not there."""
    with carrying(user_id="", session_id="s-9"):
        look.invoke({"text": "x"}, config(handler))
    found = spans.attributes("tool.look")
    assert USER not in found
    assert "s-9" == found[SESSION]


async def test_baggage_is_never_written(handler: AgentCallbackHandler) -> None:
    """Nothing given to us leaves the process with the user's outgoing requests."""
    found: list[Any] = []

    @tool
    async def fetch(url: str) -> str:
        """Fetch."""
        found.append(baggage.get_all())
        return url

    with carrying(theirs="1"), request_metadata(user_id="block", plan="free"):
        await fetch.ainvoke({"url": "x"}, config(handler, session_id="s"))
    assert [dict(entries) for entries in found] == [{"theirs": "1"}]
    assert not baggage.get_all()


# --- names that are none ---------------------------------------------------------------------------------------------
class Unspeakable:
    """Cannot be asked for its text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(("given", "expected"), [(17, "17"), (-100123, "-100123"), (UUID(int=1), str(UUID(int=1)))])
@pytest.mark.parametrize("place", ["config", "block"])
def test_a_number_names_a_user(
    given: Any, expected: str, place: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """Whole numbers, negative ones too, and UUIDs are ids, in config and block alike."""
    if place == "config":
        look.invoke({"text": "x"}, config(handler, user_id=given))
    else:
        with request_metadata(user_id=given):
            look.invoke({"text": "x"}, config(handler))
    assert expected == spans.attributes("tool.look")[USER]


NOBODY: Final = (Unspeakable(), MagicMock(), True, 0.5, float("nan"), 10**5000, b"u-17", ["u-17"])


@pytest.mark.parametrize("given", NOBODY, ids=lambda value: type(value).__name__)
def test_what_names_nobody_is_left_out_of_a_block(given: Any, handler: AgentCallbackHandler, spans: Spans) -> None:
    """A block never raises for what it is given: it says what it left out, by name and type."""
    with pytest.warns(UserWarning, match=rf"request_metadata\(user_id=...\) got {type(given).__name__}"):
        block = request_metadata(user_id=given, session_id="s-9", variant={"tone": Unspeakable()})
    with block:
        look.invoke({"text": "x"}, config(handler))
    found = spans.attributes("tool.look")
    assert USER not in found
    assert "s-9" == found[SESSION]


def test_nobody_is_no_surprise_to_a_block(handler: AgentCallbackHandler, spans: Spans) -> None:
    """None and the empty string name nobody, and need no warning."""
    with request_metadata(user_id=None, session_id="", variant=""):
        look.invoke({"text": "x"}, config(handler))
    assert {USER, SESSION, VARIANT}.isdisjoint(spans.attributes("tool.look"))


@pytest.mark.parametrize(("given", "expected"), [(True, "true"), (0.5, "0.5"), (3, "3")])
def test_a_switch_or_a_share_is_a_variant(
    given: Any, expected: str, handler: AgentCallbackHandler, spans: Spans
) -> None:
    """What feature flags serve, as text."""
    with request_metadata(variant=given):
        look.invoke({"text": "x"}, config(handler))
    assert expected == spans.attributes("tool.look")[VARIANT]
