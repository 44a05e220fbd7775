"""Continued pretraining on gene clusters: what a small model learns from a few records."""
