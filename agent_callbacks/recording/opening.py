"""How operations begin: whose child, who asked, which step, which span."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, set_span_in_context

from agent_callbacks.convention import keys
from agent_callbacks.metadata import Request, baggage_request, current_request
from agent_callbacks.recording import live, process
from agent_callbacks.recording.closing import Closing, span_context
from agent_callbacks.recording.counting import Count
from agent_callbacks.recording.guard import attempted
from agent_callbacks.recording.operation import AgentScope, Operation, Step
from agent_callbacks.recording.placement import agent_name, is_own_agent, place_in_step, prompt_of, step_of_tool
from agent_callbacks.recording.values import (
    AgentRun,
    ChainRun,
    Embedding,
    Key,
    ModelCall,
    Retrieval,
    Start,
    ToolCall,
)  # fmt: skip
from agent_callbacks.recording.writer import StepStart

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from opentelemetry.context import Context

    from agent_callbacks.recording.messages import Fragment
    from agent_callbacks.recording.recorder import Recorder
    from agent_callbacks.recording.stack import Caller

__all__ = ["Opening"]

_SWEEP_SECONDS: Final = 60.0
_KINDS: Final[dict[type, live.Kind]] = {
    ModelCall: "model",
    Embedding: "model",
    ToolCall: "tool",
    Retrieval: "retriever",
}
_NO_USER: Final = (
    'a run has a thread id but no user; give one: config={"metadata": {"user_id": ...}} '
    "or request_metadata(user_id=...)"
)


class Opening(Closing):
    """The part of the recorder that opens."""

    # --- start ---------------------------------------------------------------------------------------------------

    def start(
        self,
        key: Key | None,
        parent_key: Key | None,
        value: Start,
        at: int | None = None,
        *,
        alone: bool = False,
        called: Caller | None = None,
    ) -> None:
        """Open an operation.

        Args:
            key: Names the operation until it ends; None is counted and ignored.
            parent_key: The operation around it; None or unknown: the one whose body asks, else none.
            value: What starts.
            at: When, in nanoseconds of Unix time; now unless given.
            alone: Whether what starts has no body that the caller is about to run: it spans several calls.
            called: Who called the callback as ``stack.caller`` gave it, to save looking again.
        """
        now = at or time.time_ns()
        if parent_key is None and self._given is None and self.enabled:
            self.follow_global()
        if key is None or not self._is_new(key):
            self.unmatched += int(key is None)
            return
        parent = None if parent_key is None else self._open.get(parent_key)
        current = live.here()
        if parent is None or parent.body is not live.innermost(current):
            current = self._without_lingering()
        operation = self._opened(key, parent_key, parent, value, now, current)
        kind = _KINDS.get(type(value), "chain")
        if alone:
            operation.body = live.alone(operation, kind=kind, outer=current)
        else:
            operation.body = live.enter(operation, kind=kind, outer=current, called=called)
        if operation.parent is None:
            self._root_opened(operation)

    def _without_lingering(self) -> Context:
        """Close what was cancelled without a word in this task, and return the current context."""
        for body in live.lingering():
            self._stop_lingering(body)
        return live.here()

    def _opened(
        self,
        key: Key,
        parent_key: Key | None,
        parent: Operation | None,
        value: Start,
        now: int,
        current: Context,
    ) -> Operation:
        """Return *value* as an open operation, with its span where it has one of its own."""
        inside = parent is not None and live.is_in(parent.body, current)
        context = current if inside else live.parent_context(None if parent is None else parent.body, current)
        late = None if parent is not None or parent_key is None else self.shared.ended.get(parent_key)
        if parent is None and late is None:
            parent = self._ambient(context)
        operation = Operation(cast("Recorder", self), key, parent, value, now)
        if parent is not None:
            nearest = live.users_span(context) if inside else trace.get_current_span(context)
            operation.user_span = parent.users_span() if nearest is None or nearest is parent.span() else nearest
        self._ask_who(operation, context)
        self._place(operation, context, late)
        self._open[key] = operation
        if parent is not None:
            parent.children[key] = operation
        return operation

    def _is_new(self, key: Key) -> bool:
        """Say whether *key* is to be recorded; one that another handler reported first is remembered as repeated."""
        if key in self._open:
            self.shared.repeated[key] = True
            return False
        return self.enabled

    def _ambient(self, context: Context) -> Operation | None:
        """Return the operation whose body asks, where the framework does not say whose child this is."""
        body = live.body_of(context)
        target = None if body is None else body.target
        return target if isinstance(target, Operation) and target.recorder.shared is self.shared else None

    def _ask_who(self, operation: Operation, context: Context) -> None:
        parent, own = operation.parent, operation.value.request
        ambient = operation.ambient = current_request(context)
        if parent is not None and ambient is parent.ambient and (own is None or _same(own, parent.said)):
            operation.request, operation.base, operation.level = parent.request, parent.base, parent.level
            return
        if own is not None:
            operation.said = own
        inherited = baggage_request(context, self.settings.baggage_keys) if parent is None else parent.request
        around = inherited if ambient is None else ambient.over(inherited)
        operation.request = operation.said.over(around)
        operation.base = self.writer.request(operation.request)
        operation.level = self.writer.level(operation.request)

    def _place(self, operation: Operation, context: Context, late: SpanContext | None) -> None:
        """Open the operation's span where it belongs, if it has one."""
        parent, value = operation.parent, operation.value
        fragments: Sequence[Fragment] = ()
        agent = None if parent is None or parent.anchor.agent is None else parent.anchor
        if late is not None:
            context = set_span_in_context(NonRecordingSpan(late), context)
        match value:
            case AgentRun():
                self._place_agent(operation, value, context, late)
                return
            case ChainRun() if parent is not None or late is not None:
                self._place_node(operation, value, context, late)
                return
            case ModelCall():
                fragments = self._read(operation, value, agent)
                if agent is not None and not value.internal:
                    self._place_model(operation, value, agent, context)
            case ToolCall() if agent is not None and agent.agent is not None:
                agent.agent.tool_calls += 1
                self._found(agent.agent, value)
                operation.placed = step_of_tool(operation, agent.agent, value)
            case _:
                pass
        if agent is not None and operation.placed is None:
            operation.placed = operation.step
        if operation.placed is not None:
            operation.placed.open += 1
        operation.hangs_on = None
        self._show(operation, self._hung(operation, context), late, fragments=fragments)

    def _place_node(self, operation: Operation, value: ChainRun, context: Context, late: SpanContext | None) -> None:
        """Open the span of a graph node or inner chain where those are shown.

        It hangs on the node or agent run around it, beside the steps: one node may take several, or end another's.
        """
        if self.settings.inner_spans:
            around = operation.parent
            while around is not None and around.own_span is None:
                around = around.parent
            hung = context if around is None or around.own_span is None else _under(around.own_span, operation, context)
            self._show(operation, hung, late, name=value.name)

    def _read(self, operation: Operation, value: ModelCall, agent: Operation | None) -> Sequence[Fragment]:
        """Return the messages a model call shows, and note how much text it sends."""
        fragments = self.writer.read(value, operation.level)
        operation.prompt_chars = sum([fragment.chars for fragment in fragments])
        if self.settings.count_tokens:
            operation.count = Count(self, value, fragments, self.writer.messages)
        return _unsaid(fragments, agent) if self.settings.history == "delta" else fragments

    def _place_agent(self, operation: Operation, value: AgentRun, context: Context, late: SpanContext | None) -> None:
        if not is_own_agent(operation, value):
            return
        parent = operation.parent
        name = agent_name(operation, value)
        operation.agent = AgentScope(name, value.names)
        link = self._resumed(operation, value) or (None if late is None else (late, "late"))
        around = None if parent is None else operation.anchor.own_span
        operation.hangs_on, operation.step = None, None
        hung = context if around is None else _under(around, operation, context)
        self._show(operation, hung, None, name=name, link=link)

    def _place_model(self, operation: Operation, value: ModelCall, agent: Operation, context: Context) -> None:
        """Put a model call of the agent itself into its step, opening the step if it is a new one."""
        scope = agent.agent
        if scope is None:
            return  # pragma: no cover - said for the type checker
        if value.decision is None:
            operation.prompt = prompt_of(value, operation.prompt_chars)
        with self.shared.lock:
            placed = place_in_step(operation, scope, value)
            step = scope.steps.get(placed.index)
            known = operation.step if value.decision is None else None
            if step is None and (placed.attempt == 1 or known is None):
                step = self._open_step(operation, scope, agent, placed.index, context)
            step = step or operation.step
            scope.calls[operation.key] = operation
        if placed.attempt > 1:
            operation.notes[keys.RETRY_ATTEMPT] = placed.attempt
        operation.placed = step
        at: Operation | None = operation
        while at is not None:
            at.step = step
            at = None if at is agent else at.parent
        scope.model_calls += 1
        self._tell_missing(scope)
        self._settle(scope)

    def _open_step(
        self, operation: Operation, scope: AgentScope, agent: Operation, index: int, context: Context
    ) -> Step:
        """Open the span of step *index*; the steps before it are over."""
        hung = context if agent.own_span is None else _under(agent.own_span, operation, context)
        start = StepStart(index, scope.name)
        span, identity = self.writer.open(start, hung, operation.start_ns, operation.base, "off")
        step = Step(index, span, identity, operation, agent)
        for earlier in scope.steps.values():
            earlier.over = True
        scope.steps[index] = step
        self.shared.steps[span.get_span_context().span_id] = step
        return step

    def _hung(self, operation: Operation, context: Context) -> Context:
        """Return the context below the step or span *operation* hangs on."""
        placed = operation.placed
        if placed is not None:
            return _under(placed.span, operation, context, placed.around)
        parent = operation.parent
        return context if parent is None else _under(parent.span(), operation, context)

    def _show(
        self,
        operation: Operation,
        context: Context,
        late: SpanContext | None,
        *,
        name: str | None = None,
        link: tuple[SpanContext, str] | None = None,
        fragments: Sequence[Fragment] = (),
    ) -> None:
        """Open the operation's own span."""
        if late is not None:
            link = (late, "late")
        operation.own_span, operation.identity = self.writer.open(
            operation.value, context, operation.start_ns, operation.base, operation.level,
            name=name, link=link, fragments=fragments, recorded=operation.parent is not None,
        )  # fmt: skip
        if not operation.own_span.is_recording():
            operation.level = "off"
            operation.count = None
        elif operation.count is not None:
            attempted(self, None, operation.count.begin)

    def _resumed(self, operation: Operation, value: AgentRun) -> tuple[SpanContext, str] | None:
        """Return the interrupted run this one resumes; where this process did not see it, start looking for it."""
        thread = None if operation.request is None else operation.request.thread_id
        if not value.resumed or thread is None or operation.parent is not None:
            return None
        waiting = process.interrupted(thread)
        if waiting is not None:
            return span_context(waiting), "resume"
        operation.search = process.Search(thread)
        return None

    def _resumed_late(self, operation: Operation) -> None:
        """Link a run the framework says was resumed, if its input did not show it."""
        value, span = operation.value, operation.own_span
        if isinstance(value, AgentRun) and not value.resumed and span is not None:
            link = self._resumed(operation, replace(value, resumed=True))
            if link is not None:
                self.writer.link(span, *link)

    def _root_opened(self, operation: Operation) -> None:
        if operation.own_span is not None:  # pragma: no branch - a root has one
            self.last_root = operation.own_span.get_span_context()
        self._watch_task(operation)
        request = operation.request
        if request is not None and request.thread_id is not None and request.user_id is None:
            process.warn_once("user", _NO_USER)
        if time.monotonic() - self.shared.last_sweep > _SWEEP_SECONDS:
            self.shared.last_sweep = time.monotonic()
            self._sweep_idle()

    def _watch_task(self, operation: Operation) -> None:
        """Be told when the task a root was started in is over: a cancelled call may have no end callback."""
        body = operation.body
        task = None if body is None or body.task is None else body.task()
        if task is None:
            return

        def over(task: asyncio.Task[object]) -> None:
            self._task_done(operation, task.cancelled())

        def forget() -> None:
            # Tasks belong to their loop's thread; what stays behind elsewhere finds the operation closed.
            if live.current_loop() is task.get_loop():
                task.remove_done_callback(over)

        task.add_done_callback(over)
        operation.forget_task = forget


def _same(one: Request, other: Request) -> bool:
    """Say whether two requests say the same, without comparing values of the user's."""
    return one is other or (
        (one.user_id, one.session_id, one.thread_id, one.variants, one.content, one.tags)
        == (other.user_id, other.session_id, other.thread_id, other.variants, other.content, other.tags)
        and len(one.metadata) == len(other.metadata)
        and all(a is b or (a[0] == b[0] and a[1] is b[1]) for a, b in zip(one.metadata, other.metadata, strict=True))
    )


def _under(wanted: Span, operation: Operation, context: Context, around: Span | None = None) -> Context:
    """Return *context* with *wanted*, below *around*, as the parent; a span of the user's in between is nearer."""
    between = operation.user_span is not None and operation.user_span is not around
    return context if between else set_span_in_context(wanted, context)


def _unsaid(fragments: Sequence[Fragment], agent: Operation | None) -> Sequence[Fragment]:
    """Return the messages that no model call of the agent run has sent before, and remember them."""
    if agent is None or agent.agent is None:
        return fragments
    said = agent.agent.said
    new = [fragment for fragment in fragments if id(fragment) not in said]
    said.update((id(fragment), fragment) for fragment in new)
    return new
