"""A LlamaIndex query engine over a vector index, its answer read while it comes."""

from __future__ import annotations

import zlib

from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TextNode

from agent_callbacks import AgentEventHandler, configure, request_metadata
from agent_callbacks.cli.demo.llm import ScriptedLLM
from examples._shared import says, waterfall

HANDBOOK = (
    "Unused goods can be returned within 30 days of arrival.",
    "Parcels leave our warehouse within one working day.",
    "Grinders have five years of warranty.",
)


class WordEmbedding(BaseEmbedding):
    """Puts each word into one of 64 drawers: the same text always gives the same vector, without a model."""

    model_name: str = "words-64"

    def _get_text_embedding(self, text: str) -> list[float]:
        vector = [0.0] * 64
        for word in text.lower().strip(".?").split():
            vector[zlib.crc32(word.encode()) % 64] += 1.0
        return vector

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def main() -> None:
    """Answer one question from the handbook."""
    handle = configure(service_name="llamaindex-rag")
    index = VectorStoreIndex([TextNode(text=text) for text in HANDBOOK], embed_model=WordEmbedding())
    llm = ScriptedLLM(script=[says("Within 30 days of arrival, if it is unused.")])
    engine = index.as_query_engine(llm=llm, similarity_top_k=2, streaming=True)

    with AgentEventHandler().install() as handler, request_metadata(user_id="u-17"):
        # The query returns before the model has said a word; its span lasts until the last one has been read.
        response = engine.query("How long can goods be returned?")
        for word in response.response_gen:
            print(word, end="", flush=True)
    print("\n")

    handle.flush()
    print(waterfall(handle.store_path, handler.last_trace_id))


if __name__ == "__main__":
    main()
