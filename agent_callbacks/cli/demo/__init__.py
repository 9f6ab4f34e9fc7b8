"""``agent-callbacks demo``: a real agent with real tools, traced into the local store; no key, no network."""
