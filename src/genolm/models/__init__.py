"""Models: networks, their checkpoints and adapters, and the models known by name."""
