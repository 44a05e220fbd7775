"""Generation of DNA, and the check of generated sequences."""
