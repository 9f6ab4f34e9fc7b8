"""What the doctor finds: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Finding", "Level"]

Level: TypeAlias = Literal["ok", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    section: str
    name: str
    value: str
    level: Level = "ok"
    """``"fault"``: traces do not arrive, or not whole; ``"note"``: worth knowing."""
    way_out: str = ""
