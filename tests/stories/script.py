"""What the model of a story says, in neither framework's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Ask", "Say"]


@dataclass(frozen=True)
class Say:
    """An answer."""

    text: str


@dataclass(frozen=True)
class Ask:
    """A request for tools: names and arguments; ids are made from *prefix*."""

    calls: tuple[tuple[str, dict[str, Any]], ...]
    prefix: str = "call"
