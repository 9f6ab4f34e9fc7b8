"""``agent-callbacks doctor``: what is installed, what is set, where traces go, and whether they arrive."""
