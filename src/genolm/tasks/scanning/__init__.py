"""The parts of :func:`genolm.scan`: tiles of contigs, tracks, called intervals, genes."""
