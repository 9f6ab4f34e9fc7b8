"""A web endpoint that streams an agent's answer; who asks is said once per request."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING

from langchain.agents import create_agent

from agent_callbacks import AgentCallbackHandler, configure, request_metadata
from agent_callbacks.cli.demo.model import ScriptedModel
from examples._shared import asks, says, waterfall

try:
    import httpx
    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse
except ModuleNotFoundError as missing:
    sys.exit(f"this example needs {missing.name}: pip install fastapi uvicorn httpx")

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

app = FastAPI()


def lookup_order(order: str) -> str:
    """Look an order up."""
    return f"order {order} has left the warehouse"


@app.get("/ask")
async def ask(question: str, user: str, session: str) -> StreamingResponse:
    """Stream the answer, word by word."""
    model = ScriptedModel(script=[asks(("lookup_order", {"order": "1042"})), says("It has left the warehouse today.")])
    agent = create_agent(model, [lookup_order], name="support")

    async def words() -> AsyncIterator[str]:
        with request_metadata(user_id=user, session_id=session, variant={"tone": "brief"}):
            stream = agent.astream({"messages": [{"role": "user", "content": question}]}, stream_mode="messages")
            async for chunk, about in stream:
                if about["langgraph_node"] == "model" and chunk.text:
                    yield chunk.text

    return StreamingResponse(words(), media_type="text/plain")


async def visit(client: httpx.AsyncClient, user: str) -> None:
    """Ask like a browser would, and print what arrives."""
    query = {"question": "Where is order 1042?", "user": user, "session": f"s-{user}"}
    async with client.stream("GET", "/ask", params=query) as response:
        pieces = [piece async for piece in response.aiter_text()]
    print(f"{user} got {len(pieces)} pieces: {''.join(pieces).strip()}")


async def main() -> None:
    """Serve two users at the same time, then show both traces."""
    handle = configure(service_name="streaming-web")
    handler = AgentCallbackHandler().install()  # every run of the process, without callbacks=
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve([listening]))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", trust_env=False) as client:
        await asyncio.gather(visit(client, "u-1"), visit(client, "u-2"))
    server.should_exit = True
    await serving

    handle.flush()
    print(f"\n{waterfall(handle.store_path, handler.last_trace_id)}")
    print(f"\nstill open: {handler.open_runs}")


if __name__ == "__main__":
    asyncio.run(main())
