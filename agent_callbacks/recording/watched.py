"""What a handler tells of its own recording: the same in both frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.recording.operation import Operation
    from agent_callbacks.recording.recorder import Recorder

__all__ = ["Watched"]


class Watched:
    """The base of both handlers, beside the framework's own."""

    __slots__ = ()
    _recorder: Recorder

    @property
    def open_runs(self) -> int:
        """How many operations are open now."""
        return self._recorder.open_runs

    def open_operations(self) -> Iterator[Operation]:
        """Yield the operations open now; a hung run is among them."""
        return self._recorder.open_operations()

    @property
    def internal_errors(self) -> int:
        """How many failures of the recording were kept from the agent."""
        return self._recorder.internal_errors

    @property
    def unmatched_events(self) -> int:
        """How many events named no operation, or one that was never started here."""
        return self._recorder.unmatched

    @property
    def last_trace_id(self) -> str | None:
        """The trace id of the root opened last, as 32 hex digits."""
        return self._recorder.last_trace_id

    def swallowed(self, error: Exception) -> None:
        """Count a failure of ours that was kept from the agent."""
        self._recorder.swallowed(error)
