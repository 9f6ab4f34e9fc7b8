"""Agents: whose turn it is, which decision a model call belongs to, and the tools an agent calls.

LlamaIndex runs an agent as a workflow whose steps are siblings: ``setup_agent`` begins a decision, ``run_agent_step``
asks the model, ``call_tool`` runs a tool, ``aggregate_tool_results`` hands over. Only the two in the middle show, as a
model call and as a tool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent_callbacks.llamaindex.extract import described, model_call, spoken, stopped, tool_output, without_default
from agent_callbacks.llamaindex.place import Place, Run
from agent_callbacks.llamaindex.role import AGENTS, bases
from agent_callbacks.llamaindex.streams import Streams
from agent_callbacks.reading.shape import mapping, member, sequence, text
from agent_callbacks.recording.values import (
    AgentRun,
    Asked,
    ChainRun,
    Outcome,
    RequestedTool,
    Resumed,
    Retried,
    RunResult,
    ToolCall,
    ToolResult,
)  # fmt: skip

if TYPE_CHECKING:
    from agent_callbacks.llamaindex.place import Call
    from agent_callbacks.reading.shape import Loose

__all__ = ["STEPS", "Agents"]

STEPS: Final = frozenset({
    "init_run", "setup_agent", "run_agent_step", "parse_agent_output", "call_tool", "aggregate_tool_results",
})  # fmt: skip
"""The steps of LlamaIndex's agents; the canary test holds them against every release."""
DECIDES: Final = "run_agent_step"
CONCLUDES: Final = "parse_agent_output"
_OWN_ACCOUNT: Final = STEPS - {DECIDES}
"""Where an agent's memory asks a model, to summarize or to remember: no decision of the agent's."""
_MANY: Final = "AgentWorkflow"
_NAMELESS: Final = frozenset({"Agent"})
_UNKNOWN: Final = "unknown"


class Agents(Streams):
    """The part of the adapter that knows agents."""

    # --- a run ---------------------------------------------------------------------------------------------------

    def open_run(self, call: Call, tags: Loose) -> Place:
        """Open the run of a workflow: an agent's, or a chain where it is the root."""
        place, names = Place(call, "run"), bases(type(call.instance))
        named, kind = text(tags.get("agent_name")), tags.get("agent_kind")
        own = text(member(call.instance, "_workflow_name"))
        start = call.arguments.get("start_event")
        if kind != "chain" and (names & AGENTS or kind == "agent"):
            many = _MANY in names
            if not many:
                own = without_default(member(call.instance, "name"), _NAMELESS) or own
            place.run = run = Run(call.id, call.instance, call.request, many=many, decides=bool(names & AGENTS))
            value = AgentRun(
                (named, own),
                input=_asked(start),
                resumed=start is None,
                framework="llama_index",
                request=call.request,
            )
            self.recorder.start(call.id, call.parent_key, value)
            place.own().scope = run
            return place
        return self.open_chain(call, place, own or type(call.instance).__name__, _fields(start))

    def open_chain(self, call: Call, place: Place, name: str, given: object) -> Place:
        """Open a chain, which shows where it is the root; what lasts longer than its call keeps it open."""
        if call.parent_key is not None and not self.recorder.settings.inner_spans:
            return place
        value = ChainRun(name, input=given, framework="llama_index", request=call.request)
        self.recorder.start(call.id, call.parent_key, value)
        if call.parent_key is None:
            place.below, forms = set(), place.forms
            place.own().forms = forms
        else:
            place.key = place.id
        return place

    def end_run(self, place: Place, result: object, outcome: Outcome | None, error: BaseException | None) -> None:
        """Close a workflow's run, and the stay of the member whose turn it was."""
        run = place.run
        if run is not None:
            if outcome == "cancelled" and run.waiting:
                outcome, result = "interrupted", spoken(run.answer)
            self._end_stay(run, outcome, error)
            run.workflow = None
        self.end(place, RunResult(result, outcome or "success"), error)

    def end(self, place: Place, result: RunResult, error: BaseException | None) -> None:
        """Close the operation at *place*, if it has one."""
        if place.key == place.id:
            if error is not None:
                self.recorder.fail(place.id, error)
            else:
                self.recorder.end(place.id, result)
        self.release(place, result.outcome, error)

    # --- its steps -----------------------------------------------------------------------------------------------

    def open_step(self, call: Call, run: Run) -> Place:
        """Open one step of an agent's workflow."""
        event = call.arguments.get("ev")
        if call.method == "setup_agent":
            self._begin_decision(run, event)
        elif call.method == DECIDES:
            run.attempt += 1
        elif call.method == "call_tool" and (place := self._open_tool(call, run, event)) is not None:
            return place
        place = Place(call, "step")
        place.key, place.scope, place.step, place.name = run.current, run, call.method, call.method
        if call.method == CONCLUDES and sequence(member(event, "tool_calls")):
            place.step = DECIDES  # what it asks for here is the answer after the last round
        if run.many or self.recorder.settings.inner_spans:
            # The context of a step is the run's, not the member's.
            value = ChainRun(call.method, framework="llama_index", request=call.request)
            self.recorder.start(call.id, run.current, value)
            place.key = place.id
        return place

    def end_step(self, place: Place, result: object, outcome: Outcome | None, error: BaseException | None) -> None:
        """Close one step; what it returned says what comes next."""
        run, method = place.scope, place.name
        if run is not None and result is not None:
            if method == DECIDES:
                self._decided(run, result)
            elif method == "aggregate_tool_results" and run.many:
                following = text(member(result, "current_agent_name"))
                if following is not None and following != run.member:
                    self.end(place, RunResult(), None)
                    run.answer = None  # it has handed over, not answered
                    self._end_stay(run, None, None)
                    return
        self.end(place, RunResult(outcome=outcome or "success"), error)

    def _begin_decision(self, run: Run, event: object) -> None:
        """Begin the next decision; the same input again is the same one, tried again."""
        if event is not None and event is run.present:
            return
        run.present = event
        member_name = text(member(event, "current_agent_name"))
        if run.many and (run.stay is None or member_name != run.member):
            self._end_stay(run, None, None)
            run.member, run.turn = member_name, run.turn + 1
            run.stay = (run.key, run.turn)
            name = without_default(member_name, _NAMELESS)
            asked = {"messages": list(sequence(member(event, "input")))}
            value = AgentRun((None, name), graph=False, input=asked, framework="llama_index", request=run.request)
            self.recorder.start(run.stay, run.key, value, alone=True)
        run.turn += 1
        run.attempt = 0

    def _decided(self, run: Run, output: object) -> None:
        """Note what was said, and tell which tools the agent read out of an answer that did not name them itself."""
        run.answer = output
        wanted = tuple(
            RequestedTool(name, text(member(one, "tool_id")))
            for one in sequence(member(output, "tool_calls"))
            if (name := text(member(one, "tool_name"))) and name not in run.told
        )
        if wanted:
            self.recorder.note(run.current, Asked(wanted))

    def _end_stay(self, run: Run, outcome: Outcome | None, error: BaseException | None) -> None:
        stay, run.stay = run.stay, None
        if stay is None:
            return
        if error is not None:
            self.recorder.fail(stay, error)
        else:
            self.recorder.end(stay, RunResult(spoken(run.answer), outcome or "success"))

    # --- its model calls -----------------------------------------------------------------------------------------

    def open_model(self, call: Call, place: Place) -> None:
        """Open a model call; inside an agent's step it is part of a decision, or the framework's own."""
        run = None if place.scope is None or not place.scope.decides else place.scope
        internal = run is not None and place.step in _OWN_ACCOUNT
        decision: object = None
        if run is not None and not internal:
            place.run, decision = run, (run.current, run.turn)
        value = model_call(call, decision=decision, attempt=run.attempt if run and decision else 1, internal=internal)
        if place.run is not None:
            place.run.told, place.run.offered, place.run.tools = frozenset(), value.tool_names, value.tools
        self.recorder.start(call.id, call.parent_key, value)

    # --- its tools -----------------------------------------------------------------------------------------------

    def _open_tool(self, call: Call, run: Run, event: object) -> Place | None:
        """Open a tool call; None for a tool that does not exist and of which the recorder knows that already."""
        name, call_id = text(member(event, "tool_name")) or "tool", text(member(event, "tool_id"))
        exists = self._exists(run, name)
        if not exists and name in run.told:
            return None
        place = Place(call, "tool")
        place.name, place.call_id, place.run, place.step = name, call_id, run, call.method
        value = ToolCall(
            name if exists else _UNKNOWN,
            call_id,
            described(run.tools, name) or _description(run.workflow, name),
            arguments=mapping(member(event, "tool_kwargs")) if exists else None,
            requested=None if exists else name,
            framework="llama_index",
            request=call.request,
        )
        if (call_id or "") in run.waiting:
            run.waiting.discard(call_id or "")
            if not run.waiting:
                self.recorder.note(run.current, Resumed())
        self.recorder.start(call.id, run.current, value)
        if attempt := run.again.pop(call_id or "", 0):
            self.recorder.note(call.id, Retried(attempt + 1))
        place.attempts = attempt + 1
        return place.own()

    def _exists(self, run: Run, name: str) -> bool:
        if run.offered:
            return name in run.offered
        names = {text(member(member(tool, "metadata"), "name")) for tool in _tools(run.workflow)}
        return not names or name in names or name == "handoff"

    def end_tool(self, place: Place, result: object, outcome: Outcome | None, error: BaseException | None) -> None:
        """Close a tool call of an agent: an error exits as a normal result, waiting for a human as none."""
        run, output = place.run, member(result, "tool_output")
        if error is None and outcome is None and output is None:
            outcome = stopped(place.error) or ("cancelled" if place.cancelled else None)
        if run is not None and (outcome == "interrupted" or error is not None):
            run.again[place.call_id or ""] = place.attempts
            if outcome == "interrupted":
                run.waiting.add(place.call_id or "")
        error = error or self._tool_error(place, output)
        if error is not None:
            self.recorder.fail(place.id, error)
        elif outcome is not None:
            self.recorder.end(place.id, RunResult(outcome=outcome))
        else:
            self.recorder.end(place.id, ToolResult(tool_output(output), failed=member(output, "is_error") is True))
        self.release(place)

    def _tool_error(self, place: Place, output: object) -> BaseException | None:
        """Return what a tool raised that the agent has turned into a result."""
        if member(output, "is_error") is not True:
            return None
        raised = member(output, "exception") or place.error
        return raised if isinstance(raised, BaseException) else None


def _tools(workflow: object) -> list[object]:
    """Return the tools that an agent, or any of several, was built with."""
    members = mapping(member(workflow, "agents"))
    return [tool for one in (members.values() or (workflow,)) for tool in sequence(member(one, "tools"))]


def _description(workflow: object, name: str) -> str | None:
    for tool in _tools(workflow):
        metadata = member(tool, "metadata")
        if member(metadata, "name") == name:
            return text(member(metadata, "description"))
    return None


def _asked(start: object) -> object:
    """Return what an agent was asked: its question, as a message where it is one; nothing new where it goes on."""
    if start is None:
        return {"resumed": True}
    data = mapping(member(start, "_data"))
    asked: Any = data.get("user_msg")
    if member(asked, "blocks") is not None:
        return {"messages": [asked]}
    return asked


def _fields(start: object) -> object:
    return mapping(member(start, "_data")) or mapping(getattr(start, "__dict__", None)) or None
