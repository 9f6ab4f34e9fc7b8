"""Every test here gets a server, and the certainty that no key left the process."""

from tests.wire.fixtures import no_key_leaves, wire

__all__ = ["no_key_leaves", "wire"]
