"""Checkpoints of decoders in the layouts of Megatron."""
