"""Attention: dense, block-sparse, for training, for one step with a cache, and over several processes."""
