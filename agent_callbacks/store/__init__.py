"""The local trace store: one SQLite file, written by an exporter and read by the command line."""
