"""Whom a client span waited for: one short name, by the attributes that instrumentations of the field set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OTHER", "peer_of"]

OTHER: Final = "other"
"""Stands for all peers beyond the number that is told apart."""

# Each row holds the present spelling of the OpenTelemetry conventions first, then those that are still in use.
_SYSTEMS: Final = ("db.system.name", "db.system")
_NAMESPACES: Final = ("db.namespace", "db.name")
_HOSTS: Final = (keys.SERVER_ADDRESS, "net.peer.name", "peer.service", "http.host")
_URLS: Final = ("url.full", "http.url")
_SERVICES: Final = (keys.PROVIDER_NAME, keys.SYSTEM, keys.DATA_SOURCE_ID, "rpc.service", "messaging.system")


def peer_of(name: str, attributes: Mapping[str, object] | None) -> str:
    """Return the peer of the client span *name*: its database, else its host, its service, or its own name.

    A database is ``<system>/<namespace>``, such as ``postgresql/orders``. The answer is raw: it is to be sanitized
    before it leaves the process.
    """
    given = attributes or {}
    if system := _first(given, _SYSTEMS):
        namespace = _first(given, _NAMESPACES)
        return f"{system}/{namespace}" if namespace else system
    return _first(given, _HOSTS) or _host(_first(given, _URLS)) or _first(given, _SERVICES) or name


def _first(attributes: Mapping[str, object], names: tuple[str, ...]) -> str:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # "http://[" and the like, which an instrumentation took from the user's code
        return ""
