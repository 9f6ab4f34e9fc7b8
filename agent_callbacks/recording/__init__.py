"""Recording: values in, spans out. ``recorder.py`` has the verbs, ``writer.py`` is the only writer of spans."""
