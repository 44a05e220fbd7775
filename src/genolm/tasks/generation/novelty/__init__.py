"""Comparison of generated sequences with genomes: exact matches, identity, genes and composition."""
