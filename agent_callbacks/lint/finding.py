"""What a linter reports, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["LEVELS", "Edit", "Finding", "Level", "at_least"]

Level = Literal["error", "warning", "information"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "information")


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in a file; lines count from 1, columns from 0, in characters."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    safe: bool = True
    """Whether it changes nothing but the name of a span."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule at one place.

    ``line`` and ``column`` count from 1; a line of 0 says that the file is meant as a whole (a trace file).
    """

    code: str
    level: Level
    message: str
    help: str = ""
    """The way out."""
    path: str = ""
    line: int = 0
    column: int = 1
    end_line: int = 0
    end_column: int = 1
    name: str = ""
    """The name it is about."""
    excerpt: str = ""
    """The line of source, or of the trace's tree, that a person is shown; the caret stands under ``name`` in it."""
    trace_id: str = ""
    span_id: str = ""
    edit: Edit | None = field(default=None, compare=False)

    @property
    def order(self) -> tuple[str, int, int, str, str, str]:
        """What findings are sorted by: the place, then the code."""
        return self.path, self.line, self.column, self.trace_id, self.span_id, self.code


def at_least(level: Level, threshold: Level) -> bool:
    """Tell whether *level* is as grave as *threshold*."""
    return LEVELS.index(level) <= LEVELS.index(threshold)
