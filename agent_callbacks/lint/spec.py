"""What a format specification makes of a text: ``{index:02d}``, ``"%03d"``, ``zfill(2)``."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from agent_callbacks.lint.leaf import Hole, Text

__all__ = ["formatted"]

_PADDED: Final = re.compile(r"(?:0[>=])?0?([0-9]{1,2})d?")
_ZEROS: Final = re.compile(r"0[>=]?[1-9][0-9]?d?")
_WIDEST: Final = 64


def formatted(text: Text, spec: str) -> Text:
    """Return *text* as the format specification *spec* writes it; where only run time can tell, *text* as it is.

    A number that is padded with zeros begins with one, whichever number it is: the hole says so by an example.
    """
    if len(text) != 1 or not spec:
        return text
    (part,) = text
    if isinstance(part, Hole):
        return (_padded(part, spec),)
    try:
        return (format(int(part) if part.isdecimal() else part, spec),) if _narrow(spec) else text
    except ValueError:
        return text


def _narrow(spec: str) -> bool:
    return all(int(width) <= _WIDEST for width in re.findall("[0-9]+", spec))


def _padded(part: Hole, spec: str) -> Hole:
    padded = _PADDED.fullmatch(spec) if _ZEROS.fullmatch(spec) else None
    if part.like not in {"number", "unknown"}:
        return part
    if padded is None:
        return dataclasses.replace(part, like="number") if spec == "d" else part
    return Hole("number", f"{part.source}:{spec}", "1".zfill(int(padded[1])))
