"""The linted agent: its checks pass, and a name that is spoiled fails each of them with the same code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from langchain_core.tools import StructuredTool

from agent_callbacks.cli.root import root
from agent_callbacks.convention import keys
from agent_callbacks.store.write import StoreExporter

EXAMPLE = Path(__file__).parents[2] / "examples" / "linted_agent"
SPOILED = "search_orders_883920"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give a copy of the example to work in."""
    copy = tmp_path / "linted_agent"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    monkeypatch.chdir(copy)
    return copy


def spoil() -> None:
    """Put an id into the name of a tool."""
    file = Path("tools.py")
    text = file.read_text()
    assert text.count("@tool\ndef search_orders") == 1
    file.write_text(text.replace("@tool\ndef search_orders", f'@tool("{SPOILED}")\ndef search_orders'))
    test = Path("tests/test_agent.py")
    test.write_text(test.read_text().replace('"search_orders"', f'"{SPOILED}"'))


def run(*arguments):
    """Run the command line in this process."""
    return CliRunner().invoke(root, arguments)


def suite():
    """Run the example's own tests."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:langsmith_plugin"],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "agent_callbacks.testing.plugin"},
        capture_output=True, encoding="utf-8", timeout=55, check=False,
    )  # fmt: skip


def test_clean(project):
    """The source keeps the convention, the lock is up to date, and the README names every command."""
    done = run("lint", ".")
    assert (0, True) == (done.exit_code, "0 errors, 0 warnings, 0 information" in done.output)
    assert 0 == run("names", "--lock", "--check").exit_code
    readme = Path("README.md").read_text()
    assert all(
        command in readme
        for command in ("agent-callbacks lint .", "agent-callbacks names --lock --check", "\npytest\n")
    )


def test_suite(project):
    """The example's own tests pass."""
    done = suite()
    assert 0 == done.returncode, done.stdout


def test_spoiled_source(project):
    """In source: the linter names the place, as the README shows it, and the lock misses the old name."""
    spoil()
    done = run("lint", ".", "--format", "full")
    assert 1 == done.exit_code
    shown = done.output.partition("\n\n")[0]
    assert "tools.py:10:7: SPN201 high-cardinality-token" in done.output
    picture = next(block for block in Path("README.md").read_text().split("```") if "$ agent-callbacks lint" in block)
    wanted = picture.strip().partition("\n")[2]
    assert wanted in done.output, shown
    lock = run("names", "--lock", "--check")
    assert (1, True) == (lock.exit_code, "SPN304" in lock.output)


def test_spoiled_test(project):
    """In a test: the example's own suite fails with the same code."""
    spoil()
    done = suite()
    assert (1, True) == (done.returncode, "SPN201 high-cardinality-token" in done.stdout), done.stdout


@pytest.mark.logs_expected
def test_spoiled_run_and_trace(project, spans, handler):
    """While running and in a trace file: the span carries the code, and the linter finds it there."""
    made = StructuredTool.from_function(lambda status: status, name=SPOILED, description="d")
    made.invoke({"status": "lost"}, config={"callbacks": [handler]})
    assert ("SPN201",) == spans.attributes("tool.search_orders")[keys.NAME_RULES]
    exporter = StoreExporter("t.db", max_age_seconds=1e9)
    exporter.export(spans.finished())
    exporter.shutdown()
    done = run("lint", "t.db")
    assert 1 == done.exit_code
    assert f"SPN201 high-cardinality-token: `{SPOILED}` had to become `tool.search_orders`" in done.output
