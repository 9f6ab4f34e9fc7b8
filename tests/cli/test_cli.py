"""The command line: ``show``, ``ls`` and what all commands share."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agent_callbacks import cli
from agent_callbacks.analysis import load
from agent_callbacks.analysis.cells import width
from agent_callbacks.analysis.waterfall import render
from agent_callbacks.cli import terminal
from agent_callbacks.cli.root import root
from agent_callbacks.convention import keys
from agent_callbacks.store.write import StoreExporter
from tests.analysis.test_waterfall import AT_100, HOSTILE
from tests.store.story import START, TRACE_ID, support

OTHER, THIRD = "4bf9" + "0" * 28, "a0b1c2d3" * 4
HERE = Path(__file__).parents[2]
MAIN = "from agent_callbacks.cli import main; main()"


def write(path, *batches):
    """Write a store."""
    exporter = StoreExporter(path, max_age_seconds=1e9)
    for batch in batches:
        exporter.export(batch)
    exporter.shutdown()


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """Hide what the developer's terminal says of itself."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Give a store with three traces, named by the variable; the newest is the story of the picture."""
    path = tmp_path / "traces.db"
    monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(path))
    write(
        path,
        support(OTHER, START - 10**9, **{keys.USER_ID: "u-18"}),
        support(THIRD, START - 2 * 10**9, "failure", **{keys.SESSION_ID: "s-10"}),
        support(),
    )
    return path


def run(*arguments):
    """Run the command line in this process."""
    return CliRunner().invoke(root, arguments, prog_name="agent-callbacks")


def process(*arguments, **environment):
    """Run the command line as a new process; its output is no terminal."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=HERE, env={**os.environ, **environment}, capture_output=True, check=False, timeout=30, encoding="utf-8",
    )  # fmt: skip


class TestShow:
    """One trace."""

    def test_last(self, store):
        """Without an argument the newest trace is shown, and where it is stored."""
        shown = run("show")
        assert shown.output.startswith(f"{AT_100}\n\ncost most ")
        assert shown.output.endswith(f"\n\nstored in {store}\n")
        assert (shown.exit_code, shown.output) == (0, run("show", "last").output)

    def test_of_somebody(self, store):
        """The last trace of a session or a user can be asked for."""
        assert THIRD in run("show", "--session", "s-10").output
        assert OTHER in run("show", "--user", "u-18").output
        missing = run("show", "--user", "nobody")
        assert (missing.exit_code, "no trace of user 'nobody'" in missing.stderr) == (1, True)

    def test_by_beginning(self, store):
        """Four characters name a trace when no other begins with them."""
        assert THIRD in run("show", "A0B1").output
        ambiguous = run("show", "4bf9")
        assert ambiguous.exit_code == 2
        assert f"2 traces begin with '4bf9': {OTHER}, {TRACE_ID}" in ambiguous.stderr
        assert (run("show", "4bf").exit_code, "too short" in run("show", "4bf").stderr) == (2, True)

    def test_unknown(self, store):
        """An id that is not there suggests the nearest, or else the newest."""
        near = run("show", "a0b1c2d4")
        assert (near.exit_code, near.stderr) == (2, f"no trace 'a0b1c2d4'; did you mean {THIRD}?\n")
        assert f"the newest: {TRACE_ID}, {OTHER}, {THIRD}" in run("show", "zzzzzzzz").stderr

    def test_id_and_somebody(self, store):
        """An id together with a session is a contradiction, said so."""
        assert run("show", THIRD, "--session", "s-10").exit_code == 2

    def test_json(self, store):
        """The whole trace is one JSON object, in ASCII, with every field of every span."""
        shown = run("show", THIRD, "--json")
        found = json.loads(shown.output)
        trace = next(trace for trace in load(store) if trace.trace_id == THIRD)
        assert (found["schema"], found["trace_id"], len(found["spans"])) == ("agent_callbacks.trace/1", THIRD, 7)
        assert found["spans"][0]["attributes"] == dict(trace.root.attributes)
        assert shown.output.isascii()

    def test_no_store(self, tmp_path):
        """Without a store, or with an empty one, the way to a first trace is named and the code is 1."""
        missing = run("show", "--store", str(tmp_path / "none.db"))
        assert (missing.exit_code, "agent-callbacks demo" in missing.stderr) == (1, True)
        write(tmp_path / "empty.db", [])
        for arguments in (["show"], ["show", "abcd"], ["ls"]):
            empty = run(*arguments, "--store", str(tmp_path / "empty.db"))
            assert (empty.exit_code, "agent-callbacks demo" in empty.stderr) == (1, True)

    def test_foreign_store(self, tmp_path):
        """A file that is no store is a mistake in the call."""
        (tmp_path / "x").write_text("text")
        foreign = run("show", "--store", str(tmp_path / "x"))
        assert (foreign.exit_code, "is not a trace store" in foreign.stderr) == (2, True)


class TestLs:
    """Many traces."""

    def test_table(self, store, monkeypatch):
        """One line a trace, the newest first; a column in which nothing stands is not there."""
        monkeypatch.setenv("COLUMNS", "150")
        assert run("ls").output == (
            "trace     start                root                 time  steps     in  out  outcome  variant   user"
            "  session  first error\n"
            "4bf92f35  2025-11-24 16:00:00  agent.run.support  3.42 s      2  3,120  188  success  prompt-b  u-17  s-9"
            "      tool.lookup_order: ValueError\n"
            "4bf90000  2025-11-24 15:59:59  agent.run.support  3.42 s      2  3,120  188  success  prompt-b  u-18  s-9"
            "      tool.lookup_order: ValueError\n"
            "a0b1c2d3  2025-11-24 15:59:58  agent.run.support  3.42 s      2  3,120  188  failure  prompt-b  u-17  s-10"
            "     tool.lookup_order: ValueError\n"
        )

    @pytest.mark.parametrize("columns", [1, 40, 60, 80, 100, 120])
    def test_narrow(self, store, monkeypatch, columns):
        """Where the terminal is narrow, columns are left out, and it is said which; no line is too wide."""
        monkeypatch.setenv("COLUMNS", str(columns))
        output = run("ls").output
        assert max(map(width, output.splitlines())) <= max(40, columns)
        assert "left out for width: first error" in output

    def test_chosen(self, store):
        """Limit, session, user and time narrow the list."""
        assert run("ls", "--limit", "1").output.count("agent.run") == 1
        assert "a0b1c2d3" in run("ls", "--session", "s-10", "--since", "2025-11-24T15:59:00").output
        assert run("ls", "--since", "2025-11-24T16:00:00").output.count("agent.run") == 1
        assert run("ls", "--since", "2025-11-24T17:00:00+01:00").output.count("agent.run") == 1
        assert run("ls", "--since", "1h").exit_code == 1
        assert run("ls", "--since", "999999999w").output.count("agent.run") == 3

    def test_since_now(self, tmp_path):
        """An age counts back from now."""
        write(tmp_path / "x.db", support(OTHER, time.time_ns() - 90 * 10**9), support(THIRD, time.time_ns()))
        output = run("ls", "--since", "1m", "--store", str(tmp_path / "x.db")).output
        assert ("a0b1c2d3" in output, "4bf90000" in output) == (True, False)

    @pytest.mark.parametrize("since", ["yesterday", "1y", "99999-01-01"])
    def test_since_wrong(self, store, since):
        """A time that cannot be read is a mistake in the call, with examples."""
        wrong = run("ls", "--since", since)
        assert (wrong.exit_code, "30m, 1h, 2d" in wrong.stderr) == (2, True)

    def test_json(self, store):
        """The list as JSON; an empty one is still JSON, with the code for nothing found."""
        found = json.loads(run("ls", "--json").output)
        assert found["schema"] == "agent_callbacks.traces/1"
        assert [trace["trace_id"] for trace in found["traces"]] == [TRACE_ID, OTHER, THIRD]
        nothing = run("ls", "--json", "--user", "nobody")
        assert (nothing.exit_code, json.loads(nothing.output)["traces"]) == (1, [])


class TestRoot:
    """The command itself."""

    def test_help(self):
        """Help lists every command, and each command's help ends in an example."""
        listed = run("--help").output
        assert "Example: agent-callbacks show last" in listed
        for command in ("ls", "show"):
            assert f"  {command} " in listed
            assert f"Example: agent-callbacks {command}" in run(command, "--help").output

    def test_version(self):
        """The version is printed."""
        assert run("--version").output.startswith("agent-callbacks, version ")

    def test_unknown_command(self):
        """A slip of the finger suggests the command that was meant; anything else lists them all."""
        near, far = run("shwo"), run("xyzzy")
        assert (near.exit_code, "did you mean 'show'?" in near.stderr) == (2, True)
        listed = (
            "compare, config, copy, cost, demo, doctor, explain, export, gc, import, latency, lint, ls, names, report, "
            "rules, scan, schema, show, tail, tokens"
        )
        assert (2, True) == (far.exit_code, f"commands: {listed}" in far.stderr)
        assert run("--nope").exit_code == 2

    @pytest.mark.parametrize("missing", ["click", "pathspec", "rich"])
    def test_without_the_extra(self, monkeypatch, capsys, missing):
        """Without the extra's packages the line that installs them is printed."""
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else real(name))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert stopped.value.code == 2
        assert 'pip install "agent-callbacks[cli]"' in capsys.readouterr().err

    def test_main(self, monkeypatch, capsys, store):
        """The entry point runs the command that the process was given."""
        monkeypatch.setattr(sys, "argv", ["agent-callbacks", "show"])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert (stopped.value.code, AT_100 in capsys.readouterr().out) == (0, True)

    def test_lookup(self):
        """Shell completion may ask for a command that does not exist."""
        assert root.get_command(click.Context(root), "nope") is None

    def test_import_is_light(self):
        """Importing the command line's package loads neither click nor rich."""
        script = "import sys, agent_callbacks.cli; sys.exit('click' in sys.modules or 'rich' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", script], cwd=HERE, check=False).returncode == 0


class TestTerminal:
    """What all commands share."""

    def test_same_from_a_new_process(self, store, capsys):
        """What a new process shows is, character for character, what the process that made the trace printed."""
        terminal.echo(terminal.trace_view(load(support())[0], f"stored in {store}"))
        shown = process("show", "last")
        assert shown.stdout == capsys.readouterr().out
        assert (shown.returncode, shown.stderr) == (0, "")

    def test_columns(self, store):
        """Without a terminal the width is 100, unless COLUMNS says otherwise."""
        (trace,) = [trace for trace in load(store) if trace.trace_id == TRACE_ID]
        assert process("show", COLUMNS="60").stdout.startswith(render(trace, 60, color=False) + "\n\n")
        assert process("show", COLUMNS="wide").stdout.startswith(AT_100)

    def test_colors_without_a_terminal(self, store):
        """There are none, unless FORCE_COLOR asks for them; NO_COLOR has the last word."""
        assert "\x1b" not in process("show").stdout
        assert "\x1b[1magent.run.support" in process("show", FORCE_COLOR="1").stdout
        assert "\x1b" not in process("show", FORCE_COLOR="1", NO_COLOR="1").stdout

    @pytest.mark.parametrize(("variables", "colored"), [(["FORCE_COLOR"], True), (["FORCE_COLOR", "NO_COLOR"], False)])
    def test_color_variables(self, monkeypatch, variables, colored):
        """The variables count when they are set and not empty."""
        for variable in variables:
            monkeypatch.setenv(variable, "1")
        assert terminal.color() is colored
        for variable in variables:
            monkeypatch.setenv(variable, "")
        assert terminal.color() is False

    @pytest.mark.parametrize(
        ("environment", "colored"), [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False)]
    )
    def test_on_a_terminal(self, store, environment, colored):
        """On a terminal there are colours, but for a dumb one and with NO_COLOR."""
        parent, child = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-c", MAIN, "show"],
            cwd=HERE,
            env={**os.environ, "TERM": "xterm", **environment},
            stdout=child,
        ) as running:
            os.close(child)
            output = bytearray()
            try:
                while chunk := os.read(parent, 65536):
                    output += chunk
            except OSError:  # how Linux says that the other end of a pseudo-terminal is closed
                assert output
            assert running.wait(30) == 0
        os.close(parent)
        assert (b"\x1b[" in output) is colored

    def test_poor_encoding(self, store):
        """An output that cannot take the lines and bars gets question marks, not a traceback."""
        shown = process("show", PYTHONIOENCODING="ascii")
        assert (shown.returncode, "agent.step.2" in shown.stdout) == (0, True)

    @pytest.mark.parametrize("command", ["show", "show --json", "ls", "ls --json"])
    def test_no_output_at_all(self, store, command):
        """Started with its output closed, as some schedulers do, a command has nowhere to print and says nothing."""
        script = f'exec "$0" -c "{MAIN}" {command} >&-'
        done = subprocess.run(["/bin/sh", "-c", script, sys.executable], cwd=HERE, check=False, capture_output=True)
        assert (0, b"") == (done.returncode, done.stderr)

    def test_full_disk(self, store):
        """What cannot be written is one line on standard error."""
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            arguments = [sys.executable, "-c", MAIN, "show"]
            done = subprocess.run(arguments, cwd=HERE, check=False, stdout=full, stderr=subprocess.PIPE, text=True)
        assert (1, "agent-callbacks: No space left on device\n") == (done.returncode, done.stderr)

    def test_output_that_fails(self, monkeypatch, capsys):
        """Any fault of the output is told by its cause."""
        monkeypatch.setattr(root, "main", lambda **_: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert (1, "agent-callbacks: gone\n") == (stopped.value.code, capsys.readouterr().err)

    def test_no_output_that_fails(self, monkeypatch, capsys):
        """Started without an output at all, there is nothing to drop."""
        monkeypatch.setattr(sys, "stdout", None)
        monkeypatch.setattr(root, "main", lambda **_: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert (1, "agent-callbacks: gone\n") == (stopped.value.code, capsys.readouterr().err)

    def test_width_without_output(self, monkeypatch):
        """Without an output it is drawn as without a terminal."""
        monkeypatch.setattr(sys, "stdout", None)
        assert (100, False) == (terminal.width(), terminal.color())

    def test_unnamed_encoding(self, monkeypatch, capsys):
        """An output without an encoding is written as UTF-8."""
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        terminal.echo("━")
        assert sys.stdout.getvalue() == "━\n"

    def test_hostile(self, tmp_path):
        """Nothing in the store can steer the terminal, by whichever command, error or JSON it comes out."""
        path = str(tmp_path / "x.db")
        who = {keys.USER_ID: HOSTILE, keys.SESSION_ID: HOSTILE, keys.OUTCOME: HOSTILE, keys.ERROR_TYPE: HOSTILE}
        write(path, support(THIRD, **who))
        for arguments in (
            ["show"],
            ["ls"],
            ["show", "--json"],
            ["ls", "--json"],
            ["show", HOSTILE],
            ["ls", "--user", HOSTILE],
        ):
            shown = run(*arguments, "--store", path)
            assert all(line.isprintable() for line in (shown.stdout + shown.stderr).split("\n")), arguments
            assert shown.stdout + shown.stderr
