"""Study of two small microbial models on species that were not in training."""
