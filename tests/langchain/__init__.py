"""The LangChain adapter's tests."""
