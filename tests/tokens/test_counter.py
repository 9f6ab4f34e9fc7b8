"""Text as tokens: as the encoder counts, however long the text, and estimated within bounds without one."""

from __future__ import annotations

import json
import random

import pytest

from agent_callbacks.tokens import counter as module
from agent_callbacks.tokens import encoder
from agent_callbacks.tokens.counter import Counter
from agent_callbacks.tokens.estimate import estimate, estimated

pytest.importorskip("llama_index.core")

HELLO = ["Hello", "world"]
PROSE = (
    "The delivery is late because the maker cannot send the size you asked for before next week. We are sorry, and "
    "shall tell you as soon as it has left our house; until then you may change your order without any cost. "
)
TEXTS = {
    "prose": PROSE * 40,
    "json": json.dumps([{"id": n, "title": "Return policy", "score": n / 7} for n in range(300)]),
    "log": "\n".join(f"2026-11-0{n % 9 + 1} 12:00:{n % 60:02d} INFO request {n:08x} took {n} ms" for n in range(300)),
    "russian": "Ваш заказ был отправлен сегодня утром и должен прибыть в течение трёх-пяти рабочих дней. " * 60,
    "chinese": "您的订单已于今天上午发货,预计三到五个工作日内送达。如果收到包裹时发现损坏,请与我们联系。" * 90,
}


@pytest.fixture(scope="module")
def encoding():
    """Return the encoder most models share."""
    return encoder.load("o200k_base")


class Once:
    """An encoder that says what it was asked."""

    def __init__(self, encoding):
        self.encoding = encoding
        self.asked = []

    def encode_ordinary(self, text):
        """Return the tokens of *text*."""
        self.asked.append(text)
        return self.encoding.encode_ordinary(text)


@pytest.mark.parametrize("kind", TEXTS)
def test_exact(encoding, kind):
    """A long text, counted in slices, has as many tokens as counted at once, but for a few where it has no blanks."""
    true = len(encoding.encode_ordinary(TEXTS[kind]))
    counted = Counter("o200k_base", encoding).count(TEXTS[kind])

    assert pytest.approx(true, abs=0 if kind in {"prose", "russian"} else 4) == counted


def test_slices_of_prose(encoding):
    """Slices end between words, so that what they count is what there is; nothing is lost between them."""
    rng = random.Random(7)  # noqa: S311 - the same text each time
    text = " ".join(rng.choices(PROSE.split(), k=9000))
    once = Once(encoding)

    assert len(encoding.encode_ordinary(text)) == Counter("o200k_base", once).count(text)
    assert text == "".join(once.asked)
    assert all(len(part) <= module._SLICE for part in once.asked)
    assert len(once.asked) > 1


def test_no_blanks(encoding):
    """An endless word is counted in slices as well: an encoder takes more than linear time over it."""
    once = Once(encoding)
    Counter("o200k_base", once).count("a" * 100_000)

    assert 100_000 // module._SLICE + 1 == len(once.asked)


def test_once(encoding):
    """A text that comes again, in another object, is not counted again; nor is it kept."""
    once = Once(encoding)
    counter = Counter("o200k_base", once)
    counts = {counter.count(" ".join(HELLO)) for _ in range(3)}

    assert ({2}, ["Hello world"]) == (counts, once.asked)


def test_forgets(encoding, monkeypatch):
    """What is remembered is bounded."""
    monkeypatch.setattr(module, "_MAX_TEXTS", 2)
    once = Once(encoding)
    counter = Counter("o200k_base", once)
    for text in ("one", "two", "three", "one"):
        counter.count(text)

    assert ["one", "two", "three", "one"] == once.asked


def test_without_encoder():
    """Without an encoder text is estimated, and that is said."""
    counter = Counter("o200k_base", None)

    assert (False, estimated(PROSE)) == (counter.exact, counter.count(PROSE))


@pytest.mark.parametrize("kind", TEXTS)
def test_estimate(encoding, kind):
    """An estimate is within a third of the truth, whatever the kind of text."""
    true = len(encoding.encode_ordinary(TEXTS[kind]))

    assert true / 1.5 < estimated(TEXTS[kind]) < true * 1.5


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("a", 1), ("\ud800", 1), ("\u4f60", 1)])
def test_estimate_of_little(text, expected):
    """No text is no token, any text at least one; a lone surrogate is text."""
    assert expected == estimated(text)


@pytest.mark.parametrize(("chars", "expected"), [(0, 0), (-3, 0), (1, 1), (8, 2), (9, 3)])
def test_estimate_of_chars(chars, expected):
    """Where only a length is known, four characters are a token."""
    assert expected == estimate(chars)
