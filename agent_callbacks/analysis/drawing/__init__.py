"""Text drawn for the terminal: colours, bars, tables that give way to narrow screens, and prose. Pure."""
