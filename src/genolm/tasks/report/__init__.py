"""A run on one self-contained HTML page: genome browser, scored variants, likelihoods, embeddings."""
