"""Statistics on numpy arrays: bootstrap intervals, AUROC, Markov models, clustering agreement, class separation."""
