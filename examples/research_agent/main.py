"""A research agent: web search, a vector store of notes, a code executor; at most eight steps."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.tools import BaseTool, create_retriever_tool, tool
from langchain_core.vectorstores import InMemoryVectorStore

from agent_callbacks import AgentCallbackHandler, configure
from agent_callbacks.cli.demo.model import ScriptedModel
from examples._shared import asks, says, waterfall

MAX_STEPS = 8
WEB = {
    "coffee consumption Finland": "Finland drinks about 12 kg of coffee per person and year.",
    "coffee consumption Italy": "Italy drinks about 6 kg of coffee per person and year.",
}
NOTES = ("A cup of filter coffee takes 8 g of coffee.", "An espresso takes 7 g of coffee.", "Tea is no coffee.")


class Search(BaseHTTPRequestHandler):
    """Stands for a search engine."""

    def do_GET(self) -> None:
        """Answer one query."""
        (query,) = parse_qs(urlsplit(self.path).query).get("q", [""])
        body = json.dumps({"results": [WEB.get(query, "nothing found")]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
        """Say nothing."""


class WordEmbeddings(Embeddings):
    """Puts each word into one of 64 drawers: the same text always gives the same vector, without a model."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector a text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of *text*."""
        vector = [0.0] * 64
        for word in text.lower().strip(".").split():
            vector[zlib.crc32(word.encode()) % 64] += 1.0
        return vector


def tools(port: int) -> list[BaseTool]:
    """Return the agent's tools; the search engine listens on *port*."""

    @tool
    def search_web(query: str) -> str:
        """Search the web."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", f"/search?q={quote(query)}")
        return str(json.loads(connection.getresponse().read())["results"])

    @tool
    def run_python(code: str) -> str:
        """Run Python code and return what it prints."""
        # A process of its own, with a time limit; for code you do not trust, use a real sandbox.
        command = [sys.executable, "-I", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
        return done.stdout or done.stderr

    notes = InMemoryVectorStore(WordEmbeddings())
    notes.add_documents([Document(text) for text in NOTES])
    retriever = notes.as_retriever(search_kwargs={"k": 2}).with_config(run_name="notes")
    return [search_web, create_retriever_tool(retriever, "search_notes", "Search the notes."), run_python]


def main() -> None:
    """Research one question."""
    handle = configure(service_name="research")
    handler = AgentCallbackHandler()
    engine = ThreadingHTTPServer(("127.0.0.1", 0), Search)
    threading.Thread(target=engine.serve_forever, daemon=True).start()

    model = ScriptedModel(
        script=[
            asks(
                ("search_web", {"query": "coffee consumption Finland"}),
                ("search_web", {"query": "coffee consumption Italy"}),
            ),
            asks(("search_notes", {"query": "how much coffee takes a cup of filter coffee"})),
            asks(("run_python", {"code": "print(round((12 - 6) * 1000 / 8))"})),
            says("A Finn drinks about 750 cups of filter coffee a year more than an Italian."),
        ]
    )
    agent = create_agent(
        model, tools(engine.server_port), name="researcher", middleware=[ModelCallLimitMiddleware(run_limit=MAX_STEPS)]
    )
    found = agent.invoke(
        {"messages": [{"role": "user", "content": "How many more cups a year does a Finn drink than an Italian?"}]},
        config={"callbacks": [handler], "metadata": {"user_id": "u-17", "session_id": "s-research"}},
    )
    engine.shutdown()
    engine.server_close()
    print(found["messages"][-1].text, end="\n\n")

    handle.flush()
    print(waterfall(handle.store_path, handler.last_trace_id))


if __name__ == "__main__":
    main()
