"""Scripts run in a Python of their own, and what they left in the store."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A process that dies of a signal does not come to write down what was measured in it; and where lines are traced, the
# import of a module of 30,000 takes longer than any test waits.
MEASURED = """
import os, sys
if "coverage" in sys.modules:
    def _saving(*how, kill=os.kill, measured=sys.modules["coverage"].Coverage.current()):
        measured.save()
        kill(*how)
    os.kill = _saving
    sys.modules["genai_prices"] = None
"""


def stored(path):
    """Return the names of the spans in the store at *path*, sorted."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(name for (name,) in connection.execute("SELECT name FROM spans"))


def start(script, *arguments, **environment):
    """Start *script* in a Python of its own, with the repository's package."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", MEASURED + script, *map(str, arguments)],
        cwd=ROOT,
        env=environment_of(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment_of(extra):
    """Return this process's environment without OpenTelemetry's and our variables, with *extra*."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "AGENT_CALLBACKS_"))}
    return kept | extra


def end(process, timeout=40):
    """Wait for *process*; return its exit code, output and errors."""
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err
