"""What pytest loads: options, markers, fixtures, and the comparison of all tests at the end.

Nothing of the package is imported before a fixture asks for it, so a suite that does not use it does not pay for it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agent_callbacks import AgentCallbackHandler, AgentEventHandler
    from agent_callbacks.lint.config import Config
    from agent_callbacks.lint.finding import Finding
    from agent_callbacks.testing.capture import SpanCapture
    from agent_callbacks.testing.session import Names

_MODES: Final = ("off", "warn", "error")
_MARKERS: Final = (
    'span_lint(select=(), ignore=(), max_level="warning"): how the spans of this test are linted when it ends',
    "no_span_lint: the spans of this test are not linted",
    "span_budget(steps=, input_tokens=, output_tokens=, tool_calls=, names=): what the spans of this test may take",
)
_SESSION: Final = "agent-callbacks-session"
_SENT: Final = "agent_callbacks_span_names"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the setting."""
    group = parser.getgroup("agent-callbacks", "span names")
    group.addoption("--span-lint", choices=_MODES, help="Lint the spans of every test that captured some.")
    group.addoption("--span-lint-update", action="store_true", help="Add the names of this session to the lock file.")
    group.addoption("--span-lint-report", metavar="FILE", help="Write the findings of this session there, as JSON.")
    parser.addini("span_lint", "off, warn (default: show findings at the end) or error (fail the test)", default="warn")


def pytest_configure(config: pytest.Config) -> None:
    """Register markers, and what is kept of the session."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    mode = config.getoption("--span-lint") or config.getini("span_lint")
    if mode not in _MODES:
        raise pytest.UsageError(f"span_lint = {mode!r}: use one of {', '.join(_MODES)}")
    config.pluginmanager.register(_Session(config, mode), _SESSION)


class _Session:
    """The findings and names of the tests that ran in this process, and of its workers."""

    def __init__(self, config: pytest.Config, mode: str) -> None:
        self.mode: Final = mode
        self.findings: list[Finding] = []
        self.lines: list[str] = []
        self._pytest = config
        self._names: Names | None = None
        self._config: Config | None = None

    @property
    def config(self) -> Config:
        """The linter's settings of the project under test."""
        if self._config is None:
            from agent_callbacks.lint.config import ConfigError, load

            try:
                self._config = load(self._pytest.rootpath)
            except ConfigError as error:
                raise pytest.UsageError(str(error)) from error
        return self._config

    @property
    def names(self) -> Names:
        """The names seen so far."""
        if self._names is None:
            from agent_callbacks.testing.session import Names

            self._names = Names()
        return self._names

    def judge(self, item: pytest.Item, capture: SpanCapture) -> None:
        """Lint the spans of a test that ends, and fail it where its settings say so."""
        from agent_callbacks.testing.capture import drawn
        from agent_callbacks.testing.session import definitions

        self.names.take(capture)
        given = _merged(item, "span_lint")
        most = given.pop("max_level", "warning")
        found = capture.lint(**given)
        grave = [each for each in found if each.level == "error" or (each.level == "warning" and most == "information")]
        self.findings += found
        if grave and self.mode == "error":
            names = [span.name for span in capture.spans]
            pytest.fail("\n" + drawn(capture.traces, grave, definitions(self._pytest.rootpath, names)), pytrace=False)

    # --- the end -----------------------------------------------------------------------------------------------------
    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of xdist saw."""
        sent: Mapping[str, Any] | None = getattr(node, "workeroutput", {}).get(_SENT)
        if sent is not None:
            from agent_callbacks.lint.finding import Finding

            self.names.merge(sent["names"])
            self.findings += [Finding(**each) for each in sent["findings"]]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Compare the names of all tests, once; a worker only sends its own."""
        if self._names is None:
            return
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            found_here = [dataclasses.asdict(dataclasses.replace(each, edit=None)) for each in self.findings]
            output[_SENT] = {"names": self._names.seen, "findings": found_here}
            return
        from agent_callbacks.testing.session import report, together, update

        if session.config.getoption("--span-lint-update"):
            self.lines.append(update(self._names, self.config))
        found = together(self._names, self.config) if self.mode != "off" else []
        self.findings += found
        if path := session.config.getoption("--span-lint-report"):
            report(path, self.findings)
        if self.mode == "error" and any(each.level == "error" for each in found) and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what was found, each once."""
        shown = dict.fromkeys(f"{each.code} {each.level}: {each.message} ({each.path})" for each in self.findings)
        if self.mode == "off" or not (shown or self.lines):
            return
        terminalreporter.section("span names")
        for line in (*shown, *self.lines):
            terminalreporter.write_line(line)


def _merged(item: pytest.Item, marker: str) -> dict[str, Any]:
    """Return the keywords of all markers of that name, the nearest to the test counting most."""
    merged: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers(marker))):
        merged.update(mark.kwargs)
    return merged


def _session(config: pytest.Config) -> _Session:
    return cast("_Session", config.pluginmanager.getplugin(_SESSION))


@pytest.fixture
def span_capture(request: pytest.FixtureRequest) -> Iterator[SpanCapture]:
    """Give a tracer provider of this test alone, its spans, and assertions about them; lint them when the test ends."""
    from agent_callbacks.testing.capture import SpanCapture
    from agent_callbacks.tokens.prices import open_book

    open_book().wait()  # a scripted model answers before prices are loaded, and its cost would differ from run to run
    item: pytest.Item = request.node
    session = _session(request.config)
    capture = SpanCapture(session.config.settings(), item.nodeid)
    yield capture
    capture.provider.shutdown()
    if budget := _merged(item, "span_budget"):
        capture.assert_budget(**budget)
    if session.mode != "off" and item.get_closest_marker("no_span_lint") is None:
        session.judge(item, capture)


@pytest.fixture
def agent_callbacks_handler(span_capture: SpanCapture, request: pytest.FixtureRequest) -> AgentCallbackHandler:
    """Give a LangChain handler whose spans are captured, under the project's naming convention."""
    handler: AgentCallbackHandler = _handler("AgentCallbackHandler", span_capture, request)
    return handler


@pytest.fixture
def agent_callbacks_event_handler(
    span_capture: SpanCapture, request: pytest.FixtureRequest
) -> Iterator[AgentEventHandler]:
    """Give a LlamaIndex handler whose spans are captured, under the project's naming convention.

    It hears of everything that LlamaIndex does in the test, and nothing after it.
    """
    handler: AgentEventHandler = _handler("AgentEventHandler", span_capture, request)
    with handler.install():
        yield handler


def _handler(name: str, capture: SpanCapture, request: pytest.FixtureRequest) -> Any:
    """Return a handler bound to *capture*; where its framework is missing, the test fails and says what to install."""
    import agent_callbacks

    try:
        made: Callable[..., Any] = getattr(agent_callbacks, name)
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    settings = agent_callbacks.Settings(naming=_session(request.config).config.convention)
    return made(tracer_provider=capture.provider, settings=settings)
