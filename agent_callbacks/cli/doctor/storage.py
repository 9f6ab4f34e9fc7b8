"""Where the store is, how full, and who may read it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from agent_callbacks.analysis.waterfall import utc
from agent_callbacks.cli.doctor.finding import Finding
from agent_callbacks.store import retention, schema
from agent_callbacks.store.read import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent_callbacks.store.read import Statistics

__all__ = ["storage"]

_MIB: Final = 1024 * 1024
_DAY: Final = 24 * 3600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def storage(path: Path) -> Iterator[Finding]:
    """Yield what is to be said of the store at *path*."""
    yield Finding("store", "path", str(path))
    limits = retention.Limits()
    kept = f"{limits.max_bytes // _MIB} MiB, {limits.max_age_seconds / _DAY:g} days"
    yield Finding("store", "retention", kept)
    try:
        with Store(path) as store:
            yield from _filled(store.statistics(), limits)
    except schema.StoreMissingError:
        yield _creatable(path)
        return
    except schema.StoreError as error:
        yield Finding("store", "state", str(error), "fault", "set AGENT_CALLBACKS_STORE to another path")
        return
    yield _permissions(path)
    if not os.access(path, os.W_OK):
        yield Finding("store", "writable", "no", "fault", "set AGENT_CALLBACKS_STORE to a writable path")


def _filled(found: Statistics, limits: retention.Limits) -> Iterator[Finding]:
    share = found.used_bytes / limits.max_bytes
    size = f"{found.used_bytes / _MIB:.1f} MiB used ({share:.0%}), file {found.file_bytes / _MIB:.1f} MiB"
    yield Finding("store", "size", size)
    yield Finding("store", "traces", f"{found.traces:,}, {found.spans:,} spans")
    if found.oldest_ns is not None and found.newest_ns is not None:
        yield Finding("store", "from", f"{utc(found.oldest_ns)} to {utc(found.newest_ns)} UTC")


def _permissions(path: Path) -> Finding:
    mode, folder = (stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent))
    shown = f"{mode:04o}, folder {folder:04o}"
    if mode & _OTHERS:
        return Finding("store", "permissions", f"{shown}: others may read it", "note", f"chmod 600 {path}")
    return Finding("store", "permissions", shown)


def _creatable(path: Path) -> Finding:
    folder = next(each for each in path.parents if each.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Finding("store", "state", "not there yet; configure() makes it")
    way_out = "set AGENT_CALLBACKS_STORE to a writable path"
    return Finding("store", "state", f"cannot be made: {folder} is not writable", "fault", way_out)
