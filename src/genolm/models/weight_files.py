"""Names of the files that hold weights; torch is not needed to know them."""

from __future__ import annotations

SINGLE = "model.safetensors"
"""All weights in one file."""
INDEX = "model.safetensors.index.json"
"""Which file holds which tensor, where there are several."""
PICKLE = "pytorch_model.bin"
"""Weights as ``torch.save`` writes them, which are only ever converted."""
