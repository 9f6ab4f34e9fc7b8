"""Who asks, as a value: what is refused, and that a block may be an async one."""

from __future__ import annotations

import pytest

from agent_callbacks import request_metadata
from agent_callbacks.metadata import current_request


def test_an_unknown_level_of_content_is_refused() -> None:
    """An error names the value and all there are."""
    with pytest.raises(ValueError, match="content='some' is not a content level; use one of off, arguments, tools"):
        request_metadata(content="some")  # type: ignore[arg-type]


async def test_a_block_may_be_an_async_one() -> None:
    """``async with`` says the same as ``with``."""
    async with request_metadata(user_id="u-17") as request:
        assert current_request() is request
    assert current_request() is None
