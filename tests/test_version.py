"""The version, of an installed package and of a bare source tree."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.measures_processes
def test_a_source_tree_that_is_not_installed_has_one_too() -> None:
    """It loads all the same, as version 0."""
    code = (
        "from importlib import metadata\ndef version(name):\n    raise metadata.PackageNotFoundError(name)\n"
        "metadata.version = version\nfrom agent_callbacks.version import __version__\nprint(__version__)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "0\n" == shown.stdout
