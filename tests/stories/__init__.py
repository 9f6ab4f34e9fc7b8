"""The same stories told by both frameworks."""
