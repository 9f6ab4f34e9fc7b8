"""``ls``, ``compare`` and ``tail`` in a real terminal, tmux: nothing wraps, and Ctrl-C ends what follows the store."""

from __future__ import annotations

import shlex
import sys
import time

import pytest
from click.testing import CliRunner

from agent_callbacks.analysis import cells
from agent_callbacks.cli.root import root
from agent_callbacks.store.write import StoreExporter
from tests.analysis.test_waterfall import HOSTILE
from tests.cli import test_tmux
from tests.cli.test_many import sides, write
from tests.store.story import told

MAIN, WAIT_SECONDS = test_tmux.MAIN, test_tmux.WAIT_SECONDS
opened = test_tmux.opened
pytestmark = test_tmux.pytestmark


@pytest.fixture
def store(tmp_path):
    """Give a store with 70 runs of two variants, some of which failed."""
    write(tmp_path / "s.db", *sides(40, 30))
    return tmp_path / "s.db"


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_nothing_wraps(opened, store, columns):
    """On a real screen each view takes as many lines as it has: what tmux shows is what a pipe of that width gets."""
    terminal = opened(columns)
    for view in ("ls --failed", "compare", "compare --by user"):
        on_screen = terminal.run(f"{view} --store {store}")
        piped = CliRunner().invoke(
            root, [*shlex.split(view), "--store", str(store)], env={"COLUMNS": str(columns), "NO_COLOR": "1"}
        )
        expected = piped.output.splitlines()
        assert expected == on_screen[: len(expected)]
        assert max(map(cells.width, expected)) <= columns


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_follows_until_it_is_interrupted(opened, tmp_path, columns):
    """A heading and a line a run, none of which wraps; what comes later appears; Ctrl-C ends it, with 0."""
    path = tmp_path / "s.db"
    exporter = StoreExporter(path, max_age_seconds=1e9)
    exporter.export(told(1, failed=True)[0])
    terminal = opened(columns)
    script = tmp_path / "tail.sh"
    line = f"{shlex.quote(sys.executable)} -c {shlex.quote(MAIN)} tail --store {path}"
    script.write_text(f"clear; {line}; echo ended with $?\n", "utf-8")
    terminal.tmux("send-keys", f". {script}", "Enter")
    seen(terminal, "failure")
    exporter.export(told(2, agent="sales")[0])
    screen = seen(terminal, "agent.run.sales")
    assert ["end", "run", "outcome"] == screen[0].split()[:3]
    assert 3 == len([each for each in screen if each.strip()])
    terminal.tmux("send-keys", "C-c")
    assert "ended with 0" in "\n".join(seen(terminal, "ended with"))
    exporter.shutdown()


def test_title_and_clipboard_are_untouched(opened, tmp_path):
    """Runs full of escape sequences change neither the title nor the clipboard nor the window's name."""
    write(
        tmp_path / "s.db",
        *told(1, agent=HOSTILE, variant=HOSTILE, user=HOSTILE),
        *told(2, variant=HOSTILE, model=HOSTILE),
    )
    terminal = opened(80)
    for view in ("ls", "ls --csv", "ls --json", "compare", "compare --by model", "tail --once", "copy --for-llm"):
        assert terminal.run(f"{view} --store {tmp_path / 's.db'}")
    assert (terminal.title, terminal.name, "untouched") == (
        terminal.asked("#{pane_title}"), terminal.asked("#{window_name}"), terminal.tmux("show-buffer"),
    )  # fmt: skip


def seen(terminal, words):
    """Give the lines of the screen once *words* are on it."""
    ends = time.monotonic() + WAIT_SECONDS
    while words not in (screen := terminal.tmux("capture-pane", "-p")):
        assert time.monotonic() < ends, screen
        time.sleep(0.05)
    return screen.splitlines()
