"""Indexes, engines and their parts, with an embedding that costs nothing."""

from __future__ import annotations

from typing import Any

from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from tests.llamaindex.models import ScriptedLLM

DOCUMENTS = [Document(text=text, metadata={"from": "alice@example.org"}) for text in ("one fish", "two fish", "red")]
EMBEDDING = MockEmbedding(embed_dim=3)


def index() -> VectorStoreIndex:
    """Return an index of three short documents."""
    return VectorStoreIndex.from_documents(DOCUMENTS, embed_model=EMBEDDING)


def query_engine(*script: Any, streaming: bool = False, **options: Any) -> Any:
    """Return a query engine that answers by *script*."""
    return index().as_query_engine(llm=ScriptedLLM(script=list(script)), streaming=streaming, **options)


class Orders(BaseRetriever):
    """Finds two orders, or raises."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self.error is not None:
            raise self.error
        nodes = [TextNode(id_="n1", text="order 7"), TextNode(id_="n2", text="order 8")]
        return [NodeWithScore(node=node, score=score) for node, score in zip(nodes, (0.9, 0.5), strict=True)]


class WordRerank(BaseNodePostprocessor):
    """Turns the order of nodes around, or raises."""

    top_n: int = 2
    error: Any = None

    @classmethod
    def class_name(cls) -> str:
        """Return the name LlamaIndex serializes the postprocessor under."""
        return "WordRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if self.error is not None:
            raise self.error
        return nodes[::-1][: self.top_n]
