"""``agent-callbacks warmup``: what is there stays, what is missing is fetched, and what cannot be is said."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from agent_callbacks.cli.root import root
from agent_callbacks.tokens import encoder


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """Let no file be there and none come from the network; give the names of what was fetched."""
    names: list[str] = []

    def fetch(name: str):
        names.append(name)
        return tmp_path / name

    monkeypatch.setattr(encoder, "find", lambda _: None)
    monkeypatch.setattr(encoder, "fetch", fetch)
    return names


def run(*arguments: str):
    """Run the command."""
    return CliRunner().invoke(root, ["warmup", *arguments])


def test_both(fetched):
    """Without a name it fetches what OpenAI's models need."""
    done = run()

    assert (0, ["o200k_base", "cl100k_base"]) == (done.exit_code, fetched)
    assert done.output.startswith("o200k_base: fetched, ")


def test_one(fetched):
    """With one it fetches that."""
    assert (0, ["cl100k_base"]) == (run("cl100k_base").exit_code, fetched)


def test_already_there(monkeypatch, tmp_path):
    """What is there is not fetched again."""
    monkeypatch.setattr(encoder, "find", lambda name: tmp_path / name)
    monkeypatch.setattr(encoder, "fetch", lambda _: pytest.fail("fetched"))

    assert run().output.startswith("o200k_base: found, ")


def test_json(fetched, tmp_path):
    """As JSON it says where the files are."""
    expected = {"schema": "agent_callbacks.warmup/1", "files": {"o200k_base": str(tmp_path / "o200k_base")}}

    assert expected == json.loads(run("o200k_base", "--json").output)


def test_unknown():
    """An encoding nobody knows is named."""
    done = run("o900k_base")

    assert 2 == done.exit_code
    assert "tiktoken knows no encoding 'o900k_base'" in done.output


def test_no_network(monkeypatch):
    """Without network it says what else can be done, and the type of what happened alone."""

    def refuse(_: str):
        raise ConnectionError("https://files.example?key=secret")

    monkeypatch.setattr(encoder, "find", lambda _: None)
    monkeypatch.setattr(encoder, "fetch", refuse)
    done = run()

    assert 2 == done.exit_code
    assert "could not be fetched (ConnectionError); without network, copy the directory" in done.output
    assert "secret" not in done.output
