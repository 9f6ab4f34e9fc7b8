"""How full context windows were."""

from __future__ import annotations

from agent_callbacks.analysis.tokens import token_report
from agent_callbacks.analysis.window import Window, fullest, windows
from agent_callbacks.tokens.prices import PriceBook
from tests.cli import story


def test_known_model():
    """A model that the price list knows has its window; the share is of what it takes at once."""
    trace = story.told(model="gpt-4o")
    report = token_report(trace)
    found = windows(trace, report)
    assert [Window("gpt-4o", 128_000, given / 128_000) for given in (4212, 6512, 300, 9512)] == list(found.values())
    assert Window("gpt-4o", 128_000, 9512 / 128_000) == fullest(report.calls, found)


def test_unknown_model():
    """A model nobody knows has none: nothing is guessed."""
    trace = story.told(model="nobody-knows")
    report = token_report(trace)
    assert {} == windows(trace, report)
    assert fullest(report.calls, {}) is None


def test_own_prices(tmp_path):
    """A file of your own comes first, and an entry without a window leaves it to the list."""
    file = tmp_path / "prices.toml"
    entry = '[[price]]\nmodel = "gpt-4o"\ninput = 1\noutput = 1\n'
    file.write_text(f"{entry}context_window = 1000", "utf-8")
    trace = story.told(model="gpt-4o")
    assert {1000} == {window.tokens for window in windows(trace, token_report(trace), prices=file).values()}
    file.write_text(entry, "utf-8")
    assert {128_000} == {window.tokens for window in windows(trace, token_report(trace), prices=file).values()}


def test_a_model_is_looked_up_once(monkeypatch):
    """However many calls there are, each model's window is looked up once: that takes milliseconds."""
    asked: list[object] = []
    original = PriceBook.window

    def counted(book, call):
        asked.append(call)
        return original(book, call)

    monkeypatch.setattr(PriceBook, "window", counted)
    trace = story.told()
    assert (4, 1) == (len(windows(trace, token_report(trace))), len(asked))
