"""Presidio as a recognizer: names in prose are replaced beside what the detectors find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import spacy
from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

from agent_callbacks import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Iterator

THRESHOLD = 0.4


class PresidioRecognizer:
    """What an analyzer finds with enough confidence, as the sanitizer wants it."""

    def __init__(self, analyzer: AnalyzerEngine, entities: list[str]) -> None:
        self._analyzer = analyzer
        self._entities = entities

    def recognize(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and type of each entity in *text*."""
        for found in self._analyzer.analyze(text, language="en", entities=self._entities):
            if found.score >= THRESHOLD:
                yield found.start, found.end, found.entity_type


def offline_analyzer(names: list[str]) -> AnalyzerEngine:
    """Return an analyzer that knows *names* and needs no model; yours is ``AnalyzerEngine()``."""
    engine = SpacyNlpEngine()
    engine.nlp = {"en": spacy.blank("en")}
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.add_recognizer(PatternRecognizer(supported_entity="PERSON", deny_list=names))
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def main() -> None:
    """Clean a letter with and without the recognizer."""
    letter = "Dear Ines Moreau, Bo Lee (bo.lee@example.com) will call you on +1 415 555 0132."
    recognizer = PresidioRecognizer(offline_analyzer(["Ines Moreau", "Bo Lee"]), ["PERSON"])
    print("patterns alone:", Sanitizer().clean(letter))
    print("with Presidio: ", Sanitizer(recognizers=(recognizer,), recognizer_seconds=5.0).clean(letter))


if __name__ == "__main__":
    main()
