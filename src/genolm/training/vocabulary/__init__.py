"""Training and inspection of byte-pair vocabularies."""
