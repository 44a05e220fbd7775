"""Comparison of generated sequences with genomes: exact matches, nearest sequences, genes, spectra."""
