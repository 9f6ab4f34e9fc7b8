"""The names of the package's own demo, held by its own lock."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from agent_callbacks.cli.root import root

HERE = Path(__file__).parents[1]


def check(lock: Path) -> int:
    """Return the exit code of the check of our source against *lock*."""
    return CliRunner().invoke(root, ["names", str(HERE / "agent_callbacks"), "--lock", str(lock), "--check"]).exit_code


def test_no_locked_name_is_gone() -> None:
    """A name of the demo that changes is a change of the lock too, in the same commit."""
    assert 0 == check(HERE / "span-names.lock")


def test_a_locked_name_that_is_gone_is_found(tmp_path: Path) -> None:
    """The check can fail."""
    spoiled = tmp_path / "span-names.lock"
    spoiled.write_text((HERE / "span-names.lock").read_text() + "tool.was_here_once\n")
    assert 1 == check(spoiled)
