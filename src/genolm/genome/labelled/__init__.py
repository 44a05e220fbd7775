"""Sequences with labels: genomes with taxa, generated sequences with their generators, fragments of genomes."""
