"""The package's version, read from its metadata."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("agent-callbacks")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0"
