"""The views in a real terminal, tmux: nothing wraps, and nothing a trace carries reaches title or clipboard."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from click.testing import CliRunner

from agent_callbacks.analysis import cells
from agent_callbacks.cli.root import root
from agent_callbacks.convention import keys
from tests.analysis.test_waterfall import HOSTILE
from tests.cli import story
from tests.report import scenes

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT: Final = Path(__file__).parents[2]
MAIN: Final = "from agent_callbacks.cli import main; main()"
VIEWS: Final = ("show", "tokens", "latency", "cost --as-if gpt-4.1-mini")
WAIT_SECONDS: Final = 50

pytestmark = [
    pytest.mark.skipif(
        shutil.which("tmux") is None, reason="no terminal: tmux is not on PATH (Debian: apt-get install tmux)"
    ),
    pytest.mark.timeout(4 * WAIT_SECONDS),
]


class Terminal:
    """A tmux session of one pane."""

    def __init__(self, folder: Path, columns: int) -> None:
        self.socket = f"agent-callbacks-{uuid.uuid4().hex}"
        self.folder = folder
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TMUX"):
            environment.pop(name, None)
        self.environment = environment
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", "200", "sh")
        # Let an attack through to where it would show: title and clipboard as programs may set them.
        self.tmux("set-option", "-s", "set-clipboard", "on")
        self.tmux("set-option", "-g", "allow-rename", "on")
        self.tmux("set-option", "-g", "automatic-rename", "off")
        self.tmux("set-buffer", "untouched")
        self.title, self.name = self.asked("#{pane_title}"), self.asked("#{window_name}")

    def tmux(self, *arguments: str) -> str:
        """Run tmux on this session's own server."""
        done = subprocess.run(
            ["tmux", "-u", "-L", self.socket, *arguments],  # noqa: S607 - wherever it is installed
            cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True, timeout=WAIT_SECONDS,
        )  # fmt: skip
        return done.stdout

    def asked(self, what: str) -> str:
        """Give what tmux knows of the pane."""
        return self.tmux("display-message", "-p", what).strip()

    def run(self, command: str) -> list[str]:
        """Run the command line in the pane; give the lines of the screen once its last is drawn."""
        end = f"end-{uuid.uuid4().hex[:8]}"
        script = self.folder / "command.sh"
        line = f"{shlex.quote(sys.executable)} -c {shlex.quote(MAIN)} {command}"
        script.write_text(f"clear; {line}; echo {end}\n", "utf-8")
        self.tmux("send-keys", f". {script}", "Enter")
        ends = time.monotonic() + WAIT_SECONDS
        while end not in (screen := self.tmux("capture-pane", "-p")):
            assert time.monotonic() < ends, screen
            time.sleep(0.05)
        return screen.partition(end)[0].splitlines()

    def close(self) -> None:
        """End the server."""
        self.tmux("kill-server")


@pytest.fixture
def opened(tmp_path) -> Generator:
    """Give a function that opens a terminal of a width."""
    made: list[Terminal] = []

    def terminal(columns: int) -> Terminal:
        made.append(Terminal(tmp_path, columns))
        return made[-1]

    yield terminal
    for each in made:
        each.close()


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_nothing_wraps(opened, tmp_path, columns):
    """On a real screen each view takes as many lines as it has: what tmux shows is what a pipe of that width gets."""
    file = story.file(tmp_path / "r.jsonl", story.told())
    terminal = opened(columns)
    for view in VIEWS:
        on_screen = terminal.run(f"{view} {file}")
        piped = CliRunner().invoke(root, [*shlex.split(view), file], env={"COLUMNS": str(columns), "NO_COLOR": "1"})
        expected = piped.output.splitlines()[:-1]  # the last is the file's own name, as long as it is
        assert expected == on_screen[: len(expected)]
        assert max(map(cells.width, expected)) <= columns


def test_pager(opened, tmp_path):
    """A view longer than the screen goes to the user's pager, one that fits does not."""
    paged, terminal = tmp_path / "paged", opened(80)
    file = story.file(tmp_path / "r.jsonl", story.told())
    terminal.environment["PAGER"] = f"sh -c 'cat > {paged}'"
    terminal.tmux("set-environment", "-g", "PAGER", terminal.environment["PAGER"])
    terminal.tmux("respawn-pane", "-k", "sh")
    assert "agent.run.support" in terminal.run(f"show {file}")[0]
    assert not paged.exists()
    terminal.tmux("resize-window", "-y", "12")
    assert "agent.run.support" not in "".join(terminal.run(f"show {file}"))
    assert "agent.run.support" in paged.read_text("utf-8").partition("\n")[0]
    paged.unlink()
    assert any(terminal.run(f"ls --store {story.store(tmp_path / 'x.db', story.told())}"))
    assert not paged.exists()


def test_title_and_clipboard_are_untouched(opened, tmp_path):
    """A trace full of escape sequences changes neither the title nor the clipboard nor the window's name."""
    who = dict.fromkeys((keys.USER_ID, keys.SESSION_ID, keys.FEATURE_FLAG_KEY, keys.FEATURE_FLAG_VARIANT), HOSTILE)
    scene = scenes.Scene(1, who)
    run = scene.add(None, f"agent.run{HOSTILE}", 0, 1000, {keys.OPERATION_NAME: "invoke_agent", keys.RUN_STEPS: 1,
                                                          keys.AGENT_NAME: HOSTILE, keys.OUTCOME: HOSTILE})  # fmt: skip
    step = scene.add(run, HOSTILE, 0, 900, {keys.STEP_INDEX: 1, keys.STEP_INPUT_TOKENS: 10})
    scene.add(step, HOSTILE, 0, 500, {keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: HOSTILE,
                                      keys.USAGE_INPUT_TOKENS: 10, keys.ERROR_TYPE: HOSTILE},
              status="ERROR")  # fmt: skip
    scene.add(step, HOSTILE, 500, 900, {keys.OPERATION_NAME: "execute_tool", keys.TOOL_DOWNSTREAM_DURATION: 0.3,
                                        keys.TOOL_DOWNSTREAM_PEERS: (HOSTILE,),
                                        keys.TOOL_DOWNSTREAM_PEER_DURATIONS: (0.3,)})  # fmt: skip
    store = story.store(tmp_path / "x.db", scene.trace())
    terminal = opened(80)
    for view in ("show", "tokens", "latency", "cost"):
        *_, end = [line for line in terminal.run(f"{view} last --store {store}") if line.startswith("stored in ")]
        assert str(store).startswith(end.removeprefix("stored in "))  # its path may take two lines
    assert (terminal.title, terminal.name, "untouched") == (
        terminal.asked("#{pane_title}"), terminal.asked("#{window_name}"), terminal.tmux("show-buffer"),
    )  # fmt: skip


def test_the_attack_would_work(opened, tmp_path):
    """The same bytes, printed by a careless program, do change them: the test above can fail."""
    (tmp_path / "attack").write_bytes(b"\x1b]0;owned\x07\x1b]52;c;ZXZpbA==\x07")
    (tmp_path / "careless.py").write_text(f"print(open({str(tmp_path / 'attack')!r}).read())", "utf-8")
    terminal = opened(80)
    script = tmp_path / "careless.sh"
    script.write_text(f"{shlex.quote(sys.executable)} {tmp_path / 'careless.py'}\n", "utf-8")
    terminal.tmux("send-keys", f". {script}", "Enter")
    ends = time.monotonic() + WAIT_SECONDS
    while (terminal.asked("#{pane_title}"), terminal.tmux("show-buffer")) != ("owned", "evil"):
        assert time.monotonic() < ends
        time.sleep(0.05)
