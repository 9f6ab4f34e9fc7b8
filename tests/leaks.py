"""What the leak tests share: marked values of every type, and all the places where one could come out."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from agent_callbacks import Sanitizer, SanitizingSpanExporter, Settings
from agent_callbacks.store.write import StoreExporter
from tests.conftest import Spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pytest

_LOGGERS: Final = ("agent_callbacks", "opentelemetry")
LEVELS: Final = ("off", "arguments", "tools", "all")


@dataclass(frozen=True)
class Seed:
    """A marked value, and the letters and digits by which it would be known again, however it is respelt."""

    text: str
    words: tuple[str, ...]
    """Each at least nine long: random ids and times are full of short runs of digits."""
    unmistakable: bool = False
    """Whether it is looked for in identities too."""


_KEY: Final = "Qz8vN2kLx0pTrW4yB6sD1fGhJ7mC3aE9"
SEEDS: Final = {
    "email": Seed("zelda.quux@seedmail-inc.example", ("zeldaquux", "seedmailinc"), unmistakable=True),
    "phone": Seed("+49 151 23456789", ("1512345678", "5123456789"), unmistakable=True),
    "vendor key": Seed(f"sk-proj-{_KEY}{_KEY}", ("qz8vn2klx0", "yb6sd1fghj7mc3"), unmistakable=True),
    "jwt": Seed(
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6ZWxkYS5xdXV4In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk4",
        ("eyjhbgciojuzi", "eyjhbgcioijiuzi", "eyjzdwiioij6zwxk", "dbjftjez4cvpmb"),
        unmistakable=True,
    ),
    "private key": Seed(
        f"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC{_KEY}\n-----END PRIVATE KEY-----",
        ("miievqibadan", "bkgqkg9w0baqef", "w0baqefaasc", "qz8vn2klx0"),
        unmistakable=True,
    ),
    "card": Seed("5425 2334 3010 9903", ("5425233430", "3430109903")),
    "iban": Seed("DE89 3704 0044 0532 0130 00", ("370400440532", "440532013000")),
    "ssn": Seed("536-90-4399", ("536904399",)),
    "health number": Seed("NHS number 943 476 5919", ("9434765919",)),
    "ipv4": Seed("84.17.152.203", ("8417152203",)),
    "ipv6": Seed("2a01:4f8:c17:b8f:9e2d:7a31:55cc:10fe", ("2a014f8c17", "b8f9e2d7a31", "7a3155cc10fe")),
    "mac": Seed("3c:22:fb:9a:7e:41", ("3c22fb9a7e", "fb9a7e41")),
    "url credentials": Seed("https://zquser:hunter-Zq9xWpass@db.test/x", ("hunterzq9", "zq9xwpass")),
    "connection string": Seed("postgresql://zqadmin:Pw7-long-Zq9xWord@db.internal:5432/x", ("longzq9xword",)),
    "bearer": Seed("Bearer qZ8vN2kLx0pTrW4yB6sD1fGh", ("qz8vn2klx0", "w4yb6sd1fgh")),
    "password": Seed('password="hunter-Zq9xWcd"', ("hunterzq9",)),
    "cloud key": Seed("AKIAZQ7XW4M2N6P5R3TK", ("akiazq7xw4", "w4m2n6p5r3tk")),
    "coin": Seed("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", ("boatslrhtknn", "obr76b53lettpyt")),
    "birth": Seed("date of birth: 12 March 1984", ("12march1984",)),
}  # fmt: skip


def together(*, unmistakable: bool) -> Seed:
    """Return all marked values in one text; those alone that are looked for in identities, where *unmistakable*."""
    chosen = [seed for seed in SEEDS.values() if seed.unmistakable or not unmistakable]
    words = tuple(word for seed in chosen for word in seed.words)
    return Seed(" | ".join(seed.text for seed in chosen), words, unmistakable)


def letters(text: str) -> str:
    """Return only what survives any respelling."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def settings(**given: Any) -> Settings:
    """Return the settings of one round."""
    return Settings(**given)


ROUNDS: Final[tuple[dict[str, Any], ...]] = (
    *({"content": level} for level in LEVELS),
    {"content": "all", "attributes": "openinference", "inner_spans": True},
    {"content": "all", "attributes": "genai", "span_names": "otel_genai"},
)
"""Everything that changes what is written where."""


@dataclass
class Sinks:
    """Everywhere that anything leaves: an exporter of the user's, our store, metrics, log records."""

    caplog: pytest.LogCaptureFixture
    folder: Path
    spans: Spans = field(default_factory=Spans)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    seen: int = 0

    def __post_init__(self) -> None:
        """Open what is written to, and listen to debug records: what nobody reads by default is in a file somewhere."""
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.store = StoreExporter(self.folder / "traces.db")
        self.fence = SanitizingSpanExporter(self.store)
        self.caplog.set_level(logging.DEBUG)

    def close(self) -> None:
        """Close what was opened."""
        self.store.shutdown()
        self.meters.shutdown()
        self.spans.provider.shutdown()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield what has come out since the last time, by where, reduced to letters."""
        finished = self.spans.finished()
        self.seen += len(finished)
        self.fence.export(finished)
        for span in finished:
            yield f"span {letters(span.name)[:24]}", letters(span.to_json())
        binary = encode_spans(finished).SerializeToString()
        yield "otlp", letters(binary.decode("latin-1"))
        metrics = self.reader.get_metrics_data()
        yield "metrics", "" if metrics is None else letters(metrics.to_json())
        for record in self.caplog.records:
            if not record.name.startswith(_LOGGERS):
                continue  # what a framework logs of its own is not ours to clean
            yield f"log {record.name}", letters(f"{record.getMessage()} {record.args} {record.exc_info}")
        self.spans.clear()
        self.caplog.clear()

    def stored(self) -> Iterator[tuple[str, str]]:
        """Yield the bytes of the store's files, the write-ahead log's too, reduced to letters."""
        for file in sorted(self.folder.glob("traces.db*")):
            yield file.name, letters(file.read_bytes().decode("latin-1"))

    def leaks(self, words: Iterable[str]) -> list[str]:
        """Return where one of *words* has come out since the last time."""
        return _found(self.texts(), words)

    def leaks_in_store(self, words: Iterable[str]) -> list[str]:
        """Return where one of *words* stands in the store, whatever has been exported so far."""
        return _found(self.stored(), words)


def _found(texts: Iterable[tuple[str, str]], words: Iterable[str]) -> list[str]:
    wanted = tuple(words)
    return [f"{place}: {word[:4]}…" for place, text in texts for word in wanted if word in text]


ALONE: Final = 3


def open_rounds(number: int, *, identity: bool) -> Iterator[tuple[str, Seed, dict[str, Any]]]:
    """Yield what path *number* is given and under which settings.

    All values at once under each; then some alone where all is told, others for the next path.
    """
    everything = together(unmistakable=identity)
    for given in ROUNDS:
        yield "all", everything, given
    kinds = [kind for kind, seed in SEEDS.items() if seed.unmistakable or not identity]
    for offset in range(ALONE):
        kind = kinds[(number * ALONE + offset) % len(kinds)]
        yield kind, SEEDS[kind], {"content": "all"}


def unsanitized() -> dict[str, Any]:
    """Return settings under which all that is told is told as it is."""
    off = Sanitizer.disabled(reason="to see that the values arrive")
    return {"content": "all", "attributes": "openinference", "inner_spans": True, "sanitizer": off}
