"""The values between an adapter and the recorder: compared by what they say, with no room for more."""

from __future__ import annotations

import pytest

from agent_callbacks.recording.values import GraphNode, ModelCall


def test_equal_values_are_one_key() -> None:
    """Values that say the same are equal and hash alike, others are not."""
    assert 1 == len({GraphNode(1, "a", "model"), GraphNode(1, "a", "model")})
    assert ModelCall(model="a") != ModelCall(model="b")


def test_values_have_only_their_fields() -> None:
    """A name that is no field is refused: nothing can be smuggled past the writer."""
    with pytest.raises(AttributeError, match="extra"):
        setattr(ModelCall(), "extra", 1)  # noqa: B010 - the type checkers refuse the plain spelling
