"""Datasets with labels from an annotated genome."""
