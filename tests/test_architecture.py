"""The house rules, held by reading the source: who may import whom, who may write spans, what may be swallowed."""

from __future__ import annotations

import ast
import graphlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

PACKAGE: Final = "agent_callbacks"
ROOT: Final = Path(__file__).resolve().parent.parent

# --- the rules -------------------------------------------------------------------------------------------------------
FLOOR: Final = frozenset(
    {"convention", "interval", "metadata", "privacy", "scope", "settings", "tokens", "values", "version"}
)
BELOW: Final[dict[str, frozenset[str]]] = {
    "version": frozenset(),
    "scope": frozenset(),
    "interval": frozenset(),
    "metadata": frozenset({"scope"}),
    "values": frozenset({"metadata"}),
    "privacy": frozenset(),
    "convention": frozenset({"metadata", "values"}),
    "tokens": frozenset({"values"}),
    "settings": frozenset({"convention", "metadata", "privacy", "tokens"}),
    "recording": FLOOR,
    "store": frozenset({"convention"}),
    "delivery": frozenset(
        {
            "convention",
            "counting",
            "metadata",
            "privacy",
            "process",
            "settings",
            "store",
            "version",
        }
    ),
    "process": FLOOR | {"recording"},
    "counting": FLOOR | {"process", "recording"},
    "reading": frozenset({"metadata", "recording", "values"}),
    "langchain": FLOOR | {"recording", "process", "reading"},
    "llamaindex": FLOOR | {"recording", "process", "reading"},
    "analysis": frozenset({"convention", "interval", "privacy", "store", "tokens", "values", "version"}),
    "lint": frozenset({"analysis", "convention", "privacy", "store", "tokens", "version"}),
}
"""What each room may import beside itself; a room that is not listed (cli, testing) stands on top."""
ON_TOP: Final = frozenset({"", "cli", "testing"})
# Modules of the recording room that others may know, so they count as rooms of their own.
OWN_ROOM: Final = {
    f"{PACKAGE}.recording.values": "values",
    f"{PACKAGE}.recording.process": "process",
    f"{PACKAGE}.recording.counting": "counting",
}
RECORDING: Final = frozenset({"recording", "process", "counting"})

HEAVY: Final = (
    "click", "genai_prices", "google.protobuf", "google.rpc", "grpc", "jinja2", "langchain", "langchain_core",
    "langgraph", "llama_index", "llama_index_instrumentation", "opentelemetry.exporter", "opentelemetry.proto",
    "opentelemetry.sdk", "requests", "rich", "stdnum", "tiktoken", "tiktoken_ext",
    "workflows",
)  # fmt: skip
"""What a function may import when it runs, because it is slow to load or may not be installed."""
LAZY: Final[frozenset[tuple[str, str]]] = frozenset()
"""Imports of our own modules inside functions: (the module, what it imports), each with its reason in a comment."""

SPAN_OWNERS: Final = frozenset({
    "recording/writer.py", "recording/live.py", "recording/forwarding.py", "recording/processor.py",
    "delivery/fence.py",
})  # fmt: skip
MUTATORS: Final = frozenset({
    "set_attribute", "set_attributes", "add_event", "add_link", "record_exception", "set_status", "update_name",
    "start_span", "start_as_current_span",
})  # fmt: skip
# The fence is redaction's own second line: what it cannot clean it must not let through, whatever failed.
GUARDS: Final = frozenset({"recording/guard.py", "privacy/sanitizer.py", "delivery/fence.py"})
BROAD: Final = frozenset({"Exception", "BaseException"})
KEYS: Final = "convention/keys.py"
KEY_PREFIXES: Final = ("gen_ai.", f"{PACKAGE}.")
KEY: Final = re.compile(rf"(gen_ai|{PACKAGE})\.[a-z0-9_.]*")
MAX_FILE_LINES: Final = 450
MAX_FUNCTION_LINES: Final = 50


# --- reading ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Module:
    """One source file."""

    path: str
    """Under the package, with slashes."""
    source: str

    @property
    def name(self) -> str:
        """The dotted name."""
        parts = [PACKAGE, *self.path.removesuffix(".py").split("/")]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The room it belongs to; empty for the package's own __init__."""
        return room_of(self.name)

    @property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.source, self.path)


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule, as a compiler would name it."""

    path: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{PACKAGE}/{self.path}:{self.line}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module; *names* are what is taken from it, which may be modules too."""

    target: str
    names: tuple[str, ...]
    line: int
    deferred: bool
    typing_only: bool


Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Check: TypeAlias = "Callable[[Module], Iterator[Finding]]"


def source_modules() -> list[Module]:
    """Return every module of the package, from the work tree."""
    base = ROOT / PACKAGE
    return [Module(path.relative_to(base).as_posix(), path.read_text(encoding="utf-8")) for path in base.rglob("*.py")]


def room_of(name: str) -> str:
    """Return the room of the module *name*."""
    return OWN_ROOM.get(name) or (name.split(".")[1] if "." in name else "")


def within(name: str, roots: Iterable[str]) -> bool:
    """Say whether the dotted *name* is one of *roots* or below one."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def imports(module: Module) -> Iterator[Import]:
    """Yield every import of *module*, wherever it stands."""
    yield from _imports(module, module.tree.body, deferred=False, typing_only=False)


def _imports(module: Module, body: Iterable[ast.AST], *, deferred: bool, typing_only: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), node.lineno, deferred, typing_only)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(_absolute(module, node), names, node.lineno, deferred, typing_only)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(module, node.body, deferred=deferred, typing_only=True)
            yield from _imports(module, node.orelse, deferred=deferred, typing_only=typing_only)
        else:
            inside = deferred or isinstance(node, Function)
            yield from _imports(module, ast.iter_child_nodes(node), deferred=inside, typing_only=typing_only)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name if module.path.endswith("__init__.py") else module.name.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{node.module}" if node.module else package


def own_targets(found: Import, known: Collection[str] = ()) -> Iterator[str]:
    """Yield the modules of ours that an import names, a name that is a module as that module."""
    if within(found.target, [PACKAGE]):
        inner = [f"{found.target}.{name}" for name in found.names]
        modules = [name for name in inner if name in known or found.target == PACKAGE]
        yield from modules
        if len(modules) < len(found.names) or not found.names:
            yield found.target


# --- the checks ------------------------------------------------------------------------------------------------------
def uphill(module: Module) -> Iterator[Finding]:
    """Imports run downhill."""
    if module.room in ON_TOP:
        return
    for found in imports(module):
        for target in own_targets(found, OWN_ROOM):
            room = room_of(target)
            if room != module.room and room not in BELOW.get(module.room, frozenset()) | _siblings(module.room):
                yield Finding(module.path, found.line, f"{module.room or 'the package'} may not import {target}")


def _siblings(room: str) -> frozenset[str]:
    return RECORDING | {"values"} if room in RECORDING else frozenset()


def deferred(module: Module) -> Iterator[Finding]:
    """Imports stand at the top, but for heavy frameworks and what is listed."""
    for found in imports(module):
        if not found.deferred or within(found.target, HEAVY) or (module.name, found.target) in LAZY:
            continue
        if module.room in ON_TOP and within(found.target, [PACKAGE]):
            continue
        yield Finding(module.path, found.line, f"import of {found.target} inside a function")
    if module.room in ON_TOP:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            yield Finding(module.path, node.lineno, "a module is imported by its name")


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def span_writes(module: Module) -> Iterator[Finding]:
    """Spans are written by their owners only."""
    if module.path in SPAN_OWNERS:
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        receiver = ast.unparse(node.func.value).lower().rpartition(".")[2]
        if node.func.attr in MUTATORS or (node.func.attr == "end" and "span" in receiver):
            yield Finding(module.path, node.lineno, f".{node.func.attr}() on a span outside its owners")


def broad_excepts(module: Module) -> Iterator[Finding]:
    """Only the guards catch everything; what catches to clean up raises again."""
    if module.path in GUARDS:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
            if not _raises_again(node) and _broad(caught):
                yield Finding(module.path, node.lineno, "catches everything")
        elif isinstance(node, ast.Call) and _called(node) == "suppress" and _broad(node.args):
            yield Finding(module.path, node.lineno, "suppresses everything")


def _broad(kinds: Iterable[ast.expr | None]) -> bool:
    return any(kind is None or ast.unparse(kind).rpartition(".")[2] in BROAD for kind in kinds)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def silent_handlers(module: Module) -> Iterator[Finding]:
    """An exception that is caught is acted on."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and all(_does_nothing(line) for line in node.body):
            yield Finding(module.path, node.lineno, "catches and does nothing")


def _does_nothing(line: ast.stmt) -> bool:
    return isinstance(line, ast.Pass) or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))


def missing_docstrings(module: Module) -> Iterator[Finding]:
    """Every public function and class says what it does."""
    yield from _undocumented(module, module.tree.body)


def _undocumented(module: Module, body: Iterable[ast.stmt]) -> Iterator[Finding]:
    for node in body:
        if not isinstance(node, (Function, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _described_elsewhere(node):
            yield Finding(module.path, node.lineno, f"{node.name} has no docstring")
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(module, node.body)


def _described_elsewhere(node: Function | ast.ClassDef) -> bool:
    decorators = [ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list]
    return bool({"overload", "override", "setter"} & set(decorators))


def stray_keys(module: Module) -> Iterator[Finding]:
    """Attribute keys are spelled in one place."""
    if module.path == KEYS:
        return
    files = [other.name for other in source_modules()]
    modules = {name.rsplit(".", dropped)[0] for name in files for dropped in range(2)}
    tree = module.tree
    built = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEY.fullmatch(node.value):
            asked_for = node.value in KEY_PREFIXES and id(node) not in built  # startswith("gen_ai.")
            if node.value not in modules and not asked_for:
                yield Finding(module.path, node.lineno, f"attribute key {node.value!r}")


def long_files(module: Module) -> Iterator[Finding]:
    """A file is one idea."""
    if (lines := len(module.source.splitlines())) > MAX_FILE_LINES:
        yield Finding(module.path, MAX_FILE_LINES + 1, f"{lines} lines, at most {MAX_FILE_LINES}")


def long_functions(module: Module) -> Iterator[Finding]:
    """A function fits a screen; its docstring is not counted, or documenting arguments would be punished."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node):
                lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield Finding(module.path, node.lineno, f"{node.name} has {lines} lines, at most {MAX_FUNCTION_LINES}")


def import_cycle(modules: Iterable[Module]) -> list[str]:
    """Return the modules of one cycle of imports that run when modules are loaded, or nothing."""
    listed = list(modules)
    known = {module.name for module in listed}
    graph = {
        module.name: {
            target
            for found in imports(module)
            if not found.deferred and not found.typing_only
            for target in own_targets(found, known)
            if target in known and target != module.name
        }
        for module in listed
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


# --- the house -------------------------------------------------------------------------------------------------------
CHECKS: Final[tuple[Check, ...]] = (
    uphill, deferred, span_writes, broad_excepts, silent_handlers, missing_docstrings, stray_keys, long_files,
    long_functions,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_house_rule(check: Check) -> None:
    """No module of the package breaks the rule."""
    found = [str(finding) for module in source_modules() for finding in check(module)]
    assert not found, f"{check.__doc__}\n" + "\n".join(found)


def test_imports_have_no_cycle() -> None:
    """Modules can be loaded in any order: nothing that is imported at load time leads back to itself."""
    cycle = import_cycle(source_modules())
    assert not cycle, " -> ".join(cycle)


def test_source_is_found() -> None:
    """The rules are held against the package, not against an empty folder."""
    paths = {module.path for module in source_modules()}
    assert {"__init__.py", "settings.py", KEYS} <= paths


# --- each rule can fail ----------------------------------------------------------------------------------------------
BAD: Final[tuple[tuple[Check, str, str, int], ...]] = (
    (uphill, "convention/names.py", "import os\nfrom agent_callbacks.settings import Settings\n", 2),
    (uphill, "langchain/handler.py", "from agent_callbacks.llamaindex.extract import query\n", 1),
    (uphill, "analysis/trace.py", "def f():\n    from agent_callbacks.recording import recorder\n", 2),
    (uphill, "lint/spans.py", "if TYPE_CHECKING:\n    from agent_callbacks.recording.process import recorders\n", 2),
    (uphill, "metadata.py", "from agent_callbacks import settings\n", 1),
    (uphill, "privacy/sanitizer.py", "from ..convention import keys\n", 1),
    (uphill, "delivery/fence.py", "from agent_callbacks.recording.writer import Writer\n", 1),
    (deferred, "recording/steps.py", "def f():\n    import json\n", 2),
    (deferred, "recording/steps.py", "async def f():\n    if x:\n        from agent_callbacks import metadata\n", 3),
    (deferred, "recording/steps.py", "import importlib\nimportlib.import_module('json')\n", 2),
    (span_writes, "recording/recorder.py", "\nspan.set_attribute('a', 1)\n", 2),
    (span_writes, "langchain/handler.py", "self._span.end()\n", 1),
    (span_writes, "recording/manual.py", "with tracer.start_as_current_span('x'):\n    x = 1\n", 1),
    (broad_excepts, "store/write.py", "try:\n    f()\nexcept Exception:\n    log()\n", 3),
    (broad_excepts, "store/write.py", "try:\n    f()\nexcept:\n    log()\n", 3),
    (broad_excepts, "store/write.py", "try:\n    f()\nexcept (OSError, BaseException):\n    log()\n", 3),
    (broad_excepts, "store/write.py", "with contextlib.suppress(Exception):\n    f()\n", 1),
    (silent_handlers, "store/write.py", "try:\n    f()\nexcept OSError:\n    pass\n", 3),
    (silent_handlers, "store/write.py", "try:\n    f()\nexcept OSError:\n    ...\n", 3),
    (missing_docstrings, "settings.py", "def load():\n    return 1\n", 1),
    (missing_docstrings, "settings.py", "class A:\n    'doc'\n    async def load(self):\n        return 1\n", 3),
    (stray_keys, "recording/writer.py", "x = {'gen_ai.tool.name': 1}\n", 1),
    (stray_keys, "recording/writer.py", "x = f'agent_callbacks.step.{y}'\n", 1),
    (long_files, "settings.py", "x = 1\n" * (MAX_FILE_LINES + 1), MAX_FILE_LINES + 1),
    (long_functions, "settings.py", "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES, 1),
)  # fmt: skip
GOOD: Final[tuple[tuple[Check, str, str], ...]] = (
    (uphill, "langchain/handler.py", "from agent_callbacks.recording.recorder import Recorder\n"),
    (uphill, "convention/attributes.py", "from agent_callbacks.recording.values import ToolCall\n"),
    (uphill, "convention/attributes.py", "from agent_callbacks.recording import values\n"),
    (uphill, "recording/recorder.py", "from . import process, steps\n"),
    (uphill, "cli/report.py", "from agent_callbacks.analysis import load\n"),
    (deferred, "tokens/counter.py", "def f():\n    import tiktoken\n"),
    (deferred, "cli/lint.py", "def f():\n    from agent_callbacks.lint import rules\n"),
    (span_writes, "recording/writer.py", "span.set_attribute('a', 1)\nspan.end()\n"),
    (span_writes, "recording/steps.py", "x = match.end()\nrecorder.end(key, result)\n"),
    (broad_excepts, "recording/guard.py", "try:\n    f()\nexcept Exception:\n    count()\n"),
    (broad_excepts, "recording/manual.py", "try:\n    f()\nexcept BaseException:\n    fail()\n    raise\n"),
    (silent_handlers, "store/write.py", "try:\n    f()\nexcept OSError:\n    return None\n"),
    (missing_docstrings, "settings.py", "def _load():\n    return 1\n"),
    (stray_keys, KEYS, "x = 'gen_ai.tool.name'\n"),
    (stray_keys, "__init__.py", "x = 'agent_callbacks.settings'\n"),
    (stray_keys, "cli/show.py", "x = 'agent_callbacks.trace/1'\n"),
    (stray_keys, "recording/live.py", "x = name.startswith('gen_ai.')\n"),
    (long_functions, "settings.py", "def f():\n    '''a\n" + "\n" * MAX_FUNCTION_LINES + "    b'''\n    return 1\n"),
)


def _case(value: object) -> str | None:
    return getattr(value, "__name__", "") if callable(value) else str(value).strip()[:30] or None


@pytest.mark.parametrize(("check", "path", "source", "line"), BAD, ids=_case)
def test_rule_can_fail(check: Check, path: str, source: str, line: int) -> None:
    """A module that breaks a rule is named with its file and line, once."""
    found = [(finding.path, finding.line) for finding in check(Module(path, source))]
    assert [(path, line)] == found


@pytest.mark.parametrize(("check", "path", "source"), GOOD, ids=_case)
def test_rule_can_hold(check: Check, path: str, source: str) -> None:
    """A module that keeps a rule is not complained about."""
    assert [] == list(check(Module(path, source)))


def test_cycle_can_be_found() -> None:
    """A cycle is found whether a module is named by its path or taken from its package; typing imports are none."""
    one = Module("recording/one.py", "from agent_callbacks.recording import two\n")
    two = Module("recording/two.py", "import agent_callbacks.recording.one\n")
    typed = Module("recording/two.py", "if TYPE_CHECKING:\n    import agent_callbacks.recording.one\n")
    assert {one.name, two.name} == set(import_cycle([one, two]))
    assert [] == import_cycle([one, typed])


def test_finding_reads_like_a_compiler_message() -> None:
    """A finding starts with the file and the line, so that an editor can jump there."""
    assert str(Finding("settings.py", 3, "too long")) == "agent_callbacks/settings.py:3: too long"
