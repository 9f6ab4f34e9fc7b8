"""Messages joined to one JSON array, within its limit."""

from __future__ import annotations

import json

import pytest

from agent_callbacks.recording.messages import Fragment, joined


def fragments(count: int) -> list[Fragment]:
    """Return so many messages of ten bytes each."""
    return [Fragment(1, f'{{"n":"{number:03}"}}', 11) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_messages_are_one_array(count: int) -> None:
    """None, one or many: the array is valid and nothing is missing."""
    text, missing = joined(fragments(count), 10_000)
    assert [{"n": f"{number:03}"} for number in range(count)] == json.loads(text)
    assert 0 == missing


def test_the_oldest_give_way_to_a_note() -> None:
    """What does not fit is counted by a message in its place, within the limit."""
    text, missing = joined(fragments(50), 200)
    note, *kept = json.loads(text)
    assert len(text) <= 200
    assert [{"n": f"{number:03}"} for number in range(50 - len(kept), 50)] == kept
    assert (50 - len(kept)) * 11 == missing
    assert f"{50 - len(kept)} messages" in note["parts"][0]["content"]


def test_messages_are_not_changed_by_being_joined() -> None:
    """The same ones are joined again with the next call."""
    given = fragments(3)
    assert joined(given, 1000) == joined(given, 1000)
