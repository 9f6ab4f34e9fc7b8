"""How operations end: their last attributes, their steps and totals, and what nobody ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, TraceFlags, set_span_in_context

from agent_callbacks.convention import keys
from agent_callbacks.recording import live, process, tally
from agent_callbacks.recording.desk import Desk
from agent_callbacks.recording.guard import attempted, guarded_only
from agent_callbacks.recording.operation import AgentScope, Operation, Step
from agent_callbacks.recording.sent import call_tokens
from agent_callbacks.recording.spending import spent
from agent_callbacks.recording.steps import asked_tools
from agent_callbacks.recording.values import (
    AgentRun,
    Embedding,
    ModelCall,
    ModelResult,
    Outcome,
    RequestedTool,
    Retrieval,
    ToolCall,
    Usage,
)  # fmt: skip

if TYPE_CHECKING:
    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.tokens.composition import Split

__all__ = ["Closing", "span_context"]

_SEARCH_SECONDS: Final = 0.02
_EMPTY: Final = Context()
_NOTHING: Final[Attributes] = {}
"""What is said where working it out fails: a span ends all the same."""
_WAITED_FOR: Final = (ModelCall, Embedding, Retrieval)
UNKNOWN_TOOL: Final = "unknown"
UNKNOWN_TOOL_ERROR: Final = "unknown_tool"


class Closing(Desk):
    """The part of the recorder that closes."""

    def _answered(self, operation: Operation, result: ModelResult, *, partial: bool = False) -> Attributes:
        """Return a model call's counts and clock, and add them to its step and run."""
        split = attempted(self, None, self._split, operation, result, partial=partial)
        may_estimate = self.settings.count_tokens and not partial and not result.from_cache
        usage, estimated = tally.counted(result, operation.prompt_chars, split, may_estimate=may_estimate)
        found: Attributes = {keys.PROMPT_CHARS: operation.prompt_chars}
        if usage is not None:
            method = split.method if split is not None else "estimated" if estimated else "reported"
            found.update(self.writer.usage(usage, method))
            if estimated:
                found[keys.TOKENS_USAGE_ESTIMATED] = True
            if split is not None:
                found.update(call_tokens(split))
            self._add_tokens(operation, usage, split, method)
        found.update(attempted(self, _NOTHING, spent, operation, result, usage, self.prices, partial=partial))
        if operation.stream is not None:
            found.update(tally.stream_times(operation.stream, operation.start_ns, usage))
        scope = operation.scope
        if operation.placed is not None and scope is not None and scope.agent is not None:
            self._asked(operation, scope.agent, operation.placed, result.tool_calls)
        return found

    def _split(self, operation: Operation, result: ModelResult, *, partial: bool) -> Split | None:
        """Return what the input of a model call was, where it was counted; a call that broke off may tell no tokens."""
        usage = result.usage
        if operation.count is None or result.from_cache or (partial and (usage is None or usage.input is None)):
            return None
        composition = operation.count.take()
        return composition.split(None, None) if usage is None else composition.split(usage.input, usage.cache_read)

    def _add_tokens(self, operation: Operation, usage: Usage, split: Split | None, method: str) -> None:
        scope = operation.scope
        if scope is None or scope.agent is None:
            return
        given, made = usage.input or 0, usage.output or 0
        agent, step = scope.agent, operation.placed
        agent.total_input_tokens += given
        agent.total_output_tokens += made
        if operation.key in agent.calls and step is not None:
            agent.output_tokens += made
            step.output_tokens += made
            agent.growth.add(step.index, given)
            for sent in (step.sent, agent.sent):
                sent.add(given, usage.cache_read, split, method)

    def _asked(self, operation: Operation, agent: AgentScope, step: Step, wanted: tuple[RequestedTool, ...]) -> None:
        """Note which tools a step asked for, and those among them that do not exist."""
        offered = operation.value.tool_names if isinstance(operation.value, ModelCall) else frozenset[str]()
        registered = self.settings.naming.registry
        ids: list[str] = []
        for tool in wanted:
            if tool.call_id is not None:
                ids.append(tool.call_id)
            if offered and tool.name not in offered and tool.name not in registered:
                agent.missing.append((tool, step, time.time_ns()))
            elif tool.call_id is not None:
                step.asked.append((tool.call_id, time.time_ns()))
        with self.shared.lock:
            agent.state = asked_tools(agent.state, step.index, tuple(ids))

    def _asked_at_all(self, agent: AgentScope, wanted: tuple[RequestedTool, ...]) -> None:
        """Note which tools the latest step asked for, where only the framework could read that out of the answer."""
        step = agent.steps.get(agent.state.last)
        if step is not None:
            now = time.time_ns()
            step.asked += [(tool.call_id, now) for tool in wanted if tool.call_id is not None]
            with self.shared.lock:
                ids = tuple(tool.call_id for tool in wanted if tool.call_id is not None)
                agent.state = asked_tools(agent.state, step.index, ids)

    # --- closing -------------------------------------------------------------------------------------------------

    def _close(
        self,
        operation: Operation,
        outcome: Outcome,
        now: int,
        found: Attributes,
        *,
        error: str | None = None,
        description: str | None = None,
    ) -> None:
        """Close *operation*'s span and everything that cannot outlive it."""
        self._sweep(operation, outcome, now)
        if operation.agent is not None:
            self._close_agent(operation, operation.agent, outcome, error)
            found.update(tally.run_totals(operation.agent))
            found.update(attempted(self, _NOTHING, operation.agent.ledger.run, self.prices))
            alert = operation.agent.growth.run_alert(self.settings)
            if alert is not None and operation.own_span is not None:
                attempted(self, None, self.writer.alert, operation.own_span, *alert, now)
        if operation.waits is not None:
            found.update(attempted(self, _NOTHING, tally.tool_times, operation, operation.waits, now, self.writer))
        if operation.parent is None:
            found[keys.RUN_HANDLER_DURATION] = operation.meter.spent_ns / 1e9
        if operation.own_span is not None:
            found.update(operation.notes)
            self.writer.close(
                operation.own_span, outcome, now, found, operation.identity, error=error, description=description
            )
            if self.metrics is not None:
                taken = now - operation.start_ns
                attempted(self, None, self.metrics.operation, operation.own_span, taken, operation.identity, found)
        self._leave(operation, outcome, now)

    def _leave(self, operation: Operation, outcome: Outcome, now: int) -> None:
        """Take *operation* out of everything that counts it."""
        parent = operation.parent
        self.shared.ended[operation.key] = operation.span().get_span_context()
        if operation.body is not None:  # pragma: no branch - said for the type checker
            live.leave(operation.body)
        if operation.forget_task is not None:
            operation.forget_task()
            operation.forget_task = None  # it refers to the operation
        if isinstance(operation.value, _WAITED_FOR):
            operation.waited(operation.key, operation.start_ns, now, tally.peer(operation.value))
        if operation.placed is not None:
            operation.placed.open -= 1
            operation.placed.last_ns = max(operation.placed.last_ns, now)
            scope = operation.scope
            if scope is not None and scope.agent is not None:  # pragma: no branch - what is placed is in an agent run
                scope.agent.calls.pop(operation.key, None)
                self._settle(scope.agent)
        if parent is not None:
            parent.children.pop(operation.key, None)
            parent.last_ns = now
            parent.error = operation.error or parent.error
            if outcome == "interrupted" and isinstance(parent.value, AgentRun):
                parent.outcome = "interrupted"
        if operation.agent is not None:
            operation.step = operation.user_step = None  # a step refers to the run it is in

    def _close_agent(self, operation: Operation, agent: AgentScope, outcome: Outcome, error: str | None) -> None:
        """End the steps of an agent run and hand its totals to the run around it."""
        self._tell_missing(agent)
        for step in agent.steps.values():
            step.over = True
            step.asked.clear()
            step.foreign = 0
            if step.index == agent.state.last and outcome != "success":
                step.outcome, step.error = outcome, error
        self._settle(agent)
        outer = None if operation.parent is None else operation.parent.scope
        if outer is not None and outer.agent is not None:
            outer.agent.total_input_tokens += agent.total_input_tokens
            outer.agent.total_output_tokens += agent.total_output_tokens
            outer.agent.ledger.total.merge(agent.ledger.total)
        self._remember_thread(operation, outcome)

    def _remember_thread(self, operation: Operation, outcome: Outcome) -> None:
        """Keep or drop what a resumed run will be linked to."""
        span, request = operation.own_span, operation.request
        if operation.search is not None and span is not None:
            waiting = operation.search.result(_SEARCH_SECONDS)
            if waiting is not None:
                self.writer.link(span, span_context(waiting), "resume")
        if operation.parent is not None or span is None or request is None or request.thread_id is None:
            return
        if outcome == "interrupted":
            context = span.get_span_context()
            run = (trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))
            process.remember_interrupted(request.thread_id, run)
        elif outcome == "success":
            process.forget_interrupted(request.thread_id)

    def settle(self, operation: Operation) -> None:
        """Close what is over of the agent run *operation*, after a span of somebody else's ended in it."""
        if operation.agent is not None:  # pragma: no branch - said for the type checker
            self._settle(operation.agent)

    def _settle(self, agent: AgentScope) -> None:
        """Close the steps that are over and in which nothing runs or is about to run."""
        for step in [step for step in agent.steps.values() if step.settled]:
            if agent.steps.pop(step.index, None) is not step:
                continue  # pragma: no cover - another thread was faster
            self.shared.steps.pop(step.span.get_span_context().span_id, None)
            cost = attempted(self, _NOTHING, agent.ledger.step, step.index, self.prices)
            totals = {**tally.step_totals(step, agent.growth), **cost}
            alert = agent.growth.step_alert(step.index, self.settings)
            if alert is not None:
                attempted(self, None, self.writer.alert, step.span, *alert, step.last_ns)
            self.writer.close(step.span, step.outcome, step.last_ns, totals, step.identity, error=step.error)
            if self.metrics is not None:
                attempted(self, None, self.metrics.step, step.span, step.identity, totals)

    def _found(self, agent: AgentScope, value: ToolCall) -> None:
        """Strike a tool that runs after all off the list of those that do not exist."""
        agent.missing = [
            (tool, step, asked_ns)
            for tool, step, asked_ns in agent.missing
            if (tool.call_id != value.call_id or value.call_id is None) and tool.name != value.requested
        ]

    def _tell_missing(self, agent: AgentScope) -> None:
        """Open and close ``tool.unknown`` for each tool that was asked for and does not exist."""
        missing, agent.missing = agent.missing, []
        for tool, step, asked_ns in missing:
            operation = step.owner
            value = ToolCall(UNKNOWN_TOOL, call_id=tool.call_id, requested=tool.name)
            context = set_span_in_context(step.span, _EMPTY)
            span, identity = self.writer.open(value, context, asked_ns, operation.base, "off")
            self.writer.close(span, "failure", asked_ns, {}, identity, error=UNKNOWN_TOOL_ERROR)
            step.last_ns = max(step.last_ns, asked_ns)

    # --- what nobody ends ----------------------------------------------------------------------------------------

    def _sweep(self, operation: Operation, outcome: Outcome, now: int) -> None:
        """Close what is open below *operation*, which ends, and cannot be running any more."""
        for child in list(operation.children.values()) if operation.children else ():
            if child.body is None or live.finished(child.body, ended=operation.body):
                child.recorder.abandon(child, "cancelled" if outcome == "cancelled" else None, now)

    def abandon(self, operation: Operation, outcome: Outcome | None = None, at: int | None = None) -> None:
        """Close *operation*, which nobody ended, and what is open below it.

        Args:
            operation: The operation.
            outcome: How to call it; by default a coroutine that vanished was cancelled, anything else abandoned.
            at: When, in nanoseconds of Unix time; now unless given.
        """
        if self._open.pop(operation.key, None) is None:
            return
        now = at or time.time_ns()
        body = operation.body
        if outcome is None:
            outcome = "cancelled" if body is not None and body.task is not None and not body.suspends else "abandoned"
        self.shared.repeated[operation.key] = True
        found: Attributes = {}
        if isinstance(operation.value, ModelCall):
            found = self._answered(operation, ModelResult(), partial=True)
        self._close(operation, outcome, now, found)

    def abandon_all(self) -> int:
        """Close everything this recorder has open; return how many operations that were."""
        count = 0
        for operation in self.open_operations():
            if operation.key in self._open:
                count += 1
                self._abandon_tree(operation)
        return count

    def _abandon_tree(self, operation: Operation) -> None:
        for child in list(operation.children.values()):
            child.recorder._abandon_tree(child)  # noqa: SLF001 - another instance of this class
        self.abandon(operation, "abandoned")

    @guarded_only
    def _stop_lingering(self, body: live.Body) -> None:
        operation = body.target
        if isinstance(operation, Operation):  # pragma: no branch - said for the type checker
            operation.recorder.abandon(operation)

    @guarded_only
    def _task_done(self, operation: Operation, cancelled: bool) -> None:  # noqa: FBT001 - a callback's argument
        """Close a root whose task is over; one whose stream still exists is left to the stream."""
        if operation.key in self._open and operation.body is not None and live.finished(operation.body):
            self.abandon(operation, "cancelled" if cancelled else None)

    def _sweep_idle(self) -> None:
        """Close the operations in which nothing has happened for longer than ``max_idle_seconds``."""
        limit = time.time_ns() - int(self.settings.max_idle_seconds * 1e9)
        for operation in self.open_operations():
            if operation.parent is None and _last_event(operation) < limit:
                self._abandon_tree(operation)


def _last_event(operation: Operation) -> int:
    """Return when something last happened at or below *operation*, in nanoseconds of Unix time."""
    stream = operation.stream
    own = operation.last_ns if stream is None else max(operation.last_ns, stream.last_ns)
    return max([own, *(_last_event(child) for child in list(operation.children.values()))])


def span_context(run: process.Interrupted) -> SpanContext:
    """Return a remembered run as a link's target."""
    trace_id, span_id = run
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags.get_default())
