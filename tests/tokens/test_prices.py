"""Prices: the same as genai-prices' own, under every spelling of a provider; the user's own first; else nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import genai_prices
import pytest
from genai_prices import data_snapshot
from hypothesis import given
from hypothesis import strategies as st

from agent_callbacks.recording.values import Usage
from agent_callbacks.tokens import prices
from agent_callbacks.tokens.prices import Call, PriceBook, open_book
from agent_callbacks.tokens.provider import listed
from agent_callbacks.tokens.rate import Cost, Rate, flat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON_NS = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 10**9
NIGHT_NS = int(datetime(2026, 11, 20, 20, tzinfo=UTC).timestamp()) * 10**9
PLAIN = Usage(1_000, 200)
CACHED = Usage(10_000, 500, cache_read=6_000, cache_write=2_000, cache_write_1h=500)
THOUGHT = Usage(1_000, 900, reasoning=700)
LONG = Usage(250_000, 1_000, cache_read=100_000)


def official(usage: Usage, model: str, provider: str | None, at_ns: int = NOON_NS, tier: str | None = None) -> Decimal:
    """Return what genai-prices itself says."""
    counts: dict[str, Any] = {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "output_reasoning_tokens": usage.reasoning,
    }
    return genai_prices.calc_price(
        genai_prices.Usage(**counts),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(at_ns / 1e9, UTC),
        price_context={"service_tier": tier} if tier else None,
    ).total_price


@pytest.mark.parametrize("usage", [PLAIN, CACHED, THOUGHT, LONG], ids=["plain", "cached", "thought", "long"])
@pytest.mark.parametrize(
    ("provider", "model", "their_provider", "their_model"),
    [
        ("openai", "gpt-4o", "openai", "gpt-4o"),
        ("openai", "gpt-5", "openai", "gpt-5"),
        ("anthropic", "claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("gcp.gemini", "models/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("gcp.vertex_ai", "gemini-2.5-flash", "google", "gemini-2.5-flash"),
        ("gcp.gen_ai", "gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("google_vertexai", "claude-sonnet-4@20250514", "google", "claude-sonnet-4@20250514"),
        ("azure.ai.openai", "gpt-4o", "azure", "gpt-4o"),
        ("azure.ai.inference", "gpt-4o", "azure", "gpt-4o"),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", "aws",
         "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("amazon_bedrock", "amazon.nova-pro-v1:0", "aws", "amazon.nova-pro-v1:0"),
        ("mistral_ai", "mistral-large-latest", "mistral", "mistral-large-latest"),
        ("x_ai", "grok-4", "x-ai", "grok-4"),
        ("groq", "llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile"),
        ("deepseek", "deepseek-chat", "deepseek", "deepseek-chat"),
        ("cohere", "command-r-plus", "cohere", "command-r-plus"),
        ("openrouter", "openai/gpt-4o", "openrouter", "openai/gpt-4o"),
        ("litellm", "azure/gpt-4o", "azure", "gpt-4o"),
        ("litellm", "gpt-4o", "openai", "gpt-4o"),
        ("a_wrapper_of_the_users", "gpt-4o", "openai", "gpt-4o"),
        (None, "claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("openai", "text-embedding-3-small", "openai", "text-embedding-3-small"),
        ("vertex_ai_beta", "gemini-2.5-pro", "google", "gemini-2.5-pro"),
    ],
)  # fmt: skip
def test_costs_are_those_of_genai_prices(provider, model, their_provider, their_model, usage):
    """What a call costs is to the last digit what genai-prices calculates, whoever's spelling the provider is in."""
    expected = official(usage, their_model, their_provider)

    assert expected > 0
    assert expected == open_book().cost(Call(provider, model), usage, NOON_NS)


@given(
    st.sampled_from(["gpt-4o", "gpt-5", "o3", "claude-sonnet-4-5", "gemini-2.5-pro", "claude-opus-4-5"]),
    st.integers(0, 400_000), st.integers(0, 50_000), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip
def test_any_usage_costs_what_genai_prices_says(model, given_tokens, made, read, written, thought):
    """For any counts the parts of a cost sum to genai-prices' total."""
    cached = int(given_tokens * read)
    usage = Usage(given_tokens, made, cached, int((given_tokens - cached) * written), int(made * thought))
    rate = open_book().rate(Call(None, model), NOON_NS)

    assert rate is not None
    assert official(usage, model, None) == rate.cost(usage).total


def test_every_listed_model_can_be_priced():
    """Each model of genai-prices that is paid by tokens costs what it says; the others have no price by tokens."""
    book, unlike, by_tokens = open_book(), [], 0
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            rate = prices._Listed.of(model, None)
            price = None if rate is None else rate.rate(NOON_NS)
            by_tokens += price is not None
            at = datetime.fromtimestamp(NOON_NS / 1e9, UTC)
            counts = genai_prices.Usage(input_tokens=10_000, output_tokens=500, cache_read_tokens=6_000)
            says = model.calc_price(counts, provider, genai_request_timestamp=at)
            beside = model.get_prices(at).requests_kcount
            if (
                price is not None
                and beside is None
                and says.total_price != price.total(Usage(10_000, 500, cache_read=6_000))
            ):
                unlike.append(f"{provider.id}/{model.id}")
    assert not unlike
    assert by_tokens > 2_000
    assert book.loaded


def test_price_by_time_of_day():
    """A price that depends on the hour is that of the call's own time."""
    book = open_book()
    day, night = (book.cost(Call("deepseek", "deepseek-chat"), PLAIN, at) for at in (NOON_NS, NIGHT_NS))

    assert day == official(PLAIN, "deepseek-chat", "deepseek", NOON_NS)
    assert night == official(PLAIN, "deepseek-chat", "deepseek", NIGHT_NS)
    assert day != night


@pytest.mark.parametrize("tier", ["flex", "priority", "default", "of_next_year"])
def test_price_by_service_tier(tier):
    """A service tier with prices of its own is paid at those; one that nobody knows at the ordinary ones."""
    assert official(PLAIN, "gpt-5", "openai", tier=tier) == open_book().cost(
        Call("openai", "gpt-5", tier=tier), PLAIN, NOON_NS
    )


def test_tiers_differ():
    """The tiers of the test before have different prices."""
    found = {open_book().cost(Call("openai", "gpt-5", tier=tier), PLAIN, NOON_NS) for tier in ("flex", "priority", "x")}
    assert 3 == len(found)


@pytest.mark.parametrize(
    ("call", "their_provider"),
    [
        (Call("openai", "openai/gpt-oss-120b", address="api.groq.com"), "groq"),
        (Call("openai_like", "deepseek-chat", address="api.deepseek.com"), "deepseek"),
        (Call("openai", "gpt-4o", address="127.0.0.1"), "openai"),
        (Call("openai", "gpt-4o", address="api.openai.com"), "openai"),
    ],
)
def test_the_address_knows_better(call, their_provider):
    """A client that is pointed at another provider's server is paid at that provider's prices."""
    assert official(PLAIN, call.model, their_provider) == open_book().cost(call, PLAIN, NOON_NS)


def test_what_answered_is_paid():
    """The model that answered is paid; the one that was asked for only where no price of the first is known."""
    book = open_book()
    deployment = Call("azure.ai.openai", "gpt-4o-mini-2024-07-18", "our-deployment")
    renamed = Call("openai", "some-build-17", "gpt-4o")

    assert official(PLAIN, "gpt-4o-mini", "azure") == book.cost(deployment, PLAIN, NOON_NS)
    assert official(PLAIN, "gpt-4o", "openai") == book.cost(renamed, PLAIN, NOON_NS)


def test_context_windows():
    """The window of a model is the list's; of one nobody lists, and of a machine of the user's own, none is known."""
    book = open_book()
    assert 128_000 == book.window(Call("openai", "gpt-4o"))
    assert 128_000 == book.window(Call(None, "nobody-knows", "gpt-4o"))
    assert [None, None] == [book.window(Call("ollama", "gpt-4o")), book.window(Call(None, None))]


def test_names_of_models():
    """All models that can be priced are named, in order."""
    names = open_book().models()
    assert {"gpt-4o", "claude-haiku-4-5"} <= set(names)
    assert sorted(set(names)) == list(names)


@pytest.mark.parametrize(
    "call",
    [
        Call("openai", "no-such-model"),
        Call("ollama", "gpt-4o"),
        Call("ibm.watsonx.ai", "llama-3-70b"),
        Call("scripted", "scripted-1"),
        Call("openai", None),
        Call("elevenlabs", "scribe_v1"),
        Call("openai", "nobody/no-such-model"),
    ],
)
def test_unknown_costs_nothing_known(call):
    """What has no price, the user's own machines among it, has no cost: not 0."""
    assert open_book().cost(call, PLAIN, NOON_NS) is None


def test_no_tokens_no_cost():
    """A call that does not say what it was given has no cost."""
    assert open_book().cost(Call("openai", "gpt-4o"), Usage(None, 7), NOON_NS) is None


def test_a_look_up_is_remembered(monkeypatch):
    """A model is looked up once, one without a price as well."""
    book, seen = PriceBook(), []
    looked_up = prices._found
    monkeypatch.setattr(prices, "_found", lambda *given: seen.append(given) or looked_up(*given))
    for _ in range(3):
        book.cost(Call("openai", "gpt-4o"), PLAIN, NOON_NS)
        book.cost(Call("openai", "no-such-model"), PLAIN, NOON_NS)
    assert 2 == len(seen)


def test_memory_is_bounded(monkeypatch):
    """Names that are never the same do not fill the memory."""
    monkeypatch.setattr(prices, "_MAX_REMEMBERED", 5)
    book = PriceBook()
    for at in range(20):
        book.rate(Call("openai", f"model-{at}"), NOON_NS)
    assert 5 >= len(book._known)


@pytest.fixture
def newer() -> Iterator[Any]:
    """Put other prices in place, as genai-prices' updater does."""
    bundled = data_snapshot.get_snapshot()
    providers = [each for each in bundled.providers if each.id == "anthropic"]
    data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot(providers=providers, from_auto_update=True))
    yield
    data_snapshot.set_custom_snapshot(None)


def test_newer_prices_are_taken_up(request):
    """Prices that the user lets genai-prices update hold from then on, also for models that were asked for before."""
    book = PriceBook()
    before = book.cost(Call("openai", "gpt-4o"), PLAIN, NOON_NS)
    request.getfixturevalue("newer")

    assert before is not None
    assert book.cost(Call("openai", "gpt-4o"), PLAIN, NOON_NS) is None


# --- the rate --------------------------------------------------------------------------------------------------------


def test_parts_without_a_price_cost_what_they_are_part_of():
    """Cached tokens without a price of their own are ordinary input, reasoning is ordinary output."""
    rate = Rate(input=flat(Decimal(2)), output=flat(Decimal(8)))
    usage = Usage(1_000_000, 1_000_000, cache_read=400_000, cache_write=100_000, reasoning=600_000)

    assert Cost(input=Decimal(2), output=Decimal(8)) == rate.cost(usage)


def test_counts_that_contradict_each_other_cost_no_less_than_nothing():
    """More cached tokens than tokens: what is left is nothing, not less."""
    rate = Rate(input=flat(Decimal(2)), cache_read=flat(Decimal(1)))

    assert Decimal("0.00001") == rate.total(Usage(5, 0, cache_read=10))


def test_saving_needs_the_price_without_a_cache():
    """Without a cache the same tokens cost the ordinary price."""
    rate = Rate(input=flat(Decimal(2)), cache_read=flat(Decimal(1)))

    assert Decimal(2) == rate.uncached(Usage(1_000_000, 0, cache_read=500_000))


def test_shares_of_another_total():
    """A cost keeps its shares under another total; one that says nothing has none to keep."""
    cost = Cost(input=Decimal(1), output=Decimal(3))

    assert Cost(input=Decimal(2), output=Decimal(6)) == cost.scaled(Decimal(8))
    assert cost is cost.scaled(Decimal(4))
    assert Cost() == Cost().scaled(Decimal(4))


def test_costs_add_up():
    """Costs are added part by part."""
    one = Cost(*map(Decimal, (1, 2, 3, 4, 5)))

    assert Cost(*map(Decimal, (2, 4, 6, 8, 10))) == one + one
    assert [Decimal(6), Decimal(15)] == [one.all_input, one.total]


# --- loading ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def library(monkeypatch) -> prices._Library:
    """Give the process a library that nobody has loaded yet."""
    made = prices._Library()
    monkeypatch.setattr(prices, "_library", made)
    return made


def test_nothing_is_loaded_unless_asked(library):
    """A price that is asked for before anything is loaded is not known, and asking loads nothing."""
    book = PriceBook()

    assert book.cost(Call("openai", "gpt-4o"), PLAIN, NOON_NS) is None
    assert [False, None] == [book.loaded, book.missing]
    assert not library.wait(0)


def test_it_is_loaded_once_however_often_it_is_asked_for(library, monkeypatch):
    """Who asks while it is being loaded waits for the same import."""
    imports, go = [], threading.Event()

    def blocked(self):
        imports.append(threading.current_thread())
        go.wait(20)
        self.loaded = True

    monkeypatch.setattr(prices._Library, "_import", blocked)
    for _ in range(3):
        library.load()
    go.set()
    assert library.wait(20)
    assert 1 == len(imports)


def test_what_was_not_known_is_known_once_loaded(library):
    """A model that was asked for too early is looked up again when the prices are there."""
    book = PriceBook()
    early = book.cost(Call("openai", "gpt-4o"), PLAIN, NOON_NS)
    book.load()
    book.load()

    assert book.wait()
    assert early is None
    assert official(PLAIN, "gpt-4o", "openai") == book.cost(Call("openai", "gpt-4o"), PLAIN, NOON_NS)


def test_without_the_library(library, monkeypatch, caplog):
    """Without genai-prices only the user's own prices are known, and the way out is said."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    book = PriceBook()
    with caplog.at_level("INFO", "agent_callbacks"):
        assert book.wait()

    assert book.cost(Call("openai", "gpt-4o"), PLAIN, NOON_NS) is None
    assert prices.NOT_INSTALLED == book.missing
    assert ((), None) == (book.models(), book.window(Call("openai", "gpt-4o")))
    assert 1 == sum(prices.NOT_INSTALLED in record.getMessage() for record in caplog.records)


def test_a_fork_waits_for_the_import_and_a_child_begins_anew(library, monkeypatch):
    """Before a fork the import comes to its end; a child whose parent gave up waiting loads for itself."""
    going, hold = threading.Event(), threading.Event()

    def slowly() -> None:
        going.set()
        hold.wait(30)
        library.loaded = True

    monkeypatch.setattr(library, "_import", slowly)
    library.load()
    assert going.wait(30)
    monkeypatch.setattr(prices, "_LOAD_SECONDS", 0.01)
    library.before_fork()
    library.after_fork()
    assert library._thread is None
    hold.set()
    library.load()
    assert library.wait(30)
    library.after_fork()
    assert library._thread is not None


def test_importing_the_package_loads_no_prices():
    """Neither the package nor a handler's construction imports genai-prices on the caller's thread."""
    code = (
        "import sys, threading; import agent_callbacks; from agent_callbacks.tokens import prices;"
        "assert 'genai_prices' not in sys.modules;"
        "seen = []; real = prices._Library._import;"
        "prices._Library._import = lambda self: (seen.append(threading.current_thread().name), real(self));"
        "from agent_callbacks import AgentCallbackHandler; AgentCallbackHandler(); prices.open_book().wait();"
        "assert seen == ['agent-callbacks-prices'], seen; assert 'genai_prices' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_one_book_for_one_file(tmp_path: Path):
    """A file that is given twice is one book; a changed one is another."""
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nmodel = "m"\ninput = 1\noutput = 2\n')
    first, again = open_book(path), open_book(path)
    path.write_text('[[price]]\nmodel = "m"\ninput = 3\noutput = 2\n')

    assert first is again
    assert first is not open_book(path)
    assert open_book() is open_book()


@pytest.mark.parametrize(
    ("word", "name"),
    [("AWS.Bedrock", "aws"), ("mistralai", "mistral"), ("together-ai", "together"), ("openai", "openai")],
)
def test_spellings_of_a_provider(word, name):
    """A provider's name in any spelling is the one of the price lists."""
    assert name == listed(word)
