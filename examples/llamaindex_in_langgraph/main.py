"""A LlamaIndex query engine as a tool of a LangGraph agent: two frameworks, one trace."""

from __future__ import annotations

import re

from langchain.agents import create_agent
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from agent_callbacks import AgentCallbackHandler, AgentEventHandler, configure, request_metadata
from agent_callbacks.cli.demo.llm import ScriptedLLM
from agent_callbacks.cli.demo.model import ScriptedModel
from examples._shared import asks, says, waterfall

HANDBOOK = (
    "Unused goods can be returned within 30 days of arrival.",
    "Parcels leave our warehouse within one working day.",
    "Grinders have five years of warranty.",
)


class Handbook(BaseRetriever):
    """Finds the sentences of the handbook that share most words with the question."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        wanted = _words(query_bundle.query_str)
        found = [NodeWithScore(node=TextNode(text=text), score=len(wanted & _words(text))) for text in HANDBOOK]
        return sorted(found, key=lambda node: -node.score)[:2]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def main() -> None:
    """Ask the agent one question and show what it did."""
    handle = configure(service_name="llamaindex-in-langgraph")
    llm = ScriptedLLM(script=[says("Within 30 days of arrival, if it is unused.")])
    engine = RetrieverQueryEngine.from_args(Handbook(), llm=llm)

    def ask_handbook(question: str) -> str:
        """Answer a question from the handbook."""
        return str(engine.query(question))

    model = ScriptedModel(
        script=[
            asks(("ask_handbook", {"question": "How long can goods be returned?"})),
            says("You can send it back within 30 days, if you have not used it."),
        ]
    )
    agent = create_agent(model, [ask_handbook], name="support")

    # Each framework has its handler; who asks is said once, around both.
    handler = AgentCallbackHandler().install()
    with AgentEventHandler().install(), request_metadata(user_id="u-17", session_id="s-9"):
        answer = agent.invoke({"messages": [{"role": "user", "content": "May I send my kettle back?"}]})
    print(answer["messages"][-1].text, end="\n\n")

    handle.flush()
    print(waterfall(handle.store_path, handler.last_trace_id))


if __name__ == "__main__":
    main()
