"""Settings of a project: ``[tool.agent_callbacks.lint]`` in pyproject.toml, which may point to ``span-names.toml``."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from agent_callbacks.convention import NamingConvention
from agent_callbacks.lint.finding import LEVELS
from agent_callbacks.lint.judge import PROVIDERS, Judge
from agent_callbacks.lint.policy import Policy
from agent_callbacks.lint.rules import DEFAULT_SET, SETS
from agent_callbacks.lint.run import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = ["Config", "ConfigError", "load"]

_FILE: Final = "pyproject.toml"
_TABLE: Final = "tool.agent_callbacks.lint"


class ConfigError(ValueError):
    """A setting cannot be used; the message names the file, the setting, the rule and the way out."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings that count, and where each comes from."""

    root: Path
    """The folder that relative paths in the settings start from."""
    values: Mapping[str, Any]
    sources: Mapping[str, str]
    """Setting -> ``default``, ``command line`` or the file it stands in."""
    convention: NamingConvention

    def settings(self) -> Settings:
        """Return the settings as the linter takes them.

        Raises:
            ConfigError: A rule set or a code does not exist.
        """
        values = self.values
        try:
            policy = Policy(
                rules=values["rules"],
                select=tuple(values["select"]),
                ignore=tuple(values["ignore"]),
                severity=values["severity"],
                per_path_ignores={pattern: tuple(codes) for pattern, codes in values["per_path_ignores"].items()},
            )
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return Settings(
            policy=policy,
            judge=Judge(self.convention),
            scope=values["scope"],
            providers=tuple(values["providers"]),
            not_duplicates=frozenset(frozenset(pair) for pair in values["not_duplicates"]),
        )

    @property
    def lock(self) -> Path:
        """The lock file, there or not."""
        return self.root / str(self.values["lock"])


# --- what each setting may be ----------------------------------------------------------------------------------------
def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_text, cast("Iterable[object]", value)))


def _one_of(*allowed: str) -> Callable[[object], bool]:
    return lambda value: value in allowed


def _some_of(*allowed: str) -> Callable[[object], bool]:
    return lambda value: _texts(value) and set(cast("list[str]", value)) <= set(allowed)


def _table_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(check, cast("dict[str, object]", value).values()))


def _pairs(value: object) -> bool:
    return isinstance(value, list) and all(
        _texts(pair) and len(cast("list[str]", pair)) == len("ab") for pair in cast("list[object]", value)
    )


@dataclass(frozen=True, slots=True)
class _Key:
    default: object
    check: Callable[[object], bool]
    rule: str


_KEYS: Final[Mapping[str, _Key]] = {
    "rules": _Key(DEFAULT_SET, _one_of(*SETS), f"one of {', '.join(SETS)}"),
    "select": _Key([], _texts, "a list of codes"),
    "ignore": _Key([], _texts, "a list of codes"),
    "severity": _Key({}, _table_of(_one_of(*LEVELS)), f"a table: code -> one of {', '.join(LEVELS)}"),
    "per_path_ignores": _Key({}, _table_of(_texts), "a table: pattern of paths -> list of codes"),
    "scope": _Key("convention", _one_of("convention", "all"), "convention or all"),
    "fail_on": _Key("error", _one_of(*LEVELS, "never"), f"one of {', '.join(LEVELS)}, never"),
    "convention": _Key("", lambda value: isinstance(value, str), "the path of a span-names.toml"),
    "lock": _Key("span-names.lock", _text, "a path"),
    "exclude": _Key([], _texts, "a list of patterns as in .gitignore"),
    "roots": _Key([], _texts, "a list of folders that imports start from"),
    "providers": _Key([], _some_of(*PROVIDERS), f"a list, out of {', '.join(PROVIDERS)}"),
    "not_duplicates": _Key([], _pairs, "a list of pairs of names"),
}


def load(start: Path, given: Mapping[str, object] | None = None) -> Config:
    """Return the settings for what lies in *start*: the nearest pyproject.toml with our table, *given* on top.

    Args:
        start: A folder; it and its parents are searched.
        given: From the command line; a value of None says nothing.

    Raises:
        ConfigError: A file cannot be read, or a setting is unknown or has a wrong value.
    """
    found = _nearest(start)
    root, table = found or (start, {})
    where = str(root / _FILE)
    values = {name: key.default for name, key in _KEYS.items()}
    sources = dict.fromkeys(_KEYS, "default")
    for source, stated in ((where, table), ("command line", given or {})):
        for name, value in stated.items():
            if value is not None:
                values[name] = _checked(name, value, source)
                sources[name] = source
    return Config(root, values, sources, _convention(root, str(values["convention"])))


def _nearest(start: Path) -> tuple[Path, Mapping[str, object]] | None:
    for folder in (start, *start.parents):
        table = _table(folder / _FILE)
        if table is not None:
            return folder, table
    return None


def _table(path: Path) -> Mapping[str, object] | None:
    try:
        found: object = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    for name in _TABLE.split("."):
        inner = cast("Mapping[str, object]", found).get(name)
        if inner is None:
            return None
        if not isinstance(inner, dict):
            raise ConfigError(f"{path}: {name} must be a table: [{_TABLE}]")
        if name == "agent_callbacks" and (unknown := set(cast("dict[str, object]", inner)) - {"lint"}):
            raise ConfigError(f"{path}: unknown key {min(unknown)!r} in [tool.agent_callbacks]; known: lint")
        found = cast("object", inner)
    return cast("Mapping[str, object]", found)


def _checked(name: str, value: object, source: str) -> object:
    if name not in _KEYS:
        close = difflib.get_close_matches(name, _KEYS, 1, 0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(_KEYS)}"
        raise ConfigError(f"{source}: unknown key {name!r} in [{_TABLE}]; {hint}")
    if not _KEYS[name].check(value):
        raise ConfigError(f"{source}: {name} = {value!r}: must be {_KEYS[name].rule}")
    return value


def _convention(root: Path, path: str) -> NamingConvention:
    if not path:
        return NamingConvention()
    try:
        return NamingConvention.load(root / path)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from error
