"""Statistics that need numpy alone: intervals, AUROC, Markov models, agreement and separation."""
