"""Equivalent implementations of one operation, timed on this machine and selected for a run."""
