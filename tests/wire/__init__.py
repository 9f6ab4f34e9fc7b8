"""A model provider on this machine: its server, what it sends, and what every test of a client gets."""
