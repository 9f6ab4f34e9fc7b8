"""The command line, ``agent-callbacks``: an optional part, which needs the extra ``cli``."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
from typing import Final

__all__ = ["drop_output", "main"]

_NEEDED: Final = ("click", "pathspec", "rich")
_FAILED: Final = 1
_USAGE_ERROR: Final = 2


def main() -> None:
    """Run the command line, or say how to install what it needs."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        sys.stderr.write(
            "agent-callbacks: the command line needs the extra 'cli': pip install \"agent-callbacks[cli]\"\n"
        )
        sys.exit(_USAGE_ERROR)
    from agent_callbacks.cli.root import root

    try:
        root.main(prog_name="agent-callbacks")
    except OSError as error:  # such as a full disk behind the output
        sys.stderr.write(f"agent-callbacks: {error.strerror or error}\n")
        drop_output()
        sys.exit(_FAILED)


def drop_output() -> None:
    """Send what is still buffered nowhere: the interpreter would try to write it once more, and fail in its own way."""
    if sys.stdout is not None:  # as it is where the process was started with its output closed
        with contextlib.suppress(io.UnsupportedOperation):  # an output that is no file has nothing to write at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
