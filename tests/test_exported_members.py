"""The public names are a promise: what is there, where it comes from, and what importing it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import agent_callbacks

PUBLIC: Final = [
    "AgentCallbackHandler",
    "AgentEventHandler",
    "NamingConvention",
    "Sanitizer",
    "SanitizingSpanExporter",
    "Settings",
    "configure",
    "downstream",
    "record_outcome",
    "request_metadata",
    "span",
]
HEAVY: Final = (
    "click", "langchain", "langchain_core", "langgraph", "llama_index", "opentelemetry.exporter", "rich", "tiktoken",
)  # fmt: skip
FRAMEWORKS: Final = {"AgentCallbackHandler": "langchain_core", "AgentEventHandler": "llama_index_instrumentation"}
WITHOUT_FRAMEWORK: Final = [name for name in PUBLIC if name not in FRAMEWORKS]


def run(code: str) -> str:
    """Return what *code* prints in a fresh interpreter; its warnings are errors."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def loaded_after(code: str) -> set[str]:
    """Return which heavy packages are loaded after *code* ran in a fresh interpreter."""
    names = run(f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])")
    return set(names.split())


def test_public_names_are_the_promised_ones() -> None:
    """A public name neither appears nor goes without this list being changed, and the list is sorted."""
    assert PUBLIC == agent_callbacks.__all__
    assert sorted(PUBLIC) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_there(name: str) -> None:
    """Every public name can be taken from the package, is documented, and is offered for completion."""
    if name in FRAMEWORKS:
        pytest.importorskip(FRAMEWORKS[name])
    value = getattr(agent_callbacks, name)
    assert name == value.__name__
    assert value.__doc__
    assert name in dir(agent_callbacks)


def test_type_checkers_see_what_is_loaded() -> None:
    """The imports written for type checkers name the modules the names are loaded from."""
    tree = ast.parse(Path(agent_callbacks.__file__).read_text(encoding="utf-8"))
    written = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("agent_callbacks.")
        for alias in node.names
    }
    assert written == dict(agent_callbacks._HOMES)
    assert sorted(written) == PUBLIC


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that does not exist is reported as for any module, so hasattr() works."""
    with pytest.raises(AttributeError, match="has no attribute 'Handler'"):
        _ = agent_callbacks.Handler
    assert not hasattr(agent_callbacks, "Handler")


def test_import_is_light() -> None:
    """Importing the package loads no framework, no exporter and no SDK."""
    assert set() == loaded_after("import agent_callbacks")
    assert "False" == run("import sys, agent_callbacks\nprint('opentelemetry.sdk' in sys.modules)")


@pytest.mark.parametrize("name", WITHOUT_FRAMEWORK)
def test_name_outside_the_adapters_loads_no_framework(name: str) -> None:
    """What is not an adapter can be used where neither framework is installed, and loads no exporter."""
    assert set() == loaded_after(f"from agent_callbacks import {name}")


def test_langchain_handler_does_not_load_llamaindex() -> None:
    """Neither framework's users load the other."""
    pytest.importorskip("langchain_core")
    assert not {"llama_index", "opentelemetry.exporter"} & loaded_after("import agent_callbacks.langchain")


def test_llamaindex_handler_loads_no_more_than_its_instrumentation() -> None:
    """The handler's import loads neither the other framework nor LlamaIndex itself, which is slow to load."""
    pytest.importorskip("llama_index_instrumentation")
    assert not {"langchain_core", "llama_index", "opentelemetry.exporter"} & loaded_after(
        "import agent_callbacks.llamaindex"
    )


@pytest.mark.parametrize(
    ("name", "framework", "extra"),
    [
        ("AgentCallbackHandler", "langchain_core", "langchain"),
        ("AgentEventHandler", "llama_index_instrumentation", "llamaindex"),
    ],
)
def test_missing_framework_names_the_command(name: str, framework: str, extra: str) -> None:
    """Without its framework a handler's import says what to install."""
    code = (
        f"import sys\nsys.modules[{framework!r}] = None\n"
        f"try:\n    from agent_callbacks import {name}\nexcept ImportError as error:\n    print(error)"
    )
    assert f'pip install "agent-callbacks[{extra}]"' in run(code)


def test_missing_dependency_of_another_kind_is_not_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the missing framework is explained; any other missing module is reported as it is."""
    monkeypatch.setitem(agent_callbacks._HOMES, "AgentCallbackHandler", "agent_callbacks.no_such_room")
    monkeypatch.delitem(vars(agent_callbacks), "AgentCallbackHandler", raising=False)
    with pytest.raises(ModuleNotFoundError, match="no_such_room"):
        _ = agent_callbacks.AgentCallbackHandler
