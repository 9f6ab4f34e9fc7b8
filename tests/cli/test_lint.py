"""The linting commands: ``lint``, ``names``, ``rules``, ``explain``, ``config show``."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from agent_callbacks.cli.root import root
from agent_callbacks.lint.rules import RULES
from agent_callbacks.store.write import StoreExporter
from tests.store.story import TRACE_ID, support

TRACER = "from opentelemetry import trace\ntracer = trace.get_tracer(__name__)\n"
BAD = TRACER + 'tracer.start_span("tool.searchWeb")\n'
WORSE = TRACER + 'tracer.start_span("agent.step.0")\n'
GOOD = TRACER + 'tracer.start_span("tool.search_web")\n'


def run(*arguments, text=None):
    """Run the command line in this process."""
    return CliRunner().invoke(root, arguments, input=text, prog_name="agent-callbacks")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """Start in an empty project, on a plain terminal."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.agent_callbacks.lint]\n")
    return tmp_path


def configure(text: str) -> None:
    """Write the settings of the project."""
    Path("pyproject.toml").write_text(f"[tool.agent_callbacks.lint]\n{text}\n")


class TestExit:
    """0 for nothing grave, 1 for something, 2 for what cannot be done."""

    def test_clean(self):
        """Nothing found is 0, with a line that says how much was looked at."""
        Path("good.py").write_text(GOOD)
        done = run("lint", "good.py")
        line = "1 file, 1 span name and 0 tools or agents (1 literal, 0 resolved, 0 unresolved)"
        assert (0, f"{line}: 0 errors, 0 warnings, 0 information\n") == (done.exit_code, done.output)

    def test_levels(self):
        """A warning fails only when asked for, an error always unless told otherwise."""
        Path("bad.py").write_text(BAD)
        Path("worse.py").write_text(WORSE)
        assert [0, 1] == [run("lint", path).exit_code for path in ("bad.py", "worse.py")]
        assert 1 == run("lint", "bad.py", "--fail-on", "warning").exit_code
        assert 0 == run("lint", "worse.py", "--fail-on", "never").exit_code
        assert 0 == run("lint", "worse.py", "--exit-zero").exit_code
        assert 1 == run("lint", "bad.py", "--rules", "strict").exit_code

    def test_nothing_to_lint(self):
        """An empty selection is 2, never a silent success."""
        done = run("lint")
        assert (2, "nothing to lint in .: no Python file and no trace\n") == (done.exit_code, done.stderr)

    def test_no_such_path(self):
        """A path that is not there is 2 and named."""
        done = run("lint", "nowhere.py")
        assert (2, "nowhere.py: No such file or directory\n") == (done.exit_code, done.stderr)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--select", "SPN9999"], "'SPN9999' is no rule"),
            (["--ignore", "E501"], "'E501' is no rule"),
            (["--rules", "nonsense"], "nonsense"),
        ],
    )
    def test_wrong_options(self, arguments, said):
        """A code or a set that does not exist is 2."""
        Path("good.py").write_text(GOOD)
        done = run("lint", "good.py", *arguments)
        assert (2, True) == (done.exit_code, said in done.stderr)


class TestInputs:
    """What can be linted."""

    def test_selection(self):
        """Codes are chosen by their beginnings."""
        Path("bad.py").write_text(BAD + WORSE)
        both = {"SPN104", "SPN105"}
        for arguments, expected in (
            ([], both), (["--select", "SPN104"], {"SPN104"}), (["--ignore", "SPN104,SPN2"], {"SPN105"}),
            (["--select", "SPN1 SPN3"], both), (["--rules", "minimal"], {"SPN104"}),
        ):  # fmt: skip
            shown = json.loads(run("lint", "bad.py", "--format", "json", *arguments).output)
            assert expected == {each["code"] for each in shown["findings"]}

    def test_folder(self):
        """Of a folder, Python files count that no .gitignore and no setting excludes."""
        for path in ("a.py", "b.pyi", "skipped.py", "build/c.py", "deep/d.py", "deep/kept/e.py", "venv/f.py", "g.txt"):
            file = Path("src", path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(BAD)
        Path("src/link").symlink_to("deep", target_is_directory=True)
        Path(".git").mkdir()
        Path(".gitignore").write_text("build/\n")
        Path("src/deep/.gitignore").write_text("*.py\n!kept/\n!kept/*.py\n")
        configure('exclude = ["skipped.py"]')
        shown = json.loads(run("lint", "src", "--format", "json").output)
        expected = ["src/a.py", "src/b.pyi", "src/deep/kept/e.py"]
        assert expected == [each["path"] for each in shown["findings"]]
        inside = json.loads(run("lint", str(Path("src/deep").absolute()), "--format", "json").output)
        assert ["e.py"] == [Path(each["path"]).name for each in inside["findings"]]

    def test_standard_input(self):
        """Standard input is source or a trace, by how it begins or as it is said to be."""
        assert "<stdin>:3:19: SPN105" in run("lint", "-", text=BAD).output
        assert "app.py:3:19: SPN105" in run("lint", "-", "--stdin-filename", "app.py", text=BAD).output
        assert "SPN105" in run("lint", "-", text=otlp("tool.searchWeb")).output
        assert "SPN900" in run("lint", "-", "--kind", "source", text="tracer.start_span(").output

    def test_trace_file(self):
        """A trace file is linted as one, and a damaged one is a finding."""
        Path("run.jsonl").write_text(otlp("tool.searchWeb") + "\n" + otlp("tool.fetch", 2))
        shown = run("lint", "run.jsonl", "--format", "full").output
        assert "run.jsonl: trace 00000000: SPN105 not-snake-case: `tool.searchWeb`: names are lower case" in shown
        assert " | tool.searchWeb\n | ^^^^^^^^^^^^^^\n  help: name it `tool.search_web`" in shown
        assert "2 traces with 2 spans" in shown
        Path("bad.json").write_text('{"resourceSpans": [{"scopeSpans": 3}]}')
        done = run("lint", "bad.json")
        assert (1, True) == (done.exit_code, "bad.json: SPN900 file-not-parsed: line 1" in done.output)

    def test_store(self, monkeypatch):
        """Stored traces are linted: all, the last, one by its id, or those since a moment."""
        exporter = StoreExporter("t.db", max_age_seconds=1e9)
        exporter.export(support())
        exporter.shutdown()
        for arguments in (
            ["--store", "t.db"], ["--store", "t.db", "--trace", "last"], ["--store", "t.db", "--trace", TRACE_ID[:6]],
            ["--store", "t.db", "--since", "2020-01-01"], ["t.db"],
        ):  # fmt: skip
            assert "1 trace" in run("lint", *arguments).output
        unknown = run("lint", "--store", "t.db", "--trace", "ffff")
        assert (2, True) == (unknown.exit_code, "no trace 'ffff'" in unknown.stderr)
        assert 1 == run("lint", "--store", "t.db", "--since", "2099-01-01").exit_code
        monkeypatch.setenv("AGENT_CALLBACKS_STORE", "t.db")
        assert "1 trace" in run("lint", "--store").output
        assert "1 trace" in run("lint", "--since", "2020-01-01").output

    def test_unreadable(self):
        """What is no Python, or in no encoding, is a finding; a declared encoding is read."""
        Path("broken.py").write_text(TRACER + "tracer.start_span(\n")
        Path("bytes.py").write_bytes(b"x = '\xff'\n")
        Path("latin.py").write_bytes(b"# -*- coding: latin-1 -*-\n" + BAD.encode() + b"# \xe4\n")
        Path("cookie.py").write_bytes(b"# -*- coding: nonsense -*-\n")
        Path("nul.py").write_bytes(TRACER.encode() + b"\0start_span\n")
        done = run("lint", ".", "--format", "concise")
        assert 1 == done.exit_code
        assert "broken.py:3:18: SPN900 file-not-parsed: cannot be parsed" in done.output
        assert "bytes.py: SPN900 file-not-parsed: cannot be decoded: invalid start byte" in done.output
        assert "latin.py:4:19: SPN105" in done.output
        assert "nul.py:" in done.output
        assert 3 == done.output.count("SPN900")

    def test_imports_across_files(self):
        """Names that are imported from the project are followed, into packages, sources and re-exports."""
        files = {
            "src/app/__init__.py": "",
            "src/app/names.py": 'PREFIX = "tool"\nBAD = f"{PREFIX}.Bad"\nclass Names:\n    WORSE = "tool.Worse"\n',
            "src/app/again.py": "from .names import BAD as again\nfrom langchain_core.tools import tool, BaseTool\n",
            "src/app/main.py": TRACER
            + "from app.names import BAD, Names\nfrom . import names\nimport app.names\n"
            + "from .again import again, tool, BaseTool\nfrom .missing import gone\nfrom .names import nothing\n"
            + "tracer.start_span(BAD)\ntracer.start_span(Names.WORSE)\ntracer.start_span(names.BAD)\n"
            + "tracer.start_span(again)\ntracer.start_span(app.names.BAD)\n"
            + "@tool\ndef camelCase(x): ...\nclass T(BaseTool):\n    name: str = 'Bad'\n"
            + "tracer.start_span(gone)\ntracer.start_span(nothing)\n",
        }
        for path, text in files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text)
        shown = json.loads(run("lint", "src", "--ignore", "SPN302", "--format", "json").output)
        assert [9, 10, 11, 12, 13, 15, 17] == [each["line"] for each in shown["findings"] if each["code"] == "SPN105"]
        assert {"SPN105", "SPN205"} == {each["code"] for each in shown["findings"]}

    def test_roots(self):
        """Folders that imports start from can be named."""
        for path, text in (
            ("lib/mine.py", 'BAD = "tool.Bad"\n'),
            ("x.py", TRACER + "from mine import BAD\ntracer.start_span(BAD)\n"),
        ):
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text(text)
        assert "SPN105" not in run("lint", "x.py").output
        configure('roots = ["lib"]')
        assert "SPN105" in run("lint", "x.py").output


def otlp(name: str, number: int = 1) -> str:
    """Return one span as a line of OTLP-JSON."""
    span = {
        "traceId": f"{number:032x}", "spanId": "0" * 15 + "1", "name": name, "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
        "attributes": [{"key": "gen_ai.tool.name", "value": {"stringValue": "search_web"}}],
    }  # fmt: skip
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


class TestFormats:
    """What the findings look like."""

    def test_full(self):
        """For people: the line, carets under the name, the way out."""
        Path("bad.py").write_text("def f():\n" + "\n".join("    " + line for line in BAD.splitlines()))
        summary = "1 file, 1 span name and 0 tools or agents (1 literal, 0 resolved, 0 unresolved)"
        expected = f"""\
bad.py:4:23: SPN105 not-snake-case: `tool.searchWeb`: names are lower case
4 |     tracer.start_span("tool.searchWeb")
  |                       ^^^^^^^^^^^^^^^^
  help: name it `tool.search_web`

{summary}: 0 errors, 1 warning, 0 information; 1 fixable with --fix
"""
        assert expected == run("lint", "bad.py", "--format", "full").output

    def test_wide(self):
        """The caret stands under the name where characters are wide, tabs are there or the call has several lines."""
        Path("bad.py").write_text(TRACER + 'if 1:\n\tx = ("検索", tracer.start_span("tool.検-x"))\n', encoding="utf-8")
        lines = run("lint", "bad.py", "--format", "full", "--select", "SPN107").output.splitlines()
        assert lines[1].index('"tool') + 2 == lines[2].index("^")
        Path("bad.py").write_text(TRACER + 'tracer.start_span("tool.A"\n    "b")\n')
        assert " ^^^^^^^^\n" in run("lint", "bad.py", "--format", "full").output

    def test_terminal(self):
        """On a terminal the format is full and coloured, without one concise and plain."""
        Path("bad.py").write_text(BAD)
        code = "from agent_callbacks.cli import main; main()"
        command = [sys.executable, "-c", code, "lint", "bad.py"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
        main, other = pty.openpty()
        with subprocess.Popen(command, stdout=other, env=environment) as process:
            process.wait(60)
            shown = os.read(main, 10_000).decode()
        os.close(main)
        os.close(other)
        assert "\x1b[33mSPN105 not-snake-case\x1b[0m" in shown
        assert "^^^^" in shown
        plain = run("lint", "bad.py").output
        assert "\x1b" not in plain
        assert "^" not in plain

    def test_jsonl(self):
        """One finding a line, its fix included."""
        Path("bad.py").write_text(BAD)
        (line,) = run("lint", "bad.py", "--format", "jsonl").output.splitlines()
        found = json.loads(line)
        assert ("SPN105", "not-snake-case", "warning", "bad.py", 3, 19) == (
            found["code"], found["rule"], found["level"], found["path"], found["line"], found["column"],
        )  # fmt: skip
        assert {
            "line": 3,
            "column": 19,
            "end_line": 3,
            "end_column": 33,
            "text": "tool.search_web",
            "safe": True,
        } == found["fix"]

    def test_github(self):
        """Annotations of a GitHub workflow; what would end a value is escaped."""
        Path("bad.py").write_text(TRACER + 'tracer.start_span("tool.%s")\ntracer.start_span(\n"tool.C" "d")\n')
        Path("run.json").write_text(otlp("tool.fetch"))
        shown = run("lint", "bad.py", "run.json", "--format", "github").output.splitlines()
        assert (
            "::error file=bad.py,line=3,endLine=3,col=19,endColumn=28,title=SPN112 unresolved-placeholder"
            "::`tool.%25s`: a template was never filled in; put an f in front of the string, or a value where None was"
        ) == shown[0]
        assert shown[1].startswith("::warning file=bad.py,line=5,endLine=5,col=1")
        assert shown[2].startswith("::error file=run.json,title=SPN113")

    def test_sarif(self):
        """SARIF 2.1.0: what the schema requires of the objects that are there, with nothing it does not know."""
        Path("bad.py").write_text(BAD + WORSE)
        Path("run.json").write_text(otlp("tool.fetch"))
        log = json.loads(run("lint", "bad.py", str(Path("run.json").absolute()), "--format", "sarif").output)
        jsonschema.validate(log, SARIF)
        official = os.environ.get("AGENT_CALLBACKS_TEST_SARIF_SCHEMA")
        if official:  # the whole schema of OASIS, where a developer has it
            jsonschema.validate(log, json.loads(Path(official).read_text()))
        (one,) = log["runs"]
        rules = one["tool"]["driver"]["rules"]
        assert list(RULES) == [rule["id"] for rule in rules]
        assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in one["results"])
        first = next(each for each in one["results"] if each["ruleId"] == "SPN105")
        assert ("SPN105", "warning", "bad.py") == (
            first["ruleId"], first["level"], first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        )  # fmt: skip
        prints = [each["partialFingerprints"]["finding/v1"] for each in one["results"]]
        Path("bad.py").write_text("\n\n" + BAD + WORSE)
        moved = json.loads(run("lint", "bad.py", "--format", "sarif").output)["runs"][0]["results"]
        assert {each["partialFingerprints"]["finding/v1"] for each in moved} <= set(prints)

    def test_output(self):
        """The result goes to a file when asked to; one that cannot be written is 2."""
        Path("bad.py").write_text(BAD)
        assert "" == run("lint", "bad.py", "-o", "out.txt").output
        assert Path("out.txt").read_text().startswith("bad.py:3:19: SPN105")
        done = run("lint", "bad.py", "-o", "nowhere/out.txt")
        assert (2, True) == (done.exit_code, "nowhere/out.txt cannot be written" in done.stderr)


_TEXT = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "minLength": 1}},
}
_COUNT = {"type": "integer", "minimum": 1}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
# The part of the schema that concerns the objects we write, each closed: an unknown property is a mistake.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "name": {"type": "string"},
                                                "shortDescription": _TEXT,
                                                "fullDescription": _TEXT,
                                                "help": _TEXT,
                                                "defaultConfiguration": {
                                                    "type": "object",
                                                    "additionalProperties": False,
                                                    "properties": {"level": _LEVEL},
                                                },
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": _LEVEL,
                                "message": _TEXT,
                                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "additionalProperties": False,
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "additionalProperties": False,
                                                "properties": {
                                                    "artifactLocation": {
                                                        "type": "object",
                                                        "additionalProperties": False,
                                                        "properties": {
                                                            "uri": {"type": "string", "format": "uri-reference"}
                                                        },
                                                    },
                                                    "region": {
                                                        "type": "object",
                                                        "additionalProperties": False,
                                                        "properties": dict.fromkeys(
                                                            ("startLine", "startColumn", "endLine", "endColumn"), _COUNT
                                                        ),
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


class TestFix:
    """Repairs."""

    TEXT = (
        TRACER
        + "from langchain_core.tools import tool\n"
        + "with tracer.start_as_current_span('tool.searchWeb'), tracer.start_as_current_span(\"tool.a b\"): ...\n"
        + 'x = tracer.start_span("tool.ok")  # noqa: SPN105\n'
        + '@tool("Read File")\ndef f(x): ...\n'
        + 'tracer.start_span("tool.{x}")\ntracer.start_span("tool." "Split")\ntracer.start_span("tool.\\x41b")\n'
    )

    def test_safe(self):
        """Names of spans and idle comments are repaired, what a model would see is not."""
        Path("a.py").write_text(self.TEXT)
        done = run("lint", "a.py", "--fix", "--ignore", "SPN302")
        assert "repaired 3\n" == done.stderr
        after = Path("a.py").read_text()
        assert (
            "with tracer.start_as_current_span('tool.search_web'), tracer.start_as_current_span(\"tool.a_b\"): ...\n"
            in after
        )
        assert 'x = tracer.start_span("tool.ok")\n' in after
        assert '@tool("Read File")' in after
        assert "SPN901" not in done.stdout
        assert "SPN112" in done.stdout

    def test_unsafe(self):
        """On request tools are renamed and a missing f is put in."""
        Path("a.py").write_text(self.TEXT)
        assert "repaired 5\n" == run("lint", "a.py", "--fix", "--unsafe-fixes").stderr
        after = Path("a.py").read_text()
        assert '@tool("read_file")' in after
        assert 'tracer.start_span(f"tool.{x}")' in after

    def test_diff(self):
        """A diff shows what would change, and changes nothing."""
        Path("a.py").write_text(BAD.rstrip("\n"))
        shown = run("lint", "a.py", "--diff").output
        assert '-tracer.start_span("tool.searchWeb")\n\\ No newline' in shown
        assert '+tracer.start_span("tool.search_web")\n' in shown
        assert BAD.rstrip("\n") == Path("a.py").read_text()

    def test_nothing_to_fix(self):
        """A file that is right is left alone."""
        Path("a.py").write_text(GOOD)
        assert "" == run("lint", "a.py", "--fix").stderr

    def test_standard_input(self):
        """Standard input cannot be written to; its repaired text is what is judged."""
        done = run("lint", "-", "--fix", text=BAD)
        assert (0, True) == (done.exit_code, "0 warnings" in done.stdout)

    def test_other_comments(self):
        """A comment that says more than the idle code stays."""
        Path("a.py").write_text(GOOD.rstrip("\n") + "  # noqa: SPN105, E501\n")
        assert "" == run("lint", "a.py", "--fix").stderr


class TestSettings:
    """``[tool.agent_callbacks.lint]``."""

    def test_used(self):
        """Every setting of the file counts; the command line counts more."""
        Path("bad.py").write_text(BAD + WORSE)
        configure('select = ["SPN105"]')
        assert 0 == run("lint", "bad.py").exit_code
        assert 1 == run("lint", "bad.py", "--select", "SPN104").exit_code
        configure('fail_on = "warning"')
        assert 1 == run("lint", "bad.py", "--ignore", "SPN104").exit_code
        configure("[tool.agent_callbacks.lint.severity]\nSPN1 = 'information'\nSPN105 = 'warning'")
        levels = {
            each["code"]: each["level"]
            for each in json.loads(run("lint", "bad.py", "--format", "json").output)["findings"]
        }
        assert {"SPN104": "information", "SPN105": "warning"} == levels
        configure("[tool.agent_callbacks.lint.per_path_ignores]\n'*.py' = ['SPN1']")
        assert "0 errors, 0 warnings" in run("lint", "bad.py").output
        configure('scope = "all"')
        Path("all.py").write_text(TRACER + 'tracer.start_span("GET /orders")\ntracer.start_span(f"GET {order_id}")\n')
        assert ["SPN101", "SPN204"] == sorted(
            {each["code"] for each in json.loads(run("lint", "all.py", "--format", "json").output)["findings"]}
        )

    def test_providers(self):
        """Tool names are held to the limits of the providers that are named."""
        Path("t.py").write_text("from langchain_core.tools import tool\n@tool('fs.read')\ndef f(x): ...\n")
        configure('providers = ["openai", "mcp", "gemini"]')
        shown = run("lint", "t.py", "--select", "SPN305").output
        assert "SPN305 provider-limit: `fs.read` is refused by openai\n" in shown

    def test_not_duplicates(self):
        """Pairs that are meant are left alone."""
        text = "from langchain_core.tools import tool\n@tool\ndef a_b(x): ...\n@tool\ndef b_a(x): ...\n"
        Path("t.py").write_text(text)
        assert "SPN302" in run("lint", "t.py").output
        configure('not_duplicates = [["a_b", "b_a"]]')
        assert "SPN302" not in run("lint", "t.py").output

    def test_convention(self):
        """The naming convention is the file that run time reads."""
        Path("span-names.toml").write_text(
            '[naming]\nnamespaces = ["guardrail"]\nregistry = ["search"]\n[aliases]\n"Bing Search" = "bing"\n'
        )
        Path("t.py").write_text(
            TRACER + 'tracer.start_span("guardrail.Check")\nfrom langchain_core.tools import tool\n'
            "@tool('Bing Search')\ndef f(x): ...\n"
        )
        configure('convention = "span-names.toml"')
        shown = run("lint", "t.py").output
        assert "SPN105 not-snake-case: `guardrail.Check`" in shown
        assert "SPN303 unregistered-tool: `tool.bing` is not in the registry" in shown
        assert "SPN106" not in shown

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('selct = ["SPN1"]', "unknown key 'selct' in [tool.agent_callbacks.lint]; did you mean 'select'?"),
            ("xyzzy = 1", "unknown key 'xyzzy' in [tool.agent_callbacks.lint]; known: rules, select"),
            ('rules = "loud"', "rules = 'loud': must be one of minimal, standard, strict, otel_genai"),
            ('select = "SPN1"', "select = 'SPN1': must be a list of codes"),
            ('ignore = ["SPN7"]', "'SPN7' is no rule"),
            ("not_duplicates = [['a']]", "must be a list of pairs"),
            ("not_duplicates = 3", "must be a list of pairs"),
            ("severity = 3", "must be a table"),
            ("providers = ['acme']", "must be a list, out of anthropic"),
            ("convention = 'nowhere.toml'", "cannot read the naming convention"),
            ("convention = 'bad.toml'", "unknown key 'mod' in [naming]; did you mean 'mode'?"),
            ("= 3", "cannot be read"),
        ],
    )
    def test_wrong(self, text, said):
        """A setting that cannot be used is 2, and named with its file, the rule and the way out."""
        Path("bad.toml").write_text("[naming]\nmod = 'off'\n")
        configure(text)
        done = run("lint", ".")
        assert (2, True) == (done.exit_code, said in done.stderr), done.stderr

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[tool.agent_callbacks]\nlnt = 1\n", "unknown key 'lnt' in [tool.agent_callbacks]; known: lint"),
            ("[tool]\nagent_callbacks = 1\n", "agent_callbacks must be a table"),
        ],
    )
    def test_wrong_tables(self, text, said):
        """What stands beside our table, or instead of it, is refused too."""
        Path("pyproject.toml").write_text(text)
        assert said in run("config", "show").stderr

    def test_show(self):
        """Each value is shown with the place it comes from; the nearest file with our table counts."""
        Path("span-names.toml").write_text("[aliases]\na = 'b'\n")
        configure('rules = "strict"\nconvention = "span-names.toml"')
        Path("inner").mkdir()
        Path("inner/pyproject.toml").write_text("[project]\n")
        shown = run("config", "show", "inner").output
        assert f'rules = "strict"  # {Path("pyproject.toml").absolute()}\n' in shown
        assert 'aliases = {"a": "b"}  # span-names.toml\n' in shown
        assert 'scope = "convention"  # default\n' in shown
        Path("x.py").write_text("")
        document = json.loads(run("config", "show", "x.py", "--json").output)["settings"]
        assert {"value": "strict", "source": str(Path("pyproject.toml").absolute())} == document["rules"]

    def test_none(self, monkeypatch, tmp_path_factory):
        """Without a file the defaults count, wherever nothing is."""
        empty = tmp_path_factory.mktemp("empty")
        monkeypatch.chdir(empty)
        assert 'rules = "standard"  # default\n' in run("config", "show", "nowhere").output


class TestNames:
    """``names`` and the lock."""

    SOURCE = (
        "from langchain_core.tools import tool\n"
        "@tool\ndef search_web(x): ...\n@tool\ndef fetch_page(x): ...\n@tool('kb_883920')\ndef kb(x): ...\n"
        + TRACER
        + "tracer.start_span('llm.chat')\n"
    )

    def test_listed(self):
        """The names of a project are listed with where each stands; what holds an id is no name."""
        Path("t.py").write_text(self.SOURCE)
        assert "llm.chat  t.py:10\ntool.fetch_page  t.py:5\ntool.search_web  t.py:3\n" == run("names").output
        listed = json.loads(run("names", "t.py", "--json").output)["names"]
        assert {"name": "tool.fetch_page", "raw": "fetch_page", "path": "t.py", "line": 5} == listed[1]

    def test_lock(self):
        """A name that goes is found, with the one it became and the query that goes blank."""
        Path("t.py").write_text(self.SOURCE)
        assert "2 names" in run("names", "--lock", "--update").output
        lock = Path("span-names.lock").read_text()
        assert ["tool.fetch_page", "tool.search_web"] == [
            each for each in lock.splitlines() if not each.startswith("#")
        ]
        assert 0 == run("names", "--lock", "--check").exit_code
        Path("t.py").write_text(self.SOURCE.replace("search_web", "web_search").replace("fetch_page", "load_page"))
        done = run("names", "--lock")
        assert 1 == done.exit_code
        assert (
            '`tool.search_web` became `tool.web_search`: a query for name = "tool.search_web" finds nothing any more'
            in done.output
        )
        assert "`tool.fetch_page` is gone, and `tool.load_page` is new" in done.output
        assert "not locked yet: tool.load_page, tool.web_search" in done.output
        Path("t.py").write_text(self.SOURCE.replace("search_web", "other"))
        linted = run("lint", ".")
        assert (1, True) == (linted.exit_code, "`tool.search_web` is gone" in linted.output)
        assert 0 == run("lint", "t.py", "--exit-zero").exit_code
        assert "SPN304" not in run("lint", "t.py").output
        assert "SPN304" in json.loads(run("names", "--lock", "--json").output)["findings"][0]["code"]

    def test_faults(self):
        """A lock that is not there, and options that contradict each other, are 2."""
        Path("t.py").write_text(self.SOURCE)
        assert "write it with agent-callbacks names --lock --update" in run("names", "--lock").stderr
        assert 2 == run("names", "--check").exit_code
        assert 2 == run("names", "--lock", "--check", "--update").exit_code
        assert 2 == run("names", "--lock", "nowhere/x.lock", "--update").exit_code


class TestCatalogue:
    """``rules`` and ``explain``."""

    def test_every_rule(self):
        """Every rule can be explained, in words and as JSON, by code or name."""
        for rule in RULES.values():
            shown = run("explain", rule.code.lower()).output
            assert f"{rule.code} {rule.name} ({rule.level})" in shown
            assert f"wrong     {rule.bad}" in shown
            assert rule.code == json.loads(run("explain", rule.name, "--json").output)["code"]

    def test_unknown(self):
        """A slip of the finger suggests the rule that was meant."""
        done = run("explain", "high-cardinality-tokn")
        assert (2, "no rule 'high-cardinality-tokn'; did you mean 'high-cardinality-token'?\n") == (
            done.exit_code,
            done.stderr,
        )
        assert "see agent-callbacks rules" in run("explain", "xyzzy").stderr

    def test_listed(self):
        """All rules are listed, or those of a set."""
        assert list(RULES) == [line.split()[0] for line in run("rules").output.splitlines()]
        assert "SPN105" not in run("rules", "--rules", "minimal").output
        assert len(RULES) == len(json.loads(run("rules", "--json").output)["rules"])
