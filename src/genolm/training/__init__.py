"""Training: corpora, recipes, and the pretraining loop."""
