"""What the linting commands read: settings, Python files, trace files, the store, standard input."""

from __future__ import annotations

import io
import os
import sys
import tokenize
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.trace import TraceError, from_store, parsed, traces
from agent_callbacks.cli import terminal
from agent_callbacks.cli.chosen import resolved
from agent_callbacks.lint import lock
from agent_callbacks.lint.config import Config, ConfigError, load
from agent_callbacks.lint.files import kind_of, python_files
from agent_callbacks.lint.judge import found
from agent_callbacks.lint.report import Report, merged
from agent_callbacks.lint.run import Settings, lint_source
from agent_callbacks.lint.spans import lint_traces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.lint.finding import Finding

__all__ = ["Inputs", "configured", "gather", "linted", "stored"]

_STDIN: Final = "-"


@dataclass(slots=True)
class Inputs:
    """What is to be linted."""

    sources: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Path and text of each Python file."""
    traces: list[tuple[str, list[Trace]]] = field(default_factory=list["tuple[str, list[Trace]]"])
    """Where traces come from, and the traces."""
    unread: list[Finding] = field(default_factory=list["Finding"])
    folders: bool = False
    """Whether a whole folder was asked for, so that all its names are known."""

    def __bool__(self) -> bool:
        return bool(self.sources or self.traces or self.unread)

    def write(self, path: str, text: str) -> None:
        """Replace the text of a file; of standard input only what is linted next."""
        if Path(path).is_file():
            Path(path).write_bytes(text.encode("utf-8"))
        self.sources = [(each, text if each == path else old) for each, old in self.sources]


def configured(paths: Sequence[str], given: Mapping[str, object]) -> tuple[Config, Settings]:
    """Return the settings for *paths*; what is wrong with them ends the program with exit code 2."""
    existing = [Path(path).absolute() for path in paths if Path(path).exists()]
    start = Path(os.path.commonpath(existing)) if existing else Path.cwd()
    try:
        config = load(start if start.is_dir() else start.parent, given)
        return config, config.settings()
    except ConfigError as error:
        terminal.stop(str(error), terminal.USAGE_ERROR)


def gather(paths: Sequence[str], config: Config, kind: str, stdin_name: str) -> Inputs:
    """Return what is to be linted in *paths*; one that is not there ends the program with exit code 2."""
    inputs = Inputs()
    for each in dict.fromkeys(paths):
        if each == _STDIN:
            _take(inputs, Path(stdin_name), sys.stdin.buffer.read(), kind)
            continue
        path = Path(each)
        try:
            if path.is_dir():
                inputs.folders = True
                for file in python_files(path, config.values["exclude"]):
                    _take(inputs, file, file.read_bytes(), "source")
            else:
                _take(inputs, path, path.read_bytes(), kind)
        except OSError as error:
            terminal.stop(f"{error.filename}: {error.strerror}", terminal.USAGE_ERROR)
    return inputs


def _take(inputs: Inputs, path: Path, content: bytes, kind: str) -> None:
    found_kind = kind_of(path, content) if kind == "auto" else kind
    try:
        if found_kind == "source":
            inputs.sources.append((str(path), _decoded(content)))
        elif found_kind == "store":
            inputs.traces.append(stored(str(path), None, 0))
        else:
            inputs.traces.append((str(path), traces(parsed(path, content))))
    except UnicodeDecodeError as error:
        inputs.unread.append(found("SPN900", f"cannot be decoded: {error.reason}", path=str(path)))
    except TraceError as error:
        inputs.unread.append(found("SPN900", str(error).removeprefix(f"{path}, "), path=str(path)))


def _decoded(content: bytes) -> str:
    """Return the text of a Python file, in the encoding it declares (PEP 263), its line ends as they are."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    except SyntaxError:
        encoding = "utf-8"
    return content.decode(encoding)


def stored(path: str | None, trace: str | None, since_ns: int) -> tuple[str, list[Trace]]:
    """Return the path of a trace store and the traces in it that are asked for."""
    with terminal.opened(path) as store:
        if trace is not None:
            ids = [resolved(store, trace)]
        else:
            ids = [each.trace_id for each in store.traces(sys.maxsize, since_ns=since_ns)]
        if not ids:
            terminal.nothing(store, None, None)
        return str(store.path), [from_store(store, each) for each in reversed(ids)]


def linted(inputs: Inputs, config: Config, settings: Settings) -> Report:
    """Return what is found in *inputs*, the names that a lock file misses included."""
    source = lint_source(inputs.sources, settings, [str(config.root / root) for root in config.values["roots"]])
    reports = [source, *(lint_traces(each, path, settings) for path, each in inputs.traces)]
    more = [*inputs.unread, *(_against_lock(source, config) if inputs.folders else ())]
    return merged([*reports, Report(tuple(settings.policy.applied(more)))])


def _against_lock(report: Report, config: Config) -> Iterator[Finding]:
    if config.lock.is_file():
        names = {name.name for name in report.names}
        yield from lock.compared(config.lock.read_text("utf-8"), str(config.lock), names)
