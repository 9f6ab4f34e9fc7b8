"""What a handler and its settings are called with, and what they refuse."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import FakeListChatModel

from agent_callbacks import AgentCallbackHandler, Settings, configure

if TYPE_CHECKING:
    from tests.conftest import Spans


@pytest.mark.parametrize("owner", [configure, AgentCallbackHandler])
def test_settings_of_another_make_are_refused(owner: Any) -> None:
    """A dictionary of settings is an error that names the right type."""
    with pytest.raises(TypeError) as caught:
        owner(settings={"content": "all"})
    assert f"{owner.__name__}(settings=...): must be a Settings, not dict" == str(caught.value)


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("setings", "did you mean 'settings'?"),
        ("content", "AgentCallbackHandler(settings=Settings(content=...))"),
        ("zzz", "known arguments: tracer_provider, meter_provider, settings"),
    ],
)
def test_unknown_arguments_of_a_handler_are_refused_with_a_hint(argument: str, hint: str) -> None:
    """What belongs elsewhere is told apart from what is misspelt."""
    given: Any = {argument: 1}
    with pytest.raises(TypeError) as caught:
        AgentCallbackHandler(**given)
    assert hint in str(caught.value)


@pytest.mark.parametrize("keys", ["user_id", ["user_id"], None])
def test_baggage_keys_are_a_tuple(keys: Any) -> None:
    """A string would be read letter by letter."""
    with pytest.raises(TypeError) as caught:
        Settings(baggage_keys=keys)
    assert f"Settings(baggage_keys=...): must be a tuple, not {type(keys).__name__}" == str(caught.value)


def test_a_deep_copy_of_a_model_keeps_its_handler(handler: AgentCallbackHandler, spans: Spans) -> None:
    """Configurations and models are copied by users and frameworks; what they report to is not theirs to copy."""
    model = FakeListChatModel(responses=["done"], callbacks=[handler]).model_copy(deep=True)
    model.invoke("hi", copy.deepcopy({"callbacks": [handler]}))
    assert ["llm.chat"] == spans.names()
