"""The pytest plugin, run as a user's suite would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import langchain_core.tools  # noqa: F401 - what is loaded before a suite starts is not loaded again by each
import pytest

import agent_callbacks.settings  # likewise: a second copy would be another class
import agent_callbacks.testing.capture
import agent_callbacks.testing.session
from agent_callbacks.lint.finding import Finding
from agent_callbacks.testing import plugin

pytest_plugins = ["pytester"]

HEAD = """
import pytest

def emit(capture, *names, **attributes):
    tracer = capture.provider.get_tracer("app")
    for name in names:
        tracer.start_span(name, attributes=attributes).end()
"""


@pytest.fixture
def suite(pytester):
    """Give a function that runs a suite with the plugin and returns its result."""
    pytester.makeini("[pytest]\n")

    def run(body: str, *arguments: str, files: dict[str, str] | None = None):
        for path, text in (files or {}).items():
            (pytester.path / path).write_text(text)
        pytester.makepyfile(test_it=HEAD + body)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio", *arguments)

    return run


def test_drawn_without_help():
    """A finding without a way out is drawn without one."""
    capture = agent_callbacks.testing.capture.SpanCapture()
    capture.provider.get_tracer("app").start_span("chain.a").end()
    (trace,) = capture.traces
    bare = Finding("SPN403", "error", "twice", span_id=trace.spans[0].span_id)
    expected = "chain.a\n^^^^^^^ SPN403 duplicate-step: twice\n1 errors, 0 others (SPN403)"
    assert expected == agent_callbacks.testing.capture.drawn([trace], [bare])


LOOK = '''
def test_look(span_capture):
    tracer = span_capture.provider.get_tracer("agent_callbacks")
    with tracer.start_as_current_span("agent.run"):
        with tracer.start_as_current_span("agent.step.1", attributes={"agent_callbacks.step.index": 1}):
            tracer.start_span("tool.search_web").end()
    assert ["agent.run", "agent.step.1", "tool.search_web"] == span_capture.names()
    assert "agent.run\\n  agent.step.1\\n    tool.search_web" == span_capture.tree()
    assert [span_capture.spans[2]] == span_capture.find("tool.*")
    first = span_capture.spans[0]
    assert ("0" * 31 + "1", "0" * 15 + "1") == (first.trace_id, first.span_id)
    assert (1_767_225_600_000_000_000, 5_000_000) == (first.start_ns, first.end_ns - first.start_ns)
    span_capture.assert_tree("""
        agent.run
          agent.step.1
            tool.search_web
    """)
    span_capture.assert_tree("""
        agent.run
        └─ agent.step.1
           └─ tool.search_web
    """)
    tracer.start_span("chain.a").end()
    tracer.start_span("chain.b").end()
    span_capture.assert_tree("chain.b\\nchain.a\\nagent.run\\n  agent.step.1\\n    tool.search_web")
    with pytest.raises(AssertionError, match="the tree is another"):
        span_capture.assert_tree("chain.b\\nchain.a\\nagent.run\\n  agent.step.1\\n    tool.search_web", ordered=True)
    with pytest.raises(AssertionError, match="the tree is another"):
        span_capture.assert_tree("chain.a\\nchain.b\\nagent.run\\n  agent.step.1\\n  tool.search_web")
    with pytest.raises(AssertionError, match="(?s)another.*- agent.run.sales.*[+] agent.run"):
        span_capture.assert_tree("agent.run.sales")
    span_capture.assert_conventions(ignore=["SPN505", "SPN302"])
    with pytest.raises(AssertionError, match="SPN505 asker-missing"):
        span_capture.assert_conventions()
    span_capture.assert_conventions(max_level="warning")
    span_capture.assert_no_pii()
    span_capture.assert_budget(steps=1, tool_calls=1, names=5, input_tokens=0, output_tokens=None)
    with pytest.raises(AssertionError, match="over budget: tool calls: 1, at most 0; names: 5, at most 2"):
        span_capture.assert_budget(tool_calls=0, names=2)
    span_capture.clear()
    assert [] == span_capture.names()
    span_capture.assert_tree("")
'''


def test_look(suite):
    """Spans, names and trees can be looked at; ids and times are the same in every run."""
    suite(LOOK, "--span-lint=error").assert_outcomes(passed=1)


def test_personal_data(suite):
    """Personal data fails the assertion, and is not quoted by it."""
    body = """
@pytest.mark.no_span_lint
def test_leak(span_capture):
    emit(span_capture, "tool.x", note="ask bob@example.com")
    span_capture.assert_no_pii()
"""
    done = suite(body)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*SPN504 pii-in-attribute: note of `tool.x` holds EMAIL*"])
    assert "bob@example.com'" not in done.stdout.str().partition("span_capture.assert_no_pii()")[2]


BAD = """
def test_bad(span_capture):
    emit(span_capture, "tool.lookup_3f2b8c1e9a77", **{"gen_ai.tool.name": "lookup_3f2b8c1e9a77"})
"""


def test_error(suite):
    """In mode error a bad name fails the test at its end: the tree, the name underlined, the rule, the way out."""
    done = suite(BAD, "--span-lint=error")
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines([
        "tool.lookup_3f2b8c1e9a77",
        "^^^^^^^^^^^^^^^^^^^^^^^^ SPN201 high-cardinality-token: `tool.lookup_3f2b8c1e9a77`: there is an id *",
        "help: leave it out and put the id into an attribute",
    ])  # fmt: skip


def test_where_a_tool_is_defined(suite):
    """A failure says where the source gives the name."""
    body = """
from tools import search_web

def test_bad(span_capture):
    emit(span_capture, "tool.search_web", **{"gen_ai.tool.name": "fetch"})
"""
    tools = (
        "from langchain_core.tools import tool\n\n@tool\ndef search_web(q: str) -> str:\n    'Search.'\n    return q\n"
    )
    done = suite(body, "--span-lint=error", files={"tools.py": tools})
    done.stdout.fnmatch_lines(["*SPN113*", "help: *", "from tools.py:4: def search_web(q: str) -> str:"])


def test_warn(suite):
    """In the default mode findings are shown at the end and nothing fails; off shows none."""
    done = suite(BAD)
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*span names*", "SPN201 error: *there is an id in the name (test_it.py::test_bad)"])
    assert "SPN201" not in suite(BAD, "--span-lint=off").stdout.str()


def test_setting(suite, pytester):
    """The mode can stand in the settings of pytest; another word is refused."""
    pytester.makeini("[pytest]\nspan_lint = error\n")
    suite(BAD).assert_outcomes(passed=1, errors=1)
    pytester.makeini("[pytest]\nspan_lint = loud\n")
    done = suite(BAD)
    done.stderr.fnmatch_lines(["*span_lint = 'loud': use one of off, warn, error"])


def test_settings_of_the_project(suite):
    """The linter's settings of the project count, its naming convention too; wrong ones stop the run."""
    files = {"pyproject.toml": '[tool.agent_callbacks.lint]\nignore = ["SPN201", "SPN501"]\n'}
    suite(BAD, "--span-lint=error", files=files).assert_outcomes(passed=1)
    done = suite(BAD, files={"pyproject.toml": "[tool.agent_callbacks.lint]\nignor = []\n"})
    assert "did you mean 'ignore'?" in done.stdout.str() + done.stderr.str()


def test_markers(suite):
    """Markers relax or tighten a test, the nearest counting most."""
    body = """
pytestmark = pytest.mark.span_lint(ignore=["SPN2", "SPN501"])

def test_ignored(span_capture):
    emit(span_capture, "tool.lookup_3f2b8c1e9a77")

@pytest.mark.no_span_lint
def test_off(span_capture):
    emit(span_capture, "agent.step.0")

@pytest.mark.span_lint(ignore=["SPN501"], max_level="information")
def test_warnings_too(span_capture):
    emit(span_capture, "tool.searchWeb")

@pytest.mark.span_lint(select=["SPN102"], ignore=[])
def test_selected(span_capture):
    emit(span_capture, "tool")

@pytest.mark.span_budget(tool_calls=1)
def test_budget(span_capture):
    emit(span_capture, "tool.a", "tool.b")
"""
    done = suite(body, "--span-lint=error")
    done.assert_outcomes(passed=5, errors=3)
    done.stdout.fnmatch_lines(["*over budget: tool calls: 2, at most 1*"])


def test_never_ended(suite):
    """A span that is open when its test ends is a finding."""
    body = """
def test_open(span_capture):
    span_capture.provider.get_tracer("app").start_span("chain.x")
"""
    done = suite(body, "--span-lint=error")
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["SPN404 span-never-ended: `chain.x` has not ended"])


@pytest.mark.logs_expected
def test_langchain(suite):
    """The handler for LangChain records into the capture, under the project's convention; a spoiled name is caught."""
    body = """
from langchain_core.tools import StructuredTool

def use(handler, name):
    made = StructuredTool.from_function(lambda x: x, name=name, description="d")
    made.invoke({"x": "1"}, config={"callbacks": [handler]})

def test_good(span_capture, agent_callbacks_handler):
    use(agent_callbacks_handler, "Bing Search")
    span_capture.assert_tree("tool.bing")

def test_spoiled(span_capture, agent_callbacks_handler):
    use(agent_callbacks_handler, "lookup_3f2b8c1e9a77")
"""
    files = {
        "pyproject.toml": '[tool.agent_callbacks.lint]\nconvention = "span-names.toml"\n',
        "span-names.toml": '[aliases]\n"Bing Search" = "bing"\n',
    }
    done = suite(body, "--span-lint=error", "-W", "ignore", files=files)
    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(["*SPN201 high-cardinality-token: `lookup_3f2b8c1e9a77` had to become `tool.lookup`*"])


@pytest.mark.logs_expected
def test_llamaindex(suite):
    """The handler for LlamaIndex records a test's work into its capture, and hears nothing of the next test."""
    pytest.importorskip("llama_index.core")
    body = """
import asyncio

from tests.llamaindex.models import asks, says
from tests.llamaindex.shared import support

def run(*script, **options):
    async def asked():
        await support(*script, **options).run("hi")

    asyncio.run(asked())

def lookup_3f2b8c1e9a77(order: str) -> str:
    "Look an order up."
    return order

def test_good(span_capture, agent_callbacks_event_handler):
    run(asks(("search_web", {"query": "kettle"})), says("done"))
    span_capture.assert_tree('''
        agent.run.support
          agent.step.1
            llm.chat
            tool.search_web
          agent.step.2
            llm.chat
    ''')

def test_not_asked_for(span_capture):
    run(says("done"))
    assert [] == span_capture.names()

def test_spoiled(span_capture, agent_callbacks_event_handler):
    run(asks(("lookup_3f2b8c1e9a77", {"order": "7"})), says("done"), tools=[lookup_3f2b8c1e9a77])
"""
    done = suite(body, "--span-lint=error", "-W", "ignore")
    done.assert_outcomes(passed=3, errors=1)
    done.stdout.fnmatch_lines(["*SPN201 high-cardinality-token: `lookup_3f2b8c1e9a77` had to become `tool.lookup`*"])


@pytest.mark.parametrize(
    ("fixture", "name", "extra"),
    [
        ("agent_callbacks_handler", "AgentCallbackHandler", "langchain"),
        ("agent_callbacks_event_handler", "AgentEventHandler", "llamaindex"),
    ],
)
def test_framework_missing(suite, monkeypatch, fixture, name, extra):
    """Without its framework a handler's fixture fails the test and says what to install, not where it failed."""
    monkeypatch.delitem(vars(agent_callbacks), name, raising=False)
    monkeypatch.setitem(agent_callbacks._HOMES, name, "absent_framework.handler")
    monkeypatch.setitem(agent_callbacks._EXTRAS, name, ("absent_framework", extra))
    done = suite(f"\ndef test_it({fixture}):\n    pass\n")
    done.assert_outcomes(errors=1)
    shown = f'{name} needs absent_framework, which is not installed: pip install "agent-callbacks[[]{extra}]"'
    done.stdout.fnmatch_lines([shown])
    done.stdout.no_fnmatch_line("*plugin.py*")


class TestSession:
    """What is compared over all tests."""

    PAIR = """
def test_one(span_capture):
    emit(span_capture, "tool.search_web", **{"gen_ai.tool.name": "search_web"})

def test_two(span_capture):
    emit(span_capture, "tool.web_search", **{"gen_ai.tool.name": "web_search"})

def test_three(span_capture):
    emit(span_capture, "tool.search_web", **{"gen_ai.tool.name": "searchWeb"})
"""

    def test_together(self, suite, pytester):
        """Names that no single test has together are compared once at the end, and fail the session."""
        done = suite(self.PAIR, "--span-lint=error", "--span-lint-report=report.json")
        done.assert_outcomes(passed=3)
        assert pytest.ExitCode.TESTS_FAILED == done.ret
        done.stdout.fnmatch_lines(
            ["SPN301 error: *both become `tool.search_web`*", "SPN302 warning: `tool.web_search`*"]
        )
        listed = json.loads((pytester.path / "report.json").read_text())["findings"]
        assert {"SPN301", "SPN302"} == {each["code"] for each in listed}

    def test_workers(self, suite, pytester):
        """Under xdist the names of all workers are compared, once."""
        suite(self.PAIR)
        command = [sys.executable, "-m", "pytest", "-n", "2", "--span-lint=error"]
        plugins = {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "xdist.plugin,agent_callbacks.testing.plugin",
        }
        done = subprocess.run(
            command,
            cwd=pytester.path,
            env={**os.environ, **plugins},
            capture_output=True,
            text=True,
            check=False,
            timeout=55,
        )
        assert 1 == done.returncode
        assert 1 == done.stdout.count("SPN301 error")
        assert 1 == done.stdout.count("SPN302 warning")

    def test_sent(self, pytestconfig):
        """A worker sends its names and findings as plain values, and the main process takes them once."""
        worker, main = plugin._Session(pytestconfig, "warn"), plugin._Session(pytestconfig, "warn")
        capture = agent_callbacks.testing.capture.SpanCapture(name="test_it")
        capture.provider.get_tracer("app").start_span("tool.searchWeb").end()
        worker.names.take(capture)
        worker.findings += capture.lint()
        output: dict[str, object] = {}
        worker.pytest_sessionfinish(SimpleNamespace(config=SimpleNamespace(workeroutput=output)))
        node = SimpleNamespace(workeroutput=json.loads(json.dumps(output)))
        main.pytest_testnodedown(node)
        main.pytest_testnodedown(node)
        main.pytest_testnodedown(SimpleNamespace())
        assert ["tool.searchWeb"] == [entry.name for entry in main.names.entries()]
        assert worker.findings == main.findings[: len(worker.findings)]

    def test_lock(self, suite, pytester):
        """The lock is written on request; a name that another one stands for now fails the session."""
        lock = pytester.path / "span-names.lock"
        one, two, _ = self.PAIR.strip().split("\n\n")
        done = suite(f"\n{one}\n", "--span-lint-update")
        done.stdout.fnmatch_lines(["*span-names.lock: 1 name"])
        assert lock.read_text().endswith("\ntool.search_web\n")
        assert (
            0
            == suite("\ndef test_other(span_capture):\n    emit(span_capture, 'agent.run')\n", "--span-lint=error").ret
        )
        done = suite(f"\n{two}\n", "--span-lint=error")
        assert pytest.ExitCode.TESTS_FAILED == done.ret
        done.stdout.fnmatch_lines(["SPN304 error: `tool.search_web` became `tool.web_search`*"])
        done = suite(f"\n{two}\n", "--span-lint-update")
        assert lock.read_text().endswith("\ntool.search_web\ntool.web_search\n")

    def test_lock_and_some_tests(self, suite):
        """A locked name whose test did not run is not missed because another test has a name like it."""
        one, two, _ = self.PAIR.replace("web_search", "search_policies").strip().split("\n\n")
        suite(f"\n{two}\n", "--span-lint-update")
        done = suite(f"\n{one}\n", "--span-lint=error")
        assert (0, False) == (done.ret, "SPN304" in done.stdout.str())

    def test_lock_and_two_things(self, suite, pytester):
        """What `not_duplicates` says are two things is no renaming either."""
        one, two, _ = self.PAIR.strip().split("\n\n")
        suite(f"\n{one}\n", "--span-lint-update")
        pytester.makepyprojecttoml("[tool.agent_callbacks.lint]\nnot_duplicates = [['search_web', 'web_search']]\n")
        assert 0 == suite(f"\n{two}\n", "--span-lint=error").ret

    def test_nothing_captured(self, suite):
        """A suite that captures nothing sees nothing."""
        done = suite("\ndef test_nothing():\n    pass\n", "--span-lint=error")
        assert (0, False) == (done.ret, "span names" in done.stdout.str())


def test_unused_costs_nothing():
    """Loading the plugin imports nothing of the package but itself."""
    code = "import sys; import agent_callbacks.testing.plugin; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=55)
    assert ["agent_callbacks", "agent_callbacks.testing", "agent_callbacks.testing.plugin"] == [
        name for name in done.stdout.split() if name.startswith(("agent_callbacks", "opentelemetry", "langchain"))
    ]
