"""Losses of fine-tuned heads."""
