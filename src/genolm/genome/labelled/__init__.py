"""Labelled sequences: fragments of genomes with species labels, and generated sequences with their models."""
