"""Files: atomic writing, locks, names, digests, compressed text, optional dependencies."""
