"""The user's own prices: what a file may say, and what is said where it cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agent_callbacks import AgentCallbackHandler, Settings, settings
from agent_callbacks.recording.values import Usage
from agent_callbacks.tokens import overrides
from agent_callbacks.tokens.overrides import PricesError, read
from agent_callbacks.tokens.prices import Call, open_book

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOON_NS = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 10**9
MILLION = Usage(1_000_000, 1_000_000)
ENTRY = '[[price]]\nmodel = "m"\ninput = 1\noutput = 2\n'


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """Give a function that writes a file of prices."""

    def write(text: str) -> Path:
        path = tmp_path / "prices.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_own_prices_go_first(file):
    """A model with a price in the file costs that, whatever others say; its digits are exact."""
    book = open_book(file('[[price]]\nmodel = "GPT-4o"\ninput = 0.1\noutput = 0.2\n'))

    assert Decimal("0.3") == book.cost(Call("openai", "gpt-4o"), MILLION, NOON_NS)
    assert open_book().cost(Call("openai", "gpt-4o-mini"), MILLION, NOON_NS) == book.cost(
        Call("openai", "gpt-4o-mini"), MILLION, NOON_NS
    )


def test_own_prices_hold_for_what_nobody_lists(file):
    """A model on a machine of the user's own has the price of the file, under a path as well."""
    book = open_book(file('[[price]]\nmodel = "llama-3*"\nprovider = "ollama"\ninput = 1\noutput = 2\n'))

    assert Decimal(3) == book.cost(Call("ollama", "meta/llama-3.3:70b"), MILLION, NOON_NS)
    assert book.cost(Call("vllm", "llama-3.3:70b"), MILLION, NOON_NS) is None


def test_provider_in_any_spelling(file):
    """The provider of an entry may be spelled as any framework does."""
    book = open_book(file('[[price]]\nmodel = "m"\nprovider = "bedrock"\ninput = 1\noutput = 2\n'))

    assert Decimal(3) == book.cost(Call("aws.bedrock", "m"), MILLION, NOON_NS)


def test_first_entry_wins(file):
    """Of two entries for one model the first is used."""
    text = ENTRY + '[[price]]\nmodel = "*"\ninput = 7\noutput = 7\n'
    book = open_book(file(text))

    assert [Decimal(3), Decimal(14)] == [book.cost(Call("x", name), MILLION, NOON_NS) for name in ("m", "n")]


def test_parts_and_tiers(file):
    """Cache, reasoning and prices of large calls are taken from the file; the latter hold for the whole call."""
    text = (
        '[[price]]\nmodel = "m"\ninput = 10\noutput = 20\ncache_read = 1\ncache_write = 12\ncache_write_1h = 15\n'
        "reasoning = 30\n[[price.above]]\ninput_tokens = 200_000\ninput = 100\n"
        "[[price.above]]\ninput_tokens = 500_000\ninput = 1000\noutput = 2000\n"
    )
    book = open_book(file(text))
    parts = Usage(100_000, 10_000, cache_read=50_000, cache_write=20_000, reasoning=4_000, cache_write_1h=5_000)
    expected = Decimal("0.3") + Decimal("0.05") + Decimal("0.18") + Decimal("0.075") + Decimal("0.12") + Decimal("0.12")

    assert expected == book.cost(Call("x", "m"), parts, NOON_NS)
    inputs = [200_000, 200_001, 500_001]
    costs = [book.cost(Call("x", "m"), Usage(given, 0), NOON_NS) for given in inputs]
    assert [Decimal(2), Decimal("20.0001"), Decimal("500.001")] == costs
    assert Decimal("502.001") == book.cost(Call("x", "m"), Usage(500_001, 1_000), NOON_NS)


def test_nothing_is_a_price(file):
    """A model that costs nothing costs 0, which is not unknown."""
    book = open_book(file('[[price]]\nmodel = "m"\ninput = 0\noutput = 0.0\n'))

    assert Decimal(0) == book.cost(Call("x", "m"), MILLION, NOON_NS)


def test_context_window(file):
    """An entry may say how many tokens its model takes at once; a pattern is no model's name."""
    book = open_book(file(f'{ENTRY}context_window = 131_072\n[[price]]\nmodel = "x-*"\ninput = 1\noutput = 1\n'))

    assert 131_072 == book.window(Call(None, "m"))
    assert book.window(Call(None, "x-1")) is None
    assert ("m" in book.models(), "x-*" in book.models()) == (True, False)


def test_an_empty_file_has_no_prices(file):
    """A file without entries is no error."""
    assert () == read(file("# nothing yet\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[price]\n", "is no valid TOML"),
        ("[[prices]]\n", "unknown key 'prices'; did you mean 'price'?"),
        ("[price]\nmodel = 'm'\n", "price must be an array of tables; write [[price]]"),
        ("price = [1]\n", "price 1: must be a table"),
        ("[[price]]\ninput = 1\noutput = 1\n", "price 1: model must be a name"),
        ("[[price]]\nmodel = ' '\n", "price 1: model must be a name"),
        ("[[price]]\nmodel = 'm'\ninput = 1\n", "price 1 (m): no output; give both in USD per million tokens"),
        ("[[price]]\nmodel = 'm'\n", "price 1 (m): no input and no output"),
        (ENTRY + "cached_read = 1\n", "unknown key 'cached_read'; did you mean 'cache_read'?"),
        (ENTRY + "zzz = 1\n", "unknown key 'zzz'; known keys: model, provider, input"),
        (ENTRY + "reasoning = -1\n", "reasoning must be a number of 0 or more, in USD per million tokens"),
        (ENTRY + "reasoning = nan\n", "reasoning must be a number"),
        (ENTRY + "reasoning = true\n", "reasoning must be a number"),
        (ENTRY + "reasoning = '1'\n", "reasoning must be a number"),
        (ENTRY + "provider = 3\n", "price 1 (m): provider must be a name"),
        (ENTRY + "context_window = 0\n", "price 1 (m): context_window must be a whole number of tokens above 0"),
        (ENTRY + "context_window = 1.5\n", "context_window must be a whole number of tokens above 0, such as"),
        (ENTRY + "above = 3\n", "above must be an array of tables; write [[price.above]]"),
        (ENTRY + "above = [3]\n", "price 1 (m), above 1: must be a table"),
        (ENTRY + "[[price.above]]\ninput = 3\n", "above 1: input_tokens must be a whole number above 0"),
        (ENTRY + "[[price.above]]\ninput_tokens = 0\n", "input_tokens must be a whole number above 0"),
        (
            ENTRY + "[[price.above]]\ninput_tokens = 5\n[[price.above]]\ninput_tokens = 5\n",
            "above 2: input_tokens must be a whole number above 0, another in each tier",
        ),
        (ENTRY + "[[price.above]]\ninput_tokens = 5\ninput = -3\n", "price 1 (m), above 5: input must be a number"),
        (ENTRY + "[[price.above]]\ninput_tokens = 5\nreasoning = 3\n", "above 5: reasoning has no price below"),
        (ENTRY + "[[price.above]]\ninput_tokens = 5\ninputs = 3\n", "did you mean 'input'?"),
    ],
)
def test_errors_name_thing_rule_and_way_out(file, text, said):
    """A file that cannot be used is named, with the entry and what may stand there."""
    path = file(text)
    with pytest.raises(PricesError) as raised:
        read(path)

    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_no_file(tmp_path: Path):
    """A file that is not there is named."""
    with pytest.raises(PricesError, match=r"gone\.toml cannot be read \(No such file or directory\); expected a TOML"):
        read(tmp_path / "gone.toml")


def test_no_text(tmp_path: Path):
    """A file that is no text is no TOML."""
    path = tmp_path / "prices.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PricesError, match="is no valid TOML"):
        read(path)


# --- the setting -----------------------------------------------------------------------------------------------------


def test_setting_is_checked_where_it_is_made(file, tmp_path: Path):
    """A setting that names a file that cannot be used is an error at once."""
    assert file(ENTRY) == Settings(prices=file(ENTRY)).prices
    with pytest.raises(PricesError, match="cannot be read"):
        Settings(prices=str(tmp_path / "gone.toml"))
    with pytest.raises(TypeError, match=r"Settings\(prices=\.\.\.\): must be a path, not int"):
        Settings(prices=3)  # type: ignore[arg-type]


def test_environment(file):
    """The environment may name the file."""
    assert str(file(ENTRY)) == Settings.load({"AGENT_CALLBACKS_PRICES": str(file(ENTRY))}).prices


@pytest.mark.logs_expected
def test_environment_does_not_stop_an_application(tmp_path: Path, caplog, monkeypatch):
    """A file that the environment names and that cannot be used is reported, and no price of its own holds."""
    monkeypatch.setattr(settings, "_reported", set())
    path = tmp_path / "gone-away.toml"

    assert Settings.load({"AGENT_CALLBACKS_PRICES": str(path)}).prices is None
    assert "AGENT_CALLBACKS_PRICES" in caplog.text


@pytest.mark.logs_expected
def test_a_path_that_is_personal(caplog, monkeypatch):
    """The log line about a file that cannot be used does not say whose it is."""
    monkeypatch.setattr(settings, "_reported", set())
    Settings.load({"AGENT_CALLBACKS_PRICES": "/home/ines.moreau@example.com/prices.toml"})
    assert "[EMAIL" in caplog.text
    assert "moreau" not in caplog.text
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("given", ["argument", "variable"])
def test_a_file_is_read_once(file, monkeypatch, given):
    """What was checked is what is used: the file may be gone by the time a handler is made."""
    path, reads = file(ENTRY), []

    def counting(asked):
        reads.append(asked)
        return read(asked)

    monkeypatch.setattr(overrides, "read", counting)
    settings = Settings(prices=path) if given == "argument" else Settings.load({"AGENT_CALLBACKS_PRICES": str(path)})
    path.unlink()
    handler = AgentCallbackHandler(settings=settings)
    assert 1 == len(reads)
    assert handler._recorder.prices is settings.price_book
