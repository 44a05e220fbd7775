"""Executors: where the parts of a run are computed."""
