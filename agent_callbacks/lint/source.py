"""Linting Python source: every place that names a span, a tool or an agent, judged as run time would judge the name."""

from __future__ import annotations

import ast
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from agent_callbacks.lint.finding import Edit, Finding
from agent_callbacks.lint.judge import Judge, filler, found
from agent_callbacks.lint.leaf import Hole, Text
from agent_callbacks.lint.module import Module, parse
from agent_callbacks.lint.resolve import Resolver
from agent_callbacks.lint.rules import RULES
from agent_callbacks.lint.site import Kind, Naming, may_name
from agent_callbacks.lint.suppression import Suppression, suppressions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.lint.origin import Origins
    from agent_callbacks.lint.wrapper import Wrappers

__all__ = ["Source", "SourceFile", "SourceName", "read"]

How = Literal["literal", "resolved", "unresolved"]
_ONCE: Final = frozenset({"SPN204", "SPN205"})
_FIXED: Final = frozenset({"SPN105", "SPN106", "SPN111"})
_SPACES: Final[dict[Kind, str]] = {"tool": "tool.", "agent": "agent.run."}


@dataclass(frozen=True, slots=True)
class SourceName:
    """A name that stands in the source."""

    kind: Kind
    raw: str
    name: str
    """The span's name that run time makes of it."""
    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    excerpt: str
    merging: bool = False
    """Whether an id or personal data goes from it, so that sharing a name with others is meant."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What one file holds."""

    path: str
    findings: tuple[Finding, ...] = ()
    names: tuple[SourceName, ...] = ()
    comments: tuple[Suppression, ...] = ()
    lines: tuple[str, ...] = ()
    """The file's lines, where there are comments to judge."""
    counts: tuple[tuple[str, int], ...] = ()
    """``spans``, ``tools``, ``literal``, ``resolved``, ``unresolved`` -> how many."""
    imports: tuple[str, ...] = ()
    """The files beside a script, in no package, that it imports."""


@dataclass(frozen=True, slots=True)
class Source:
    """How source is read; ``scope`` is ``"convention"`` (names in or near our namespaces) or ``"all"``."""

    judge: Judge = field(default_factory=Judge)
    scope: Literal["convention", "all"] = "convention"
    providers: tuple[str, ...] = ()


def read(path: str, source: str, settings: Source, wrappers: Wrappers) -> SourceFile:
    """Return what the Python file at *path* with the text *source* names, and the rules it breaks."""
    stated = "SPN" in source or "agent-callbacks:" in source  # a comment that may be unused
    if not may_name(source) and not stated:
        return SourceFile(path)
    try:
        module = parse(path, source)
    except (SyntaxError, ValueError, RecursionError) as error:
        return SourceFile(path, (_unreadable(path, error),))
    wrappers.project.add(module)
    reader = _Reader(module, settings, wrappers.origins)
    for naming in (*wrappers.namings(module), *wrappers.calls(module)):
        reader.take(naming)
    comments = tuple(suppressions(source)) if stated or reader.findings or reader.names else ()
    lines = tuple(module.lines) if comments else ()
    counts, imports = tuple(reader.counts.items()), wrappers.project.beside(module)
    return SourceFile(path, tuple(reader.findings), tuple(reader.names), comments, lines, counts, imports)


def _unreadable(path: str, error: Exception) -> Finding:
    message = error.msg if isinstance(error, SyntaxError) else type(error).__name__
    line, column = (error.lineno or 1, max(1, error.offset or 1)) if isinstance(error, SyntaxError) else (1, 1)
    excerpt = (error.text or "").rstrip("\n") if isinstance(error, SyntaxError) else ""
    return found("SPN900", f"cannot be parsed: {message}", path=path, line=line, column=column, excerpt=excerpt)


class _Reader:
    """Judges the namings of one module."""

    def __init__(self, module: Module, settings: Source, origins: Origins) -> None:
        self.findings: list[Finding] = []
        self.names: list[SourceName] = []
        self.counts = dict.fromkeys(("spans", "tools", "literal", "resolved", "unresolved"), 0)
        self._module = module
        self._settings = settings
        self._judge = settings.judge
        self._resolver = Resolver(origins)

    def take(self, naming: Naming) -> None:
        """Judge one place, whatever it can be called."""
        texts = self._texts(naming)
        span = naming.kind in {"span", "rename"}
        if not texts or (span and not any(self._in_scope(text) for text in texts)):
            return
        place = self._place(naming)
        self.counts["spans" if span else "tools"] += 1
        self.counts[_how(naming, texts)] += 1
        seen: set[tuple[str, str]] = set()
        for text in texts:
            for finding in self._about(naming, text, place) if not span or self._in_scope(text) else ():
                key = (finding.code, "" if finding.code in _ONCE else finding.name)
                if key not in seen:
                    self.findings.append(finding)
                seen.add(key)
        if naming.kind == "rename":
            message = f"`{_written(texts[0])}` is given after the span started, when a sampler has decided by another"
            self.findings.append(found("SPN408", message, help="give the span its name when it starts", **place))

    def _texts(self, naming: Naming) -> list[Text]:
        if naming.value is None:
            return [(naming.name,)]
        texts = self._resolver.texts(naming.value, naming.place)
        if naming.shown is not None:  # what stays unknown is reported in the wrapper
            return [text for text in texts if all(isinstance(part, str) or part.like == "identifying" for part in text)]
        return [text for text in texts if isinstance(text[0], str) or text[1:]] if naming.may_be_callable else texts

    def _in_scope(self, text: Text) -> bool:
        if self._settings.scope == "all":
            return True
        if isinstance(text[0], str):
            whole = len(text) == 1
            return self._judge.concerns(text[0]) if whole or "." in text[0] else False
        return len(text) == 1 or (isinstance(text[1], str) and text[1].startswith("."))

    # --- one text ----------------------------------------------------------------------------------------------------
    def _about(self, naming: Naming, text: Text, place: dict[str, str | int]) -> Iterator[Finding]:
        holes = [part for part in text if isinstance(part, Hole)]
        identifying = next((each for each in holes if each.like == "identifying"), None)
        named = {**place, "name": _written(text)}
        if identifying is not None and self._known_space(naming, text):
            message = f"`{identifying.source}` makes another name of `{_written(text)}` for every request"
            way_out = "take it out of the name and put it into an attribute of the span"
            yield found("SPN204", message, help=way_out, **named)
        elif any(self._unclear(each, text) for each in holes):
            message = f"`{_written(text)}` is computed where the linter cannot follow"
            yield found("SPN205", message, help="a constant, an Enum or a `Literal` parameter can be followed", **named)
        if naming.kind in {"span", "rename"}:
            yield from self._span(naming, text, named, whole=not holes)
        else:
            yield from self._segment(naming, text, named, whole=not holes)

    def _known_space(self, naming: Naming, text: Text) -> bool:
        return naming.kind in {"tool", "agent"} or isinstance(text[0], str) or self._settings.scope == "all"

    def _unclear(self, hole: Hole, text: Text) -> bool:
        if hole.like == "naming":
            return False
        step = isinstance(text[0], str) and text[0] == "agent.step." and text[1:] == (hole,)
        return not (step and hole.like == "number")

    def _span(self, naming: Naming, text: Text, named: dict[str, str | int], *, whole: bool) -> Iterator[Finding]:
        if not isinstance(text[0], str) or (text[0] == "agent." and not whole):
            return  # nothing can be said of a name whose namespace is not known
        name = _filled(text)
        better = self._judge.repaired(name) if whole else ""
        codes = self._judge.whole(name)
        for code in codes:
            yield self._finding(naming, code, named, better)
        if whole and self._judge.concerns(name):
            self._keep(naming, name, better if set(codes) <= _FIXED and better else "" if codes else name, codes, named)

    def _segment(self, naming: Naming, text: Text, named: dict[str, str | int], *, whole: bool) -> Iterator[Finding]:
        raw = _filled(text)
        if not whole and not any(isinstance(part, str) for part in text):
            return
        made = self._judge.segment(raw)
        codes = self._judge.codes(raw)
        for code in codes:
            yield self._finding(naming, code, named, made.segment if whole else "")
        if naming.kind == "tool" and whole and (refusing := self._judge.refused_by(raw, self._settings.providers)):
            message = f"`{self._judge.shown(raw)}` is refused by {', '.join(refusing)}"
            yield found("SPN305", message, help=f"name it `{made.segment}`", **named)
        if whole:
            self._keep(naming, raw, _SPACES[naming.kind] + made.segment, codes, named)

    def _keep(self, naming: Naming, raw: str, name: str, codes: tuple[str, ...], named: dict[str, str | int]) -> None:
        if name:
            given = {key: value for key, value in named.items() if key != "name"}
            merging = not {"SPN201", "SPN202"}.isdisjoint(codes)
            self.names.append(SourceName(naming.kind, raw, name, merging=merging, **given))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the place by name

    def _finding(self, naming: Naming, code: str, named: dict[str, str | int], better: str) -> Finding:
        message = f"`{named['name']}`: {RULES[code].summary}"
        made = found(code, message, help=self._judge.help(code, better), **named)
        if code not in {*_FIXED, "SPN112"} or naming.value is None:
            return made
        return dataclasses.replace(made, edit=self._edit(naming, code, str(named["name"]), better))

    def _edit(self, naming: Naming, code: str, name: str, better: str) -> Edit | None:
        """Return the edit of a name that stands in the source as it is: one plain literal."""
        node = naming.value
        if not isinstance(node, ast.Constant) or node.lineno != node.end_lineno or node.end_col_offset is None:
            return None
        line = self._module.lines[node.lineno - 1]
        start, end = _characters(line, node.col_offset), _characters(line, node.end_col_offset)
        written = line[start:end]
        if written[1:-1] != name or written[:1] not in {"'", '"'}:
            return None
        if code == "SPN112":
            return Edit(node.lineno, start, node.lineno, start, "f", safe=False) if "{" in name else None
        safe = naming.kind in {"span", "rename"}
        return Edit(node.lineno, start + 1, node.lineno, end - 1, better, safe=safe) if better else None

    def _place(self, naming: Naming) -> dict[str, str | int]:
        """Return where a person should look, as fields of a finding."""
        node = next(each for each in (naming.shown, naming.value, naming.node) if each is not None)
        lines = self._module.lines
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end_line, end_column = getattr(node, "end_lineno", line), getattr(node, "end_col_offset", column)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):  # only the name, not the body
            column = lines[line - 1].find(node.name, column)
            end_line, end_column = line, column + len(node.name)
        excerpt = lines[line - 1] if line <= len(lines) else ""
        last = lines[end_line - 1] if end_line <= len(lines) else ""
        return {
            "path": self._module.path, "line": line, "column": _characters(excerpt, column) + 1,
            "end_line": end_line, "end_column": _characters(last, end_column) + 1, "excerpt": excerpt,
        }  # fmt: skip


def _characters(line: str, byte: int) -> int:
    """Return the column in characters of a column in UTF-8 bytes, as ``ast`` counts."""
    return byte if line.isascii() else len(line.encode()[:byte].decode("utf-8", "ignore"))


def _how(naming: Naming, texts: list[Text]) -> How:
    if any(isinstance(part, Hole) for text in texts for part in text):
        return "unresolved"
    return "literal" if naming.value is None or isinstance(naming.value, ast.Constant) else "resolved"


def _filled(text: Text) -> str:
    name = ""
    for part in text:
        name += part if isinstance(part, str) else part.example or filler(name)
    return name


def _written(text: Text) -> str:
    return "".join(part if isinstance(part, str) else f"{{{part.source}}}" for part in text)
