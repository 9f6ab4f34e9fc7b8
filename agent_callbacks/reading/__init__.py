"""What every adapter reads alike: loose values, and what providers say of tokens, stops, addresses and who asked."""
