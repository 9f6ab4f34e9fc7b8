"""Tools and workflows whose annotations LlamaIndex reads at run time, so they must not be strings."""

from typing import Any

from llama_index.core.agent.workflow import AgentInput, AgentOutput, AgentSetup, FunctionAgent, ToolCall, ToolCallResult
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import (
    Context,
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from pydantic import Field
from workflows.retry_policy import retry_policy, stop_after_attempt, wait_fixed


async def ask_human(ctx: Context, question: str) -> str:
    """Ask a human."""
    answer = await ctx.wait_for_event(
        HumanResponseEvent, waiter_id="w", waiter_event=InputRequiredEvent(prefix=question), requirements={}
    )
    return str(answer.response)


async def _ask_by_name(ctx: Context, question: str) -> str:
    """Ask a human, each question on its own."""
    answer = await ctx.wait_for_event(
        HumanResponseEvent,
        waiter_id=question,
        waiter_event=InputRequiredEvent(prefix=question),
        requirements={"name": question},
    )
    return str(answer.response)


ask_human_by_name = FunctionTool.from_defaults(_ask_by_name, name="ask_human")


class Retrying(Workflow):
    """Asks its model in a step that may be tried three times."""

    model: Any

    @step(retry_policy=retry_policy(wait=wait_fixed(0), stop=stop_after_attempt(3)))
    async def ask(self, event: StartEvent) -> StopEvent:
        """Ask."""
        return StopEvent(result=str(await self.model.acomplete("x")))


class Part(Event):
    """One of three parts."""

    number: int


class FanOut(Workflow):
    """Sends three parts to workers and asks its model when they are together."""

    model: Any

    @step
    async def first(self, ctx: Context, event: StartEvent) -> Part | None:
        """Send the parts."""
        for number in range(3):
            ctx.send_event(Part(number=number))
        return None

    @step(num_workers=3)
    async def second(self, ctx: Context, event: Part) -> StopEvent | None:
        """Collect the parts; LlamaIndex runs this again for each."""
        if ctx.collect_events(event, [Part] * 3) is None:
            return None
        return StopEvent(result=str(await self.model.acomplete("x")))


class My_Flow2(Workflow):  # noqa: N801 - digits and underscores are what some tracers cannot cope with
    """One synchronous step, which runs in a thread."""

    model: Any

    @step
    def only(self, event: StartEvent) -> StopEvent:
        """Ask in a thread."""
        return StopEvent(result=str(self.model.complete("x")))


class Failing(Workflow):
    """One step that raises."""

    @step
    async def only(self, event: StartEvent) -> StopEvent:
        """Fail."""
        raise KeyError("bad")


class Answering(Workflow):
    """Returns the stream of a synthesizer as its result."""

    engine: Any

    @step
    async def answer(self, event: StartEvent) -> StopEvent:
        """Return a stream."""
        return StopEvent(result=await self.engine.aquery("why?"))


def with_model(kind: Any, model: Any) -> Any:
    """Return a workflow of *kind* that asks *model*."""
    made = kind()
    made.model = made.engine = model
    return made


class Flaky(FunctionAgent):
    """An agent whose steps are tried again when they fail; *failures* holds what the next tries raise."""

    failures: dict[str, list[Exception]] = Field(default_factory=dict)

    def _maybe_fail(self, name: str) -> None:
        if waiting := self.failures.get(name):
            raise waiting.pop(0)

    @step(retry_policy=retry_policy(wait=wait_fixed(0), stop=stop_after_attempt(3)))
    async def setup_agent(self, ctx: Context, ev: AgentInput) -> AgentSetup:
        """Begin a decision, or fail."""
        self._maybe_fail("setup_agent")
        return await super().setup_agent(ctx, ev)

    @step(retry_policy=retry_policy(wait=wait_fixed(0), stop=stop_after_attempt(3)))
    async def run_agent_step(self, ctx: Context, ev: AgentSetup) -> AgentOutput:
        """Ask the model."""
        return await super().run_agent_step(ctx, ev)

    @step(retry_policy=retry_policy(wait=wait_fixed(0), stop=stop_after_attempt(3)))
    async def call_tool(self, ctx: Context, ev: ToolCall) -> ToolCallResult:
        """Call a tool, and fail after it."""
        found = await super().call_tool(ctx, ev)
        self._maybe_fail("call_tool")
        return found
