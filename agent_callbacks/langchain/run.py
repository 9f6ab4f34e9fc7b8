"""What a chain run is (an agent, a graph, a node or a chain) and how a run stopped, from LangChain's arguments."""

from __future__ import annotations

import asyncio
import concurrent.futures
import re
import sys
from typing import Final

from agent_callbacks.reading.asker import request
from agent_callbacks.reading.shape import Loose, count, mapping, member, sequence, text
from agent_callbacks.recording.stack import UNKNOWN, Caller, kinds_of, module_of
from agent_callbacks.recording.values import AgentRun, ChainRun, GraphNode, Outcome

__all__ = ["chain_run", "stopped"]

# What the graph and the executor are called when nobody named them.
_EXECUTOR: Final = "AgentExecutor"
_NAMELESS: Final = frozenset({"LangGraph", _EXECUTOR, "Pregel"})
_COMPOSED: Final = re.compile(r"(Runnable[A-Za-z]+)<.*>$", re.DOTALL)
_GRAPH_INTEGRATIONS: Final = frozenset({"langgraph", "langchain_create_agent"})
_ENGINE: Final = "langgraph.pregel"
_CHAIN_MODULE: Final = "langchain_classic.chains.base"
_OWNERS: Final = ("langgraph.pregel.main", _CHAIN_MODULE)


def chain_run(
    serialized: object,
    name: object,
    inputs: object,
    metadata: object,
    tags: object,
    called: Caller = UNKNOWN,
    *,
    inner: bool,
) -> AgentRun | ChainRun:
    """Return what ``on_chain_start`` tells of.

    Args:
        serialized: The runnable as LangChain serializes it; usually None.
        name: The run's name.
        inputs: What went in.
        metadata: The run's metadata, LangGraph's and LangChain's among it.
        tags: The run's tags.
        called: Who called the callback.
        inner: Whether a chain, not an agent, would have no span. LangChain repeats what was said there on everything
            below, so it need not be read.
    """
    facts = mapping(metadata)
    kind_name = _serialized_name(serialized)
    plain = _plain(text(name) or kind_name or "chain")
    node = _node(facts)
    kind = facts.get("agent_kind")
    graph = _is_graph(facts, (plain, kind_name), called)
    named = text(facts.get("agent_name"))
    if kind != "chain" and (graph or kind == "agent" or named is not None):
        own = plain if graph and plain not in _NAMELESS else None
        names = (named, text(facts.get("lc_agent_name")) if graph else None, own)
        return AgentRun(names, graph, node, inputs, graph and _resumes(inputs), request=request(metadata, tags))
    return ChainRun(plain, node, input=inputs, request=None if inner else request(metadata, tags))


def _serialized_name(serialized: object) -> str | None:
    if not serialized:
        return None
    about = mapping(serialized)
    if (name := text(about.get("name"))) is not None:
        return name
    path = sequence(about.get("id"))
    return text(path[-1]) if path else None


def _node(facts: Loose) -> GraphNode | None:
    name, branch = text(facts.get("langgraph_node")), text(facts.get("langgraph_checkpoint_ns"))
    superstep = count(facts.get("langgraph_step"))
    return GraphNode(superstep, branch, name) if name and branch and superstep is not None else None


def _plain(name: str) -> str:
    """Return *name* without the keys that LangChain writes behind it: ``RunnableParallel<context,question>``."""
    found = _COMPOSED.match(name)
    return name if found is None else found[1]


def _is_graph(facts: Loose, names: tuple[str | None, str | None], called: Caller) -> bool:
    """Say whether the run is a whole graph (or an executor): who called tells, metadata is inherited."""
    if _EXECUTOR in names:
        return True
    if facts.get("ls_integration") not in _GRAPH_INTEGRATIONS and sys.modules.keys().isdisjoint(_OWNERS):
        return False
    module = module_of(called)
    return module.startswith(_ENGINE) or (module == _CHAIN_MODULE and _EXECUTOR in kinds_of(called))


def _resumes(inputs: object) -> bool:
    """Say whether a graph's input means "go on": None, or a command that carries an answer."""
    return inputs is None or member(inputs, "resume") is not None


def stopped(error: BaseException) -> Outcome | None:
    """Return how a run stopped that did not fail, decided by the exception's type; None for a failure.

    LangGraph raises to interrupt (``GraphInterrupt``), to hand over to another agent (``ParentCommand``) and to drain.
    """
    errors = sys.modules.get("langgraph.errors")
    if errors is not None:
        if isinstance(error, getattr(errors, "ParentCommand", ())):
            return "success"
        if isinstance(error, getattr(errors, "GraphBubbleUp", ())):
            return "interrupted"
    if isinstance(error, (asyncio.CancelledError, concurrent.futures.CancelledError, KeyboardInterrupt, SystemExit)):
        return "cancelled"
    if isinstance(error, GeneratorExit):
        return "abandoned"
    return None
