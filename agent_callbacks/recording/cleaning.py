"""What the writer puts on a span passes here first: cleaned and capped, under one set of settings."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from agent_callbacks.convention import attributes as attribute
from agent_callbacks.convention import keys
from agent_callbacks.metadata import ContentLevel, Request, narrower

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.privacy.plain import Plain
    from agent_callbacks.settings import Settings

__all__ = ["LINK_BYTES", "Cleaning"]

LINK_BYTES: Final = 48
"""What a link takes without attributes, in bytes."""
_MAX_IDENTITY: Final = 4096  # bytes
_MAX_NAME: Final = 160
_MAX_NAMES: Final = 2048
_MAX_ITEMS: Final = 128
_SCALARS: Final = frozenset({str, bool, int, float})


class Cleaning:
    """The ``Cleaner`` of ``convention.attributes``, and the same for what user code sets."""

    def __init__(self, settings: Settings) -> None:
        """Clean as *settings* say."""
        self._settings = settings
        self._sanitizer = settings.sanitizer
        self._level: ContentLevel = settings.content
        # Names, models and ids come again with every span.
        self._name = functools.lru_cache(_MAX_NAMES)(self._sanitizer.clean)
        self._id = functools.lru_cache(_MAX_NAMES)(self._sanitizer.clean_identity)

    def text(self, text: str, limit: int | None = None) -> str:
        """Return *text* cleaned, then cut to *limit* bytes (None: the setting for attributes)."""
        if len(text) <= _MAX_NAME:
            return self._name(text)
        most = self._settings.max_attribute_bytes
        return self._sanitizer.clean(text, most if limit is None else min(limit, most))

    def _long(self, text: str) -> str:
        return self._sanitizer.clean(text, self._settings.max_attribute_bytes)

    def identity(self, text: str, limit: int = _MAX_IDENTITY) -> str:
        """Return an id with only unmistakable personal data removed, then cut to *limit* bytes."""
        if len(text) <= _MAX_NAME:
            return self._id(text)
        return self._sanitizer.clean_identity(text, limit)

    def json(self, value: object, limit: int | None = None) -> str:
        """Return *value* as cleaned JSON of at most *limit* bytes (None: the setting for attributes)."""
        most = self._settings.max_attribute_bytes
        return self._sanitizer.clean_json(value, most if limit is None else min(limit, most))

    def content(self, value: object) -> str:
        """Return *value* as text: a string as it is, anything else as JSON; cleaned and capped."""
        if type(value) is str:
            return self._sanitizer.clean(value, self._settings.max_attribute_bytes)
        return self.json(value)

    def level(self, request: Request | None) -> ContentLevel:
        """Return how much content a span of *request* may carry."""
        narrowed = None if request is None else narrower(self._level, request.content)
        return narrowed or self._level

    def request(self, request: Request) -> Attributes:
        """Return who asked, cleaned."""
        return attribute.request(request, self)

    def _pairs(self, attributes: Mapping[str, Any], room: int) -> tuple[dict[str, Any], int]:
        """Return what user code gave as attributes that may leave, keys deciding over values, within *room* bytes."""
        if not attributes or room <= LINK_BYTES:
            return {}, 0
        most = min(room, self._settings.max_attribute_bytes)
        plain = self._sanitizer.clean_value(dict(attributes), max_bytes=room)
        if not isinstance(plain, dict):
            return {keys.EVENT_DATA: plain} if isinstance(plain, str) else {}, 0
        pairs = {key: self._attribute(value, most) for key, value in plain.items() if value is not None}
        return pairs, sum([len(key) + (len(value) if isinstance(value, str) else 8) for key, value in pairs.items()])

    def _attribute(self, value: Plain, most: int) -> Any:
        """Return cleaned plain data as the SDK takes it: a scalar, a list of one type, else JSON."""
        if isinstance(value, str):
            return value if len(value) <= most else self._sanitizer.clean(value, most)
        if not isinstance(value, (list, dict)):
            return value
        kinds = {type(item) for item in value}
        if isinstance(value, list) and len(value) <= _MAX_ITEMS and len(kinds) <= 1 and kinds <= _SCALARS:
            return value
        return self._sanitizer.clean_json(value, most)
