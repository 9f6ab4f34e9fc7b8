"""Real provider SDKs against a local server."""
