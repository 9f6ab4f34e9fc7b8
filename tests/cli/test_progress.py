"""How far a command is."""

from __future__ import annotations

import io
import sys

import pytest

from agent_callbacks.cli import progress


class Screen(io.StringIO):
    """Standard error on which a person looks."""

    def isatty(self):
        """Tell that one does."""
        return True


@pytest.fixture
def slow(monkeypatch):
    """Let every moment be over at once."""
    monkeypatch.setattr(progress, "MOMENT", -1.0)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_bar_for_what_takes_long(slow, monkeypatch, count):
    """On a terminal, who waits longer than a moment sees a bar with a title; everything is given, once, in order."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    assert list(range(count)) == list(progress.watched(range(count), "sanitizing"))
    assert (count > 0) == ("sanitizing" in screen.getvalue())


def test_no_bar_without_a_terminal(slow, monkeypatch):
    """A pipe gets none, and neither does a process without standard error."""
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        assert [1, 2] == list(progress.watched([1, 2], "sanitizing"))
        assert stream is None or not stream.getvalue()


def test_no_bar_for_a_moment(monkeypatch):
    """What is over soon shows none, and loads nothing for it."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "MOMENT", 1e9)
    assert ([1, 2], "") == (list(progress.watched([1, 2], "sanitizing")), screen.getvalue())
