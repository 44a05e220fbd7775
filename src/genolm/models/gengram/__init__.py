"""Gengram, the k-mer memory inside Genos."""
