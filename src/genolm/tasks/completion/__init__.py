"""Completion of genes from their first part, compared with the native sequence and with baselines."""
