"""Completing genes from their first part, measured against what nature wrote, beside baselines."""
