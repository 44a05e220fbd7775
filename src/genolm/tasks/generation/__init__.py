"""Generation of DNA, and the check of what was generated."""
