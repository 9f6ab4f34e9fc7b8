"""The local trace store."""
