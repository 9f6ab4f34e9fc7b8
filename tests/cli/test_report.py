"""``agent-callbacks report``."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent_callbacks.analysis.report import ReportError, page, render
from agent_callbacks.cli.root import root
from agent_callbacks.convention import keys
from agent_callbacks.store.write import StoreExporter
from tests.report import scenes
from tests.store.story import START, TRACE_ID, support

OTHER, THIRD = "4bf9" + "0" * 28, "a0b1c2d3" * 4


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Give a store with three traces, two of one session."""
    path = tmp_path / "traces.db"
    monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(path))
    monkeypatch.chdir(tmp_path)
    exporter = StoreExporter(path, max_age_seconds=1e9)
    for batch in (
        support(OTHER, START - 10**9, **{keys.USER_ID: "u-18"}),
        support(THIRD, START - 2 * 10**9, "failure", **{keys.SESSION_ID: "s-10"}),
        support(),
    ):
        exporter.export(batch)
    exporter.shutdown()
    return path


def run(*arguments):
    """Run the command line in this process."""
    return CliRunner().invoke(root, ["report", *arguments], prog_name="agent-callbacks")


def ids(path="report.html"):
    """Give the ids of the runs on a page."""
    text = Path(path).read_text(encoding="utf-8")
    data = text.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    return [each["trace_id"] for each in json.loads(data)["runs"]]


class TestReport:
    """Which traces, and where to."""

    def test_last(self, store):
        """Without a word the last trace is written to report.html, and where it went is said."""
        result = run()
        assert (0, [TRACE_ID], "report.html: 1 run, ") == (result.exit_code, ids(), result.output[:20])

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["a0b1"], [THIRD]), (["last"], [TRACE_ID]), (["--last", "2"], [OTHER, TRACE_ID]),
            (["--session", "s-9"], [OTHER, TRACE_ID]), (["--user", "u-18"], [OTHER]),
            (["--last", "9"], [THIRD, OTHER, TRACE_ID]), (["--since", "2025-11-24T16:00:00"], [TRACE_ID]),
        ],
    )  # fmt: skip
    def test_chosen(self, store, arguments, expected):
        """A trace by its id, the last ones, or all of a session, a user, a time; oldest first."""
        result = run(*arguments, "-o", "x.html")
        assert (0, expected) == (result.exit_code, ids("x.html"))

    def test_file(self, store, tmp_path):
        """A file of spans is shown, whatever the store holds."""
        span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
        (tmp_path / "x.json").write_text(
            json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}), encoding="utf-8"
        )
        assert (0, ["ab" * 16]) == (run("x.json").exit_code, ids())

    def test_file_of_others(self, store, tmp_path):
        """What a file says of persons does not reach the page or the JSON: names, values, events, status, resource."""
        mail = "ines.moreau@example.com"
        said = [{"key": "note", "value": {"stringValue": f"ask {mail}"}}]
        span = {
            "traceId": "ab" * 16, "spanId": "cd" * 8, "name": f"call {mail}", "startTimeUnixNano": "1",
            "endTimeUnixNano": "2", "attributes": said, "status": {"code": 2, "message": mail},
            "events": [{"name": mail, "timeUnixNano": "1", "attributes": said}],
        }  # fmt: skip
        document = {"resourceSpans": [{"resource": {"attributes": said}, "scopeSpans": [{"spans": [span]}]}]}
        (tmp_path / "x.json").write_text(json.dumps(document), encoding="utf-8")
        assert 0 == run("x.json", "-o", "x.html").exit_code
        page, told = (tmp_path / "x.html").read_text(encoding="utf-8"), run("x.json", "--json").output
        assert "ask [EMAIL" in page
        assert "ask [EMAIL" in told
        assert not [text for text in (page, told) if "moreau" in text]

    def test_name_that_steers_the_terminal(self, store):
        """A file may be called anything; what is said of it is text."""
        assert run("-o", "x\x1b]0;owned\x07\u202e.html").output.startswith("x.html: 1 run, ")

    def test_standard_output(self, store):
        """A dash prints the page and nothing else."""
        result = run("-o", "-")
        assert ("<!doctype html>", "</html>") == (result.output[:15], result.output.strip()[-7:])

    def test_json(self, store):
        """With --json the model is printed, in ASCII, with the name of its schema."""
        result = run("--json", "--last", "2")
        found = json.loads(result.output)
        assert ("agent_callbacks.report/1", 2, True) == (found["schema"], len(found["runs"]), result.output.isascii())


class TestFaults:
    """What is wrong is said, with the way out."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["a0b1", "--last", "2"], "leave them out with a TRACE"), (["ffff"], "no trace 'ffff'"),
            (["--session", "nobody"], "no trace of session 'nobody'"),
            (["-o", "no/such/folder/x.html"], "No such file"),
            (["gone.json"], "no file 'gone.json'"),
            (["broken.json"], "broken.json"), (["empty.json"], "empty.json holds no span"),
        ],
    )  # fmt: skip
    def test_message(self, store, tmp_path, arguments, said):
        """The exit code is not 0, the message names the thing, and no file is left."""
        (tmp_path / "broken.json").write_text("{", encoding="utf-8")
        (tmp_path / "empty.json").write_text('{"resourceSpans": []}', encoding="utf-8")
        result = run(*arguments)
        assert (True, True, False) == (result.exit_code > 0, said in result.output, Path("report.html").exists())

    def test_prices(self, store, monkeypatch, tmp_path):
        """A file of prices that cannot be used is named."""
        (tmp_path / "prices.toml").write_text("nonsense", encoding="utf-8")
        monkeypatch.setenv("AGENT_CALLBACKS_PRICES", str(tmp_path / "prices.toml"))
        result = run()
        assert (2, True) == (result.exit_code, "prices.toml" in result.output)

    def test_without_the_template_engine(self, store, monkeypatch):
        """Without the template engine the line that installs it is named, by the function and by the command."""
        real = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name == "jinja2" else real(name, *rest)
        )
        from agent_callbacks.analysis.report.render import _environment

        _environment.cache_clear()
        with pytest.raises(ReportError, match=r'pip install "agent-callbacks\[cli\]"'):
            render(page([scenes.agent_run(1)], START))
        result = run()
        assert (2, True) == (result.exit_code, 'pip install "agent-callbacks[cli]"' in result.output)

    def test_importing_needs_no_template_engine(self):
        """The package, its analysis and the report's model load without the template engine."""
        code = "import sys; sys.modules['jinja2'] = None; import agent_callbacks.analysis.report"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
        assert (0, b"") == (done.returncode, done.stderr)
