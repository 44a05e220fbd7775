"""Interpretation of models: k-mer memories, readouts of layers, routing to experts and attribution, with nulls."""
