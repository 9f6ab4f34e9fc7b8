"""Fixtures for the LangChain adapter's tests."""

from __future__ import annotations

import pytest

from agent_callbacks.recording import process


@pytest.fixture(autouse=True)
def users_do_not_matter() -> None:
    """Stories with a thread id need no user: the hint where to put one has a test of its own."""
    process.mute("user")
