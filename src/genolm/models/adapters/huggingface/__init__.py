"""Checkpoints of decoders in the layout of Hugging Face transformers."""
