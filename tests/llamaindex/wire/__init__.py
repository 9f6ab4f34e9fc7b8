"""Real provider SDKs, as LlamaIndex uses them, against a local server."""
