"""Corpora, recipes and the pretraining loop."""
