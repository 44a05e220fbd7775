"""A simulated genome with genes, coverage and variants whose truth is known."""
