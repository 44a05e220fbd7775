"""Rows for training: sequences to token ids, masks and batches."""
