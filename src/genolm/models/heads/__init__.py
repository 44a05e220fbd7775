"""Heads: modules on the hidden states of a backbone, without losses, and the losses of fine-tuned heads."""
