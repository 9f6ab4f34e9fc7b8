"""Which encoding a model has, and how its file is found, loaded and, on the user's command alone, fetched."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
import tiktoken.load

from agent_callbacks.tokens import encoder
from agent_callbacks.tokens.encoder import DEFAULT_ENCODING, SHIPPED, encoding_of

pytest.importorskip("llama_index.core")


@pytest.fixture
def empty(monkeypatch, tmp_path):
    """Return a machine without llama-index-core and without a file; the directory is tiktoken's own."""
    monkeypatch.setattr(encoder.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    monkeypatch.setattr(encoder.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path / "cache"


@pytest.fixture
def offline(monkeypatch):
    """Forbid sockets."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)


class TestEncodingOf:
    """The encoding of a model."""

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("gpt-4o-mini", ("o200k_base", True)),
            ("gpt-5.1-codex", ("o200k_base", True)),
            ("openai/gpt-4o", ("o200k_base", True)),
            ("ft:gpt-4o-2024-08-06:acme::9x", ("o200k_base", True)),
            ("gpt-oss-120b", ("o200k_base", True)),
            ("gpt-4-0613", ("cl100k_base", True)),
            ("GPT-3.5-turbo", ("cl100k_base", True)),
            ("claude-sonnet-4-5", ("o200k_base", False)),
            ("", ("o200k_base", False)),
            (None, ("o200k_base", False)),
        ],
    )
    def test_encoding(self, model, expected):
        """OpenAI's models have a known one, every other the commonest, which is then an assumption."""
        assert expected == encoding_of(model)


class TestFind:
    """Where the file of an encoding is."""

    def test_shipped(self):
        """llama-index-core brings those of OpenAI's models; it is not imported for that."""
        assert ["tiktoken_cache"] * len(SHIPPED) == [encoder.find(name).parent.name for name in SHIPPED]

    def test_none(self, empty):
        """Without llama-index-core and without a cache there is none."""
        assert encoder.find(DEFAULT_ENCODING) is None
        assert encoder.load(DEFAULT_ENCODING) is None

    def test_unknown_encoding(self):
        """An encoding tiktoken does not know has none."""
        assert encoder.find("o900k_base") is None

    def test_in_cache(self, monkeypatch, tmp_path, offline):
        """A file in TIKTOKEN_CACHE_DIR is used, without llama-index-core and without network."""
        shutil.copy(encoder.find(DEFAULT_ENCODING), tmp_path)
        monkeypatch.setattr(encoder.importlib.util, "find_spec", lambda _: None)
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))

        assert tmp_path == encoder.find(DEFAULT_ENCODING).parent
        assert [13225, 2375] == encoder.load(DEFAULT_ENCODING).encode_ordinary("Hello world")

    def test_damaged(self, empty):
        """A file that is not what tiktoken expects is as none."""
        shipped = Path(encoder.__file__)
        url, _ = encoder._source(DEFAULT_ENCODING)
        empty.mkdir()
        (empty / encoder.hashlib.sha1(url.encode()).hexdigest()).write_bytes(shipped.read_bytes())

        assert encoder.find(DEFAULT_ENCODING) is None

    @pytest.mark.parametrize("error", [ImportError, ValueError])
    def test_half_a_framework(self, monkeypatch, empty, error):
        """A module of LlamaIndex's name that cannot be looked at is as none."""

        def broken(_: str) -> None:
            raise error

        monkeypatch.setattr(encoder.importlib.util, "find_spec", broken)

        assert encoder.find(DEFAULT_ENCODING) is None

    def test_own_cache(self, monkeypatch, tmp_path):
        """Without TIKTOKEN_CACHE_DIR files are kept in the user's cache, where a restart does not empty it."""
        monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

        assert tmp_path / "agent-callbacks" / "tiktoken" == encoder.cache_directory()


class TestLoad:
    """The encoder."""

    def test_pauses(self, offline):
        """Where others run, it asks before the part that cannot be divided, and gives the same encoder."""
        asked = []

        found = encoder.load("cl100k_base", lambda: asked.append(True))

        assert [True] == asked
        text = "naïve café 12345\n\n  x"
        assert encoder.load("cl100k_base").encode_ordinary(text) == found.encode_ordinary(text)

    def test_gone_meanwhile(self, monkeypatch):
        """A tiktoken that does not describe what it knows the file of gives none."""
        monkeypatch.setattr(encoder, "_described", lambda *_: None)
        monkeypatch.setattr(encoder, "find", lambda _: Path(__file__))

        assert encoder.load("o200k_base") is None


class TestFetch:
    """Fetching, which only the command does."""

    def test_fetched(self, monkeypatch, empty):
        """What comes is checked and put where it is found."""
        data = b"Hello"
        source = ("https://files.example/o200k_base.tiktoken", encoder.hashlib.sha256(data).hexdigest())
        monkeypatch.setattr(encoder, "_source", lambda _: source)
        monkeypatch.setattr(tiktoken.load, "read_file", lambda _: data)

        path = encoder.fetch(DEFAULT_ENCODING)

        assert (empty, data, path) == (path.parent, path.read_bytes(), encoder.find(DEFAULT_ENCODING))
        assert [path] == list(empty.iterdir())

    def test_wrong(self, monkeypatch, empty):
        """What a proxy answers instead is refused and not kept."""
        monkeypatch.setattr(tiktoken.load, "read_file", lambda _: b"<html>sign in</html>")

        with pytest.raises(ValueError, match="a proxy may have answered"):
            encoder.fetch(DEFAULT_ENCODING)
        assert not empty.exists()

    def test_unknown(self):
        """An encoding tiktoken does not know is named."""
        with pytest.raises(ValueError, match="tiktoken knows no encoding 'o900k_base'"):
            encoder.fetch("o900k_base")
