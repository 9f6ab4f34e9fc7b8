"""What an exception says, for a span: its type, its message, where it came from. Nothing here is clean yet."""

from __future__ import annotations

import traceback
from collections import deque
from types import TracebackType
from typing import Final

__all__ = ["error_type", "said", "stack"]

_MAX_FRAMES: Final = 32


def error_type(error: BaseException) -> str:
    """Return the type of *error* as the conventions want it: the class, qualified unless it is a builtin."""
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def said(error: BaseException) -> str:
    """Return what *error* says; the standard library copes with one whose ``__str__`` raises."""
    return str(traceback.TracebackException(type(error), error, None, compact=True))


def stack(error: BaseException) -> str:
    """Return where *error* came from, innermost last: without source lines, which would have to be read from disk."""
    trace = error.__traceback__
    walked = traceback.walk_tb(trace if isinstance(trace, TracebackType) else None)  # what only looks like one may loop
    frames = deque(walked, _MAX_FRAMES)
    return "".join(
        f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_qualname}\n' for frame, line in frames
    )
