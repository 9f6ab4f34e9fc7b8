"""``agent-callbacks scan``: types and positions, never the values; and the filters that know tags."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from agent_callbacks import Sanitizer
from agent_callbacks.cli.root import root
from agent_callbacks.convention import keys
from agent_callbacks.store.write import StoreExporter
from tests.store.story import TRACE_ID, support

MAIL = "bob@example.com"
TEXT = f"hello\nmail {MAIL}\ncard 4111 1111 1111 1111, {MAIL}\n"


def run(*arguments, **given):
    """Run the command line in this process."""
    return CliRunner().invoke(root, arguments, prog_name="agent-callbacks", **given)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Give a store of two traces: one of a user who is known by a mail address, with an address in its metadata."""
    path = tmp_path / "traces.db"
    monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(path))
    exporter = StoreExporter(path, max_age_seconds=1e9)
    exporter.export(support())
    told = {keys.USER_ID: Sanitizer().clean_identity(MAIL), keys.SESSION_ID: MAIL, "note": MAIL, "password": "horse"}
    exporter.export(support("4bf9" + "0" * 28, **told))
    exporter.shutdown()
    return path


def document(**attributes):
    """Return one span as OTLP-JSON."""
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    span = {
        "traceId": "1" * 32, "spanId": "2" * 16, "name": f"GET {MAIL}",
        "startTimeUnixNano": "1", "endTimeUnixNano": "2",
        "attributes": pairs,
        "events": [{"timeUnixNano": "1", "name": "told", "attributes": pairs}],
        "links": [{"traceId": "1" * 32, "spanId": "3" * 16, "attributes": pairs}],
    }  # fmt: skip
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


def test_places_and_types_are_shown_never_values(tmp_path):
    """Each find is a line, where it stands counted in lines and characters; the last line counts."""
    path = tmp_path / "app.log"
    path.write_text(TEXT)
    result = run("scan", str(path))
    expected = "line 2:5-20  EMAIL\nline 3:5-24  CREDIT_CARD\nline 3:26-41  EMAIL\n3 found: EMAIL 2, CREDIT_CARD 1\n"
    assert (1, expected) == (result.exit_code, result.output)


def test_a_clean_file_is_told_by_the_exit_code(tmp_path):
    """Nothing found is 0, so that a script can ask."""
    path = tmp_path / "app.log"
    path.write_text("order 7 shipped\n")
    result = run("scan", str(path))
    assert (0, "0 found\n") == (result.exit_code, result.output)


def test_explain_says_which_rule(tmp_path):
    """The rule stands behind each find."""
    path = tmp_path / "app.log"
    path.write_text(TEXT)
    assert "CREDIT_CARD  (12 to 19 digits of a card issuer that pass the Luhn check)" in (
        run("scan", str(path), "--explain").output
    )


@pytest.mark.parametrize("explain", [True, False])
def test_json(explain):
    """A program gets the same as one document; the rule where it is asked for."""
    result = run("scan", "-", "--json", *(["--explain"] if explain else []), input=TEXT)
    told = json.loads(result.output)
    assert ("agent_callbacks.findings/1", {"EMAIL": 2, "CREDIT_CARD": 1}) == (told["schema"], told["counts"])
    first = {"type": "EMAIL", "place": "line 2", "start": 5, "end": 20}
    assert first == {key: value for key, value in told["findings"][0].items() if key != "rule"}
    assert explain == ("rule" in told["findings"][0])
    assert "bob" not in result.output


def test_a_large_file_is_read_in_blocks(tmp_path):
    """Lines are counted over the blocks, and a line that reaches over the end of one is read whole."""
    path = tmp_path / "app.log"
    path.write_text(("x" * 99 + "\n") * 5000 + f"to {MAIL}\n" + "y" * 300_000 + f" {MAIL}\n")
    assert ["line 5001:3-18  EMAIL", "line 5002:300001-300016  EMAIL"] == run("scan", str(path)).output.split("\n")[:2]


def test_a_trace(store):
    """A stored trace is looked through span by span: ids for unmistakable forms, keys for what they say."""
    result = run("scan", "--trace", "4bf90", "--explain")
    assert 1 == result.exit_code
    assert "span 'agent.run.support' note:0-15  EMAIL" in result.output
    assert "span 'agent.run.support' password:0-5  SECRET  (the key says what stands under it)" in result.output
    assert "session.id:0-15  EMAIL" in result.output
    assert "user.id" not in result.output
    assert MAIL not in result.output


def test_a_clean_trace(store):
    """What our own story says is nothing personal."""
    assert (0, "0 found\n") == (run("scan", "--trace", TRACE_ID).exit_code, run("scan", "--trace", TRACE_ID).output)
    assert 1 == run("scan", "--trace", "last").exit_code


def test_a_store_as_a_file(store):
    """A store is read like a store, wherever it lies."""
    assert "password:0-5  SECRET" in run("scan", str(store)).output


def test_otlp(tmp_path):
    """OTLP-JSON is read as spans: name, attributes, events and links."""
    path = tmp_path / "spans.json"
    path.write_text(document(to=MAIL, many="x"))
    output = run("scan", str(path)).output
    place = "span 'GET [EMAIL]'"
    for where in ("name:4-19", "to:0-15", "event 'told' to:0-15", "link to:0-15"):
        assert f"{place} {where}  EMAIL" in output
    assert MAIL not in output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\0b", "is no text; expected a text, OTLP-JSON or a trace store"),
        (b"SQLite format 3\0" + b"\0" * 100, "is not a trace store of agent-callbacks"),
        (b'{"resourceSpans": 1', "line 1: expected JSON"),
        (None, "cannot be read (FileNotFoundError)"),
    ],
)
def test_what_cannot_be_read_is_said(content, said, tmp_path):
    """A foreign file is an error with a way out, not a traceback and not a clean bill."""
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    result = run("scan", str(path))
    assert 2 == result.exit_code
    assert said in result.output


@pytest.mark.parametrize("arguments", [(), ("file", "--trace", "last")])
def test_one_source_is_named(arguments):
    """Neither or both is a mistake."""
    result = run("scan", *arguments)
    assert (2, True) == (result.exit_code, "one of the two" in result.output)


class TestTags:
    """Users who are known by a mail address are stored as tags, and found by what they are."""

    def test_the_raw_id_finds_them(self, store):
        """With the key set, the address of a user finds the user's traces, and so does the tag."""
        tag = Sanitizer().clean_identity(MAIL)
        for user in (MAIL, MAIL.upper(), tag):
            assert "4bf90000" in run("ls", "--user", user).output
            assert 0 == run("show", "last", "--user", user).exit_code

    def test_without_the_key_it_is_said_what_to_do(self, store, monkeypatch):
        """Nobody is left to guess why a user who is there is not found."""
        monkeypatch.delenv("AGENT_CALLBACKS_PSEUDONYM_KEY")
        for result in (run("ls", "--user", MAIL), run("show", "last", "--user", MAIL)):
            assert 1 == result.exit_code
            assert "set AGENT_CALLBACKS_PSEUDONYM_KEY to the key of the process that wrote it" in result.output
        assert "PSEUDONYM" not in run("ls", "--user", "u-99").output
