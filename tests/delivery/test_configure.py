"""configure(): what it creates, what it adds to, what it leaves alone."""

from __future__ import annotations

import threading

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent_callbacks import AgentCallbackHandler, span
from agent_callbacks.analysis import load
from agent_callbacks.convention import keys
from agent_callbacks.delivery import configure as configuring
from agent_callbacks.delivery.accounting import Snapshot
from agent_callbacks.delivery.configure import configure
from agent_callbacks.delivery.fence import SanitizingSpanExporter
from agent_callbacks.privacy.sanitizer import Sanitizer
from agent_callbacks.recording import closing, process
from agent_callbacks.settings import Settings
from agent_callbacks.store.schema import StoreForeignError
from tests.delivery.process import end, start, stored


def record(name, provider=None):
    """End a span on *provider*, by default the global one."""
    span = (provider or trace.get_tracer_provider()).get_tracer("app").start_span(name)
    span.end()
    return span


@pytest.fixture
def standing():
    """Set a global provider with an exporter, as an application does."""
    provider = TracerProvider(shutdown_on_exit=False, resource=Resource.create({"service.name": "theirs"}))
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider, exporter


# --- from nothing ----------------------------------------------------------------------------------------------------
def test_it_creates_the_global_provider_and_the_store(tmp_path):
    """Without a provider, one is made and set, and its spans are in the store, sanitized."""
    with configure(service_name="support", store=tmp_path / "t.db") as handle:
        span = record("call bob@example.com")
        assert handle.flush(30)
        assert tmp_path / "t.db" == handle.store_path
    assert "support" == span.resource.attributes["service.name"]
    assert ["call [EMAIL]"] == stored(tmp_path / "t.db")


@pytest.mark.parametrize(
    ("argument", "variable", "expected"),
    [("mine", "theirs", "mine"), (None, "theirs", "theirs"), (None, None, "unknown_service")],
)
def test_the_service_name(monkeypatch, argument, variable, expected):
    """The argument beats OTEL_SERVICE_NAME beats what the SDK says."""
    if variable:
        monkeypatch.setenv("OTEL_SERVICE_NAME", variable)
    with configure(service_name=argument, store=False):
        assert record("one").resource.attributes["service.name"].startswith(expected)


def test_the_default_store_is_where_the_variable_says(tmp_path, monkeypatch):
    """store=True writes to $AGENT_CALLBACKS_STORE; store=False writes nothing."""
    monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(tmp_path / "here" / "t.db"))
    with configure(store=False) as handle:
        record("one")
        assert handle.flush(30)
        assert handle.store_path is None
    assert [] == list(tmp_path.iterdir())
    with configure() as handle:
        record("two")
    assert ["two"] == stored(tmp_path / "here" / "t.db")


def test_a_disabled_sanitizer_is_said_in_the_resource(tmp_path):
    """Who turns the sanitizer off says so in every span, and what is stored is what was recorded."""
    settings = Settings(sanitizer=Sanitizer.disabled(reason="tests"))
    with configure(store=tmp_path / "t.db", settings=settings):
        assert "tests" == record("bob@example.com").resource.attributes[keys.SANITIZER_DISABLED]
    assert ["bob@example.com"] == stored(tmp_path / "t.db")
    with configure(store=False):
        assert not record("one").resource.attributes[keys.SANITIZER_DISABLED]


def test_otlp_and_store_are_counted_apart(tmp_path, receiver, monkeypatch):
    """Each destination has its counts; the totals are over both."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.url + "/v1/traces")
    with configure(store=tmp_path / "t.db") as handle:
        record("one")
        assert handle.flush(30)
        delivery = handle.delivery
    assert (2, {}, 0, 0) == (delivery.sent, delivery.failed, delivery.dropped, delivery.queued)
    assert {"store": 1, "otlp": 1} == {name: counts.sent for name, counts in delivery.destinations.items()}
    assert ["one"] == receiver.names


def test_exporting_can_be_switched_off_the_standard_way(receiver, monkeypatch):
    """OTEL_TRACES_EXPORTER=none opens no OTLP exporter."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    with configure(store=False) as handle:
        assert {} == dict(handle.delivery.destinations)


@pytest.mark.logs_expected
def test_an_unknown_protocol_is_said_and_the_default_used(receiver, monkeypatch, nothing_logged):
    """A protocol that does not exist is reported by its variable, and HTTP is used."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")
    with configure(store=False) as handle:
        record("one")
        assert handle.flush(30)
    (logged,) = nothing_logged.kept
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" in logged.getMessage()
    assert "pigeon" not in logged.getMessage()


@pytest.mark.parametrize("variable", ["AGENT_CALLBACKS_ENABLED", "OTEL_SDK_DISABLED"])
@pytest.mark.parametrize("settings", [None, Settings()])
def test_switched_off_nothing_is_created(tmp_path, monkeypatch, variable, settings):
    """Switched off by the environment, there is no provider, no file, and a handle that does nothing."""
    monkeypatch.setenv(variable, {"AGENT_CALLBACKS_ENABLED": "0", "OTEL_SDK_DISABLED": "true"}[variable])
    handle = configure(store=tmp_path / "t.db", settings=settings)
    record("one")
    assert handle.flush(0)
    assert Snapshot() == handle.delivery
    handle.shutdown()
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert [] == list(tmp_path.iterdir())
    assert handle is configure(store=tmp_path / "t.db", settings=settings)


# --- a provider that stands ------------------------------------------------------------------------------------------
@pytest.mark.logs_expected
def test_a_standing_provider_is_added_to(standing, tmp_path, receiver, monkeypatch, nothing_logged):
    """The application's provider stays, keeps its exporter, gets the store and no OTLP; one warning names the fence."""
    provider, exporter = standing
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    for _ in range(2):
        with configure(store=tmp_path / "t.db") as handle:
            record("one")
            assert handle.flush(30)
            assert ["store"] == list(handle.delivery.destinations)
    assert provider is trace.get_tracer_provider()
    assert 2 == len(exporter.get_finished_spans())
    assert ["one", "one"] == stored(tmp_path / "t.db")
    assert [] == receiver.names
    (logged,) = nothing_logged.kept
    assert "SanitizingSpanExporter(your_exporter)" in logged.getMessage()


def test_a_provider_with_nothing_or_with_fenced_exporters_is_not_warned_about(tmp_path):
    """Where nothing passes unchecked, nothing is said."""
    provider = TracerProvider(shutdown_on_exit=False)
    configure(tracer_provider=provider, store=False).shutdown()
    provider.add_span_processor(SimpleSpanProcessor(SanitizingSpanExporter(InMemorySpanExporter())))
    with configure(tracer_provider=provider, store=tmp_path / "t.db"):
        record("one", provider)
    assert ["one"] == stored(tmp_path / "t.db")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@pytest.mark.logs_expected
def test_a_provider_that_takes_no_processors_is_left_alone(monkeypatch, tmp_path, nothing_logged):
    """A global provider of another make is named, and nothing is created."""
    trace.set_tracer_provider(trace.NoOpTracerProvider())
    assert configure(store=tmp_path / "t.db").flush(0)
    (logged,) = nothing_logged.kept
    assert "NoOpTracerProvider" in logged.getMessage()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.logs_expected
def test_a_service_name_for_a_standing_provider_is_refused_aloud(standing, nothing_logged):
    """The service name of a standing provider cannot be changed, which is said."""
    configure(service_name="mine", store=False).shutdown()
    configure(service_name="theirs", store=False).shutdown()
    assert 1 == sum("service_name" in logged.getMessage() for logged in nothing_logged.kept)


# --- twice, and again ------------------------------------------------------------------------------------------------
def test_the_same_arguments_give_the_same_handle(tmp_path):
    """A second call with the same arguments returns the first one's handle."""
    with configure(store=str(tmp_path / "t.db")) as handle:
        assert handle is configure(store=tmp_path / "t.db", settings=Settings())


def test_other_arguments_are_an_error_that_names_them(tmp_path):
    """A second call with other arguments names each difference and the way out, and changes nothing."""
    with configure(store=tmp_path / "t.db") as handle:
        with pytest.raises(RuntimeError) as caught:
            configure(store=False, service_name="x", settings=Settings(content="off"))
        for word in ("service_name", "store", "settings.content", "shutdown()"):
            assert word in str(caught.value)
        assert "settings.history" not in str(caught.value)
        assert handle is configure(store=tmp_path / "t.db")


def test_after_a_shutdown_it_may_be_called_again(tmp_path):
    """After shutdown() another store and another service name are in force, on the same global provider."""
    configure(service_name="first", store=tmp_path / "1.db").shutdown()
    provider = trace.get_tracer_provider()
    with configure(service_name="second", store=tmp_path / "2.db"):
        assert "second" == record("one").resource.attributes["service.name"]
    assert provider is trace.get_tracer_provider()
    assert ["one"] == stored(tmp_path / "2.db")
    assert not (tmp_path / "1.db").exists()


def test_an_older_sdk_describes_the_tracers_to_come(monkeypatch):
    """Where the SDK cannot describe its tracers anew, those made from then on carry the new name."""
    configure(service_name="first", store=False).shutdown()
    monkeypatch.delattr(TracerProvider, "_update_resource", raising=False)
    with configure(service_name="second", store=False):
        span = trace.get_tracer("made later").start_span("one")
        assert "second" == span.resource.attributes["service.name"]


def test_rounds_leave_no_thread_behind(tmp_path, receiver, monkeypatch):
    """Fifty rounds of configure() and shutdown() leave as many threads and processors as one."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)

    def ours():
        return {thread for thread in threading.enumerate() if thread.name.startswith(("Otel", "agent-callbacks"))}

    def round_trip():
        with configure(store=tmp_path / "t.db"):
            record("one")

    before = ours()
    round_trip()
    assert before >= ours()
    processors = len(configuring._own._active_span_processor._span_processors)
    for _ in range(49):
        round_trip()
    assert before >= ours()
    assert processors == len(configuring._own._active_span_processor._span_processors)
    assert 50 == len(stored(tmp_path / "t.db")) == len(receiver.names)


def test_the_provider_s_own_flush_and_shutdown_reach_the_store(tmp_path):
    """Who flushes or shuts down the provider, as OpenTelemetry's users do, has the spans in the store."""
    handle = configure(store=tmp_path / "t.db")
    record("one")
    assert trace.get_tracer_provider().force_flush(5000)
    assert ["one"] == stored(tmp_path / "t.db")
    record("two")
    trace.get_tracer_provider().shutdown()
    assert ["one", "two"] == stored(tmp_path / "t.db")
    handle.shutdown()


def test_shutdown_closes_what_is_open(tmp_path, monkeypatch):
    """shutdown() closes open operations, and what that ends is delivered."""
    monkeypatch.setattr(configuring, "close_operations", lambda reason: record(f"closed at {reason}"))
    configure(store=tmp_path / "t.db").shutdown()
    assert ["closed at shutdown"] == stored(tmp_path / "t.db")


# --- what it refuses -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("servce_name", "did you mean 'service_name'?"),
        ("content", "configure(settings=Settings(content=...))"),
        ("zzz", "known arguments: service_name, store, tracer_provider, settings"),
    ],
)
def test_unknown_arguments_are_refused_with_a_hint(argument, hint):
    """An unknown argument is an error that says what was meant."""
    with pytest.raises(TypeError) as caught:
        configure(**{argument: 1})
    assert hint in str(caught.value)


@pytest.mark.logs_expected
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_endpoint_that_is_no_address_is_named(protocol, monkeypatch, nothing_logged):
    """One warning names the variable, not what it holds, which may be a key; the spans are counted as failed."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[sk-secret")
    with configure(store=False) as handle, span("chain.lost"):
        pass
    assert {"address": 1} == handle.delivery.failed
    said = [logged.getMessage() for logged in nothing_logged.kept]
    assert 1 == sum("OTEL_EXPORTER_OTLP_ENDPOINT is no address" in each for each in said)
    assert not any("secret" in each for each in said)


@pytest.mark.parametrize("store", [5, None, b"t.db"])
def test_a_store_that_is_no_path_is_refused(store):
    """The error names the argument and what it takes."""
    with pytest.raises(TypeError) as caught:
        configure(store=store)
    assert f"configure(store=...): must be True, False or a path, not {type(store).__name__}" == str(caught.value)


def test_a_provider_of_another_make_is_refused():
    """A tracer_provider that takes no processors is an error."""
    with pytest.raises(TypeError, match="NoOpTracerProvider"):
        configure(tracer_provider=trace.NoOpTracerProvider())


@pytest.mark.logs_expected
def test_unreadable_sizes_are_said_and_small_ones_obeyed(monkeypatch, nothing_logged):
    """A queue smaller than a batch is no error; a size that is no number is reported by its variable."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "7")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "many")
    provider = TracerProvider(shutdown_on_exit=False)
    with configure(tracer_provider=provider, store=True) as handle:
        assert 7 == handle._destinations["store"].ledger._capacity
    (logged,) = nothing_logged.kept
    assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in logged.getMessage()


def test_importing_loads_no_exporter(tmp_path):
    """Importing configure, and a store alone, load no OTLP exporter."""
    script = """
import sys
from agent_callbacks.delivery.configure import configure
configure(store=sys.argv[1])
print([name for name in sys.modules if name.startswith(("opentelemetry.exporter", "grpc", "requests", "langchain"))])
"""
    assert (0, "[]\n", "") == end(start(script, tmp_path / "t.db"))


# --- a conversation that another process began -----------------------------------------------------------------------
def _waiting_graph(saver):
    def ask(state):
        return {"messages": [AIMessage(str(interrupt("sure?")))]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    return graph.compile(name="asks", checkpointer=saver)


def test_a_resumed_run_is_linked_to_the_one_in_the_store(tmp_path, monkeypatch):
    """What another process left waiting is found in the store, by its conversation."""
    graph = _waiting_graph(InMemorySaver())
    given = {"callbacks": [AgentCallbackHandler()], "configurable": {"thread_id": "t-1"}, "metadata": {"user_id": "u"}}
    with configure(store=tmp_path / "t.db") as handle:
        graph.invoke({"messages": []}, given)
        assert handle.flush(30)
        monkeypatch.setattr(process, "_interrupted", process.Bounded(8))  # as another process would have it
        monkeypatch.setattr(closing, "_SEARCH_SECONDS", 10.0)
        graph.invoke(Command(resume="yes"), given)
    first, second = sorted(load(tmp_path / "t.db"), key=lambda found: found.start_ns)
    (link,) = second.root.links
    assert first.root.span_id == link.span_id
    assert ("interrupted", "success") == tuple(run.root.attributes[keys.OUTCOME] for run in (first, second))


def test_a_store_that_cannot_be_read_links_nothing(tmp_path, monkeypatch):
    """The resumed run is recorded all the same."""
    graph = _waiting_graph(InMemorySaver())
    given = {"callbacks": [AgentCallbackHandler()], "configurable": {"thread_id": "t-1"}, "metadata": {"user_id": "u"}}
    with configure(store=tmp_path / "t.db"):
        graph.invoke({"messages": []}, given)
        monkeypatch.setattr(process, "_interrupted", process.Bounded(8))
        monkeypatch.setattr(closing, "_SEARCH_SECONDS", 10.0)
        monkeypatch.setattr(configuring, "Store", _refusing)
        graph.invoke(Command(resume="yes"), given)
    assert [(), ()] == [found.root.links for found in load(tmp_path / "t.db")]


def _refusing(path):
    raise StoreForeignError(path)
