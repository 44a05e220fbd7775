"""Heads: modules on the hidden states of a backbone, without losses."""
