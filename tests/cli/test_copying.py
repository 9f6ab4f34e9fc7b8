"""``copy --for-llm``: the command around the text."""

from __future__ import annotations

import base64
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from agent_callbacks.analysis import load
from agent_callbacks.analysis.digest import digest
from agent_callbacks.cli import copying
from agent_callbacks.cli.root import root
from agent_callbacks.cli.schema import schemas
from agent_callbacks.store.write import StoreExporter
from tests.analysis.test_waterfall import HOSTILE
from tests.store.story import START, support, told

HERE = Path(__file__).parents[2]
MAIN = "from agent_callbacks.cli import main; main()"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Give a store with two traces, named by the variable."""
    path = tmp_path / "traces.db"
    monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(path))
    exporter = StoreExporter(path, max_age_seconds=1e9)
    for batch in [*told(1, agent=HOSTILE), support(start_ns=START + 10**9)]:
        exporter.export(batch)
    exporter.shutdown()
    return path


def run(*arguments):
    """Run the command line in this process."""
    return CliRunner().invoke(root, ["copy", *arguments], prog_name="agent-callbacks")


def test_prints_the_text(store):
    """The last trace, or the one that is asked for, is printed as text, and nothing else."""
    last = load(store)[-1]
    assert digest(last) + "\n" == run("--for-llm").output == run("last").output
    assert digest(last, 1000, content=False) + "\n" == run("--max-chars", "1000", "--no-content").output
    assert all(line.isprintable() for line in run("0000", "--for-llm").output.split("\n"))


def test_what_cannot_be(store):
    """An unknown id suggests others; a length in which nothing fits is refused."""
    unknown = run("00000000000000000000000000000002")
    assert (2, True) == (unknown.exit_code, f"did you mean {1:032x}?" in unknown.stderr)
    assert 2 == run("--max-chars", "10").exit_code


def test_json(store):
    """The text as a field of an object."""
    found = json.loads(run("--json").output)
    jsonschema.Draft202012Validator(json.loads(schemas()["copy"].read_text("utf-8"))).validate(found)
    assert len(found["text"]) == found["characters"]


def test_no_clipboard_without_a_terminal(store):
    """Where nobody looks, the clipboard is refused, with what to do instead; and never with JSON."""
    refused = run("--clipboard")
    assert (2, True) == (refused.exit_code, "pipe the output to pbcopy" in refused.stderr)
    assert "\x1b" not in run("--for-llm").output


def on_terminal(*arguments):
    """Run it with standard error on a terminal; give what came out, and what the terminal got."""
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", MAIN, "copy", *arguments]
    process = subprocess.Popen(program, cwd=HERE, env=os.environ, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    got = b""
    try:
        while more := os.read(ours, 65536):
            got += more
    except OSError:  # how a terminal ends
        got += b""
    os.close(ours)
    out, _ = process.communicate(timeout=50)
    return out.decode(), got.decode()


def test_clipboard(store):
    """Where it is asked for, the text goes to the terminal's clipboard, once, as base64: nothing in it ends that."""
    printed, got = on_terminal("0000", "--clipboard")
    sequence, _, said = got.partition("\x07")
    assert printed == base64.b64decode(sequence.removeprefix("\x1b]52;c;")).decode() + "\n"
    assert "characters sent to the terminal's clipboard" in said
    assert ("\x1b" in said, got.count("\x1b")) == (False, 1)
    assert "\x1b" not in on_terminal("0000")[1]


class Screen(io.StringIO):
    """An output that is a terminal."""

    def isatty(self):
        """Say so."""
        return True


def test_clipboard_by_way_of_the_output(store, monkeypatch):
    """Where standard error is no terminal but the output is, it is asked there."""
    monkeypatch.setattr(copying, "_terminal", Screen)
    assert "characters sent to the terminal's clipboard" in run("--clipboard").stderr
    monkeypatch.undo()
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    assert copying._terminal() is screen


def test_too_long_for_a_clipboard(store, monkeypatch, capsys):
    """What no terminal takes is not sent, and that is said."""
    monkeypatch.setattr(copying, "_CLIPBOARD_BYTES", 10)
    copying._copied("x" * 11)
    assert "too long for a terminal's clipboard" in capsys.readouterr().err
