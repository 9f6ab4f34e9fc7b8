"""What is known of one open operation, one open step and one agent run: the recorder's bookkeeping, no decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, Status, StatusCode

from agent_callbacks.metadata import EMPTY
from agent_callbacks.recording.meter import Meter, touched
from agent_callbacks.recording.sent import Growth, Sent
from agent_callbacks.recording.spending import Ledger
from agent_callbacks.recording.steps import StepState
from agent_callbacks.recording.values import RequestedTool, ToolCall
from agent_callbacks.recording.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.metadata import ContentLevel, Request
    from agent_callbacks.recording.counting import Count
    from agent_callbacks.recording.live import Body
    from agent_callbacks.recording.messages import Fragment
    from agent_callbacks.recording.process import Search
    from agent_callbacks.recording.recorder import Recorder
    from agent_callbacks.recording.values import Key, Outcome, Start


class Step:
    """One open step. It ends when all it asked for and caused has ended and the next step, or the run's end, has come.

    ``open`` counts what runs in it, ``foreign`` the spans others made there, ``asked`` holds the calls of tools that
    have not started and when they were asked for, ``last_ns`` is when the last thing it caused ended: its own end,
    ``around`` the span the user had open when it began, if any. Times are nanoseconds of Unix time.
    """

    __slots__ = (
        "around", "asked", "error", "foreign", "identity", "index", "last_ns", "open", "outcome", "output_tokens",
        "over", "owner", "sent", "span",
    )  # fmt: skip

    def __init__(self, index: int, span: Span, identity: Attributes, first: Operation, owner: Operation) -> None:
        """Begin step *index* of the agent run *owner* with the model call *first*."""
        self.index = index
        self.span = span
        self.identity = identity
        self.owner = owner
        self.around = first.user_span
        self.last_ns = first.start_ns
        self.open = 0
        self.foreign = 0
        self.asked: list[tuple[str, int]] = []
        self.over = False
        self.outcome: Outcome = "success"
        self.error: str | None = None
        self.sent = Sent()
        self.output_tokens = 0

    def started(self, call_id: str | None) -> int | None:
        """Strike tool call *call_id* off what was asked for; return when it was. Some providers give one id twice."""
        for entry in self.asked:
            if entry[0] == call_id:
                self.asked.remove(entry)
                return entry[1]
        return None

    @property
    def settled(self) -> bool:
        """Whether the step is over and nothing runs in it or is about to."""
        return self.over and not self.asked and self.open <= 0 and self.foreign <= 0


class AgentScope:
    """What an agent run counts, its open steps and its open model calls.

    ``missing`` holds tools the model asked for that were not among those it was given, with the step and the time (in
    nanoseconds) of the request. ``total_*`` include sub-agents and the framework's own calls.
    """

    __slots__ = (
        "calls", "growth", "ledger", "missing", "model_calls", "name", "names", "output_tokens", "said", "sent",
        "state", "steps", "tool_calls", "total_input_tokens", "total_output_tokens",
    )  # fmt: skip

    def __init__(self, name: str | None, names: tuple[str | None, ...]) -> None:
        """Begin the run of agent *name*, chosen from the candidates *names*."""
        self.name = name
        self.names = names
        self.state = StepState()
        self.said: dict[int, Fragment] = {}
        self.steps: dict[int, Step] = {}
        self.calls: dict[Key, Operation] = {}
        self.missing: list[tuple[RequestedTool, Step, int]] = []
        self.ledger = Ledger()
        self.model_calls = 0
        self.tool_calls = 0
        self.sent = Sent()
        self.growth = Growth()
        self.output_tokens = 0
        self.total_input_tokens = 0
        self.total_output_tokens = 0


class Stream:
    """The clock and counter of a streamed answer, in nanoseconds of Unix time, and its two ``latest`` chunks."""

    __slots__ = ("chunks", "first_content_ns", "first_ns", "last_ns", "latest")

    def __init__(self, now: int) -> None:
        """Begin with the first chunk, seen at *now*."""
        self.chunks = 0
        self.first_ns = now
        self.last_ns = now
        self.first_content_ns: int | None = None
        self.latest: tuple[object, object] = (None, None)


class Operation:
    """One open operation. ``live.Target`` for the proxy that is current inside its body.

    ``said`` is what the framework said last of who asked, here or around, ``request`` what came of it.
    ``hangs_on`` is the operation whose span children hang on, None while it is this one; ``step`` is the
    step its body works for now; ``placed`` is the step that counts it as open; ``user_span`` is the span the
    user has open around it, if any, and ``user_step`` the step at that time; ``asked_ns`` is when the model asked for
    this tool, in nanoseconds, ``waits`` what it waits for, and ``meter`` adds up what recording the whole run takes.
    """

    __slots__ = (
        "agent", "ambient", "asked_ns", "base", "body", "children", "count", "error", "forget_task", "hangs_on",
        "identity", "key", "last_ns", "level", "meter", "notes", "outcome", "own_span", "parent", "placed", "prompt",
        "prompt_chars", "recorder", "request", "said", "search", "start_ns", "step", "stream", "user_bytes",
        "user_span", "user_step", "value", "waits",
    )  # fmt: skip

    def __init__(self, recorder: Recorder, key: Key, parent: Operation | None, value: Start, start_ns: int) -> None:
        """Begin *value* below *parent* at *start_ns* (Unix time in nanoseconds)."""
        self.recorder = recorder
        self.key = key
        self.parent = parent
        self.meter: Meter = Meter() if parent is None else parent.meter
        touched.meter = self.meter
        self.value = value
        self.start_ns = start_ns
        self.last_ns = start_ns
        self.own_span: Span | None = None
        self.identity: Attributes = {}
        self.base: Attributes = {}
        # None is the operation itself: a reference to oneself would leave every operation to the garbage collector.
        self.hangs_on: Operation | None = None if parent is None else parent.anchor
        self.step: Step | None = None if parent is None or parent.leaf else parent.step
        self.placed: Step | None = None
        self.user_span: Span | None = None
        self.user_step = self.step
        self.user_bytes = 0
        self.agent: AgentScope | None = None
        self.body: Body | None = None
        self.children: dict[Key, Operation] = {}
        self.request: Request | None = None
        self.said: Request = EMPTY if parent is None else parent.said
        self.ambient: Request | None = None
        self.level: ContentLevel = "off"
        self.stream: Stream | None = None
        self.prompt: object = None
        self.prompt_chars = 0
        self.count: Count | None = None
        self.notes: Attributes = {}
        self.outcome: Outcome | None = None
        self.error: tuple[int, str] | None = None
        self.waits = Waits(start_ns) if type(value) is ToolCall else None
        self.asked_ns: int | None = None
        self.search: Search | None = None
        self.forget_task: Callable[[], None] | None = None

    @property
    def anchor(self) -> Operation:
        """Return the operation whose span children hang on."""
        return self if self.hangs_on is None else self.hangs_on

    @property
    def leaf(self) -> bool:
        """Whether what runs below hangs on this very span: a tool, a model, a retriever, a chain that is a root."""
        return self.own_span is not None and self.agent is None and self.hangs_on is None

    @property
    def scope(self) -> Operation | None:
        """Return the nearest agent run around or at this operation."""
        operation: Operation | None = self
        while operation is not None and operation.agent is None:
            operation = operation.parent
        return operation

    def waiting(self, wait: object, start_ns: int, peer: Callable[[], str]) -> None:
        """Note at every tool around here that *wait* began at *start_ns*; *peer* says for whom, if it does not end."""
        for waits in self._waits():
            waits.begin(wait, start_ns, peer)

    def waited(self, wait: object, start_ns: int, end_ns: int, peer: str) -> None:
        """Note at every tool around here that it waited for *peer*.

        From *start_ns* to *end_ns*, in nanoseconds of Unix time; *wait* is what ``waiting`` was told.
        """
        for waits in self._waits():
            waits.end(wait, start_ns, end_ns, peer)

    def _waits(self) -> Iterator[Waits]:
        at: Operation | None = self
        while at is not None:
            if at.waits is not None:
                yield at.waits
            at = at.parent

    def running(self) -> Iterator[Operation]:
        """Yield what is open below this operation, at any depth."""
        for child in list(self.children.values()):
            yield child
            yield from child.running()

    def users_span(self) -> Span | None:
        """Return the span of the user's that this operation, which has none, stands for inside its body."""
        return self.user_span if self.own_span is None and self.step is self.user_step else None

    # --- live.Target: what user code reaches through the current span ----------------------------------------------

    def span(self) -> Span:
        """Return the span that is current inside this body now."""
        parent = self.parent
        if self.own_span is not None and self.agent is None:
            return self.own_span
        users = self.users_span()
        if users is not None:
            return users
        if self.step is not None:
            return self.step.span
        if self.own_span is not None:
            return self.own_span
        return INVALID_SPAN if parent is None else parent.span()

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set *attributes* on the current span, cleaned."""
        self.recorder.write(self, lambda writer, span, room: writer.write(span, attributes, room))

    def add_event(self, name: str, attributes: Mapping[str, Any] | None, timestamp: int | None) -> None:
        """Add an event to the current span, cleaned."""
        self.recorder.write(self, lambda writer, span, room: writer.event(span, name, attributes, timestamp, room))

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None) -> None:
        """Link the current span to another, cleaned."""
        self.recorder.write(self, lambda writer, span, room: writer.foreign_link(span, context, attributes, room))

    def record_exception(self, exception: BaseException, attributes: Mapping[str, Any] | None) -> None:
        """Record an exception on the current span, cleaned."""
        self.recorder.write(
            self,
            lambda writer, span, room: writer.exception(span, exception, attributes, None, self.level, room),
        )

    def set_status(self, status: Status | StatusCode, description: str | None) -> None:
        """Set the current span's status, its text cleaned."""
        self.recorder.write(self, lambda writer, span, _: writer.status(span, status, description))

    def update_name(self, name: str) -> None:
        """Rename the current span, as the convention allows."""
        self.recorder.write(self, lambda writer, span, _: writer.rename(span, name))
