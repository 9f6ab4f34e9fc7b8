"""A plain LCEL chain: retrieve, fill a prompt, ask a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from agent_callbacks import AgentCallbackHandler, configure
from agent_callbacks.cli.demo.model import ScriptedModel
from examples._shared import says, waterfall

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun

HANDBOOK = (
    "Unused goods can be returned within 30 days of arrival.",
    "Parcels leave our warehouse within one working day.",
    "Grinders have five years of warranty.",
)


class Handbook(BaseRetriever):
    """Finds the sentences of the handbook that share most words with the question."""

    top_k: int = 2

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del run_manager
        wanted = _words(query)
        ranked = sorted(HANDBOOK, key=lambda text: -len(wanted & _words(text)))
        return [Document(text) for text in ranked[: self.top_k]]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _join(documents: list[Document]) -> str:
    return "\n".join(document.page_content for document in documents)


def main() -> None:
    """Answer one question from the handbook."""
    handle = configure(service_name="rag-chain")
    handler = AgentCallbackHandler()

    prompt = ChatPromptTemplate.from_template("Answer from this handbook only:\n{context}\n\nQuestion: {question}")
    model = ScriptedModel(script=[says("Within 30 days of arrival, if it is unused.")])
    handbook = Handbook().with_config(run_name="handbook")
    chain = (
        {"context": handbook | RunnableLambda(_join), "question": RunnablePassthrough()}
        | prompt
        | model
        | StrOutputParser()
    )
    answer = chain.invoke(
        "How long can goods be returned?",
        config={"run_name": "answer", "callbacks": [handler], "metadata": {"user_id": "u-17"}},
    )
    print(answer, end="\n\n")

    handle.flush()
    print(waterfall(handle.store_path, handler.last_trace_id))


if __name__ == "__main__":
    main()
