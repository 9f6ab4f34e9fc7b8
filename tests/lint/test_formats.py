"""Findings without a line, an excerpt or help, and edits that meet."""

from __future__ import annotations

from agent_callbacks.lint.finding import Edit, Finding
from agent_callbacks.lint.fix import repaired
from agent_callbacks.lint.formats import FORMATS
from agent_callbacks.lint.report import Report, merged
from agent_callbacks.lint.sarif import sarif

BARE = Finding("SPN900", "error", "cannot be read\x1b[31m", path="a b.py")
LINES = Finding("SPN105", "warning", "m", path="c.py", line=2, end_line=4, excerpt="x = f(", column=5, end_column=2)
OPEN = Finding("SPN105", "warning", "m", path="c.py", line=2)


def test_bare():
    """What is not known is left out, and nothing of a file steers the terminal."""
    shown = FORMATS["full"](Report((BARE,)))
    assert shown.startswith("a b.py: SPN900 file-not-parsed: cannot be read\n\n0 files")


def test_several_lines():
    """A place of several lines is marked to the end of the first, and is a region of all of them."""
    assert "2 | x = f(\n  |     ^^" in FORMATS["full"](Report((LINES,)))
    assert FORMATS["github"](Report((LINES,))).startswith("::warning file=c.py,line=2,endLine=4,col=5,title=")
    places = [each["locations"][0]["physicalLocation"] for each in sarif((LINES, OPEN, BARE))["runs"][0]["results"]]
    assert {"startLine": 2, "startColumn": 5, "endLine": 4, "endColumn": 2} == places[0]["region"]
    assert {"startLine": 2, "startColumn": 1} == places[1]["region"]
    assert {"artifactLocation": {"uri": "a%20b.py"}} == places[2]


def test_edits_that_meet():
    """Of edits at one place or over each other one is made; the others need another run."""
    edits = (Edit(1, 0, 1, 4, "one"), Edit(1, 0, 1, 4, "two"), Edit(1, 2, 1, 6, "three"), Edit(1, 6, 1, 7, "!"))
    findings = [Finding("SPN105", "warning", "m", edit=edit) for edit in edits]
    assert ("abthree!\n", 2) == repaired("abcdefg\n", findings)


def test_merged():
    """Reports are merged in the order of places, their counts added."""
    made = merged([Report((OPEN,), (), {"files": 1}), Report((BARE,), (), {"files": 2, "traces": 1})])
    assert ((BARE, OPEN), {"files": 3, "traces": 1}) == (made.findings, made.counts)
