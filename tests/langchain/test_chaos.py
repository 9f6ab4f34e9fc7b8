"""Detectors that raise at random: nothing of what they would have found comes out, and the agent notices nothing."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import StructuredTool

from agent_callbacks import AgentCallbackHandler, Sanitizer, Settings
from agent_callbacks.privacy import detectors
from tests.langchain.models import ScriptedChat, calls, says
from tests.leaks import Sinks, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

RUNS = 40


class Chance:
    """Raises in one of a hundred calls, quoting what it was given as careless code does."""

    def __init__(self, seed: int) -> None:
        self.random, self.lock, self.raised = random.Random(seed), threading.Lock(), 0  # noqa: S311 - no secret

    def __call__(self, text: object) -> None:
        """Raise, or do not."""
        with self.lock:
            raises = self.random.random() < 0.01
            self.raised += raises
        if raises:
            raise ValueError(text)


class Recognizing:
    """A recognizer of the user's that fails so."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    def recognize(self, text: str) -> Iterable[tuple[int, int, str]]:
        """Find nothing, or raise."""
        self.chance(text)
        return ()


@pytest.fixture
def sinks(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Iterator[Sinks]:
    """Give everywhere that anything leaves."""
    made = Sinks(caplog, tmp_path)
    yield made
    made.close()


def talk(seed: str, number: int, **given: Any) -> str:
    """Return what an agent says that meets *seed* everywhere; texts differ each time, or they would be remembered."""

    def look(text: str) -> str:
        """Look."""
        return f"{number} found {text}"

    model = ScriptedChat(script=[calls(("look", {"text": f"{seed} {number}"})), says(f"it is {seed} {number}")])
    agent = create_agent(model, [StructuredTool.from_function(look)], name="support", system_prompt=f"{number} {seed}")
    said = agent.invoke({"messages": [{"role": "user", "content": f"{number}: I am {seed}"}]}, given or None)
    return str(said["messages"][-1].text)


@pytest.mark.logs_expected
@pytest.mark.parametrize("where", ["detectors", "recognizer"])
def test_nothing_comes_out_and_the_agent_goes_on(where: str, sinks: Sinks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one marked byte, every answer as without us, every run a whole trace, each failure counted."""
    seed, chance = together(unmistakable=False), Chance(1)
    sanitizer = Sanitizer(recognizers=(Recognizing(chance),)) if where == "recognizer" else Sanitizer()
    if where == "detectors":
        for plan in ("_ALL", "_STRICT"):
            monkeypatch.setattr(detectors, plan, _failing(getattr(detectors, plan), chance))
    handler = AgentCallbackHandler(
        tracer_provider=sinks.spans.provider, settings=Settings(content="all", sanitizer=sanitizer)
    )
    for number in range(RUNS):
        given = {"callbacks": [handler], "tags": [f"{number} {seed.text}"], "metadata": {f"{seed.text}": number}}
        assert talk(seed.text, number) == talk(seed.text, number, **given)
        assert 6 == len(sinks.spans.finished())
        assert not sinks.leaks(seed.words)
    # The store's fence has a sanitizer of its own, which met some of them.
    assert 1 <= sanitizer.report().failures <= chance.raised
    assert 0 == handler.internal_errors
    monkeypatch.undo()
    assert not sinks.leaks_in_store(seed.words)


def _failing(plan: Any, chance: Chance) -> Any:
    def wrapped(scan: Any) -> Any:
        def scanned(seen: Any) -> Any:
            chance(seen.text)
            return scan(seen)

        return scanned

    return tuple(tuple((gate, wrapped(scan)) for gate, scan in rows) for rows in plan)
