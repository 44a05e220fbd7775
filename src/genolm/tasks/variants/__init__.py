"""Variant effects: variants of a file, and every single-base change of an interval."""
