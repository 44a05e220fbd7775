"""Command line: thin wrappers around the Python functions, imported only when they run."""
