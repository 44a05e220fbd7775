"""Simulation of a genome with genes, RNA coverage and variants of known effect."""
